"""LLVM: the text of kernels → machine code of this processor. Equal texts are compiled once."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Iterable
from itertools import count
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from autograph.executors.native.kernel_store import Store, fails, store

KEPT = 1024  # kernels that stay compiled though no program may use them
NAME = "@kernel"  # what a kernel is called in its own text
PLAINLY = "optnone noinline "  # how what has no loops over numbers is compiled: in a third of the time, and it runs as fast

_ADDRESS = "inttoptr"  # what a text says that is good for this process alone
_OPTIONS = {"opt": 1, "reloc": "pic", "codemodel": "small"}

_lock = threading.Lock()
_numbers = count()
_cache: OrderedDict[str, Kernel] = OrderedDict()


class Kernel:
    """Compiled code: its address, its text, and the library that keeps it loaded."""

    def __init__(self, text: str, address: int, library: Any) -> None:
        self.text = text
        self.address = address
        self._library = library


def compiled(texts: Iterable[str]) -> dict[str, Kernel]:
    """A kernel for each text. Those that are new are compiled together."""
    with _lock:
        wanted = dict.fromkeys(texts)
        found = {text: _cache[text] for text in wanted if text in _cache}
        missing = [text for text in wanted if text not in found]
        if missing:
            found.update(_compile(missing))
        for text in wanted:
            _cache[text] = found[text]
            _cache.move_to_end(text)
        while len(_cache) > KEPT:
            _cache.popitem(last=False)
    return found


def _compile(texts: list[str]) -> dict[str, Kernel]:
    """These kernels, compiled together in one library, or each alone where they are kept, or were."""
    kept = store(_context())
    if kept is None:
        return _linked(_together(texts), texts)
    found: dict[str, Kernel] = {}
    for text in texts:
        code = kept.get(text) if _ADDRESS not in text else None
        if code is None:
            code = _together([text])
            if _ADDRESS not in text:
                _keep(kept, text, code)
        found.update(_linked(code, [text]))
    return found


def _keep(kept: Store, text: str, code: bytes) -> None:
    try:
        kept.put(text, code)
    except OSError as error:
        fails(kept, error)


def _together(texts: list[str]) -> bytes:
    """The code of these kernels, each under a name of its own."""
    declarations: dict[str, None] = {}
    bodies = []
    for number, text in enumerate(texts):
        lines = text.replace(NAME, f"{NAME}_{number}").splitlines()
        declarations.update(dict.fromkeys(line for line in lines if line.startswith("declare")))
        bodies += [line for line in lines if not line.startswith("declare")]
    module = llvm.parse_assembly("\n".join([*declarations, *bodies]))
    module.verify()
    return bytes(_machine().emit_object(module))


def _linked(code: bytes, texts: list[str]) -> dict[str, Kernel]:
    """One library."""
    builder = llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
    names = [f"{NAME[1:]}_{number}" for number in range(len(texts))]
    for name in names:
        builder.export_symbol(name)
    library = builder.link(_linker(), f"library_{next(_numbers)}")
    return {text: Kernel(text, library[name], library) for name, text in zip(names, texts, strict=True)}


@functools.cache
def _context() -> str:
    """What the code of a kernel depends on beside its text."""
    versions = llvmlite.__version__, llvm.llvm_version_info, llvm.get_default_triple(), _OPTIONS
    return f"{versions} {processor()} {llvm.get_host_cpu_features().flatten()}"


def assembly(text: str) -> str:
    """The machine code of a kernel, as assembly language."""
    with _lock:
        return str(_machine().emit_assembly(llvm.parse_assembly(text)))


@functools.cache
def features() -> frozenset[str]:
    """What the processor can do, in LLVM's names."""
    return frozenset(name for name, has in llvm.get_host_cpu_features().items() if has)


@functools.cache
def lanes() -> int:
    """How many numbers of 32 bits a register of the processor holds."""
    return 16 if "avx512f" in features() else 8 if "avx2" in features() else 4


def processor() -> str:
    """The processor's name, in LLVM's words."""
    return str(llvm.get_host_cpu_name())


def _new_machine(**options: Any) -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=processor(), features=llvm.get_host_cpu_features().flatten(), **options)


@functools.cache
def _machine() -> Any:
    return _new_machine(**_OPTIONS)


@functools.cache
def _linker() -> Any:
    return llvm.create_lljit_compiler(_new_machine(jit=True))
