"""What runs along an axis: the recorder's part for extremes by position, scans, order and norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograph.arrays import indexing, reductions
from autograph.executors.native.moving import MovingRecorder
from autograph.executors.native.ordering import SHORT, first_greatest, first_least, norm_beside
from autograph.executors.numpy.values import Value
from autograph.tensor_type import DTYPES

_INT64 = DTYPES["int64"]


class AlongRecorder(MovingRecorder):
    """The part of the namespace that goes along lines."""

    def argmax(self, x: Any, axis: int, keepdims: bool = False) -> Value:
        x = self._known(x)
        if not self._plain(x) or not x.shape[axis]:
            return self._call("argmax", reductions.argmax, x, axis, keepdims)
        return self._first("argmax", first_greatest, x, self.max(x, (axis,), True), axis, keepdims)

    def argmin(self, x: Any, axis: int, keepdims: bool = False) -> Value:
        x = self._known(x)
        if not self._plain(x) or not x.shape[axis]:
            return self._call("argmin", reductions.argmin, x, axis, keepdims)
        return self._first("argmin", first_least, x, self.min(x, (axis,), True), axis, keepdims)

    def _first(self, name: str, function: Callable[..., Any], x: Value, best: Value, axis: int, keepdims: bool) -> Value:
        shape = (*x.shape[:axis], *([1] if keepdims else []), *x.shape[axis + 1 :])
        return self._step(name, function, _INT64, shape, self._dense(x), best, axis, keepdims)

    def cumsum(self, x: Any, axis: int, reverse: bool = False) -> Value:
        if not self._plain(x):
            return self._call("cumsum", reductions.cumsum, x, axis, reverse)
        return self._placed("cumsum", x.dtype, x.shape, self._dense(x), axis, reverse)

    def cumprod(self, x: Any, axis: int, reverse: bool = False) -> Value:
        if not self._plain(x):
            return self._call("cumprod", reductions.cumprod, x, axis, reverse)
        return self._placed("cumprod", x.dtype, x.shape, self._dense(x), axis, reverse)

    def linear_scan(self, a: Any, b: Any, axis: int, reverse: bool = False) -> Value:
        if not self._plain(a, b) or a.dtype is not b.dtype or a.shape != b.shape:
            return self._call("linear_scan", reductions.linear_scan, a, b, axis, reverse)
        return self._placed("linear_scan", a.dtype, a.shape, self._dense(a), self._dense(b), axis, reverse)

    def searchsorted(self, line: Any, x: Any, side: str) -> Value:
        if not self._plain(line, x) or line.dtype is not x.dtype:
            return self._call("searchsorted", indexing.searchsorted, line, x, side)
        return self._placed("searchsorted", _INT64, x.shape, self._dense(line), self._dense(x), side)

    def sort(self, x: Any, axis: int, descending: bool) -> Value:
        if not self._plain(x) or x.shape[axis] > SHORT:
            return self._call("sort", indexing.sort, x, axis, descending)
        return self._placed("sort", x.dtype, x.shape, self._dense(x), axis, descending)

    def argsort(self, x: Any, axis: int, descending: bool) -> Value:
        if not self._plain(x):
            return self._call("argsort", indexing.argsort, x, axis, descending)
        return self._placed("argsort", _INT64, x.shape, self._dense(x), axis, descending)

    def top_k(self, x: Any, k: int, axis: int) -> Value:
        if not self._plain(x):
            return self._call("top_k", indexing.top_k, x, k, axis)
        return self._placed("top_k", _INT64, (*x.shape[:axis], k, *x.shape[axis + 1 :]), self._dense(x), k, axis)

    def norm(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Value:
        """In double precision squares of single neither overflow nor vanish; those of double are looked at."""
        x = self._known(x)
        if not self._plain(x) or not all(x.shape[a] for a in axis):
            return self._call("norm", reductions.norm, x, axis, keepdims)
        plain = self.sqrt(self.sum(self.square(self.astype(x, DTYPES["float64"])), axis, keepdims))
        if x.dtype.char == "f":
            return self.astype(plain, x.dtype)
        return self._step("norm", norm_beside, x.dtype, plain.shape, self._dense(x), self._dense(plain), axis, keepdims)
