"""What optimizers made of optimizers have in common: one `get_updates`, one state, and what there is of those inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from autograph import AmbiguousError, ArgumentError, ArgumentTypeError, Updates, Variable, arguments
from optimizers.arguments import read_arguments, read_parameters
from optimizers.registry import get, serialize
from optimizers.state import Key, Saved, joined


class Composed(Saved):
    """Optimizers behind one `get_updates`; `optimizers` lists them, and `updates` is what was made last.

    Around a single optimizer `lr`, `learning_rate` and `iterations` are its own, to read and to assign; of several they
    raise AmbiguousError.
    """

    __slots__ = ("__weakref__", "name", "optimizers", "updates")
    optimizers: list[Any]
    updates: Updates

    def __init__(self, optimizers: Sequence[Any], name: str) -> None:
        self.name = name
        self.updates = Updates()
        for one in optimizers:
            if not callable(getattr(one, "get_updates", None)):
                fix = "pass an instance, such as Adam()"
                raise ArgumentTypeError(f"{name}: {arguments.shown(one)} is no optimizer", fix=fix)
            if isinstance(one, type):
                raise ArgumentTypeError(f"{name}: {one.__name__} is a class", fix=f"write {one.__name__}()")
        self.optimizers = list(dict.fromkeys(optimizers))

    def get_updates(self, *args: Any, **kwargs: Any) -> Updates:
        """What one tick changes. Call forms and errors are those of `Optimizer.get_updates`."""
        loss, params, constraints = read_arguments(args, kwargs)
        self.updates = self._updates(loss, read_parameters(params), constraints)
        return self.updates.copy()

    def _updates(self, loss: Any, params: list[Variable], constraints: Mapping[Any, Any]) -> Updates:
        raise NotImplementedError

    @property
    def _needs_loss(self) -> bool:
        """Whether an optimizer inside reads the loss itself."""
        return any(getattr(one, "_needs_loss", False) for one in self.optimizers)

    # what there is of the optimizer inside ----------------------------------------------------------------------------

    def _only(self, name: str) -> Any:
        """The one optimizer inside. Raises AmbiguousError where there are several."""
        if len(self.optimizers) != 1:
            raise AmbiguousError(
                f"{self.name} holds {len(self.optimizers)} optimizers, each with a {name} of its own",
                fix=f"name one of them: .optimizers[0].{name}",
            )
        return self.optimizers[0]

    @property
    def learning_rate(self) -> Any:
        """The rate of the optimizer inside; assign a number to change it at any time."""
        return self._only("learning_rate").learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._only("learning_rate").learning_rate = value

    @property
    def lr(self) -> Any:
        """The same as `learning_rate`."""
        return self._only("lr").lr

    @lr.setter
    def lr(self, value: Any) -> None:
        self._only("lr").lr = value

    @property
    def iterations(self) -> Variable:
        """How many steps the optimizer inside has taken."""
        found: Variable = self._only("iterations").iterations
        return found

    # state ------------------------------------------------------------------------------------------------------------

    def _own(self) -> dict[Key, Variable]:
        """The registers beside those of the optimizers."""
        return {}

    def state_registers(self) -> dict[Key, Variable]:
        """Registers of its own, and those of every optimizer inside; of equal names the later get `_1`, `_2`, …"""
        return joined([self._own(), *(one.state_registers() for one in self.optimizers)])

    @property
    def weights(self) -> list[Variable]:
        """Registers of its own, and the `weights` of every optimizer inside."""
        inner = [weight for one in self.optimizers for weight in one.weights]
        return list(dict.fromkeys([*self._own().values(), *inner]))

    def get_config(self) -> dict[str, Any]:
        """Plain data for `from_config`, the optimizers inside among them. Raises ArgumentError for what is none."""
        return {"optimizers": [serialize(one) for one in self.optimizers], **self._numbers()}

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """The same composition of optimizers with these hyper-parameters. Raises ArgumentError for other data."""
        if not isinstance(config, Mapping):
            raise ArgumentTypeError(f"the config is {arguments.shown(config)}, not a dict", fix="pass what get_config gave")
        try:
            return cls._made([get(one) for one in config["optimizers"]], config)
        except (IndexError, KeyError) as error:
            raise ArgumentError(f"{cls.__name__}: the config lacks {error}", fix="pass what get_config gave") from None

    def _numbers(self) -> dict[str, Any]:
        """What there is to say of it, beside the optimizers."""
        raise NotImplementedError

    @classmethod
    def _made(cls, optimizers: list[Any], config: Mapping[str, Any]) -> Self:
        raise NotImplementedError

    # for people -------------------------------------------------------------------------------------------------------

    def _parts(self) -> list[tuple[str, Any]]:
        """In words, which gradients go to which of the optimizers; None where a group is frozen."""
        raise NotImplementedError

    def _head(self) -> str:
        return f"{self.name}({', '.join(self._written())})"

    def _written(self) -> list[str]:
        return [f"{name}={value!r}" for name, value in self._numbers().items() if value is not None and value is not True]

    def __repr__(self) -> str:
        return f"{self.name}({', '.join([*map(repr, self.optimizers), *self._written()])})"

    def __str__(self) -> str:
        lines = [self._head()]
        for words, one in self._parts():
            lines += [f"  {words}:", *(f"    {line}" for line in str(one or "frozen").splitlines())]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [f"<dt>{words.translate(_HTML)}</dt><dd>{_html(one)}</dd>" for words, one in self._parts()]
        return f"<code>{self._head().translate(_HTML)}</code><dl>{''.join(rows)}</dl>"

    def _repr_latex_(self) -> str:
        blocks = [(words, getattr(one, "_repr_latex_", lambda: "")()) for words, one in self._parts()]
        return "\n".join(rf"$$\text{{{_latex_text(words)}:}}$$" + "\n" + block for words, block in blocks)


def _html(one: Any) -> str:
    show = getattr(one, "_repr_html_", None)
    return show() if show else str(one or "frozen").translate(_HTML)


# As `html.escape`, whose module takes long to load.
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_LATEX = {mark: f"\\{mark}" for mark in "_%#&${}"} | {"\\": r"\textbackslash ", "^": r"\^{}", "~": r"\~{}"}


def _latex_text(words: str) -> str:
    return "".join(_LATEX.get(c, c) for c in words)
