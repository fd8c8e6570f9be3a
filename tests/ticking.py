"""One tick of some updates, computed op by op: what a function must agree with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograph.arrays import numpy_namespace
from autograph.graph.graph import ancestors, evaluate
from autograph.graph.tensor import Tensor, Variable
from autograph.graph.updates import as_updates


def values_of(outputs: Sequence[Tensor], feeds: Mapping[Tensor, Any] | None = None) -> list[Any]:
    """The values of `outputs`, from the registers as they are and the feeds."""
    known = {tensor: tensor.register.home for tensor in ancestors(outputs) if isinstance(tensor, Variable)}
    with np.errstate(all="ignore"):
        found = evaluate(outputs, {**known, **(feeds or {})}, numpy_namespace)
    return [np.array(value) for value in found]


def tick(updates: Any, outputs: Sequence[Tensor] = (), feeds: Mapping[Tensor, Any] | None = None) -> list[Any]:
    """Compute everything from the old values, then write; the values of `outputs` before the tick."""
    checked, plain = as_updates(updates)
    found = values_of([*outputs, *plain, *[update.value for update in checked]], feeds)
    for update, value in zip(checked, found[len(outputs) + len(plain) :], strict=True):
        assert (value.dtype, value.shape) == (update.variable.dtype, update.variable.shape)
        update.variable.register.home[...] = value
    return found[: len(outputs)]
