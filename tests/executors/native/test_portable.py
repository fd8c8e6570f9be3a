"""Kernels compile for other processors than this one, and call nothing there but the C library's mathematics."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

pytest.importorskip("llvmlite", reason="the native executor is built on llvmlite")
pytest.importorskip("scipy", reason="the native executor takes BLAS from SciPy")

import llvmlite.binding as llvm

from autograph.executors.native import compiler, emitter, functions, loops, mathlib, special

PROCESSORS = {  # triple, processor, what it can do
    "AArch64": ("aarch64-linux-gnu", "generic", {"neon"}), "x86-64 of 2003": ("x86_64-linux-gnu", "x86-64", {"sse2"}),
}  # fmt: skip
C = {"sin", "cos", "tan", "fmod", "fmodf", "floor", "floorf", "ceil", "ceilf", "trunc", "truncf", "rint", "rintf"}
TYPES = ["f2", "f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "b1"]


def kernel(name: str, kinds: tuple[str, ...], gives: str) -> str:
    arrays = tuple(loops.Array(kind, (loops.DENSE,)) for kind in (*kinds, gives))
    call = loops.Call(name, tuple(range(len(kinds))), kinds, gives)
    return loops.text(loops.Nest((False,), arrays, len(kinds), (call,), ((len(kinds), len(kinds)),), ()))


@pytest.fixture(params=PROCESSORS)
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    triple, processor, features = PROCESSORS[request.param]
    try:
        target = llvm.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip("this LLVM knows no such processor")
    for module in (compiler, emitter, mathlib):
        monkeypatch.setattr(module, "features", lambda: frozenset(features))
    loops.text.cache_clear()
    yield target.create_target_machine(cpu=processor, opt=1, reloc="pic", codemodel="small")
    loops.text.cache_clear()


def test_functions_and_casts_compile_and_call_the_c_library_alone(machine: object) -> None:
    floats = ["f2", "f4", "f8"] if emitter.converts_halves() else ["f4", "f8"]
    two = {"power", "arctan2", "hypot", "floor_divide", "remainder"}
    names = [*functions.FUNCTIONS, *special.SPECIAL]
    texts = [kernel(name, (kind,) * (2 if name in two else 1), kind) for name in names for kind in floats]
    texts += [kernel("add", (kind, kind), kind) for kind in floats]
    texts += [kernel("remainder", (kind, kind), kind) for kind in TYPES if kind[0] in "iu"]
    kinds = [kind for kind in TYPES if kind in floats or kind[0] != "f"]
    texts += [kernel("cast", (a,), b) for a in kinds for b in kinds if "f" in a + b]
    called = set()
    for text in texts:
        module = llvm.parse_assembly(text)
        module.verify()
        assembly = machine.emit_assembly(module)  # type: ignore[attr-defined]  # of llvmlite, which has no types
        called |= set(re.findall(r"^\s+(?:bl|callq?)[ \t]+(\S+?)(?:@PLT)?$", assembly, re.M))
    assert "sin" in called
    assert called <= C
