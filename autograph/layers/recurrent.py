"""Recurrent layers: states that go from step to step of sequences (n, steps, width)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograph import backend as K
from autograph.arguments import items, whole
from autograph.errors import ArgumentError
from autograph.graph.tensor import Tensor
from autograph.layers.choices import activation_of
from autograph.layers.core import dropped
from autograph.layers.layer import Layer

__all__ = ["GRU", "LSTM", "SimpleRNN"]


class Recurrent(Layer):
    """The base of recurrent layers: (n, steps, width) → (n, units), the last output; masked steps change nothing.

    return_sequences             all outputs instead, (n, steps, units)
    return_state                 a list: the output, then each state after the last step
    go_backwards                 from the last step to the first; sequences come out in that order
    stateful                     a batch begins where the last one ended: its size must be known, `reset_states` begins afresh
    dropout, recurrent_dropout   shares of the inputs, and of the states, that are dropped in training: the same at all steps
    unroll                       steps as a graph of their own each instead of a loop: their number must be known

    Called on a list, its other tensors are the first states; so is `initial_state`. Weights: kernel (width, gates·units),
    recurrent_kernel (units, gates·units), bias (gates·units,).
    """

    owns = {"kernel": "glorot_uniform", "recurrent_kernel": "orthogonal", "bias": "zeros"}
    rank, gates, states_count = 3, 1, 1

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True, dropout: float = 0.0, recurrent_dropout: float = 0.0,
        return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False, stateful: bool = False,
        unroll: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        self.units, self.activation, self.use_bias = whole(units, "units", 1), activation_of(activation), use_bias
        self.dropout, self.recurrent_dropout = dropped(dropout, "dropout"), dropped(recurrent_dropout, "recurrent_dropout")
        self.return_sequences, self.return_state, self.go_backwards = return_sequences, return_state, go_backwards
        self.stateful, self.unroll, self.states = stateful, unroll, list[Any]()

    def _check(self, inputs: Any, given: list[Tensor]) -> None:
        super()._check(items(inputs)[0], given[:1])  # first states have a rank of their own

    def build(self, input_shape: Any) -> None:
        batch, _, width = input_shape[0] if isinstance(input_shape, list) else input_shape
        self.kernel = self.add_weight("kernel", (width, self.gates * self.units))
        self.recurrent_kernel = self.add_weight("recurrent_kernel", (self.units, self.gates * self.units))
        self.bias = self.add_weight("bias", self.bias_shape()) if self.use_bias else None
        if self.stateful:
            if batch is None:
                raise ArgumentError("a stateful layer needs to know the size of the batch", fix="batch_input_shape=(32, 10, 8)")
            self.states = [K.zeros((batch, self.units), name=f"{self.name}/state_{i}") for i in range(self.states_count)]

    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias."""
        return (self.gates * self.units,)

    def reset_states(self, states: Any = None) -> None:
        """Let the states of a stateful layer be 0, or these arrays, as many as it has."""
        values = [np.zeros(state.shape) for state in self.states] if states is None else items(states)
        if len(values) != len(self.states):
            raise ArgumentError(f"layer {self.name!r} got {len(values)} arrays for {len(self.states)} states")
        K.batch_set_value(list(zip(self.states, values)))

    def call(self, inputs: Any, mask: Any = None, training: Any = None, initial_state: Any = None) -> Any:
        x, *first = items(inputs)
        first = first or ([] if initial_state is None else items(initial_state)) or self.states
        if not first:
            zero = K.zeros_like(x[:, 0, :1])
            first = [K.tile(zero, (1, self.units))] * self.states_count
        if len(first) != self.states_count:
            raise ArgumentError(f"it got {len(first)} states", fix=f"{type(self).__name__} has {self.states_count}")
        hold = self._masks(first[0], self.recurrent_dropout, training)
        last, sequence, states = K.rnn(
            lambda step, states: self.step(step, states, hold), self._projected(x, training), first,
            go_backwards=self.go_backwards, mask=items(mask)[0], unroll=self.unroll, input_length=K.int_shape(x)[1],
        )  # fmt: skip
        if self.stateful:
            self.add_update(list(zip(self.states, states)))
        output = sequence if self.return_sequences else last
        return [output, *states] if self.return_state else output

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        return items(mask)[0] if self.return_sequences else None

    def _projected(self, x: Any, training: Any) -> Any:
        """x · kernel + bias for all steps at once: (n, steps, gates·units)."""
        masks = self._masks(x[:, 0], self.dropout, training)
        if masks is None:
            product = K.dot(x, self.kernel)
        else:
            product = K.concatenate([K.dot(x * K.expand_dims(m, 1), self.gate(self.kernel, i)) for i, m in enumerate(masks)])
        bias = self.bias if self.bias is None or len(self.bias_shape()) == 1 else self.bias[0]
        return product if bias is None else product + bias

    def _masks(self, like: Any, rate: float, training: Any) -> list[Any] | None:
        """For each gate what is dropped, None if nothing ever is."""
        if not rate:
            return None
        ones = K.ones_like(like)
        return [K.in_train_phase(lambda: K.dropout(ones, rate), ones, training) for _ in range(self.gates)]

    def gate(self, x: Any, index: int) -> Any:
        """The part of a gate, of the last axis."""
        return x[..., index * self.units : (index + 1) * self.units]

    def recurred(self, state: Any, hold: list[Any] | None, count: int) -> Any:
        """state · recurrent_kernel for the first gates: (n, count·units)."""
        if hold is None:
            whole_kernel = count == self.gates
            return K.dot(state, self.recurrent_kernel if whole_kernel else self.recurrent_kernel[:, : count * self.units])
        return K.concatenate([K.dot(state * hold[i], self.gate(self.recurrent_kernel, i)) for i in range(count)])

    def step(self, x: Any, states: Sequence[Any], hold: list[Any] | None) -> tuple[Any, list[Any]]:
        """The output and the next states, from x · kernel + bias of this step."""
        raise NotImplementedError


class SimpleRNN(Recurrent):
    """h ← activation(x·W + h·U + b): the layer of one state and no gates. What else it takes, `Recurrent` says."""

    def step(self, x: Any, states: Sequence[Any], hold: list[Any] | None) -> tuple[Any, list[Any]]:
        h = self.activation(x + self.recurred(states[0], hold, 1))
        return h, [h]


class Gated(Recurrent):
    """A recurrent layer with gates, each σ(x·W + h·U + b), where σ is `recurrent_activation`."""

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True, **options: Any
    ) -> None:
        super().__init__(units, activation, use_bias, **options)
        self.recurrent_activation = activation_of(recurrent_activation)


class GRU(Gated):
    """The gated recurrent unit (Cho et al. 2014); its gates stand in the order z, r, h. What else it takes, `Recurrent` says.

        z, r ← σ(…)    n ← activation(xₙ·W + (r·h)·U + b)    h ← z·h + (1 - z)·n

    reset_after   whether r·(h·U + b′) stands in place of (r·h)·U; the bias is then (2, 3·units), b and b′
    """

    gates = 3

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        reset_after: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(units, activation, recurrent_activation, use_bias, **options)
        self.reset_after = reset_after

    def bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def step(self, x: Any, states: Sequence[Any], hold: list[Any] | None) -> tuple[Any, list[Any]]:
        h = states[0]
        product = self.recurred(h, hold, 3 if self.reset_after else 2)
        if self.reset_after and self.bias is not None:
            product = product + self.bias[1]
        z, r = [self.recurrent_activation(self.gate(x, i) + self.gate(product, i)) for i in (0, 1)]
        if self.reset_after:
            n = r * self.gate(product, 2)
        else:
            n = K.dot(r * (h if hold is None else h * hold[2]), self.gate(self.recurrent_kernel, 2))
        h = z * h + (1 - z) * self.activation(self.gate(x, 2) + n)
        return h, [h]


class LSTM(Gated):
    """Long short-term memory (Hochreiter & Schmidhuber 1997); its gates stand in the order i, f, c, o, its states are h and c.

        i, f, o ← σ(…)    c ← f·c + i·activation(x·W + h·U + b)    h ← o·activation(c)

    unit_forget_bias   whether the bias of f begins with 1. What else it takes, `Recurrent` says
    """

    gates, states_count = 4, 2

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        unit_forget_bias: bool = True, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(units, activation, recurrent_activation, use_bias, **options)
        if unit_forget_bias:
            draw, n = self._styles["bias"]["initializer"], self.units
            self._styles["bias"]["initializer"] = lambda _: np.concatenate([draw((n,)), np.ones(n), draw((2 * n,))])

    def step(self, x: Any, states: Sequence[Any], hold: list[Any] | None) -> tuple[Any, list[Any]]:
        h, c = states[:2]
        total = x + self.recurred(h, hold, 4)
        i, f, n, o = [self.gate(total, index) for index in range(4)]
        i, f, o = [self.recurrent_activation(gate) for gate in (i, f, o)]
        c = f * c + i * self.activation(n)
        h = o * self.activation(c)
        return h, [h, c]
