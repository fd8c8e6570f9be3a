"""`function(inputs, outputs, updates)`: one callable that computes the outputs and commits the updates, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from autograph import feeding, flat, inspection, signature
from autograph.arguments import as_name, choice, shown, whole
from autograph.errors import (
    NOTHING_CHANGED,
    ArgumentError,
    ArgumentTypeError,
    AutographError,
    FeedError,
    LoopError,
    ReentrantCallError,
)
from autograph.executors.executor import Executor, default_executor, executor_named
from autograph.graph.graph import ancestors, substitute
from autograph.graph.notation import escaped
from autograph.graph.register import epoch, locked, merge
from autograph.graph.tensor import Placeholder, Tensor, Variable, as_tensor, check_current
from autograph.graph.update import check_updates
from autograph.graph.updates import Update, Updates, as_updates
from autograph.graph.writing import set_values
from autograph.looping import Loop
from autograph.passes.pipeline import FINISH, simplify
from autograph.program.cache import Cache
from autograph.program.lower import Tick, lower, split_guards
from autograph.structure import flatten, is_nested
from autograph.tensor_type import TensorType, as_static, show_shape

_TWINS = "registers of autograph"  # where a memo of `deepcopy` keeps them
_ON_NONFINITE = ("apply", "raise", "skip")
_SKIPS = 100  # refused ticks in a row that `on_nonfinite="skip"` puts up with
_ON_UNUSED = ("raise", "warn", "ignore")


def function(
    inputs: Any,
    outputs: Any = None,
    updates: Any = (),
    *,
    givens: Mapping[Tensor, Any] | None = None,
    name: str | None = None,
    executor: str | None = None,
    on_unused_input: str = "raise",
    on_nonfinite: str = "apply",
) -> Function:
    """Compile outputs and updates into one callable. A call is one tick: everything reads the registers as they were
    before it, then all updates take effect together; if anything fails, none does.

    inputs           a list, tuple or dict of placeholders (or of any tensors: the graph is cut there), nested as you like;
                     the function takes one argument for each top-level entry, by position or by name, and takes the
                     default of a placeholder that has one where there is none
    outputs          a tensor, or a structure of tensors, which comes back with arrays in their places; None gives None.
                     Outputs of rank 0 are NumPy scalars.
    updates          pairs `(variable, new_value)`, as optimizers return them
    givens           tensors to replace by others before anything else is done
    on_unused_input  what to do about an input that nothing reads: "raise", "warn" or "ignore"
    on_nonfinite     what to do when a new value is infinite or NaN where the old one was finite: "apply" it, "raise"
                     NonFiniteError, or "skip" the updates of this tick; the last two change no register, and 100
                     skipped ticks in a row raise NonFiniteError

    Raises ArgumentError, ArgumentTypeError, MissingInputError, UpdateError and their kin; `docs/errors.md` lists them.
    """
    if isinstance(inputs, Tensor) or not is_nested(inputs):
        got = f"Tensor {inputs.name!r}" if isinstance(inputs, Tensor) else shown(inputs)
        raise ArgumentTypeError(
            f"`inputs` must be a list, tuple or dict, got {got}", fix="write function([x], …): a list of inputs"
        )
    choice("on_nonfinite", on_nonfinite, _ON_NONFINITE)
    choice("on_unused_input", on_unused_input, _ON_UNUSED)
    leaves, _ = flatten(inputs)
    signature.check_inputs(leaves)
    wanted, build_outputs = flatten(outputs) if outputs is not None else ([], None)
    results = [as_tensor(output) for output in wanted]
    pairs, plain = as_updates(updates)
    replaced = signature.read_givens(givens)
    signature.check_givens(replaced, leaves)
    replaced.update({leaf: Placeholder(leaf.type, leaf.name) for leaf in leaves if not isinstance(leaf, Placeholder)})
    placeholders = [replaced.get(leaf, leaf) for leaf in leaves]
    pairs, plain = signature.completed(results, plain, pairs)
    roots = [*results, *plain, *(u.value for u in pairs)]
    check_current([*roots, *placeholders])
    if replaced:
        roots = substitute(roots, replaced)
    read = ancestors(roots)
    roots = signature.with_defaults(roots, read, placeholders, len(results), pairs)
    signature.check_used(placeholders, read, on_unused_input)
    registers = tuple(u.variable for u in pairs)
    if replaced:
        check_updates(map(Update, registers, roots[len(results) + len(plain) :]))
    values, guards = split_guards(roots[len(results) + len(plain) :], registers)
    tick = Tick(tuple(placeholders), tuple(roots[: len(results) + len(plain)]), registers, tuple(values), tuple(guards))
    return Function(
        tick, len(results), inputs, build_outputs, outputs is not None and not is_nested(outputs), pairs, name, executor,
        on_nonfinite,
    )  # fmt: skip


class Function:
    """A compiled tick. Call it with one argument for each top-level input, by position or by name.

    updates    the pairs it commits, those that come with random streams included
    registers  every variable it reads or writes
    skipped    how many ticks in a row `on_nonfinite="skip"` has refused
    """

    def __init__(
        self, tick: Tick, output_count: int, inputs: Any, build_outputs: Any, bare: bool, updates: Updates,
        name: str | None, executor: str | None, on_nonfinite: str,
    ) -> None:  # fmt: skip
        self.tick = tick
        self.name = as_name(name) or (tick.outputs[0].given_name if tick.outputs else None) or "function"
        self.updates = updates
        self.on_nonfinite = on_nonfinite
        self.skipped = 0
        self.registers = [
            t for t in dict.fromkeys([*ancestors(tick.roots), *tick.registers]) if isinstance(t, Variable)
        ]
        self.executor: Executor = default_executor() if executor is None else executor_named(executor)
        self._inputs = inputs
        self._keys = list(inputs) if isinstance(inputs, dict) else None
        entries = list(inputs.values()) if isinstance(inputs, dict) else list(inputs)
        self._names = self._keys or [e.name if isinstance(e, Tensor) else None for e in entries]
        self._flat = not any(map(is_nested, entries))
        self._entries = entries
        self._count = len(entries)
        self._output_count = output_count
        self._build_outputs = build_outputs
        self._bare = bare
        self._types = [np.ndarray] * len(tick.inputs)
        self._dtypes = [p.dtype for p in tick.inputs]
        self._domain = merge(v.register.domain for v in self.registers)
        self._cache: Cache = Cache(self.name, [p.name for p in tick.inputs])
        self._root = self._domain
        skeleton = None if build_outputs is None else build_outputs(iter(range(output_count)))
        self._listed = isinstance(skeleton, list) and skeleton == list(range(output_count)) and not bare
        self._simple = tick.with_roots(simplify(tick.roots))
        self._state = self.executor.state()
        self._enter = self._state.context.run
        self._key: Any = None
        self._program: Any = None
        self._direct: Any = None  # a builtin that makes a call where nothing is unusual

    # calls ------------------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.called(args) if not named else self._packed(self._run(self._arranged(args, named)))

    def called(self, args: Sequence[Any]) -> Any:
        """A call with these arguments, one for each top-level input."""
        if self._direct is not None:
            found = self._direct(*args)
            if found is not NotImplemented:
                return found if self._listed else self._packed(found)
        if len(args) != self._count or not self._flat:
            args = self._arranged(args, {})
        return self._packed(self._run(args))

    def _packed(self, results: list[Any]) -> Any:
        """The outputs in the structure that was asked for."""
        if self._listed:
            return results
        if self._bare:
            return results[0]
        return None if self._build_outputs is None else self._build_outputs(iter(results))

    def _arranged(self, args: Sequence[Any], named: dict[str, Any]) -> tuple[Any, ...]:
        """Positional and named arguments as one value for each input, structures taken apart."""
        given = signature.completed_arguments(args, named, self._entries, self._names, self.name)
        if len(given) != self._count:
            types = ", ".join(f"{p.name} {show_shape(p.shape)}" for p in self.tick.inputs)
            raise FeedError(
                f"{self.name!r} takes {self._count} inputs ({types}), got {len(args) + len(named)}",
                fix=f"call with [{', '.join(p.name for p in self.tick.inputs)}]", after=NOTHING_CHANGED,
            )
        if self._flat:
            return tuple(given)
        feeds: list[Any] = []
        for entry, value in zip(self._entries, given, strict=True):
            feeds += signature.matched(entry, value, self.name)
        return tuple(feeds)

    def _run(self, feeds: Sequence[Any]) -> list[Any]:
        """One tick: check the feeds, take the lock, run."""
        arrays = feeds
        if list(map(type, feeds)) != self._types or [value.dtype for value in feeds] != self._dtypes:
            arrays = [feeding.coerce(p, value, i) for i, (p, value) in enumerate(zip(self.tick.inputs, feeds, strict=True))]
        key = [value.shape for value in arrays]
        root = self._root
        lock = root.lock
        if lock._is_owned():  # type: ignore[attr-defined]
            raise ReentrantCallError(
                f"{self.name!r} was called inside a tick of the same registers",
                fix="call it afterwards", after=NOTHING_CHANGED,
            )
        with lock:
            if root.parent is None:
                program = self._program if key == self._key else self._find(key)
                if program.stamp != epoch[0] + program.arena.epoch:
                    self._bind(program)
                try:
                    results: list[Any] = self._enter(program.run, *arrays)
                except BaseException as error:
                    refused = inspection.explained(error, program, arrays, self)
                    if refused is error:
                        raise
                    raise refused from error
                if self.on_nonfinite == "skip":
                    self._count_skips(program, arrays)
                if self._flat and len(results) == self._output_count:
                    self._direct = program.direct(root)
                return results if len(results) == self._output_count else results[: self._output_count]
        self._root = root.root()  # its domain was merged into another meanwhile
        return self._run(arrays)

    def _count_skips(self, program: Any, arrays: Sequence[Any]) -> None:
        """`skipped` counts refused ticks in a row; after too many, training has stopped, and that is an error."""
        self.skipped = self.skipped + 1 if program.skipped else 0
        program.skipped = False
        if self.skipped >= _SKIPS:
            self.skipped = 0
            raise inspection.stuck(self, program, arrays, _SKIPS)

    def _find(self, key: list[Any]) -> Any:
        """The program for feeds of these shapes: a prepared one, or a new one."""
        program = self._cache.get(tuple(key))
        if program is None:
            for position, (p, shape) in enumerate(zip(self.tick.inputs, key, strict=True)):
                feeding.check_shape(p, shape, position)
            types = [TensorType(p.dtype, shape) for p, shape in zip(self.tick.inputs, key, strict=True)]
            lowered = lower(self._simple, types)
            lowered = lowered.with_roots(simplify(lowered.roots, FINISH))
            program = self.executor.prepare(lowered, self._state, self.on_nonfinite)
            self._cache.put(tuple(key), program)
        self._key = None  # so that an interrupt between these lines leaves no key with another's program
        self._program = program
        self._key = list(key)
        return program

    def _bind(self, program: Any) -> None:
        try:
            program.bind()
        except MemoryError:
            raise inspection.too_big(program.tick, self.name) from None

    def prepare(self, *shapes: Any) -> Function:
        """Prepare for feeds of these shapes, one for each input, so that the first call has nothing left to do."""
        if len(shapes) != len(self.tick.inputs):
            what = f"{self.name!r} has {len(self.tick.inputs)} inputs, got {len(shapes)} shapes"
            raise ArgumentError(what, fix="prepare((32, 784), (32, 10)): a shape for each input")
        key = [as_static(shape, f"prepare: shape {i}") for i, shape in enumerate(shapes)]
        locked(self._domain, lambda: self._bind(self._find(key)))
        return self

    # many ticks -------------------------------------------------------------------------------------------------------

    def loop(self, n: int, *args: Any, outputs: str = "stack", **named: Any) -> Any:
        """`n` ticks in one call. An argument with one axis more than its input is stacked: tick i gets its i-th entry.

        outputs  "stack": every tick's outputs along a new first axis; "last": those of the last tick.

        Each tick is atomic, the loop is not: an error in tick i raises LoopError with `committed == i`. Signals are
        heard between ticks, in native code after some milliseconds of them; so is KeyboardInterrupt, which passes as it is.
        """
        choice("outputs", outputs, ("stack", "last"))
        if whole(n, "loop: the number of ticks", 0) < (outputs == "last"):
            raise ArgumentError(f"loop: {n!r} ticks", why="there is nothing to return", fix="at least one for outputs='last'")
        given = zip(self.tick.inputs, self._arranged(args, named), strict=True)
        feeds = [feeding.coerce(p, v, i) for i, (p, v) in enumerate(given)]
        stacked = [array.ndim == p.ndim + 1 for p, array in zip(self.tick.inputs, feeds, strict=True)]
        for p, array, many in zip(self.tick.inputs, feeds, stacked, strict=True):
            if many and len(array) != n:
                raise FeedError(f"input {p.name!r} is stacked {len(array)} times, the loop runs {n}",
                                fix="give an entry for each tick, or one for all", after=NOTHING_CHANGED)
        last = outputs == "last"
        rows: list[list[Any]] = []
        together: Loop | None = None
        i = 0
        while i < n:
            done = together.run(i, n) if together else 0
            i += done
            if done:
                continue
            try:
                row = self._run([array[i] if many else array for array, many in zip(feeds, stacked, strict=True)])
            except Exception as error:
                ours = error if isinstance(error, AutographError) else AutographError(str(error))
                what = f"tick {i} of {n} failed, after {i} were committed: {ours.what}"
                fix = ours.fix or "mend what failed; the ticks before it took effect"
                stopped = LoopError(what, why=ours.why, fix=fix, after="That tick changed no variable.")
                stopped.where, stopped.committed = ours.where, i
                raise stopped from error
            if last:
                rows.clear()
            rows.append(row)
            if together or (i == 0 and n > 1 and self._program.many() is not None):
                key = [array.shape[many:] for array, many in zip(feeds, stacked, strict=True)]
                together = together or Loop(partial(self._many, key), feeds, stacked, row, 1 if last else n)
                together.put(i, rows.pop())
            i += 1
        if together:
            results = [result[0] if last else result for result in together.results]
        elif last:
            results = rows[-1]
        elif rows:
            results = [np.stack(column) for column in zip(*rows, strict=True)]
        else:
            wanted = self.tick.outputs[: self._output_count]
            results = [np.empty((0, *[size or 0 for size in o.shape]), o.dtype) for o in wanted]
        return self._packed(results)

    def _many(self, key: list[Any], run: Callable[[Any], int]) -> int:
        """Call `run`, under the lock, with what runs many ticks of the program for feeds of these shapes, or None."""

        def bound() -> int:
            program = self._program if key == self._key else self._find(key)
            if program.stamp != epoch[0] + program.arena.epoch:
                self._bind(program)
            return run(program.many())

        return locked(self._domain, bound)

    # state ------------------------------------------------------------------------------------------------------------

    def state(self) -> dict[Variable, Any]:
        """A copy of every register the function reads or writes, all of one tick."""
        return locked(self._domain, lambda: {v: v.register.home.copy() for v in self.registers})

    def restore(self, state: Mapping[Variable, Any]) -> None:
        """Write back what `state` gave, all or nothing. Raises ShapeError for an array that does not fit its register."""
        set_values(state)

    def copy(self, swap: Mapping[Variable, Variable] | None = None, name: str | None = None) -> Function:
        """The same function over other registers: each key of `swap` replaced by its value, as input and as target."""
        swap = signature.read_swap(swap, self.registers, self.name)
        registers, labels = self.tick.registers, self.updates.labels
        parts = [*self.tick.roots, *registers, *(u.value for u in self.updates), *labels]
        moved = iter(substitute(parts, swap))
        tick = self.tick.with_roots([next(moved) for _ in self.tick.roots])
        registers = tuple(next(moved) for _ in registers)  # type: ignore[misc]  # a register for a register
        updates = Updates([Update(register, next(moved)) for register in registers])
        updates.labels.update(zip(moved, labels.values(), strict=True))
        check_updates(updates)
        tick = tick._replace(registers=registers)
        return Function(tick, self._output_count, self._inputs, self._build_outputs, self._bare, updates,
                        name or self.name, self.executor.name, self.on_nonfinite)  # fmt: skip

    # looks inside -----------------------------------------------------------------------------------------------------

    def preview(self, *args: Any, **named: Any) -> dict[Variable, Any]:
        """The new values that a call with these inputs would commit, by variable. Nothing is changed."""
        return inspection.preview(self, self._arranged(args, named))

    def trace(self, *args: Any, **named: Any) -> dict[str, Any]:
        """The value of every tensor behind the outputs and updates, by name, for these inputs. Nothing is changed."""
        return inspection.trace(self, self._arranged(args, named))

    def profile(self, *args: Any, ticks: int = 100, **named: Any) -> inspection.Profile:
        """Run the tick `ticks` times with these inputs, timing each step; the registers are put back afterwards."""
        return inspection.profile(self, self._arranged(args, named), ticks)

    @property
    def source(self) -> str:
        """The generated code of the program prepared last; empty before the first call."""
        return "" if self._program is None else str(self._program.source)

    @property
    def assembly(self) -> str:
        """The machine code of the program prepared last; empty where the executor compiles none."""
        return "" if self._program is None else str(self._program.assembly)

    def explain(self) -> str:
        """How the program prepared last runs: its steps, and those that stay calls of NumPy, each with the reason."""
        if self._program is None:
            return f"{self.name}: not prepared yet; call it, or prepare(…) it for the shapes of its inputs"
        return f"{self.name} on {self.executor.name}: {self._program.explain()}"

    def __repr__(self) -> str:
        inputs = ", ".join(f"{p.name}: {p.type}" for p in self.tick.inputs)
        outputs = ", ".join(o.name for o in self.tick.outputs[: self._output_count]) or "None"
        prepared = len(self._cache.programs)
        steps = f"; {len(self._program.text.steps)} steps" if self._program is not None else ""
        registers = f"{len(self.updates)} register{'s' if len(self.updates) != 1 else ''} ← updates"
        return f"function {self.name}({inputs}) → {outputs}      {registers}; prepared {prepared}×{steps}"

    def _repr_html_(self) -> str:
        return f"<code>{escaped(repr(self))}</code>{self.updates._repr_html_()}"

    def __reduce__(self) -> tuple[Any, ...]:
        """The flat form: a copy, in this process or another, owns registers of its own with the values of now.

        What is pickled or deep-copied in one object shares registers as before. A pickle reads them one by one, so no
        other thread should tick meanwhile; a deep copy reads all of a function between two ticks.
        """
        tick, values = self.tick, [u.value for u in self.updates]
        shown = set(ancestors([*values, *tick.registers]))
        labels = {tensor: label for tensor, label in self.updates.labels.items() if tensor in shown}
        parts = [*tick.inputs, *tick.roots, *tick.registers, *values, *labels]
        settings = (self._output_count, self._bare, self.name, self.executor.name, self.on_nonfinite)
        shape = (len(tick.outputs), [guard is not None for guard in tick.guards], list(labels.values()))
        inputs = _numbered(self._inputs)
        outputs = None if self._build_outputs is None else self._build_outputs(iter(range(self._output_count)))
        return _rebuilt, (flat.flattened(parts), settings, shape, inputs, outputs)

    def __deepcopy__(self, memo: dict[Any, Any]) -> Function:
        twins = memo.setdefault(_TWINS, {})  # functions that are copied together share the copies of registers
        flat.twins(self.registers, twins, self.state())
        return self.copy({v: twins[v] for v in self.registers})


def _numbered(structure: Any) -> Any:
    """The structure with each leaf's position in its place."""
    leaves, build = flatten(structure)
    return build(iter(range(len(leaves))))


def _rebuilt(data: Any, settings: Any, shape: Any, inputs: Any, outputs: Any) -> Function:
    """A function from its flat form."""
    output_count, bare, name, executor, on_nonfinite = settings
    tick_outputs, guarded, labels = shape
    tensors = iter(flat.expanded(data))
    leaves, build_inputs = flatten(inputs)
    placeholders = tuple(next(tensors) for _ in leaves)
    found = tuple(next(tensors) for _ in range(tick_outputs))
    values = tuple(next(tensors) for _ in guarded)
    guards = tuple(next(tensors) if has else None for has in guarded)
    registers: tuple[Any, ...] = tuple(next(tensors) for _ in guarded)
    tick = Tick(placeholders, found, registers, values, guards)  # type: ignore[arg-type]  # as they were flattened
    updates = Updates([Update(register, next(tensors)) for register in registers])
    updates.labels.update(zip(tensors, labels, strict=True))
    build_outputs = None if outputs is None else flatten(outputs)[1]
    return Function(tick, output_count, build_inputs(iter(placeholders)), build_outputs, bare, updates, name, executor,
                    on_nonfinite)  # fmt: skip
