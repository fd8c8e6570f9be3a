"""Layers: functions of tensors that own weights, and remember what they were called on.

A model is found again from its outputs: each tensor that a layer gave knows the call that made it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from autograph import backend as K
from autograph.arguments import as_name, items, listed, shown, truth
from autograph.errors import AmbiguousError, ArgumentError, ArgumentTypeError, AutographError, ShapeError, nearest
from autograph.graph.tensor import Tensor, Variable
from autograph.graph.updates import Update, Updates
from autograph.layers.choices import regularizer_of
from autograph.layers.initializers import initializer_of
from autograph.structure import flatten
from optimizers import get_constraint

__all__ = ["Call", "Input", "InputLayer", "Layer", "afresh", "single", "takes", "tensors_of"]

_KEYWORDS = ("name", "trainable", "dtype", "input_shape", "batch_input_shape", "weights", "activity_regularizer")
_STYLES = {"initializer": initializer_of, "regularizer": regularizer_of, "constraint": get_constraint}
_under_way: ContextVar[Call | None] = ContextVar("autograph_layer_call", default=None)  # the outermost call


@dataclass(eq=False)
class Call:
    """One call of a layer: what went in and out, and what it adds to updates, with the layer that asked, and to losses."""

    layer: Layer
    inputs: Any
    options: dict[str, Any]
    outputs: list[Tensor] = field(default_factory=list)
    updates: list[tuple[Layer, Update]] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)


class Layer:
    """The base of all layers: a subclass makes weights in `build` and gives tensors in `call`.

        class Scale(Layer):
            def build(self, input_shape):
                self.factor = self.add_weight("factor", input_shape[-1:], initializer="ones")

            def call(self, inputs):
                return inputs * self.factor

    name                  what summaries and files call it; else made of its class and a number, as "dense_1"
    trainable             whether optimizers of models change its weights; may be set at any time before `compile`
    dtype                 of its weights; floatx unless given
    input_shape           what it will be called on, without the batch, where it is the first layer of a `Sequential`
    batch_input_shape     the same with the batch
    weights               arrays that its weights hold from the start, in the order of `get_weights`
    activity_regularizer  a function of what it gives, whose value is a loss; or "l1", "l2", "l1_l2"

    Each weight that `owns` names has three more, as kernel_initializer, kernel_regularizer and kernel_constraint (those of a
    recurrent_kernel begin with recurrent_): functions, or names of them. A layer that is an attribute of another lends it its
    weights. `call` may take `training` and `mask`.
    """

    owns: Mapping[str, Any] = {}  # weights by name, and the initializer of each
    rank: int | None = None  # of what it is called on
    least_rank = 0
    supports_masking = False
    stateful = False
    name = ""
    kind = ""  # what automatic names begin with; of the class's name, if it is empty

    def __init__(self, **options: Any) -> None:
        styles = {f"{w.removesuffix('_kernel')}_{part}": (w, part) for w in self.owns for part in _STYLES}
        signatures = [inspect.signature(cls).parameters.values() for cls in type(self).__mro__[:-1]]
        accepted = [p.name for own in signatures for p in own if p.kind is p.POSITIONAL_OR_KEYWORD]
        accepted = list(dict.fromkeys([*accepted, *styles, *_KEYWORDS]))
        for key in options:
            if key not in accepted:
                what = f"{type(self).__name__} got an unknown argument {key!r}{nearest(key, accepted)}"
                raise ArgumentTypeError(what, fix=f"accepted: {', '.join(accepted)}")
        words = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(self).__name__))
        self.kind = self.kind or words.lower()
        self.named = options.get("name") is not None
        self.name = as_name(options.get("name")) or f"{self.kind}_{K.get_uid(self.kind)}"
        self.trainable = truth(options.get("trainable", True), "trainable")
        self.dtype = options.get("dtype")
        self.activity_regularizer = regularizer_of(options.get("activity_regularizer"))
        self.first_shape = options.get("batch_input_shape")
        if self.first_shape is None and "input_shape" in options:
            self.first_shape = (None, *items(options["input_shape"]))
        self.built = False
        self.calls: list[Call] = []
        self._given = options.get("weights")
        given = {name: {"initializer": initial, "regularizer": None, "constraint": None} for name, initial in self.owns.items()}
        self._styles = given
        for key, (weight, part) in styles.items():
            given[weight][part] = _STYLES[part](options.get(key, given[weight][part]))
        self._owned: dict[str, tuple[Variable, bool]] = {}  # each weight by its name, and whether it is trained
        self._penalties: list[tuple[Any, Variable]] = []

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    # what subclasses write, and call ---------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of that shape, a list of shapes for several. The first call does it."""

    def call(self, inputs: Any) -> Any:
        """What the layer gives for `inputs`: a tensor, or a list of them."""
        raise NotImplementedError(f"{type(self).__name__} has no call(self, inputs)")

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """The mask of what it gives, from that of what it got: the same, where it supports masking."""
        return mask if self.supports_masking else None

    def add_weight(
        self, name: str, shape: Iterable[int], dtype: Any = None, initializer: Any = "glorot_uniform", regularizer: Any = None,
        trainable: bool = True, constraint: Any = None,
    ) -> Variable:  # fmt: skip
        """A variable of the layer; for one that `owns` names the layer's arguments say how it begins.

        Raises ArgumentError for a second one of that name, ShapeError for a size of None.
        """
        sizes = tuple(shape)
        if None in sizes:
            raise ShapeError(f"{name!r} has the shape {sizes}", fix="the width of the input must be known: give it in Input")
        if name in self._owned:
            raise ArgumentError(f"it has two weights called {name!r}", fix="give each a name of its own")
        given = {"initializer": initializer, "regularizer": regularizer, "constraint": constraint}
        style = self._styles.get(name) or {part: _STYLES[part](value) for part, value in given.items()}
        value = style["initializer"](sizes)
        weight = K.variable(value, dtype or self.dtype, f"{self.name}/{name}", style["constraint"])
        if weight.shape != sizes:
            raise ShapeError(f"the initializer of {name!r} gave the shape {weight.shape}, not {sizes}")
        self._owned[name] = (weight, trainable)
        if style["regularizer"] is not None:
            self._penalties.append((style["regularizer"], weight))
        return weight

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Let a training step of every model that holds this call carry out `updates`. Within `call` only."""
        found = Updates([updates] if isinstance(updates, Update) else updates)
        self._call("add_update").updates += [(self, update) for update in found]

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Add tensors of rank 0 to the loss of every model that holds this call. Within `call` only."""
        self._call("add_loss").losses += items(losses)

    def _call(self, what: str) -> Call:
        call = _under_way.get()
        if call is None:
            raise ArgumentError(f"{what}: layer {self.name!r} is not being called", fix=f"use self.{what} within call()")
        return call

    # calls -----------------------------------------------------------------------------------------------------------

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """The layer applied to a tensor or a list of them; the first call makes its weights.

        Errors of the engine name the layer. Raises ArgumentTypeError for what is no tensor, ShapeError for a rank that the
        layer does not take.
        """
        outer, call = _under_way.get(), Call(self, inputs, options)
        token = _under_way.set(outer or call)
        try:
            result = self._result(inputs, options)
        except AutographError as error:
            raise error.retold(f"layer {self.name!r}: {error.what}") from None
        finally:
            _under_way.reset(token)
        if outer is None:
            call.outputs = items(result)
            for i, output in enumerate(call.outputs):
                output._keras_history = (self, len(self.calls), i)  # type: ignore[attr-defined]  # Keras's mark
            self.calls.append(call)
        return result

    def _result(self, inputs: Any, options: dict[str, Any]) -> Any:
        if isinstance(inputs, list | tuple) and len(inputs) == 1:
            inputs = inputs[0]
        several, given = isinstance(inputs, list | tuple), tensors_of(inputs)
        self._check(inputs, given)
        masks = [getattr(x, "_keras_mask", None) for x in given]
        mask = masks if several else masks[0]
        if any(m is not None for m in masks):
            if takes(self, "mask"):
                options = {"mask": mask, **options}
            elif not self.supports_masking:
                fix = "end the mask before it by a layer such as LSTM, or set supports_masking"
                raise ArgumentTypeError("it cannot take a mask, and its input has one", fix=fix)
        if not self.built:
            self.build([K.int_shape(x) for x in given] if several else K.int_shape(inputs))
            self.built = True
            if self._given is not None:
                self.set_weights(self._given)
        result = self.call(inputs, **options)
        outputs: list[Any] = [K.identity(y) if any(y is x for x in given) else y for y in items(result)]
        if not all(isinstance(y, Tensor) for y in outputs):
            raise ArgumentTypeError(f"its call gave {shown(result)}, which is no tensor", fix="return what functions of K give")
        for output, own in zip(outputs, items(self.compute_mask(inputs, mask))):
            if own is not None:
                output._keras_mask = own
        if self.activity_regularizer is not None:
            self.add_loss([self.activity_regularizer(y) for y in outputs])
        return outputs if isinstance(result, list | tuple) else outputs[0]

    def _check(self, inputs: Any, given: list[Tensor]) -> None:
        if not given or any(not isinstance(x, Tensor) for x in items(inputs)):
            fix = "call it on Input(…) or on what a layer gave; model.predict(array) computes"
            raise ArgumentTypeError(f"it was called on {shown(inputs)}, which is no tensor", fix=fix)
        for x in given:
            if self.rank not in (None, x.ndim) or x.ndim < self.least_rank:
                needed = f"{self.least_rank} or more" if self.rank is None else self.rank
                raise ShapeError(f"{x.describe()} has rank {x.ndim}", fix=f"{type(self).__name__} takes rank {needed}")

    def _one(self, what: str, found: list[Any]) -> Any:
        if len(found) != 1:
            why = f"layer {self.name!r} was called {len(found)} times, and has no single {what}"
            raise AmbiguousError(why, fix="ask one of layer.calls, as in layer.calls[0].outputs" if found else "call it first")
        return found[0]

    @property
    def input(self) -> Any:
        """What the layer was called on. Raises AmbiguousError, an AttributeError, unless it was called once."""
        return self._one("input", [call.inputs for call in self.calls])

    @property
    def output(self) -> Any:
        """What the layer gave. Raises AmbiguousError, an AttributeError, unless it was called once."""
        return self._one("output", [single(call.outputs) for call in self.calls])

    @property
    def input_shape(self) -> Any:
        """The shape of `input`, a list for several."""
        return single([K.int_shape(x) for x in tensors_of(self.input)])

    @property
    def output_shape(self) -> Any:
        """The shape of `output`, a list for several."""
        return single([K.int_shape(x) for x in tensors_of(self.output)])

    # weights ---------------------------------------------------------------------------------------------------------

    def _parts(self) -> Sequence[Layer]:
        """The layers inside."""
        return [value for value in vars(self).values() if isinstance(value, Layer)]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The variables that training changes, of the layers inside too; none if the layer is not trainable."""
        own = [weight for weight, trained in self._owned.values() if trained]
        every = [*own, *(w for part in self._parts() for w in part.trainable_weights)]
        return list(dict.fromkeys(every)) if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The variables that optimizers leave alone."""
        trained = set(self.trainable_weights)
        return [weight for weight in dict.fromkeys(self._each()) if weight not in trained]

    @property
    def weights(self) -> list[Variable]:
        """All variables: those that are trained come first."""
        return self.trainable_weights + self.non_trainable_weights

    def _each(self) -> Iterator[Variable]:
        """All variables layer by layer, in each those that are trained first: the order of Keras's `get_weights`."""
        yield from [weight for weight, trained in self._owned.values() if trained]
        yield from [weight for weight, trained in self._owned.values() if not trained]
        for part in self._parts():
            yield from part._each()

    def get_weights(self) -> list[Any]:
        """Copies of what the variables hold, layer by layer."""
        return K.batch_get_value(list(dict.fromkeys(self._each())))

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Let the variables hold these arrays, in the order of `get_weights`: all, or none if one does not fit."""
        arrays, own = listed(weights, "the weights", "set_weights(other.get_weights())"), list(dict.fromkeys(self._each()))
        if len(arrays) != len(own):
            names = ", ".join(w.name for w in own) or "none"
            raise ArgumentError(f"layer {self.name!r} got {len(arrays)} arrays for {len(own)} weights", fix=f"they are {names}")
        K.batch_set_value(list(zip(own, arrays)))

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        return sum(K.count_params(w) for w in dict.fromkeys(self._each()))

    def state_registers(self) -> dict[str, Variable]:
        """The weights by name, as `autograph.checkpoint` saves them. A layer inside that was not given a name is called by
        its class and its number among those of that class here, from 1."""
        found, counts = {name: weight for name, (weight, _) in self._owned.items()}, dict[str, int]()
        for part in dict.fromkeys(self._parts()):
            counts[part.kind] = counts.get(part.kind, 0) + (not part.named)
            name = part.name if part.named else f"{part.kind}_{counts[part.kind]}"
            for key, weight in part.state_registers().items():
                if found.setdefault(f"{name}/{key}", weight) is not weight:
                    raise ArgumentError(f"two weights are called '{name}/{key}'", fix="give each layer a name, or none")
        return found

    # what calls add --------------------------------------------------------------------------------------------------

    def _relevant(self) -> Sequence[Call]:
        return self.calls

    @property
    def updates(self) -> Updates:
        """What a training step changes beside the trainable weights, as moving averages; nothing of frozen layers."""
        return self._asked(lambda call, owner: self.trainable and call.layer.trainable and owner.trainable)

    @property
    def state_updates(self) -> Updates:
        """What every step changes, also in test: the states of stateful layers."""
        return self._asked(lambda call, owner: False)

    def _asked(self, also: Callable[[Call, Layer], bool]) -> Updates:
        """The updates of stateful layers, and of those for which `also` holds; those of one variable in turn."""
        found = Updates()
        for call in self._relevant():
            for owner, update in call.updates:
                if owner.stateful or also(call, owner):
                    found = found.then([update]) if update.variable in found else found + [update]
        return found

    @property
    def losses(self) -> list[Tensor]:
        """Tensors of rank 0 that belong to the loss: the penalties of weights, then what calls added."""
        return [*self._penalized(), *(loss for call in self._relevant() for loss in call.losses)]

    def _penalized(self) -> Iterator[Tensor]:
        yield from [regularizer(weight) for regularizer, weight in self._penalties]
        for part in self._parts():
            yield from part._penalized()


class InputLayer(Layer):
    """What gives an input of a model; made by `Input`."""

    kind = "input"

    @property
    def input(self) -> Any:
        """The input itself."""
        return self.output


def Input(
    shape: Iterable[int | None] | None = None, batch_shape: Iterable[int | None] | None = None, name: str | None = None,
    dtype: Any = None, sparse: bool = False, tensor: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """A tensor that models begin with: a placeholder of `shape` and a batch of any size; or of `batch_shape`; or `tensor`."""
    layer = InputLayer(name=name)
    if tensor is None:
        if (shape is None) == (batch_shape is None):
            raise ArgumentError("Input takes `shape` or `batch_shape`, one of them", fix="Input((64,)) for rows of 64 numbers")
        sizes = (None, *items(shape)) if batch_shape is None else tuple(items(batch_shape))
        tensor = K.placeholder(sizes, dtype=dtype, sparse=sparse, name=layer.name)
    layer.calls.append(Call(layer, [], {}, [tensor]))
    tensor._keras_history = (layer, 0, 0)  # type: ignore[attr-defined]  # Keras's mark
    return tensor


@contextmanager
def afresh() -> Iterator[None]:
    """Inside, layers are called for themselves and not as parts of the call that is under way."""
    token = _under_way.set(None)
    try:
        yield
    finally:
        _under_way.reset(token)


def tensors_of(structure: Any) -> list[Tensor]:
    """The tensors in nested lists and dicts, in order."""
    return [leaf for leaf in flatten(structure)[0] if isinstance(leaf, Tensor)]


def single(values: Sequence[Any]) -> Any:
    """The value alone where there is one, else the list."""
    return values[0] if len(values) == 1 else list(values)


def takes(layer: Layer, argument: str) -> bool:
    """Whether the layer's `call` has that argument."""
    return argument in inspect.signature(layer.call).parameters
