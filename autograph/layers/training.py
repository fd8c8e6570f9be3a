"""What models do with arrays: `fit`, `evaluate`, `predict`, and their steps on one batch."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import optimizers
from autograph import backend as K
from autograph.arguments import items, number, shown, whole
from autograph.errors import ArgumentError, FeedError
from autograph.graph.tensor import Placeholder, Tensor
from autograph.layers.choices import LOSSES, loss_of, metric_of

__all__ = ["History", "Trainer"]

Array = np.ndarray[Any, Any]


class History(NamedTuple):
    """What `fit` saw: the numbers of the epochs, and by name the values of each, as `history["val_loss"]`."""

    epoch: list[int]
    history: dict[str, list[float]]


class Trainer:
    """The part of a model that learns, given its inputs and outputs, weights, updates and losses."""

    inputs: list[Tensor]
    outputs: list[Tensor]
    input_names: list[str]
    output_names: list[str]
    name: str
    built: bool
    optimizer: Any = None

    def compile(self, optimizer: Any, loss: Any = None, metrics: Any = None, loss_weights: Any = None) -> None:
        """Say how the model learns. Which weights are trainable is settled now, or when the model is built.

        optimizer      one, or its name
        loss           a function of targets and outputs that gives a number for each sample, or a name; a list of these for
                       several outputs, None for one without
        metrics        functions like losses, or names, "accuracy" too; for several outputs a list of lists
        loss_weights   a number for each output

        The loss is the mean over samples, the sum over outputs, and all of `losses`.
        """
        self.optimizer, self._compiled = optimizers.get(optimizer), (loss, metrics, loss_weights)
        self.forget()
        if self.built:
            self._settle()

    def forget(self) -> None:
        """Let functions be compiled anew: the model has changed."""
        self._functions: dict[str, tuple[K.Function, list[Array]]] = {}  # and the phase that each is fed
        self._measures: dict[str, Tensor] = {}

    def _settle(self) -> None:
        """The measures as tensors by name: the loss, that of each output where there are several, the metrics."""
        if self.optimizer is None:
            raise ArgumentError(f"model {self.name!r} was not compiled", fix='model.compile("adam", loss="mse") first')
        loss, metrics, weights = self._compiled
        losses = [loss_of(one) for one in self._for_outputs("loss", loss)]
        metrics = self._for_outputs("metrics", [metrics] if len(self.outputs) == 1 else metrics)
        asked = zip(losses, metrics, self.outputs)
        self._targets = [None if loss is None and not measures else _target(loss, y) for loss, measures, y in asked]
        total: Any = sum(self.losses, 0.0)  # type: ignore[attr-defined]  # a layer's
        parts: dict[str, Tensor] = {}
        judged: dict[str, Tensor] = {}
        rows = zip(self.output_names, losses, self._targets, self.outputs, self._for_outputs("loss_weights", weights), metrics)
        for name, of, t, y, weight, measures in rows:
            prefix = f"{name}_" if len(self.outputs) > 1 else ""
            if of is not None:
                part = _averaged(of(t, y), getattr(y, "_keras_mask", None))
                total = total + (part if weight is None else weight * part)
                parts |= {f"{prefix}loss": part} if prefix else {}
            for metric in [] if measures is None else items(measures):
                label = metric if isinstance(metric, str) else metric.__name__
                judged[prefix + label] = K.mean(metric_of(metric, of, y)(t, y))
        if not isinstance(total, Tensor):
            raise ArgumentError(f"model {self.name!r} has no loss", fix='compile(optimizer, loss="mse"), or add_loss in a layer')
        self._measures, self._trained = {"loss": total, **parts, **judged}, self.trainable_weights  # type: ignore[attr-defined]

    def _for_outputs(self, what: str, given: Any) -> list[Any]:
        """One for each output: of a list, or the same for all."""
        found = list(given) if isinstance(given, list | tuple) else [given] * len(self.outputs)
        if len(found) != len(self.outputs):
            fix = f"one for each of {', '.join(self.output_names)}"
            raise ArgumentError(f"{what}: {len(found)} for {len(self.outputs)} outputs", fix=fix)
        return found

    @property
    def metrics_names(self) -> list[str]:
        """What `evaluate` gives: the loss, that of each output where there are several, and the metrics."""
        if not self._measures:
            self._settle()
        return list(self._measures)

    def _run(self, kind: str, arrays: Sequence[Array]) -> list[Any]:
        """One call of the function that trains, tests or predicts, which is compiled once."""
        if kind not in self._functions:
            phase = [K.learning_phase()] if K.is_placeholder(K.learning_phase()) else []
            targets = [] if kind == "predict" else [t for t in self._targets if t is not None]
            outputs = self.outputs if kind == "predict" else list(self._measures.values())
            updates = self.updates if kind == "train" else self.state_updates  # type: ignore[attr-defined]  # a layer's
            if kind == "train" and self._trained:
                updates = self.optimizer.get_updates(loss=self._measures["loss"], params=self._trained) + updates
            compiled = K.function([*self.inputs, *targets, *phase], outputs, updates, name=f"{kind} {self.name}")
            self._functions[kind] = compiled, [np.array(kind == "train", K.dtype(p)) for p in phase]
        compiled, fixed = self._functions[kind]
        return compiled([*arrays, *fixed])

    def _arrays(self, x: Any, y: Any = None, judged: bool = True) -> list[Array]:
        """What users pass as arrays, those of the inputs and those of the outputs that have a loss."""
        if not self.built:
            alone = x[0] if isinstance(x, list | tuple) and isinstance(x[0], np.ndarray) else x
            self.build(np.shape(alone))  # type: ignore[attr-defined]  # a Sequential's
        found = _listed("inputs", x, self.input_names, self.inputs)
        if judged and self.metrics_names:
            used = [(name, t) for name, t in zip(self.output_names, self._targets) if t is not None]
            found += _listed("targets", y, *zip(*used)) if used else []
        if len({len(a) for a in found}) > 1:
            raise FeedError(f"arrays of {[len(a) for a in found]} rows", fix="a row for each sample, as many in all")
        return found

    def train_on_batch(self, x: Any, y: Any = None) -> Any:
        """One step on one batch: the loss before it, or the list of `metrics_names`."""
        return _alone([float(v) for v in self._run("train", self._arrays(x, y))])

    def test_on_batch(self, x: Any, y: Any = None) -> Any:
        """The loss of one batch, or the list of `metrics_names`; nothing changes."""
        return _alone([float(v) for v in self._run("test", self._arrays(x, y))])

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch: an array, or a list of them."""
        return _alone(self._run("predict", self._arrays(x, judged=False)))

    def predict(self, x: Any, batch_size: int | None = None) -> Any:
        """The outputs for all samples, computed `batch_size` (32) at a time: an array, or a list of them."""
        arrays = self._arrays(x, judged=False)
        batches = list(_batches(len(arrays[0]), batch_size)) or [slice(0)]
        parts = [self._run("predict", [a[batch] for a in arrays]) for batch in batches]
        return _alone([np.concatenate(column) for column in zip(*parts)])

    def evaluate(self, x: Any, y: Any = None, batch_size: int | None = None, verbose: int = 1) -> Any:
        """The loss over all samples, or the list of `metrics_names`; nothing changes."""
        arrays = self._arrays(x, y)
        bar = Progress(verbose, len(arrays[0]))
        logs = self._epoch("test", arrays, np.arange(bar.total), batch_size, bar)
        bar.end(logs)
        return _alone(list(logs.values()))

    def fit(
        self, x: Any, y: Any = None, batch_size: int | None = None, epochs: int = 1, verbose: int = 1,
        validation_split: float = 0.0, validation_data: Any = None, shuffle: bool = True,
    ) -> History:  # fmt: skip
        """Train for `epochs` rounds over the samples, `batch_size` (32) at a time; returns what it saw.

        verbose            0: silent; 1: a bar, or where there is no terminal a line an epoch; 2: a line an epoch
        validation_split   the share of samples, the last ones, that is put aside and judged after each epoch
        validation_data    a pair (x, y) that is judged instead
        shuffle            whether each epoch has an order of its own, drawn from `numpy.random`
        """
        arrays, count = self._arrays(x, y), whole(epochs, "fit: epochs", 0)
        if not 0 <= number(validation_split, "validation_split") < 1:
            raise ArgumentError(f"validation_split is {shown(validation_split)}", fix="it is a share: 0 ≤ validation_split < 1")
        first = int(len(arrays[0]) * (1 - validation_split))
        judged = [a[first:] for a in arrays] if validation_data is None else self._arrays(*validation_data)
        arrays = arrays if validation_data is not None else [a[:first] for a in arrays]
        seen = History([], {})
        for epoch in range(count):
            bar = Progress(verbose, len(arrays[0]), f"epoch {epoch + 1}/{count}", last=epoch + 1 == count)
            order = np.random.permutation(bar.total) if shuffle else np.arange(bar.total)
            logs = self._epoch("train", arrays, order, batch_size, bar)
            if len(judged[0]):
                found = self._epoch("test", judged, np.arange(len(judged[0])), batch_size, Progress(0, 0))
                logs |= {f"val_{name}": value for name, value in found.items()}
            bar.end(logs)
            seen.epoch.append(epoch)
            for name, value in logs.items():
                seen.history.setdefault(name, []).append(value)
        return seen

    def _epoch(self, kind: str, arrays: list[Array], order: Array, size: int | None, bar: Progress) -> dict[str, float]:
        """The measures over all samples in that order, each batch by its size."""
        if not len(order):
            raise FeedError("there are no samples", fix="give arrays with at least one row")
        sums: Any = 0.0
        for batch in _batches(len(order), size):
            rows = order[batch]
            sums = sums + len(rows) * np.array(self._run(kind, [a[rows] for a in arrays]), "float64")
            done = batch.start + len(rows)
            bar.show(done, dict(zip(self._measures, sums / done)))
        return dict(zip(self._measures, map(float, sums / len(order))))


class Progress:
    """A bar on a terminal, drawn at most twice a second; elsewhere a line an epoch, at most two a second and the last one."""

    shown = 0.0  # when the last line was printed

    def __init__(self, verbose: int, total: int, title: str = "", last: bool = True) -> None:
        self.on, self.total, self.title, self.last = verbose, total, title, last
        self.bar, self.began, self.drawn = verbose == 1 and sys.stdout.isatty(), time.monotonic(), 0.0

    def show(self, done: int, logs: Mapping[str, float]) -> None:
        """Draw the bar, if it is time."""
        if self.bar and time.monotonic() - self.drawn > 0.5:
            self.drawn, filled = time.monotonic(), 24 * done // self.total
            print(f"\r\033[K{'█' * filled}{'░' * (24 - filled)} {self._line(done, logs)}", end="", flush=True)

    def end(self, logs: Mapping[str, float]) -> None:
        """Print the line that stays."""
        if self.on and (self.bar or self.last or self.on == 2 or time.monotonic() - Progress.shown > 0.5):
            Progress.shown = time.monotonic()
            print(("\r\033[K" if self.bar else "") + self._line(self.total, logs), flush=True)

    def _line(self, done: int, logs: Mapping[str, float]) -> str:
        values = [f"{name} {value:.4f}" for name, value in logs.items()]
        return "  ".join(filter(None, [self.title, f"{done}/{self.total}", f"{time.monotonic() - self.began:.1f} s", *values]))


def _target(loss: Any, output: Tensor) -> Placeholder:
    """What is fed for an output: one number a sample for sparse losses, in its shape for others of ours, any sizes for yours."""
    shape = K.int_shape(output)
    if loss is K.sparse_categorical_crossentropy:
        return K.placeholder((*shape[:-1], 1), name="labels")
    return K.placeholder(shape if loss in LOSSES.values() else (None,) * len(shape), name="targets")


def _averaged(loss: Any, mask: Any) -> Tensor:
    """The mean of a loss, with 0 for the steps that are masked."""
    return K.mean(loss if mask is None else loss * K.cast(mask, K.dtype(loss)))


def _listed(what: str, given: Any, names: Sequence[str], tensors: Sequence[Tensor]) -> list[Array]:
    """An array for each name, from an array, a list, or a dict; a vector gets an axis where one is missing."""
    if isinstance(given, Mapping):
        given = [given.get(name) for name in names]
    elif len(names) == 1:
        alone: Any = given[0] if isinstance(given, list | tuple) and len(given) == 1 else None
        given = given if isinstance(alone, np.ndarray) or np.ndim(alone) == tensors[0].ndim else [given]
    if not isinstance(given, list | tuple) or len(given) != len(names) or not all(np.ndim(a) for a in given):
        raise FeedError(f"{what}: {shown(given)} for {', '.join(names)}", fix="an array for each, in a list or a dict of names")
    arrays = [np.asarray(a) for a in given]
    arrays = [a.astype(t.dtype) if a.dtype.kind == "f" and a.dtype != t.dtype else a for a, t in zip(arrays, tensors)]
    return [a[:, None] if a.ndim == 1 == t.ndim - 1 else a for a, t in zip(arrays, tensors)]


def _batches(count: int, size: int | None) -> Iterator[slice]:
    step = 32 if size is None else whole(size, "batch_size", 1)
    return (slice(first, first + step) for first in range(0, count, step))


def _alone(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)
