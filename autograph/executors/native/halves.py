"""Half precision: what is more than a call on each element is computed in single and rounded once, as by NumPy."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from autograph.executors.numpy.record import Recorder
from autograph.executors.numpy.values import Value
from autograph.tensor_type import DTYPES

_HALF, _SINGLE = DTYPES["float16"], DTYPES["float32"]
Kind = TypeVar("Kind", bound=type[Recorder])


def in_single(*names: str) -> Callable[[Kind], Kind]:
    """A class of recorders whose functions of these names take half precision as single, and give it back."""

    def decorate(kind: Kind) -> Kind:
        for name in names:
            setattr(kind, name, _widened(getattr(kind, name)))
        return kind

    return decorate


def _widened(method: Callable[..., Value]) -> Callable[..., Value]:
    @functools.wraps(method)
    def function(self: Recorder, *arguments: Any) -> Value:
        wide = [type(a)(_wide(self, x) for x in a) if type(a) in (list, tuple) else _wide(self, a) for a in arguments]
        if all(a is b for a, b in zip(_flat(wide), _flat(arguments), strict=True)):
            return method(self, *arguments)
        result = self._known(method(self, *wide))
        return self.astype(result, _HALF) if result.dtype is _SINGLE else result

    return function


def _flat(arguments: Iterable[Any]) -> list[Any]:
    return [x for a in arguments for x in (a if isinstance(a, list | tuple) else [a])]


def _wide(recorder: Recorder, x: Any) -> Any:
    x = recorder._known(x)
    half = isinstance(x, Value) and x.dtype is _HALF and None not in x.shape
    return recorder.astype(x, _SINGLE) if half else x
