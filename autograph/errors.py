"""The errors of autograph: one class a mistake, each also the standard class that existing code catches.

    AutographError
    ├── ArgumentError           ValueError           an argument has no meaning here
    │   └── AmbiguousError      AttributeError       one name, and several things that have it
    ├── ArgumentTypeError       TypeError            an argument is of the wrong kind
    ├── ShapeError              ValueError           sizes do not fit together
    │   └── AxisError           IndexError           an axis that the tensor does not have
    ├── DTypeError              TypeError            a dtype that does not fit, or is unknown
    ├── SymbolicError           TypeError            a tensor was used as if it were a number
    ├── FeedError               ValueError TypeError a value fed to a function does not fit its input
    ├── MissingInputError       ValueError           a function needs a placeholder that is not among its inputs
    ├── UpdateError             ValueError           an update is impossible
    │   ├── DuplicateUpdateError                     one register has two new values
    │   └── UpdateTypeError     TypeError            a new value is not of its register's type
    ├── DisconnectedError       ValueError           no gradient flows to a parameter
    ├── NoGradientRuleError     NotImplementedError  an op on the path has no gradient
    ├── NonFiniteError          FloatingPointError   the guard refused a value that is not finite
    ├── IndexRangeError         IndexError ValueError  an index outside its axis
    ├── DivisionByZeroError     ZeroDivisionError    an integer divided by zero
    ├── SizeError               MemoryError          an array too big for this machine
    ├── ReentrantCallError      RuntimeError         a tick or a write inside a tick of the same registers
    ├── LoopError               RuntimeError         a loop stopped before its last tick
    ├── CheckpointError         ValueError           a file is no checkpoint, is damaged, or does not fit
    └── StaleGraphError         RuntimeError         a tensor from before `clear_session`

Every message says what happened, why, and how to mend it; the class's docstring is the page that
`python -m autograph explain NAME` prints.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Self

from autograph.origin import here


class AutographError(Exception):
    """The root of every error that autograph raises on purpose.

    what, why, fix   a line or more of the message each: what happened, why, how to mend it
    where            "created at train.py:31 in build()" for what has a place of its own, else "called at …", the user's line
    after            what holds for the registers now, in a sentence
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "", where: str = "", after: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.fix, self.after = what, why, fix, after
        self.where = f"created at {where}" if where else f"called at {here()}"

    def __str__(self) -> str:
        return "\n  ".join(line for line in (self.what, self.why, self.fix, self.where, self.after) if line)

    def retold(self, what: str, *, why: str = "", fix: str = "", where: str = "", after: str = "") -> Self:
        """The same error for somebody who stands further away: `what` and, where given, the other lines are new."""
        again = copy.copy(self)
        again.args = (what,)
        again.what, again.why, again.fix = what, why or self.why, fix or self.fix
        again.where, again.after = f"created at {where}" if where else self.where, after or self.after
        return again


class ArgumentError(AutographError, ValueError):
    """An argument has no meaning here: an unknown name, an impossible value, two options that exclude each other.

    Read the valid choices in the message; the nearest one is named first.
    """


class AmbiguousError(ArgumentError, AttributeError):
    """A name that several things have, asked of all of them together: `partition(…).lr`, where each group has its own.

    Ask the one that is meant: `.optimizers[0].lr`.
    """


class ArgumentTypeError(AutographError, TypeError):
    """An argument is of the wrong kind, as a bare tensor where a list belongs: `function([x], [y])`, not `function(x, y)`."""


class ShapeError(AutographError, ValueError):
    """Sizes do not fit together.

    Shapes are aligned at the right, and a size of 1 stretches. Check the widths of the layers, an `expand_dims`
    that is missing, or `keepdims=True` on a reduction.
    """


class AxisError(ShapeError, IndexError):
    """An axis that the tensor does not have, or one named twice. Valid axes of rank n are -n to n-1."""


class DTypeError(AutographError, TypeError):
    """A dtype that does not fit, or a name that is no dtype. `cast(x, "float32")` converts on purpose."""


class SymbolicError(AutographError, TypeError):
    """A tensor was used as if it were a number.

    A tensor has no value until a function runs. Use `switch` or `where` for a choice, `eval` for a look,
    `equal` for a comparison with a number.
    """


class FeedError(AutographError, ValueError, TypeError):
    """A value fed to a function does not fit its input. Nothing ran, and no variable was changed."""


class MissingInputError(AutographError, ValueError):
    """An output or an update needs a placeholder that is not among the inputs. Add it, or replace it through `givens`."""


class UpdateError(AutographError, ValueError):
    """An update is impossible. Updates are pairs `(variable, new_value)`."""


class DuplicateUpdateError(UpdateError):
    """One register has two new values. Combine them into one expression, or put them in sequence by `a.then(b)`."""


class UpdateTypeError(UpdateError, TypeError):
    """A new value is not of its register's dtype and shape. Updates are never cast nor broadcast in silence."""


class DisconnectedError(AutographError, ValueError):
    """No gradient flows to a parameter: the loss does not read it, or an op such as argmax cuts every path.

    `explain_gradient(loss, w)` prints the path or the cut.
    """


class NoGradientRuleError(AutographError, NotImplementedError):
    """An op on the path has no gradient rule. Give it a `vjp`, or cut the path by `stop_gradient`."""


class NonFiniteError(AutographError, FloatingPointError):
    """The guard `on_nonfinite="raise"` refused a new value that is not finite; no variable was changed.

    The message names where it came from: a feed, a register that was not finite before, or the first op that made it of
    finite numbers. Mend the data or the expression named, lower the rate, or clip the gradient.
    """


class IndexRangeError(AutographError, IndexError, ValueError):
    """An index outside its axis, or a label that is no class. Negative indices count from the end; labels begin at 0."""


class DivisionByZeroError(AutographError, ZeroDivisionError):
    """An integer was divided by zero, and integers have no infinity. Cast to float, or mask the divisor."""


class SizeError(AutographError, MemoryError):
    """An array too big for this machine. Reduce the batch, or contract before you broadcast."""


class ReentrantCallError(AutographError, RuntimeError):
    """A tick was started, or a register written, inside a tick of the same registers: from a callback, a signal handler.

    Do it afterwards, or make it an update.
    """


class LoopError(AutographError, RuntimeError):
    """A loop stopped before its last tick. Each tick is atomic, the loop is not: `committed` says how many took effect."""

    committed: int = 0


class CheckpointError(AutographError, ValueError):
    """A file is no checkpoint, is damaged, or does not fit the registers. Nothing was loaded.

    `checkpoint.save` writes checkpoints. A damaged file is no use in part: take an earlier save, or copy it again. Where
    names, shapes or dtypes differ, build the same variables and the same updates before `checkpoint.load`; with
    `strict=False` it loads what fits, and returns what it left out.
    """


class StaleGraphError(AutographError, RuntimeError):
    """A tensor from before `clear_session` was used to build something new. Build it again."""


NOTHING_CHANGED = "No variable was changed."


def nearest(name: str, choices: Iterable[str]) -> str:
    """The choice spelt most like `name`, as a hint `; did you mean 'x'?`, or nothing."""
    import difflib  # loaded where there is something to say: most programs never need it

    close = difflib.get_close_matches(str(name), list(choices), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
