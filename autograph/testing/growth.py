"""How a random graph grows: one move adds a small expression that is valid whatever the feeds, and never overflows.

Every tensor in the pool carries the shape it will have at run time, while its type may know less, and a bound of its
magnitude. A move picks operands that fit and gives back the new tensor with its bound, or None where nothing fits.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import autograph
from autograph.arrays import numpy_namespace
from autograph.graph.graph import ancestors
from autograph.graph.op import Kind
from autograph.graph.tensor import Constant, Tensor, Variable, node
from autograph.ops.elementwise import cast

LIMIT = 1e3  # magnitudes above are squashed, so that float16 and long products stay finite
MOST = 600  # elements of a tensor

Grown = tuple[Tensor, float] | None
Move = Callable[["Growth"], Grown]


OPS: dict[str, Callable[..., Any]] = vars(autograph)  # by name, so that the tables below read as lists of names


class Growth:
    """A pool of tensors that grows move by move."""

    def __init__(self) -> None:
        self.pool: list[Tensor] = []
        self.values: dict[Tensor, Any] = {}
        self.shapes: dict[Tensor, tuple[int, ...]] = {}
        self.bounds: dict[Tensor, float] = {}
        self.constants = 0
        self.rng = random.Random(0)

    def plant(self, leaf: Tensor, value: Any, bound: float) -> Tensor:
        """Put a leaf into the pool, with a value it may have."""
        self.values[leaf], self.shapes[leaf], self.bounds[leaf] = value, np.shape(value), bound
        self.pool.append(leaf)
        return leaf

    def grow(self, seed: int) -> None:
        """One move, chosen by the seed."""
        self.rng = random.Random(seed * 1009 + len(self.pool))
        move = self.rng.choices(MOVES, WEIGHTS)[0]
        grown = move(self) or squash(self)
        if grown is not None:
            self.keep(*grown)

    def keep(self, tensor: Tensor, bound: float) -> Tensor:
        """Put a new tensor into the pool, squashed if it may be large; nothing if it would be too big."""
        shape = self.shape(tensor)
        if math.prod(shape) > MOST:
            return tensor
        if tensor.type.is_float and bound > LIMIT:
            tensor, bound = OPS["tanh"](tensor), 1.0
        self.shapes[tensor], self.bounds[tensor] = shape, bound
        self.pool.append(tensor)
        return tensor

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        """The shape at run time, found by running the graph on the values its leaves were planted with."""
        with np.errstate(all="ignore"):
            for t in ancestors([tensor], stop=self.values):
                if isinstance(t, Variable) and t not in self.values:  # the state of a random stream
                    self.values[t] = t.get_value()
                elif t not in self.values:
                    self.values[t] = t.evaluate(numpy_namespace, [self.values[x] for x in t.inputs])
        return np.shape(self.values[tensor])

    # picking ---------------------------------------------------------------------------------------------------------

    def pick(self, kind: str = "f", most: float = math.inf, fits: Callable[[Tensor], bool] | None = None) -> Tensor | None:
        """A tensor of the pool of that kind and bound; recent ones are likelier."""
        chosen = [t for t in self.pool if t.dtype.kind in kind and self.bounds[t] <= most and (fits is None or fits(t))]
        if not chosen:
            return None
        return chosen[max(self.rng.randrange(len(chosen)), self.rng.randrange(len(chosen)))]

    def partner(self, x: Tensor, kind: str = "f") -> Tensor | None:
        """A tensor of that kind that broadcasts with `x`, now and at run time."""
        return self.pick(kind, fits=lambda t: self.broadcast(x, t))

    def broadcast(self, a: Tensor, b: Tensor) -> bool:
        """Whether the two broadcast, by what is known of them now and at run time, to something not too big."""
        try:
            size = math.prod(np.broadcast_shapes(self.shapes[a], self.shapes[b]))
        except ValueError:
            return False
        known = all(m is None or n is None or m == n or 1 in (m, n) for m, n in zip(a.shape[::-1], b.shape[::-1]))
        return size <= MOST and known

    def axis(self, x: Tensor) -> int:
        """An axis of x, counted from either end."""
        return self.rng.randrange(-x.ndim, x.ndim)

    def constant(self, dtype: Any, shape: tuple[int, ...]) -> Tensor:
        """Numbers of magnitude up to 1, different each time."""
        self.constants += 1
        values = np.random.default_rng([self.constants, self.rng.randrange(2**32)]).uniform(-1, 1, shape)
        return Constant(np.asarray(values).astype(dtype))


# moves: elementwise --------------------------------------------------------------------------------------------------

_TO_ONE = ("tanh", "sin", "cos", "sigmoid", "erf", "erfc", "softsign", "arctan", "sinc")  # bounded by 2
_GENTLE = ("negative", "abs", "relu", "softplus", "arcsinh", "floor", "ceil", "round", "log_sigmoid", "identity")
_STEEP = ("exp", "expm1", "sinh", "cosh", "exp2")
_GUARDED: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
    ("log", lambda x: 1 + x * x), ("log1p", OPS["abs"]), ("sqrt", lambda x: 1 + x * x),
    ("rsqrt", lambda x: 1 + x * x), ("reciprocal", lambda x: 1 + x * x), ("arcsin", lambda x: 0.9 * OPS["tanh"](x)),
    ("arctanh", lambda x: 0.9 * OPS["tanh"](x)), ("lgamma", lambda x: 1.5 + OPS["softplus"](x)),
    ("digamma", lambda x: 1 + OPS["softplus"](x)), ("cbrt", lambda x: 1 + x * x), ("log2", lambda x: 1 + OPS["abs"](x)),
)  # fmt: skip


def squash(grow: Growth) -> Grown:
    """tanh of something."""
    x = grow.pick()
    return None if x is None else (OPS["tanh"](x), 1.0)


def unary(grow: Growth) -> Grown:
    """A function of one tensor that is finite on all numbers."""
    x = grow.pick()
    name = grow.rng.choice([n for n in _TO_ONE + _GENTLE if n in OPS])
    return None if x is None else (OPS[name](x), 2.0 if name in _TO_ONE else grow.bounds[x] + 1)


def steep(grow: Growth) -> Grown:
    """An exponential of something small."""
    x = grow.pick(most=4)
    name = grow.rng.choice([n for n in _STEEP if n in OPS])
    return None if x is None else (OPS[name](x), math.exp(grow.bounds[x]))


def guarded(grow: Growth) -> Grown:
    """A function that is not defined everywhere, of something inside its domain."""
    x = grow.pick()
    name, guard = grow.rng.choice([pair for pair in _GUARDED if pair[0] in OPS])
    return None if x is None else (OPS[name](guard(x)), grow.bounds[x] ** 1.5 + 4)


def binary(grow: Growth) -> Grown:
    """A function of two tensors that broadcast."""
    a = grow.pick()
    b = None if a is None else grow.partner(a)
    if a is None or b is None:
        return None
    m, n = grow.bounds[a], grow.bounds[b]
    match grow.rng.choice(("add", "subtract", "multiply", "maximum", "minimum", "divide", "hypot", "arctan2", "mod", "power")):
        case "multiply":
            return a * b, m * n
        case "divide":
            return a / (1 + b * b), m
        case "mod":
            return OPS["mod"](a, 1.25 + OPS["abs"](b)), n + 2
        case "power":
            return (1 + OPS["abs"](a)) ** OPS["tanh"](b), m + 1
        case "subtract" if grow.rng.random() < 0.2:
            return a - a * OPS["sign"](b), 2 * m
        case name if name in OPS:
            return OPS[name](a, b), m + n + 2
    return None


def with_literal(grow: Growth) -> Grown:
    """Arithmetic with a Python number, on either side."""
    x = grow.pick()
    if x is None:
        return None
    c = grow.rng.choice((2, -1, 0.5, 1, 0, 0.125, 3))
    m = grow.bounds[x]
    choices = ((c * x, abs(c) * m), (x + c, m + abs(c)), (c - x, m + abs(c)), (x * 1, m), (x / 4, m / 4), (x**2, m * m))
    return grow.rng.choice(choices)


def choice(grow: Growth) -> Grown:
    """where(condition, a, b)."""
    a = grow.pick()
    b, mask = (None, None) if a is None else (grow.partner(a), grow.partner(a, "b"))
    if a is None or b is None:
        return None
    if mask is None or not grow.broadcast(mask, b) or grow.rng.random() < 0.5:
        mask = OPS[grow.rng.choice(("less", "greater_equal", "greater"))](b, a)
    return OPS["where"](mask, a, b), max(grow.bounds[a], grow.bounds[b])


def comparison(grow: Growth) -> Grown:
    """Booleans."""
    a, mask = grow.pick(), grow.pick("b")
    if mask is not None and grow.rng.random() < 0.4:
        return OPS["logical_not"](mask), 1.0
    b = None if a is None else grow.partner(a)
    return None if a is None or b is None else (OPS[grow.rng.choice(("less", "less_equal", "not_equal"))](a, b), 1.0)


def conversion(grow: Growth) -> Grown:
    """A cast to another dtype."""
    x = grow.pick("fib", most=100)
    if x is None:
        return None
    targets = ("float32", "float64", "int32", "int64") if x.dtype.kind == "f" else ("float32", "float64", "int64")
    return cast(x, grow.rng.choice(targets)), grow.bounds[x]


def chance(grow: Growth) -> Grown:
    """Random numbers of the shape of something, on a register of their own."""
    x = grow.pick()
    if x is None:
        return None
    seed = grow.rng.randrange(1000)
    match grow.rng.choice(("uniform", "normal", "dropout", "scaled")):
        case "uniform":
            return OPS["random_uniform"](grow.shapes[x], dtype=x.dtype, seed=seed), 1.0
        case "normal":
            return OPS["truncated_normal"](like=x, dtype=x.dtype, seed=seed) + x, grow.bounds[x] + 3
        case "dropout":
            mask = OPS["random_uniform"](like=x, dtype=x.dtype, seed=seed) < 0.5
            return OPS["where"](mask, x, 0), grow.bounds[x]
    return OPS["random_uniform"](like=x, high=2.0, dtype=x.dtype, seed=seed) * x, 2 * grow.bounds[x]


def barrier(grow: Growth) -> Grown:
    """stop_gradient and its kin."""
    x = grow.pick()
    return None if x is None else (OPS["stop_gradient"](x), grow.bounds[x])


# moves: axes ---------------------------------------------------------------------------------------------------------

_REDUCTIONS = ("reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_var", "reduce_std", "logsumexp", "norm",
               "argmax", "cumsum")  # fmt: skip


def reduction(grow: Growth) -> Grown:
    """Fewer elements along some axes."""
    x = grow.pick(fits=lambda t: 0 not in grow.shapes[t] and t.ndim > 0)
    if x is None:
        return None
    name = grow.rng.choice([n for n in _REDUCTIONS if n in OPS])
    count, m = math.prod(grow.shapes[x]), grow.bounds[x]
    axis = grow.axis(x)
    if name in ("argmax", "cumsum"):
        return OPS[name](x, axis), (m * count if name == "cumsum" else count)
    axes = grow.rng.choice((axis, None, tuple(sorted(grow.rng.sample(range(x.ndim), grow.rng.randint(1, x.ndim))))))
    return OPS[name](x, axis=axes, keepdims=grow.rng.random() < 0.5), m * count if name == "reduce_sum" else m * m + m + 8


def contraction(grow: Growth) -> Grown:
    """A matrix product with another tensor, with a transpose of itself or with weights."""
    x = grow.pick(fits=lambda t: t.ndim >= 2)
    if x is None:
        return None
    k = grow.shapes[x][-1]
    bound = k * grow.bounds[x]
    y = grow.pick(fits=lambda t: t.ndim == 2 and t.dtype is x.dtype and grow.shapes[t][0] == k)
    if y is not None and grow.rng.random() < 0.6:
        return OPS["matmul"](x, y), bound * grow.bounds[y]
    if x.ndim == 2 and grow.rng.random() < 0.3:
        return OPS["matmul"](x, x.T), bound * grow.bounds[x]
    return OPS["matmul"](x, grow.constant(x.dtype, (k, grow.rng.randint(1, 4)))), bound


def movement(grow: Growth) -> Grown:
    """The same elements elsewhere."""
    x = grow.pick(grow.rng.choice(("f", "f", "f", "fib")))
    if x is None:
        return None
    tries: list[Callable[[], Tensor]] = [lambda: OPS["expand_dims"](x, grow.rng.randrange(-x.ndim - 1, x.ndim + 1))]
    if x.ndim:
        axis = grow.axis(x)
        order = grow.rng.sample(range(x.ndim), x.ndim)
        tries += [
            lambda: OPS["transpose"](x, order),
            lambda: OPS["reshape"](x, (-1,)),
            lambda: OPS["flip"](x, axis),
            lambda: OPS["roll"](x, grow.rng.randint(-3, 3), axis),
            lambda: OPS["concatenate"]([x, x], axis),
            lambda: OPS["stack"]([x, x], axis),
            lambda: OPS["repeat"](x, 2, axis),
            lambda: OPS["pad"](x, [(1, grow.rng.randint(0, 2))] * x.ndim),
            lambda: OPS["tile"](x, [grow.rng.randint(1, 2) for _ in range(x.ndim)]),
        ]
        if x.type.is_static and (shape := _another_shape(x.shape, grow.rng)) != x.shape:
            tries += [lambda: OPS["reshape"](x, shape)] * 2
    if x.ndim > 1:
        tries += [lambda: x.T]
    try:
        return grow.rng.choice(tries)(), grow.bounds[x]
    except KeyError:  # an op that is not there yet
        return None


def _another_shape(shape: Sequence[Any], rng: random.Random) -> tuple[int, ...]:
    """The same number of elements, its prime factors dealt anew; now and then with a −1."""
    count = math.prod(shape)
    factors = [p for p in (2, 3, 5, 7) for _ in range(_multiplicity(count, p))]
    result = [1] * rng.randint(1, 4)
    rest = count
    for p in factors:
        result[rng.randrange(len(result))] *= p
        rest //= p
    result[0] *= rest
    if count and rng.random() < 0.3:
        result[rng.randrange(len(result))] = -1
    return tuple(result)


def _multiplicity(n: int, p: int) -> int:
    found = 0
    while n and n % p == 0:
        n, found = n // p, found + 1
    return found


def indexing(grow: Growth) -> Grown:
    """Elements chosen by slices or by integers."""
    x = grow.pick(grow.rng.choice(("f", "f", "fi")), fits=lambda t: t.ndim > 0 and min(grow.shapes[t]) > 0)
    if x is None:
        return None
    axis, shape = grow.rng.randrange(x.ndim), grow.shapes[x]
    m, n = grow.bounds[x], shape[axis]
    before = (slice(None),) * axis
    chosen = np.asarray([grow.rng.randrange(-n, n) for _ in range(grow.rng.randint(1, 4))])
    match grow.rng.choice(("slice", "integer", "new axis", "gather", "computed", "sort", "one_hot")):
        case "slice":
            return x[(*before, slice(grow.rng.choice((None, 0, 1, -2)), None, grow.rng.choice((1, 2, -1))))], m
        case "integer":
            return x[(*before, grow.rng.randrange(-n, n))], m
        case "new axis":
            return x[(..., None, slice(None))], m
        case "gather":
            return OPS["gather"](x, chosen, axis), m
        case "computed":
            index = grow.pick("i", fits=lambda t: t.ndim <= 1)
            return None if index is None else (OPS["gather"](x, OPS["mod"](index, n), axis), m)
        case "sort" if x.type.is_float:
            return OPS["sort"](x, axis), m
        case "one_hot":
            index = grow.pick("i", fits=lambda t: t.ndim <= 2)
            return None if index is None else (OPS["one_hot"](OPS["mod"](index, 3), 3), 1.0)
    return None


# moves: sharing ------------------------------------------------------------------------------------------------------


def twin(grow: Growth) -> Grown:
    """The same expression once more, as another object: what sharing is to find."""
    x = grow.pick(fits=lambda t: t.op.kind is not Kind.LEAF)
    if x is None:
        return None
    again = node(x, x.inputs, x.params, x.type)
    return x + 0.5 * again, 1.5 * grow.bounds[x]


def joint(grow: Growth) -> Grown:
    """One tensor read twice."""
    x = grow.pick(most=30)
    return None if x is None else (x * OPS["tanh"](x) - x, 2 * grow.bounds[x])


MOVES, WEIGHTS = zip(
    (unary, 4), (steep, 1), (guarded, 2), (binary, 5), (with_literal, 2), (choice, 2), (comparison, 1), (conversion, 1),
    (barrier, 0.3), (chance, 0.7), (reduction, 3), (contraction, 2), (movement, 4), (indexing, 3), (twin, 1), (joint, 1),
)  # fmt: skip
