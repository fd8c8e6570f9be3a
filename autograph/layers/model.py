"""Models: layers joined by the tensors they gave each other, a layer themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from autograph import backend as K
from autograph import checkpoint
from autograph.arguments import items, shown
from autograph.errors import ArgumentError, ArgumentTypeError, nearest
from autograph.graph.tensor import Tensor
from autograph.layers.layer import Call, Input, InputLayer, Layer, afresh, single, takes, tensors_of
from autograph.layers.training import Trainer
from autograph.structure import flatten

__all__ = ["Model", "Sequential"]


class Model(Trainer, Layer):
    """What leads from `inputs` to `outputs`, each a tensor or a list: `Model(x, Dense(10)(x))` where `x = Input((64,))`.

    A model is a layer: called on other tensors it applies its layers to these, with the same weights. `inputs` may be any
    tensors, also those between two layers. Raises ArgumentError where an output does not come from them by layers alone, and
    for two layers of one name.
    """

    supports_masking = True

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(name=name, trainable=trainable)
        self._join(inputs, outputs)

    def _join(self, inputs: Any, outputs: Any) -> None:
        self.inputs, self.outputs = tensors_of(inputs), tensors_of(outputs)
        if not self.inputs or not self.outputs:
            what = f"a model of {shown(inputs)} and {shown(outputs)}"
            raise ArgumentTypeError(what, fix="Model(x, y) takes tensors, or lists of them")
        self.inputs = [x if hasattr(x, "_keras_history") else Input(tensor=x) for x in self.inputs]
        self.relevant = traced(self.inputs, self.outputs)
        self.layers = list(dict.fromkeys(call.layer for call in self.relevant))
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise ArgumentError(f"two layers of model {self.name!r} are called {name!r}", fix="give each a name of its own")
        self.input_names, self.output_names = [[_maker(x).layer.name for x in ends] for ends in (self.inputs, self.outputs)]
        self.built = True
        self.forget()

    def call(self, inputs: Any, training: Any = None) -> Any:
        given = tensors_of(inputs)
        if len(given) != len(self.inputs):
            raise ArgumentError(f"it got {len(given)} tensors", fix=f"its inputs are {', '.join(self.input_names)}")
        values = dict(zip(self.inputs, given))
        for call in self.relevant:
            if isinstance(call.layer, InputLayer):
                continue
            leaves, build = flatten([call.inputs, call.options])
            arguments, options = build(iter([values.get(x, x) if isinstance(x, Tensor) else x for x in leaves]))
            if training is not None and takes(call.layer, "training"):
                options["training"] = training
            values.update(zip(call.outputs, items(call.layer(arguments, **options))))
        return single([values[y] for y in self.outputs])

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """None: the layers inside have set the masks of what they gave."""

    @property
    def input(self) -> Any:
        """The tensor it was made of, or the list."""
        return single(self.inputs)

    @property
    def output(self) -> Any:
        """The tensor it gives for `input`, or the list."""
        return single(self.outputs)

    def _parts(self) -> Sequence[Layer]:
        return self.layers

    def _relevant(self) -> Sequence[Call]:
        return self.relevant

    def get_layer(self, name: str) -> Layer:
        """The layer of that name. Raises ArgumentError where there is none."""
        known = {layer.name: layer for layer in self.layers}
        if name not in known:
            hint = nearest(str(name), known)
            raise ArgumentError(f"model {self.name!r} has no layer {shown(name)}{hint}", fix=f"known: {', '.join(known)}")
        return known[name]

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Save the weights by the names of their layers, whole or not at all. See `checkpoint.save`, and `state_registers`."""
        checkpoint.save(path, self)

    def load_weights(self, path: str | os.PathLike[str], strict: bool = True) -> list[str]:
        """Let the weights hold what the file has for their names, all or none; see `checkpoint.load`."""
        return checkpoint.load(path, self, strict)

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Print a table: each layer, the shape of what it gives, its parameters, and whose outputs it reads where that forks."""
        if not self.built:
            fix = "give the first layer input_shape=, or call the model"
            raise ArgumentError(f"model {self.name!r} does not know its input", fix=fix)
        rows = [("Layer (type)", "Output shape", "Params", "Reads")]
        for layer in dict.fromkeys(self.layers):
            calls = [call for call in self.relevant if call.layer is layer]
            shapes = dict.fromkeys(str(single([K.int_shape(y) for y in call.outputs])) for call in calls)
            sources = ", ".join([_maker(x).layer.name for call in calls for x in _read(call)])
            rows.append((f"{layer.name} ({type(layer).__name__})", ", ".join(shapes), f"{layer.count_params():,}", sources))
        forks = any(row[3].count(",") for row in rows) or len(self.outputs) > 1
        columns = [*zip(*rows)][: 4 if forks else 3]
        widths = [max(map(len, column)) for column in columns]
        lines = ["  ".join([c.rjust(w) if i == 2 else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths))]) for row in rows]
        trained, total = sum(K.count_params(w) for w in self.trainable_weights), self.count_params()
        rule, last = "─" * len(lines[0]), f"Params: {total:,}, of which {trained:,} are trained and {total - trained:,} are not"
        for line in (f"Model {self.name!r}", rule, lines[0], rule, *lines[1:], rule, last):
            print_fn(line.rstrip())


class Sequential(Model):
    """Layers one after the other. They are joined when the input is known: by `input_shape=` of the first, or a first call."""

    def __init__(self, layers: Sequence[Any] = (), name: str | None = None) -> None:
        Layer.__init__(self, name=name)
        self.layers, self.inputs, self.outputs, self.relevant = [], [], [], []
        self._extend(layers)

    def add(self, layer: Any) -> None:
        """Append a layer, which may be a model; or begin with `Input(…)`."""
        self._extend([layer])

    def _extend(self, layers: Iterable[Any]) -> None:
        every, result = list(self.layers), [*self.inputs, *self.outputs][-1:]
        for layer in layers:
            if isinstance(layer, Tensor) and not every:
                self.inputs, result = [layer], [layer]
                continue
            if not isinstance(layer, Layer):
                raise ArgumentTypeError(f"add: {shown(layer)} is no layer", fix="add(Dense(10)); wrap a function in Lambda")
            if not every and not self.inputs:
                if layer.first_shape is not None:
                    self.inputs = [Input(batch_shape=layer.first_shape, dtype=layer.dtype)]
                elif isinstance(layer, Model) and layer.built:
                    self.inputs = [Input(batch_shape=K.int_shape(layer.input), dtype=K.dtype(layer.input))]
                result = self.inputs
            every.append(layer)
            result = [layer(x) for x in result]
        if every and result:
            self._join(self.inputs, result)
        self.layers = every

    def build(self, input_shape: Any) -> None:
        """Join the layers for an input of that shape, the batch's size first."""
        layers, self.layers, self.inputs = self.layers, [], [Input(batch_shape=(None, *input_shape[1:]))]
        with afresh():
            self._extend(layers)


def traced(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Call]:
    """The calls that lead from inputs to outputs, those farthest from an output first, as Keras orders its layers."""
    ends, depth, order = set(inputs), dict[Call, int](), list[Call]()
    stack: list[Any] = [*reversed(outputs)]
    while stack:
        top = stack.pop()
        if isinstance(top, Call):
            order.append(top)  # after all that it reads
            continue
        call = _checked(top, ends)
        if call is not None and call not in depth:
            depth[call] = 0
            stack += [call, *reversed(_read(call))]
    for call in reversed(order):
        for source in [_checked(x, ends) for x in _read(call)]:
            if source is not None:
                depth[source] = max(depth[source], depth[call] + 1)
    unused = [call for x in inputs if (call := _checked(x, ends)) is not None and call not in depth]
    return [*unused, *sorted(depth, key=lambda call: -depth[call])]


def _read(call: Call) -> list[Tensor]:
    """The tensors that a call reads, save variables, constants and the learning phase."""
    given = tensors_of([call.inputs, call.options])
    return [x for x in given if (x.inputs or K.is_placeholder(x)) and x is not K.learning_phase()]


def _maker(tensor: Tensor) -> Call:
    """The call of a layer that gave a tensor."""
    layer, number, _ = tensor._keras_history  # type: ignore[attr-defined]  # Keras's mark
    found: Call = layer.calls[number]
    return found


def _checked(tensor: Tensor, ends: set[Tensor]) -> Call | None:
    """The call that gave a tensor; of one where a model begins only an `Input`'s. Raises ArgumentError where there is none."""
    if not hasattr(tensor, "_keras_history"):
        fix = "list it among the inputs" if K.is_placeholder(tensor) else "wrap the expression in a Lambda layer"
        raise ArgumentError(f"no layer gave {tensor.describe()}", why="a model holds layers alone", fix=fix)
    call, begins = _maker(tensor), tensor in ends
    if isinstance(call.layer, InputLayer) and not begins:
        raise ArgumentError(f"the outputs need {tensor.name!r}, which is no input of the model", fix="list it among the inputs")
    return call if not begins or isinstance(call.layer, InputLayer) else None
