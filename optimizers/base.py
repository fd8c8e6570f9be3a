"""The optimizer behind every rule: hyper-parameters, gradients, clipping, slots, constraints, weights, call forms.

The pipeline of `get_updates` is fixed:

    gradients → centralise → clip adaptively → clip by norm → clip by value        what `get_gradients` gives
    → noise → weight decay in the gradient (L2) → rule, with `self.rate` = rate × schedule × multiplier, and `self.t`
    → decoupled weight decay → constraint of the parameter

What comes before it are functions of gradients, what comes after it is `.then` of its updates: a guard that skips what
is not finite, sums over several steps and the scale of a loss in `compose`, averages and targets in `averaging`. A
parameter is frozen by leaving it out of `params`, so that it has no part in norms either.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any, ClassVar

import numpy as np

from autograph import (
    ArgumentError,
    ArgumentTypeError,
    Tensor,
    Updates,
    Variable,
    arguments,
    cast,
    constant,
    nearest,
    placeholder,
    variable,
)
from optimizers import options
from optimizers.arguments import read_arguments, read_gradients, read_parameters
from optimizers.clipping import centralize, clip_adaptively, clip_by_global_norm, clip_by_norm, clip_by_value
from optimizers.clock import Clock
from optimizers.hyperparameters import Flag, Hyper, amount, limit, rate
from optimizers.slots import Slots, slots_for, zeros
from optimizers.state import Key, Saved, joined

_ALIASES = {"lr": "learning_rate", "global_clipnorm": "clipnorm"}
_LAST = (
    "decay", "clipnorm", "clipnorm_per_param", "clipvalue", "clip_adaptive", "centralize", "noise", "noise_decay", "seed",
    "weight_decay", "decoupled", "no_decay", "multipliers", "constraints",
)  # fmt: skip
_SYMBOLS = {"vhat": "v̂", "delta": "Δ", "mu": "μ", "m_schedule": "Π", "Ql": "Qₗ", "Qr": "Qᵣ"}


class Optimizer(Saved):
    """The base of all rules.

    A subclass declares its hyper-parameters in its body (a bare number or truth value will do) and writes `rule`:

        class Signum(Optimizer):
            beta = 0.9

            def rule(self, p, g, s):
                s.m = self.beta * s.m + (1 - self.beta) * g
                return p - self.rate * sign(s.m)

    Numbers are registers: `opt.lr = 1e-4` is a write, and no function is prepared anew. `lr`, as `learning_rate`, may
    also be a variable, a tensor, or a function of the number of steps taken (a float64 tensor of rank 0).

    decay               the rate is η / (1 + decay·(t−1))
    centralize          take from each gradient its mean over all axes but the last
    clip_adaptive       limit of each unit's norm of the gradient over that of the parameter (AGC)
    clipnorm            limit of the norm of all gradients together; clipnorm_per_param of each one; 0 is no limit
    clipvalue           limit of each element, applied after the norm's
    noise               η̃: normal noise of variance η̃/tᵞ is added to each gradient (Neelakantan et al. 2015), after clipping
    noise_decay         γ, 0.55 unless given
    seed                of the random numbers; None: drawn from numpy.random. Their register is `opt.random`
    weight_decay        λ: λ·p is added to the gradient; with `decoupled`, c·λ·p is taken from the new p instead, of the
                        old p, where c is the rate ("lr"), the schedule alone ("schedule") or 1 ("none"). A rule that
                        declares its own has it where its paper does
    no_decay            the parameters that do not decay
    multipliers         {parameter: number} by which the rate is multiplied
    constraints         {parameter: function of the new value}, before the parameter's own

In the last three a parameter is a variable or a pattern of names, as in `multipliers={"*/bias": 2.0, kernel: 0.1}`.

    Raises ArgumentTypeError for an argument it does not know or that is no number, ArgumentError for one out of bounds.
    """

    learning_rate = rate(0.01)
    decay = amount(0.0, "decay")
    clipnorm = limit()
    clipnorm_per_param = limit()
    clipvalue = limit()
    clip_adaptive = limit()
    centralize = Flag(False)
    noise = Hyper(None, least=0)
    noise_decay = Hyper(None, least=0)
    seed: Any = options.Seed()
    weight_decay = Hyper(None, "λ", least=0)
    decoupled: Any = options.Word("lr", "schedule", "none")
    no_decay = options.Names()
    multipliers = options.Table(options.multiplier)
    constraints = options.Table(options.constraint)

    hyperparameters: ClassVar[dict[str, Hyper | Flag]] = {}
    # Slots that Keras saves and this form of the rule does not use, and their shapes; None: that of the parameter.
    fillers: ClassVar[Mapping[str, tuple[int, ...] | None]] = {}
    # The names of those that are the rule's, and not common to all.
    _own: ClassVar[frozenset[str]] = frozenset()
    # Whether it reads the loss itself, and so cannot step by gradients alone.
    _needs_loss: ClassVar[bool] = False
    # Whether the rule draws random numbers of its own.
    _draws: ClassVar[bool] = False
    # The shape of the parameter in a printed formula.
    example: ClassVar[tuple[int, ...]] = (1,)

    def __init_subclass__(cls) -> None:
        _declare(cls)

    def __init__(self, *args: Any, name: str | None = None, **kwargs: Any) -> None:
        self.name = type(self).__name__ if name is None else str(name)
        self._settings: dict[str, Any] = {}
        self._clocks: list[Clock] = []
        self._clock_of: dict[Variable, Clock] = {}
        self._slots: dict[Variable, dict[str, Variable]] = {}
        self._fillers: dict[tuple[Variable, str], Variable] = {}
        self._used: dict[str, bool] = {}
        self._random: Variable | None = None
        self.updates: Updates = Updates()
        given = self._given(args, kwargs)
        for key, field in self.hyperparameters.items():
            setattr(self, key, given.get(key, field.default if isinstance(field, Flag) else None))
        self._check_options()
        self._multiplier = 1.0
        self._clock = Clock(self, "iterations")

    def _given(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments by name. Raises ArgumentTypeError for an unknown one, or one given twice."""
        cls = type(self).__name__
        positional = [name for name in self.hyperparameters if name in self._own]
        if len(args) > len(positional):
            raise ArgumentTypeError(
                f"{cls} takes at most {len(positional)} arguments by position, got {len(args)}",
                fix=f"they are {', '.join(positional)}; name the others",
            )
        given = dict(zip(positional, args, strict=False))
        for key, value in kwargs.items():
            name = _ALIASES.get(key, key)
            if name not in self.hyperparameters:
                accepted = [*self.hyperparameters, "lr", "name"]
                raise ArgumentTypeError(
                    f"{cls} got an unknown argument {key!r}{nearest(key, accepted)}",
                    fix=f"accepted: {', '.join(accepted)}",
                )
            if name in given:
                raise ArgumentTypeError(f"{cls} got {name!r} twice" + (f", once as {key!r}" if key != name else ""))
            given[name] = None if name.startswith("clip") and options.is_zero(value) else value
        return given

    def _check_options(self) -> None:
        """Raise ArgumentError for options that do nothing together."""
        if self.clipnorm is not None and self.clipnorm_per_param is not None:
            raise ArgumentError("clipnorm and clipnorm_per_param exclude each other", fix="choose one")
        options.check_together(self, "weight_decay" in self._own, "decoupled" in self._own)

    # what a rule reads -----------------------------------------------------------------------------------------------

    def rule(self, p: Variable, g: Tensor, s: Slots) -> Tensor:
        """The new value of the parameter `p` with gradient `g`; `s.name` reads and assigns its slots."""
        raise NotImplementedError(f"{type(self).__name__} has no rule(self, p, g, s)")

    def lazy(self) -> bool:
        """Whether the rule is applied to the rows alone that a row-sparse gradient touches: p, g and each slot are then
        those rows. It must take each element by itself, and is another algorithm unless g = 0 changes nothing."""
        return False

    @property
    def rate(self) -> Tensor:
        """The learning rate of this step and parameter, after schedule, decay and multiplier: a float64 of rank 0."""
        rate = self._clock.now.rate
        return rate if self._multiplier == 1 else rate * self._multiplier

    @property
    def t(self) -> Tensor:
        """The number of this step: 1 at the first. A float64 of rank 0."""
        return self._clock.now.t

    def uses(self, name: str) -> bool:
        """Whether the term of this hyper-parameter is part of the rule: it is not where the number was neutral when
        updates were first made."""
        if name in self._used:
            return self._used[name]
        field, value = self.hyperparameters[name], self._settings[name]
        assert isinstance(field, Hyper)
        return not isinstance(value, Variable) or field.neutral is None or float(value.get_value()) != field.neutral

    # hyper-parameters ------------------------------------------------------------------------------------------------

    @property
    def lr(self) -> Any:
        """The learning rate; assign a number to change it at any time."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        self.learning_rate = value

    @property
    def iterations(self) -> Variable:
        """How many steps were taken, an int64 register."""
        return self._clocks[0].iterations if self._clocks else self._clock.iterations

    @property
    def random(self) -> Variable:
        """The state of its random numbers, a register that is made when it is first asked for."""
        if self._random is None:
            self._random = options.stream(self)
        return self._random

    @property
    def built(self) -> bool:
        """Whether updates exist."""
        return bool(self._clocks)

    def get_config(self) -> dict[str, Any]:
        """The current hyper-parameters as plain numbers, for `from_config`. Raises ArgumentError for an expression."""
        config: dict[str, Any] = {} if self.name == type(self).__name__ else {"name": self.name}
        for name, value in self._settings.items():
            if isinstance(value, Variable):
                config[name] = float(value.get_value())
            elif value is not None and (name in self._own or value is not False):
                config[name] = options.plain(name, value)
        return config

    @classmethod
    def from_config(cls, config: Any) -> Optimizer:
        """An optimizer with these hyper-parameters."""
        if not isinstance(config, Mapping):
            raise ArgumentTypeError(f"the config is {arguments.shown(config)}, not a dict", fix="pass what get_config gave")
        return cls(**config)

    # gradients and updates -------------------------------------------------------------------------------------------

    def get_gradients(self, loss: Any, params: Sequence[Variable]) -> list[Tensor]:
        """∂loss/∂p for each p, centralised and clipped. `loss` is a tensor of rank 0, or the list of gradients themselves.

        Raises DisconnectedError, naming the parameter and the op that cuts its path, where no gradient flows;
        ArgumentError for parameters that are empty, repeated or no float variables.
        """
        params = read_parameters(params)
        return self._clipped(read_gradients(loss, params), params)

    def _prepare(self, loss: Any, params: Sequence[Variable], found: Sequence[Tensor]) -> None:
        """For rules that read more than the gradient of their parameter: the loss, and all gradients as they are."""

    def _clipped(self, found: list[Tensor], params: Sequence[Variable]) -> list[Tensor]:
        if self.centralize:
            found = [centralize(g) for g in found]
        if self.clip_adaptive is not None:
            found = clip_adaptively(found, params, self.clip_adaptive)
        if self.clipnorm is not None:
            found = clip_by_global_norm(found, self.clipnorm)
        if self.clipnorm_per_param is not None:
            found = [clip_by_norm(g, self.clipnorm_per_param) for g in found]
        if self.clipvalue is not None:
            found = [clip_by_value(g, -self.clipvalue, self.clipvalue) for g in found]
        return found

    def get_updates(self, *args: Any, **kwargs: Any) -> Updates:
        """What one step changes: `(variable, new_value)` pairs for `function`; the first counts the steps.

        get_updates(loss, params)       also by keyword, in any order
        get_updates(gradients, params)  with a gradient for each parameter in place of the loss
        get_updates(params, constraints, loss)   as old Keras had it; constraints is a dict from parameters, or empty

        Slots and counter of a parameter are made once: a second call for it reads and writes the same. Parameters that
        come in a later call get a counter of their own. Raises as `get_gradients` does.
        """
        loss, params, constraints = read_arguments(args, kwargs)
        params = read_parameters(params)
        raw = read_gradients(loss, params)
        self._prepare(loss, params, raw)
        found = self._clipped(raw, params)
        options.check_named(self, [*self._clock_of, *params])
        clocks = self._enrolled(params)
        updates = Updates([clock.tick() for clock in clocks])
        if isinstance(loss, Tensor):
            what = loss.given_name or "loss"
            shared = Counter(raw)
            alone = {g: p.name for p, g in zip(params, raw, strict=True) if g.inputs and shared[g] == 1}
            updates.labels |= {g: f"∂{what}/∂{name}" for g, name in alone.items()}
        gradient = options.noisy(self, dict(zip(params, found, strict=True)))
        for p in params:
            self._clock = self._clock_of[p]
            constraint = constraints.get(p, options.look_up(self.constraints, p, p.constraint))
            updates += self._step(p, gradient[p], self._slots.setdefault(p, {}), constraint)
            updates.labels |= {register: _SYMBOLS.get(n, n) for n, register in self._slots[p].items()}
        updates += [update for clock in clocks for update in clock.carried()]
        updates.labels |= self._labels(clocks)
        self._clock = self._clocks[0]
        self.updates = updates
        return updates.copy()

    def _step(self, p: Variable, g: Tensor, registers: dict[str, Variable], constraint: Any) -> Updates:
        decay, common = self.weight_decay, "weight_decay" not in self._own
        decays = decay is not None and options.match(p, self.no_decay or ()) is None
        if common and decays and self.decoupled is None:
            g = g + decay * p
        slots = slots_for(p, registers, g, self.lazy())
        self._multiplier = options.look_up(self.multipliers, p, 1.0)
        try:
            if decay is not None and not decays:
                self._settings["weight_decay"] = constant(0.0, "float64")  # what rules with a decay of their own read
            new = slots.whole(p, cast(self.rule(*slots.operands(g), slots), p.dtype))
            if common and decays and self.decoupled is not None:
                new = cast(new - options.decay_factor(self) * decay * p, p.dtype)
        finally:
            self._multiplier, self._settings["weight_decay"] = 1.0, decay
        if constraint is not None:
            new = constraint(new)
        return slots.updates() + [(p, new)]

    def _enrolled(self, params: Sequence[Variable]) -> list[Clock]:
        """The clocks of these parameters; new ones share a new clock. From the first call on, neutral terms stay out."""
        if not self.built:
            self._check_options()
            for name, field in self.hyperparameters.items():
                if isinstance(field, Hyper) and field.neutral is not None:
                    self._used[name] = self.uses(name)
                    if not self._used[name]:
                        options.settle(self._settings[name], self.name)
        new = [p for p in params if p not in self._clock_of]
        if new:
            count = len(self._clocks)
            clock = Clock(self, f"iterations_{count}") if count else self._clock
            self._clocks.append(clock)
            self._clock_of.update(dict.fromkeys(new, clock))
        return list(dict.fromkeys(self._clock_of[p] for p in params))

    def _labels(self, clocks: Iterable[Clock]) -> dict[Tensor, str]:
        """Symbols for printing."""
        labels: dict[Tensor, str] = {}
        for name, value in self._settings.items():
            field = self.hyperparameters[name]
            if isinstance(field, Hyper) and isinstance(value, Variable):
                labels[value] = name if field.symbol in ("", *labels.values()) else field.symbol
        for clock in clocks:
            labels |= clock.labels() | {number: _SYMBOLS.get(n, n) for n, number in clock.shared.items()}
        return labels

    # state -----------------------------------------------------------------------------------------------------------

    @property
    def weights(self) -> list[Variable]:
        """The registers in Keras's order: the counter, then each slot for all parameters. Empty before `get_updates`."""
        found: list[Variable] = []
        for clock in self._clocks:
            params = [p for p, its in self._clock_of.items() if its is clock]
            names = dict.fromkeys(name for p in params for name in self._slots[p]) | dict.fromkeys(self.fillers)
            found += [clock.iterations, *clock.shared.values()]
            found += [self._weight(p, name) for name in names for p in params]
        return [*found, self._random] if found and self._random is not None else found

    def _weight(self, p: Variable, name: str) -> Variable:
        """A slot, or the register of zeros that stands where Keras has one."""
        if name in self._slots[p]:
            return self._slots[p][name]
        if (p, name) not in self._fillers:
            self._fillers[p, name] = zeros(p, f"{name}/{p.name}", self.fillers[name])
        return self._fillers[p, name]

    def state_registers(self) -> dict[Key, Variable]:
        """Hyper-parameters that are numbers or variables, counters, the state of its random numbers, and slots."""
        settings = {f"{self.name}/{name}": value for name, value in self._settings.items() if isinstance(value, Variable)}
        counters = [r for clock in self._clocks or [self._clock] for r in (clock.iterations, *clock.shared.values())]
        random = {} if self._random is None else {self._random.name: self._random}
        slots = {(slot, p): register for p, own in self._slots.items() for slot, register in own.items()}
        return joined([settings, *({r.name: r} for r in counters), random, slots])

    # for people ------------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        fields = self.hyperparameters
        shown = {n: v for n, v in self._settings.items() if v is not None and (v is not False or fields[n].default)}
        numbers = {n: float(v.get_value()) if isinstance(v, Variable) else v for n, v in shown.items()}
        parts = [f"{n}={_brief(v)}" for n, v in numbers.items() if n != "decay" or v]
        return f"{type(self).__name__}({', '.join(parts)})"

    def formula(self) -> Updates:
        """The rule for a parameter p with gradient g, to be printed."""
        p, g = variable(np.zeros(self.example), name="p"), placeholder(self.example, name="g")
        registers: dict[str, Variable] = {}
        clock, self._clock = self._clock, Clock(self, "iterations")
        try:
            self._clock.tick()
            step = [*self._step(p, g, registers, None), *self._clock.carried()]
            registers |= self._clock.shared
            labels = {register: _SYMBOLS.get(name, name) for name, register in registers.items()}
            for register, label in labels.items():
                register.name = label
            return Updates(step, self._labels([self._clock]) | labels)
        finally:
            self._clock = clock

    def __str__(self) -> str:
        return "\n  ".join([repr(self), *repr(self.formula()).splitlines()])

    def _repr_html_(self) -> str:
        return f"<code>{self!r}</code>{self.formula()._repr_html_()}"

    def _repr_latex_(self) -> str:
        return self.formula()._repr_latex_()


def _brief(value: Any) -> str:
    """A setting in a `repr`: a function by its name, for its address says nothing."""
    return value.__name__ if isinstance(value, FunctionType) else repr(value)


def _declare(cls: type[Optimizer]) -> None:
    """Collect the hyper-parameters of a class, the base's common ones last, and make its signature of them."""
    for name, value in list(vars(cls).items()):
        if not name.startswith("_") and isinstance(value, int | float):
            field = Flag(value) if isinstance(value, bool) else Hyper(value, name)
            field.__set_name__(cls, name)
            setattr(cls, name, field)
    found = {n: v for c in reversed(cls.__mro__) for n, v in vars(c).items() if isinstance(v, Hyper | Flag)}
    found = {n: v for n, v in found.items() if getattr(cls, n) is not None}  # what a rule has no use for is None in it
    common = [n for n in _LAST if found.get(n) is vars(Optimizer)[n]]
    cls._own = frozenset(found) - frozenset(common)
    cls.hyperparameters = {n: v for n, v in found.items() if n in cls._own} | {n: found[n] for n in common}
    by_name, by_place = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(n, by_name if n in common else by_place, default=None if callable(v.default) else v.default)
            for n, v in cls.hyperparameters.items()
        ]
    )


_declare(Optimizer)
