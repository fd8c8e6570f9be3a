"""A call as one builtin: the feeds are checked, a tick runs, its outputs are put into fresh arrays.

It does what `Function` does where nothing is unusual, and else nothing: then it gives NotImplemented. A short tick keeps
Python's lock, so that nobody can come between: it looks whether the registers' lock is free. A long one, during which other
threads may run, takes it.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from autograph.executors.native.blas import pointed
from autograph.executors.native.compiler import NAME, PLAINLY
from autograph.executors.native.kernels import Method, builtin, givens, method, python, thing, walk
from autograph.executors.native.segments import told_of
from autograph.executors.native.whole import Whole
from autograph.executors.numpy.values import Value
from autograph.graph.register import Domain, epoch

# The feeds: what is told of them, and how many there are. Whether other threads may run during the steps, the commit, either.
# The lock: the place of its owner, who takes it, who lets it go. The epoch's list, and the number it has to hold; the place of
# the domain's parent, of which there may be none. Entries of steps and commit, or 0. How many outputs there are, and where they
# are told: as what they are fetched, the dtype or the array, the place of the numbers, rank, sizes, bytes.
_HEADER = (
    "given", "wanted", "steps_let", "commit_lets", "lets", "owner", "acquire", "release", "epochs", "number", "parent",
    "steps", "commit", "outputs", "told_outputs",
)  # fmt: skip
_SCALAR, _DENSE, _OTHER = range(3)
_ITEMS = 24  # where a list has the place of its items
_ABI = 0x2000000  # of NumPy 2
_VERSION, _TO_SCALAR, _COPY, _NEW = 0, 60, 85, 94  # places in NumPy's table of functions


def _words(row: str, names: Sequence[str]) -> str:
    """The words of a row, each under its name."""
    return "".join(
        f"  %{name}_at = getelementptr i64, ptr {row}, i64 {k}\n  %{name} = load i64, ptr %{name}_at\n"
        f"  %{name}_place = inttoptr i64 %{name} to ptr\n"
        for k, name in enumerate(names)
    )


def _running(name: str, lets: str, stuck: str, done: str) -> str:
    """The blocks that run the entries of that name, where there are any, while other threads may run if it `lets` them."""
    return f"""{name}_begin:
  %{name}_none = icmp eq i64 %{name}, 0
  br i1 %{name}_none, label %{done}, label %{name}_open
{name}_open:
  %{name}_apart = icmp ne i64 {lets}, 0
  br i1 %{name}_apart, label %{name}_leave, label %{name}_start
{name}_leave:
  %{name}_left = call ptr {python("PyEval_SaveThread")}()
  br label %{name}_start
{name}_start:
  %{name}_thread = phi ptr [null, %{name}_open], [%{name}_left, %{name}_leave]
  br label %{name}_run
{walk(f"{name}_run", f"%{name}_place", f"{name}_start", f"{name}_stuck", f"{name}_close")}{name}_close:
  br i1 %{name}_apart, label %{name}_enter, label %{done}
{name}_enter:
  call void {python("PyEval_RestoreThread")}(ptr %{name}_thread)
  br label %{done}
{name}_stuck:
  br i1 %{name}_apart, label %{name}_back, label %{stuck}
{name}_back:
  call void {python("PyEval_RestoreThread")}(ptr %{name}_thread)
  br label %{stuck}
"""


def _text() -> str:
    call = python("PyObject_Vectorcall")
    output = ("way", "kind", "source", "depth", "lengths", "bytes")
    return f"""
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
define ptr {NAME}(ptr %self, ptr %args, i64 %n) {PLAINLY}{{
entry:
  %no = alloca ptr
  store ptr {thing(False)}, ptr %no
  %data = getelementptr i8, ptr %self, i64 16
  %row = load ptr, ptr %data
{_words("%row", _HEADER)}  %right = icmp eq i64 %n, %wanted
  br i1 %right, label %listing, label %refuse
listing:
  %result = call ptr {python("PyList_New")}(i64 %outputs)
  %listed = icmp ne ptr %result, null
  br i1 %listed, label %look, label %drop
look:
  %owned = load i64, ptr %owner_place
  %free = icmp eq i64 %owned, 0
  br i1 %free, label %ask, label %drop
ask:
  %long = icmp ne i64 %lets, 0
  br i1 %long, label %take, label %locked
take:
  %answer = call ptr {call}(ptr %acquire_place, ptr %no, i64 1, ptr null)
  call void {python("Py_DecRef")}(ptr %answer)
  %taken = icmp eq ptr %answer, {thing(True)}
  br i1 %taken, label %locked, label %drop
locked:
  %items_at = getelementptr i8, ptr %epochs_place, i64 {_ITEMS}
  %items = load ptr, ptr %items_at
  %now = load i64, ptr %items
  %still = icmp eq i64 %now, %number
  %above = load ptr, ptr %parent_place
  %alone = icmp eq ptr %above, {thing(None)}
  %good = and i1 %still, %alone
  br i1 %good, label %givens, label %unlock
{givens("locked", "steps_begin", "unlock", "%given_place")}{_running("steps", "%steps_let", "unlock", "fetching")}fetching:
  br label %fetch
fetch:
  %o = phi i64 [0, %fetching], [%o1, %put]
  %o_more = icmp slt i64 %o, %outputs
  br i1 %o_more, label %one, label %commit_begin
one:
  %o_words = mul i64 %o, {len(output)}
  %output = getelementptr i64, ptr %told_outputs_place, i64 %o_words
{_words("%output", output)}  switch i64 %way, label %other [i64 {_SCALAR}, label %scalar i64 {_DENSE}, label %dense]
scalar:
  %x0 = call ptr {_numpy(_TO_SCALAR)}(ptr %source_place, ptr %kind_place, ptr null)
  br label %made
other:
  %x2 = call ptr {_numpy(_COPY)}(ptr %kind_place, i32 0)
  br label %made
dense:
  call void {python("Py_IncRef")}(ptr %kind_place)
  %depth32 = trunc i64 %depth to i32
  %x1 = call ptr {_numpy(_NEW)}(
    ptr {thing(np.ndarray)}, ptr %kind_place, i32 %depth32, ptr %lengths_place, ptr null, ptr null, i32 0, ptr null)
  %fresh = icmp ne ptr %x1, null
  br i1 %fresh, label %fill, label %unlock
fill:
  %target_at = getelementptr i8, ptr %x1, i64 16
  %target = load ptr, ptr %target_at
  call void @llvm.memcpy.p0.p0.i64(ptr %target, ptr %source_place, i64 %bytes, i1 false)
  br label %put
made:
  %x02 = phi ptr [%x0, %scalar], [%x2, %other]
  %whole = icmp ne ptr %x02, null
  br i1 %whole, label %put, label %unlock
put:
  %x = phi ptr [%x1, %fill], [%x02, %made]
  call i32 {python("PyList_SetItem")}(ptr %result, i64 %o, ptr %x)
  %o1 = add i64 %o, 1
  br label %fetch
{_running("commit", "%commit_lets", "finish", "finish")}finish:
  br i1 %long, label %let_go, label %end
let_go:
  %gone = call ptr {call}(ptr %release_place, ptr null, i64 0, ptr null)
  call void {python("Py_DecRef")}(ptr %gone)
  br label %end
end:
  ret ptr %result
unlock:
  br i1 %long, label %give_up, label %drop
give_up:
  call void {python("PyErr_Clear")}()
  %given_up = call ptr {call}(ptr %release_place, ptr null, i64 0, ptr null)
  call void {python("Py_DecRef")}(ptr %given_up)
  br label %drop
drop:
  call void {python("PyErr_Clear")}()
  call void {python("Py_DecRef")}(ptr %result)
  br label %refuse
refuse:
  call void {python("Py_IncRef")}(ptr {thing(NotImplemented)})
  ret ptr {thing(NotImplemented)}
}}
"""


def _numpy(place: int) -> str:
    """A function of NumPy's table, as a pointer in a text."""
    return f"inttoptr (i64 {_table()[place]} to ptr)"


@functools.cache
def _table() -> Any:
    """The functions that NumPy offers to C."""
    return (ctypes.c_void_p * (_NEW + 1)).from_address(pointed(import_module("numpy._core._multiarray_umath")._ARRAY_API))


@functools.cache
def _method() -> Method:
    return method(_text(), b"call", b"A call of a function, where nothing is unusual.")


class _Places(NamedTuple):
    """How far behind the beginning of a lock its owner is told, and of a domain, its parent."""

    owner: int
    parent: int


@functools.cache
def _places() -> _Places | None:
    """None where a lock, a list or NumPy is made in another way than is known here."""
    lock, domain, other, one = threading.RLock(), Domain(), Domain(), [object()]
    with lock:
        owners = {at for at in range(0, type(lock).__basicsize__, 8) if _word(lock, at) == threading.get_ident()}
    owners = {at for at in owners if not _word(lock, at)}
    domain.parent = other
    parents = {at for at in range(0, Domain.__basicsize__, 8) if _word(domain, at) == id(other)}
    version = ctypes.CFUNCTYPE(ctypes.c_uint)(_table()[_VERSION])()
    items = ctypes.c_int64.from_address(_word(one, _ITEMS)).value
    if len(owners) != 1 or len(parents) != 1 or version != _ABI or items != id(one[0]):
        return None
    return _Places(*owners, *parents)


def _word(x: object, at: int) -> int:
    return ctypes.c_int64.from_address(id(x) + at).value


class _Row(np.ndarray[Any, Any]):
    """Words, and what has to live as long as they do."""

    kept: Any


def call(whole: Whole, feeds: Sequence[Value], domain: Domain) -> Callable[..., Any] | None:
    """A builtin that makes a call, and gives a list of the outputs; None where this Python is not what it is made for.

    feeds   what is fed, in the order of the arguments
    domain  that of the registers, above which there is none
    """
    places = _places()
    if places is None:
        return None
    lock, number = domain.lock, epoch[0]
    acquire, release = lock.acquire, lock.release
    sizes = [np.array(o.shape, np.int64) for o in whole.outputs]
    told = np.array(
        [
            (_SCALAR if o.ndim == 0 else _DENSE if o.flags.c_contiguous else _OTHER,
             id(o) if o.ndim and not o.flags.c_contiguous else id(o.dtype), o.ctypes.data, o.ndim, shape.ctypes.data, o.nbytes)
            for o, shape in zip(whole.outputs, sizes, strict=True)
        ], np.int64,
    )  # fmt: skip
    given = np.zeros(len(told_of(whole.told(feeds), 0)), np.int64)
    given[:] = told_of(whole.told(feeds), given.ctypes.data)
    row = np.zeros(len(_HEADER), np.int64).view(_Row)
    row[:] = (
        given.ctypes.data, len(feeds), *whole.long, any(whole.long),
        id(lock) + places.owner, id(acquire), id(release), id(epoch), id(number), id(domain) + places.parent,
        *whole.entries, len(whole.outputs), told.ctypes.data,
    )  # fmt: skip
    row.kept = whole, domain, lock, acquire, release, number, sizes, told, given
    return builtin(row, _method())  # type: ignore[no-any-return]
