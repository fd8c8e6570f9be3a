"""Loops: recurrent networks over time, and functions over the entries of a tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autograph.arguments import a_function, shown
from autograph.backend.operands import tensor
from autograph.backend.phases import follows_phase
from autograph.errors import ArgumentTypeError, ShapeError
from autograph.graph.tensor import Tensor, as_tensor
from autograph.ops.comparison import less
from autograph.ops.cumulative import cumsum
from autograph.ops.elementwise import cast
from autograph.ops.filling import ones_like, zeros_like
from autograph.ops.joining import stack
from autograph.ops.movement import expand_dims_at, flip, squeeze_at, swapaxes
from autograph.ops.selection import where
from autograph.scan import scan, scanned

__all__ = ["foldl", "foldr", "map_fn", "rnn"]

Step = Callable[[Any, list[Any]], tuple[Any, Sequence[Any]]]


def rnn(
    step_function: Step,
    inputs: Any,
    initial_states: Sequence[Any],
    go_backwards: bool = False,
    mask: Any = None,
    constants: Sequence[Any] | None = None,
    unroll: bool = False,
    input_length: Any = None,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """(last output, outputs, last states) of a step function over the time of `inputs`.

    step_function   (entry of shape (samples, …), [*states, *constants]) → (output, new states). It is called once before the
                    loop, on the first entry, and again within: random numbers are drawn anew in each step, but for what the
                    function keeps from its first call, as cells of Keras keep a mask for dropout
    inputs          of shape (samples, time, …)
    initial_states  tensors of shape (samples, …), or none
    go_backwards    from the last entry to the first; the outputs too are in that order
    mask            of shape (samples, time) or (samples, time, 1): where it is 0 states stay, and the output is that of the
                    step before, 0 at first
    constants       tensors that every step is given behind its states
    unroll          write the steps down one by one, for which the time must be known
    input_length    how many steps there are; or how many there are for each sample, in place of a mask

    Outputs have shape (samples, time, …). Gradients of every order flow through. Raises ShapeError (a ValueError) for inputs
    of fewer than three axes, for a mask that does not fit, and for `unroll` without a known time.
    """
    a_function(step_function, "rnn: the step function")
    x = tensor(inputs)
    if x.ndim < 3:
        raise ShapeError(f"rnn: {x.describe()} has no axes for samples, time and features", fix="expand_dims(x) adds the last")
    entries, shown_mask = swapaxes(x, 0, 1), _mask(mask, x, input_length)
    states, fixed = [tensor(s) for s in initial_states], [tensor(c) for c in constants or ()]
    again: list[int] = []  # which of the states is the output too: then the last one needs no search among all

    def step(*given: Tensor) -> list[Tensor]:
        """[*new states, output] of [*states, entry]."""
        output, *new = _called(step_function, given[-1], given[:-1], fixed)
        again[:] = [i for i, state in enumerate(new) if state is output]
        return [*new, output]

    sample = step(*states, entries[0])  # outside, where a cell makes what it keeps for all steps
    run, begin, rows = step, states, [entries]
    if shown_mask is not None:
        run, begin, rows = _masked(step), [*states, zeros_like(sample[-1])], [entries, shown_mask]
    if unroll:
        last, outputs = _unrolled(run, begin, rows, go_backwards, input_length)
    else:
        *last, outputs = scanned(run, begin, rows, go_backwards)
        outputs = flip(outputs, 0) if go_backwards else outputs
    last_output = last[-1] if shown_mask is not None else last[again[0]] if again else outputs[-1]
    uses_phase = any(map(follows_phase, [*sample, last_output]))
    outputs = swapaxes(outputs, 0, 1)
    if uses_phase:
        last_output._uses_learning_phase = outputs._uses_learning_phase = True  # type: ignore[attr-defined]  # Keras's mark
    return last_output, outputs, last[: len(states)]


def _called(function: Step, entry: Tensor, states: Sequence[Tensor], constants: Sequence[Tensor]) -> list[Tensor]:
    """[output, *new states] of one step."""
    made: Any = function(entry, [*states, *constants])
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise ArgumentTypeError(f"rnn: the step function gives {shown(made)}", fix="return (output, new_states)")
    output, new = made
    if len(new) != len(states):
        raise ShapeError(f"rnn: the step function makes {len(new)} states of {len(states)}", fix="return one for each")
    return [as_tensor(output), *map(as_tensor, new)]


def _mask(mask: Any, x: Tensor, lengths: Any) -> Tensor | None:
    """Booleans of shape (time, samples), from a mask or from the number of steps of each sample; None for neither."""
    if mask is None:
        if not isinstance(lengths, Tensor | list | tuple) and not hasattr(lengths, "__array__"):
            return None
        count = as_tensor(lengths)
        if not count.ndim:
            return None
        places = cumsum(ones_like(_flat(x), "int64"), 1) - 1  # of each entry
        return swapaxes(less(places, expand_dims_at(cast(count, "int64"), (1,))), 0, 1)
    given = tensor(mask)
    if given.ndim == 3 and given.shape[2] in (1, None):
        given = squeeze_at(given, (2,))
    if given.ndim != 2:
        raise ShapeError(f"rnn: the mask is {given.type}", fix="give it shape (samples, time)")
    pairs = list(zip(given.shape, x.shape[:2], strict=True))
    if any(m is not None and n is not None and m != n for m, n in pairs):
        raise ShapeError(f"rnn: the mask {given.type} does not fit inputs {x.type}", fix="give it shape (samples, time)")
    return swapaxes(cast(given, "bool"), 0, 1)


def _flat(x: Tensor) -> Tensor:
    """One element of each entry: of shape (samples, time)."""
    return x[(slice(None), slice(None), *(0,) * (x.ndim - 2))]


def _masked(step: Callable[..., list[Tensor]]) -> Callable[..., list[Tensor]]:
    """A step on [*states, output, entry, mask] that keeps the states and the output where the mask is 0."""

    def masked(*given: Tensor) -> list[Tensor]:
        *before, entry, shown_ = given
        new = step(*before[:-1], entry)
        chosen = [where(_along(shown_, n), n, old) for n, old in zip(new, before, strict=True)]
        return [*chosen, chosen[-1]]

    return masked


def _along(mask: Tensor, x: Tensor) -> Tensor:
    """The mask of the samples with axes behind, as many as `x` has."""
    return expand_dims_at(mask, tuple(range(1, x.ndim)))


def _unrolled(
    step: Callable[..., list[Tensor]], states: list[Tensor], rows: list[Tensor], backwards: bool, length: Any
) -> tuple[list[Tensor], Tensor]:
    """The last states, and the outputs in the order in which they were made, step by step."""
    time = rows[0].shape[0] if rows[0].shape[0] is not None else length
    if not isinstance(time, int):
        raise ShapeError("rnn: unroll needs a number of steps known beforehand", fix="give the inputs a time, or input_length")
    outputs = []
    for t in reversed(range(time)) if backwards else range(time):
        *states, output = step(*states, *[row[t] for row in rows])
        outputs.append(output)
    if not outputs:
        raise ShapeError("rnn: there is no step to unroll", fix="give the inputs a time of at least 1")
    return states, stack(outputs)


# functions over entries ----------------------------------------------------------------------------------------------


def map_fn(fn: Callable[[Any], Any], elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """`fn` of each entry of `elems` along the first axis, stacked; of `dtype`, if given.

    elems   a tensor of shape (n, …), or nested ones of one length. The result may be nested too.
    """
    a_function(fn, "map_fn: fn")

    def step(_: Any, entry: Any) -> tuple[list[Any], Any]:
        return [], fn(entry) if dtype is None else cast(fn(entry), dtype)

    return scan(step, [], elems if isinstance(elems, tuple | dict) else tensor(elems))[1]


def foldl(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None) -> Tensor:
    """fn(…fn(fn(a, elems[0]), elems[1])…, elems[-1]), a the initializer; without one a is elems[0], and the rest follows."""
    x = tensor(elems)
    return _folded(fn, x[0], x[1:], False) if initializer is None else _folded(fn, tensor(initializer), x, False)


def foldr(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None) -> Tensor:
    """As `foldl`, from the last entry to the first: fn(…fn(fn(a, elems[-1]), elems[-2])…, elems[0])."""
    x = tensor(elems)
    return _folded(fn, x[-1], x[:-1], True) if initializer is None else _folded(fn, tensor(initializer), x, True)


def _folded(fn: Callable[[Any, Any], Any], start: Tensor, entries: Tensor, reverse: bool) -> Tensor:
    a_function(fn, f"{'foldr' if reverse else 'foldl'}: fn")
    (last,) = scanned(lambda a, entry: [fn(a, entry)], [start], [entries], reverse)
    return last
