"""State that survives: registers saved to a file by name, and loaded again bit for bit.

    checkpoint.save("run.ckpt", {"model": [w, b], "adam": adam})
    checkpoint.load("run.ckpt", {"model": [w, b], "adam": adam})

The file has the layout of safetensors, with checksums: the safetensors package reads it too. A save is of one tick, and
replaces the file whole or not at all. A load changes every register or none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from stat import S_ISREG
from typing import Any, BinaryIO

import numpy as np

from autograph.errors import ArgumentError, ArgumentTypeError, AutographError, CheckpointError
from autograph.graph.graph import ancestors
from autograph.graph.register import locked, merge
from autograph.graph.tensor import Variable
from autograph.graph.writing import set_values
from autograph.replacing import explained, replace_file
from autograph.safetensors_format import Entry, bad_name, encode, fault_of, foreign, header_size, is_ours, parse, rooms
from autograph.safetensors_of_others import parse_others, widened

__all__ = ["load", "read", "read_safetensors", "save"]

_SHOWN = 200  # unexpected names in one message: a file may have any number of them


def save(path: str | os.PathLike[str], what: Any) -> None:
    """Save the values that registers have between two ticks.

    what  a variable, an optimizer (its hyper-parameters, counters, slots and random states), averages or a plateau, a
          list of these, or a dict from names to these, to any depth: {"actor": {"w": w}} saves "actor/w". In a dict the
          key is the name of a variable; in a list it is the variable's own.

    Variables without a name are refused unless a dict names them, since automatic names change with the script. An
    optimizer does not save its parameters: list them beside it. The file is readable by its owner alone. Where two save
    to one path at once, it holds the later save.

    An object of yours is saved like an optimizer if it has a method `state_registers`, which gives a dict of variables by
    their names; that of a parameter's slot by the pair (slot, parameter), so that it is called "slot/parameter" by
    whatever name the parameter has. The random states that its `updates` read, if it has these, are saved with it.

    Raises ArgumentError for names that are missing, taken twice or unfit, ArgumentTypeError for what is no register, and
    OSError, which says what the path still holds.
    """
    target = _path(path)
    registers = _named(what, saving=True)
    replace_file(target, encode(_snapshot(registers)))


def load(path: str | os.PathLike[str], what: Any, strict: bool = True) -> list[str]:
    """Let registers hold what a file has for them, all at once and between two ticks; returns what was left out.

    what    as it was saved; the order of things does not matter
    strict  whether every tensor of the file has to fit a register, and every register a tensor. With False what fits is
            loaded, and the rest is returned, a sentence each

    Raises CheckpointError, naming everything that does not fit, or the damage; OSError where the file cannot be read.
    Then nothing was loaded.
    """
    target = _path(path)
    registers = _named(what, saving=False)
    with _opened(target) as file:
        entries = _entries(file, target)
        tensors = {entry.name: entry for entry in entries}
        problems, unfit = _differences(registers, tensors)
        arrays = dict(zip(tensors, _arrays(file, entries, target, problems if strict else ())))
    refusals = _refusals(registers, arrays, unfit)
    problems += refusals.values()
    if problems and strict:
        raise _told(target, problems)
    set_values([(registers[name], arrays[name]) for name in registers if name not in unfit and name not in refusals])
    return problems


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a checkpoint by name. Raises CheckpointError for any other or damaged file, OSError."""
    target = _path(path)
    with _opened(target) as file:
        entries = _entries(file, target)
        return {entry.name: array for entry, array in zip(entries, _arrays(file, entries, target))}


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays by name of a safetensors file that another program wrote; bfloat16 comes as float32.

    Such files have no checksums, so damage to numbers cannot be seen. One of ours is read as `read` does, with them.
    Raises CheckpointError for any other file, for a header that does not fit its data, and for dtypes that NumPy does not
    have; OSError.
    """
    target = _path(path)
    with _opened(target) as file:
        size, header = _header(file, target)
        try:
            entries, half = (parse(header, size), set()) if is_ours(header) else parse_others(header, size)
        except CheckpointError as error:
            raise _refused(target, error) from None
        arrays = _arrays(file, entries, target)
        for i, entry in enumerate(entries):
            if entry.name in half:
                arrays[i] = widened(arrays[i])
        return {entry.name: array for entry, array in zip(entries, arrays)}


# names ---------------------------------------------------------------------------------------------------------------


def _named(what: Any, saving: bool) -> dict[str, Variable]:
    """The registers by name. Raises ArgumentError for those that have none, or not one of their own."""
    leaves = list(_leaves(what, ""))
    given = {thing: name for name, thing in leaves if isinstance(thing, Variable) and name and not name.endswith("/")}
    found: dict[str, Variable] = {}
    faults = []
    for name, thing in leaves:
        for own, register in _registers(name, thing, given):
            fault = "" if own else _nameless(register, saving)
            if own and bad_name(own):
                fault = f"the name {own!r} {bad_name(own)}"
            elif own and found.get(own, register) is not register:
                places = f"{found[own].origin.place} and {register.origin.place}"
                fault = f"two registers are called {own!r}, made at {places}"
            if fault:
                faults.append(fault)
            found[own or register.name] = register
    if faults:
        fix = "give each a name of its own, or pass a dict of names"
        raise ArgumentError("\n  ".join(dict.fromkeys(faults)), why="nothing was read or written", fix=fix)
    return found


def _leaves(what: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Variables and optimizers, with the name that dicts give them: "" where none does, "actor/" within a list."""
    if isinstance(what, Mapping):
        for key, value in what.items():
            if not isinstance(key, str):
                raise ArgumentTypeError(f"the key {key!r} is no name", fix="keys are strings: they are the names in the file")
            if not key or key.strip("/") != key:
                raise ArgumentError(f"the key {key!r} is no name", fix="keys are parts of names: 'actor', 'actor/w'")
            yield from _leaves(value, name + key if not name or name.endswith("/") else f"{name}/{key}")
    elif isinstance(what, Variable) or callable(getattr(what, "state_registers", None)):
        yield name, what
    elif isinstance(what, Iterable) and not isinstance(what, str | bytes | np.ndarray):
        for value in what:
            yield from _leaves(value, f"{name}/" if name and not name.endswith("/") else name)
    else:
        raise ArgumentTypeError(
            f"{type(what).__name__} is no register", fix="pass variables, an optimizer, or a dict from names to these"
        )


def _registers(name: str, thing: Any, given: Mapping[Any, str]) -> Iterator[tuple[str, Variable]]:
    """The registers of a variable or of what has `state_registers`, by full name; "" for one that has none."""
    if isinstance(thing, Variable):
        own = name if name and not name.endswith("/") else thing.given_name and name + thing.given_name
        yield own or "", thing
        return
    base = f"{name.rstrip('/')}/" if name else ""
    registers = _checked(thing, thing.state_registers())
    for key, register in registers.items():
        if isinstance(key, str):
            yield base + key, register
            continue
        slot, parameter = key
        owner = parameter.given_name or given.get(parameter)
        yield (f"{base}{slot}/{owner}" if owner else ""), (register if owner else parameter)
    kept, owner = set(registers.values()), getattr(thing, "name", type(thing).__name__)
    read = ancestors([update.value for update in getattr(thing, "updates", ())])  # in the order in which they were made
    states = [t for t in read if isinstance(t, Variable) and t.default_update is not None and t not in kept]
    for count, state in enumerate(states):
        yield base + (state.given_name or f"{owner}/random_{count}"), state


def _checked(thing: Any, registers: Any) -> Mapping[str | tuple[str, Variable], Variable]:
    """What `state_registers` gave. Raises ArgumentTypeError unless it is a dict of names, or pairs, and variables."""
    what = f"{type(thing).__name__}.state_registers()"
    if not isinstance(registers, Mapping):
        raise ArgumentTypeError(f"{what} is {registers!r}, no dict", fix='return {"name": variable, …}')
    for key, register in registers.items():
        match key:
            case str() | (str(), Variable()) if isinstance(register, Variable):
                continue
        fix = 'names, or pairs such as ("m", parameter), and variables are expected'
        raise ArgumentTypeError(f"{what} holds {key!r}: {register!r}", fix=fix)
    return registers


def _nameless(register: Variable, saving: bool) -> str:
    kept = "a name that would change when the script does" if saving else "a name that no file has"
    return (
        f"the variable {register.dtype.name}{list(register.shape)} made at {register.origin.place} has only an automatic "
        f'name, {register.name!r}, {kept}: variable(…, name="{_suggestion(register)}")'
    )


def _suggestion(register: Variable) -> str:
    return {0: "scale", 1: "bias", 2: "kernel"}.get(register.ndim, "weight")


# values --------------------------------------------------------------------------------------------------------------


def _snapshot(registers: Mapping[str, Variable]) -> dict[str, np.ndarray[Any, Any]]:
    """Copies of all values between two ticks."""
    homes = {name: variable.register for name, variable in registers.items()}
    domain = merge([home.domain for home in homes.values()])
    return locked(domain, lambda: {name: home.home.copy() for name, home in homes.items()})


def _differences(registers: Mapping[str, Variable], tensors: Mapping[str, Entry]) -> tuple[list[str], set[str]]:
    """What does not fit, in words, and the names of the registers that cannot be loaded."""
    missing = [name for name in registers if name not in tensors]
    unexpected = [name for name in tensors if name not in registers]
    problems = [f"missing {name!r}" for name in missing]
    problems += [f"unexpected {name!r}{_similar(name, missing)}" for name in unexpected[:_SHOWN]]
    if len(unexpected) > _SHOWN:
        problems.append(f"and {len(unexpected) - _SHOWN:,} more that are unexpected")
    unfit = set(missing)
    for name, variable in registers.items():
        entry = tensors.get(name)
        if entry is None:
            continue
        if entry.shape != variable.shape:
            problems.append(f"{name!r} is of shape {list(entry.shape)} in the file, {list(variable.shape)} here")
            unfit.add(name)
        if entry.dtype != variable.dtype:
            problems.append(f"{name!r} is of dtype {entry.dtype.name} in the file, {variable.dtype.name} here")
            unfit.add(name)
    return problems, unfit


def _similar(name: str, missing: list[str]) -> str:
    close = get_close_matches(name[:200], missing[:_SHOWN], n=1)
    return f" (similar: {close[0]!r}!)" if close else ""


def _refusals(registers: Mapping[str, Variable], arrays: Mapping[str, Any], unfit: set[str]) -> dict[str, str]:
    """What registers say to values that they would not take, such as numbers that an optimizer's updates would not follow."""
    found = {}
    for name, variable in registers.items():
        if name not in unfit:
            try:
                variable.fitted(arrays[name])
            except AutographError as error:
                found[name] = error.what
    one_by_one: dict[Variable, str] = {}
    for name, variable in registers.items():
        first = one_by_one.setdefault(variable, name)
        if first != name and not {first, name} & unfit and arrays[first].tobytes() != arrays[name].tobytes():
            found[name] = f"{first!r} and {name!r} are one variable, and the file has two values"
    return found


def _told(path: str, problems: list[str]) -> CheckpointError:
    return CheckpointError(
        f"{path!r} does not fit: " + "; ".join(problems),
        why="nothing was loaded",
        fix="build the same variables and call get_updates first, or load the rest by strict=False",
    )


# files ---------------------------------------------------------------------------------------------------------------


def _path(path: Any) -> str:
    try:
        found = os.fspath(path)
    except TypeError:
        found = None
    if not isinstance(found, str):
        raise ArgumentTypeError(f"path is a {type(path).__name__}", fix='pass a string or a Path: save("run.ckpt", …)')
    if not found or "\0" in found:
        raise ArgumentError(f"{found!r} is no path", fix='save("run.ckpt", …)')
    return found


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """A regular file, open. An OSError, here or while it is read, has the full path, and what is near if it is missing."""
    try:
        if not S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
            raise CheckpointError(f"{path!r} is no regular file", why="nothing was loaded")
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise explained(error, path, "load", _nearest_files(path)) from error


def _nearest_files(path: str) -> str:
    folder, name = os.path.split(os.path.abspath(path))
    try:
        around = os.listdir(folder)
        close = get_close_matches(name, around, n=3)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close and name not in close else ""
    except OSError:
        hint = f"; there is no folder {folder!r}" if not os.path.isdir(folder) else ""
    return f"the working directory is {os.getcwd()!r}{hint}"


def _entries(file: BinaryIO, path: str) -> list[Entry]:
    """The tensors of a file, checked down to its length; the file then stands at its data."""
    size, header = _header(file, path)
    try:
        return parse(header, size)
    except CheckpointError as error:
        raise _refused(path, error) from None


def _header(file: BinaryIO, path: str) -> tuple[int, bytes]:
    """The size of a file and its header; the file then stands at its data."""
    size = os.fstat(file.fileno()).st_size
    head = file.read(9)
    try:
        other = foreign(head)
        if other:
            raise CheckpointError(f"no checkpoint of autograph but {other}")
        length = header_size(head, size)
        header = head[8:] + file.read(length - 1)
        if len(header) != length:
            raise CheckpointError("the file became shorter while it was read")
    except CheckpointError as error:
        raise _refused(path, error) from None
    return size, header


def _arrays(
    file: BinaryIO, entries: list[Entry], path: str, problems: Iterable[str] = ()
) -> list[np.ndarray[Any, Any]]:
    """The data of a checked header. Raises CheckpointError naming every damaged tensor, and other problems there are."""
    found, damage = rooms(entries), []
    for i, entry in enumerate(entries):
        room = found[i].reshape(-1).view(np.uint8)
        if file.readinto(room.data) != entry.size:  # type: ignore[attr-defined]  # BinaryIO is older than readinto
            raise _refused(path, CheckpointError("the file became shorter while it was read"))
        fault = fault_of(entry, found[i])
        damage += [f"{entry.name!r}: {fault}"] if fault else []
        found[i] = found[i].astype(entry.dtype, copy=False)
    if damage:
        told = [*damage[:_SHOWN], *problems] if len(damage) <= _SHOWN else [*damage[:_SHOWN], "and more", *problems]
        raise _refused(path, CheckpointError("; ".join(told), fix="the file is damaged: use an earlier save"))
    return found


def _refused(path: str, error: CheckpointError) -> CheckpointError:
    return CheckpointError(f"{path!r}: {error}", why="nothing was loaded")
