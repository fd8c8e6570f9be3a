"""`where`: into a buffer before the commit, and by bits in it, since `copyto` with a condition takes many times longer.

With m all ones where the condition holds and 0 elsewhere, the bits of the result are ((a ^ b) & m) ^ b.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograph.executors.numpy.record import Recorder, select
from autograph.executors.numpy.values import Guard, Step, Value
from autograph.graph.register import copying
from autograph.tensor_type import DTYPES, DType

Call = tuple[Any, ...]


def masked(condition: Any, mask: Any) -> list[Call]:
    """mask ← −condition, whose bits are all ones where it holds."""
    return [copying(mask, condition), (np.negative, mask, mask)]


def chosen(mask: Any, a: Any, b: Any, result: Any) -> list[Call]:
    """result ← ((a ^ b) & mask) ^ b; where b itself is written over, its bits are kept by ((b ^ a) & ~mask) ^ a."""
    if a is b:
        return [copying(result, a)]
    over = isinstance(b, np.ndarray) and bool(b.ndim) and np.may_share_memory(b, result)
    a, b, result = (x.view(mask.dtype) for x in (a, b, result))
    if not over:
        return [(np.bitwise_xor, a, b, result), (np.bitwise_and, result, mask, result), (np.bitwise_xor, result, b, result)]
    without = [(np.bitwise_or, result, mask, result), (np.bitwise_xor, result, mask, result)]  # & ~mask
    return [(np.bitwise_xor, b, a, result), *without, (np.bitwise_xor, result, a, result)]


def by_bits(early: list[Step], tail: Sequence[Step], recorder: Recorder) -> tuple[list[Step], list[Step]]:
    """Make of each choice of the tail a mask and a choice by bits; return `early`, where masks of rank 0 are made, and the tail.

    Choices share the mask of a condition that they share anyhow: another would join what else is apart.
    """
    early, found = list(early), []
    made = {step.result for step in tail}
    masks: dict[tuple[Value, DType, Guard, Step | None], Value] = {}
    for step in tail:
        if step.function is not select:
            found.append(step)
            continue
        condition, a, b = step.arguments
        shared = condition in made or not condition.shape
        key = condition, _mask_type(step.result.dtype), step.guard, None if shared else step
        if key not in masks:
            mask = masks[key] = recorder.scratch(key[1], condition.shape)
            steps, function = (found, masked) if condition.shape else (early, _negative)
            steps.append(Step("mask", function, [condition], mask, step.node, into=True, guard=step.guard))
        found.append(Step("where", chosen, [masks[key], a, b], step.result, step.node, into=True, guard=step.guard))
    return early, found


def _mask_type(dtype: DType) -> DType:
    """An integer of that width, and another type, so that a result is never laid over the mask that it is chosen by."""
    return DTYPES[f"{'u' if dtype.kind == 'i' else ''}int{8 * dtype.itemsize}"]


def _negative(condition: Any, out: Any) -> None:
    np.negative(condition.view(np.int8), out)


IN_CALLS = (masked, chosen)  # instead of a function that the commit calls, one that says what it calls
