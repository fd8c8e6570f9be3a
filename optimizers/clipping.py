"""Clipping of gradients, and what else is done to them before a rule sees them.

What is within a limit comes back exactly as it was, bit by bit. These are functions of tensors, for use by hand:
`opt.get_updates(gradient_noise(gradients(loss, params), opt.t), params)`; most are options of every optimizer too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from autograph import (
    ArgumentError,
    AxisError,
    Tensor,
    Variable,
    abs,
    add,
    arguments,
    as_tensor,
    cast,
    clip,
    constant,
    greater,
    hypot,
    isfinite,
    logical_and,
    maximum,
    norm,
    pad,
    random_normal,
    reduce_all,
    reduce_max,
    reduce_mean,
    reduce_sum,
    row_sparse,
    seed_state,
    sqrt,
    square,
    where,
)
from optimizers.arguments import read_number


def global_norm(gradients: Iterable[Any]) -> Tensor:
    """√Σ‖g‖² over all gradients, a float64 of rank 0; None among them counts as zero.

    No square overflows or vanishes, so that float32 gradients of 1e20 have a norm: those of single precision are taken in
    double, and those of double of g/s, s the greatest |element|. It is NaN if any element is infinite or NaN.
    """
    tensors = [_telling(as_tensor(g)) for g in _listed("global_norm", gradients) if g is not None]
    tensors = [g for g in tensors if 0 not in g.shape]
    single, double = ([g for g in tensors if (g.dtype.itemsize == 8) == wide] for wide in (False, True))
    lengths = [length(some) for some, length in ((single, _length), (double, _scaled_length)) if some]
    if not lengths:
        return constant(0.0, "float64")
    found = hypot(*lengths) if len(lengths) > 1 else lengths[0]
    found.name = "‖g‖"
    return found


def _length(tensors: Sequence[Tensor]) -> Tensor:
    """√Σg² in double precision."""
    total = reduce(add, [reduce_sum(square(cast(g, "float64"))) for g in tensors])
    return sqrt(total + 0.0 * total)  # NaN where the sum is infinite


def _scaled_length(tensors: Sequence[Tensor]) -> Tensor:
    """s·√Σ(g/s)² with s the greatest |element|."""
    top = reduce(maximum, [reduce_max(abs(g)) for g in tensors])
    scale = where(greater(top, 0), top, 1)
    return scale * sqrt(reduce(add, [reduce_sum(square(g / scale)) for g in tensors]))


def _telling(g: Tensor) -> Tensor:
    """What of a gradient can differ from 0: of a row-sparse one its rows, each once, and a row of zeros if there are none."""
    rows = row_sparse(g)
    return g if rows is None else pad(rows.once, [(0, 1)] + [(0, 0)] * (g.ndim - 1))


def _wide(g: Tensor) -> Tensor:
    """Half precision would not hold the sum."""
    return cast(g, "float32") if g.dtype.itemsize < 4 else g


def clip_by_global_norm(gradients: Sequence[Any], limit: Any) -> list[Any]:
    """Every gradient times limit/n if their global norm n exceeds `limit`; else exactly the gradients. None stays None.

    limit   a positive number, or a float tensor of rank 0

    Where an element is infinite or NaN nothing is clipped, so that a guard sees it. Raises ArgumentError for a number
    that is not positive and finite.
    """
    bound, found = _checked(limit), _listed("clip_by_global_norm", gradients)
    n = global_norm(found)
    factor = where(greater(n, bound), bound / n, 1.0)
    return [None if g is None else cast(as_tensor(g) * factor, as_tensor(g).dtype) for g in found]


def clip_by_norm(gradient: Any, limit: Any) -> Tensor:
    """The gradient times limit/‖g‖ if its norm exceeds `limit`; else exactly the gradient. Raises ArgumentError."""
    clipped: Tensor = clip_by_global_norm([gradient], limit)[0]
    return clipped


def clip_by_value(gradient: Any, low: Any, high: Any) -> Tensor:
    """Each element of the gradient clipped to [low, high], in the gradient's dtype. Raises ArgumentError if low > high."""
    tensor = as_tensor(gradient)
    return cast(clip(tensor, low, high), tensor.dtype)


def clip_adaptively(gradients: Sequence[Any], params: Sequence[Any], limit: Any, least: float = 1e-3) -> list[Any]:
    """AGC (Brock et al. 2021): g·min(1, λ·max(‖p‖, least)/‖g‖), the norms of each unit. None stays None.

    limit, λ   a positive number, or a float tensor of rank 0

    A unit is what stands along the last axis, as in a kernel [in, out]; a tensor with one axis longer than 1 is one
    unit. A unit with an element that is not finite is not clipped. Raises ArgumentError for a limit that is not positive
    and finite, or another number of parameters.
    """
    bound, found = _checked(limit), _listed("clip_adaptively", gradients)
    own = arguments.listed(params, "clip_adaptively: the parameters", "pass a list")
    if len(found) != len(own):
        what = f"clip_adaptively: {len(found)} gradients for {len(own)} parameters: one each is needed"
        raise ArgumentError(what, fix="give None for a parameter without a gradient")
    least = read_number("clip_adaptively: least", least, "a number of at least 0", least=0)
    pairs = zip(found, own, strict=True)
    return [None if g is None else _unitwise(as_tensor(g), as_tensor(p), bound, least) for g, p in pairs]


def _unitwise(g: Tensor, p: Tensor, bound: Any, least: float) -> Tensor:
    long = sum(size != 1 for size in g.shape)
    axes = tuple(range(g.ndim - 1)) if long > 1 else None
    n = norm(_wide(g), axis=axes, keepdims=True)
    most = bound * maximum(norm(_wide(p), axis=axes, keepdims=True), least)
    large = logical_and(isfinite(n), greater(n, most))
    return cast(where(large, g * (most / where(large, n, 1)), g), g.dtype)


def centralize(gradient: Any, axis: int = -1) -> Tensor:
    """The gradient minus its mean over all axes but `axis`: that of the outputs, the last in a kernel [in, out].

    Below two axes it comes back as it is. Yong et al. 2020. Raises AxisError.
    """
    g, place = as_tensor(gradient), arguments.whole(axis, "centralize: the axis")
    kept = place + g.ndim if place < 0 else place
    if g.ndim < 2:
        return g
    if not 0 <= kept < g.ndim:
        raise AxisError(f"centralize: axis {axis} of {g.describe()}", fix=f"it has {g.ndim} axes")
    over = tuple(i for i in range(g.ndim) if i != kept)
    return cast(g - cast(reduce_mean(_wide(g), axis=over, keepdims=True), g.dtype), g.dtype)


def gradient_noise(
    gradients: Sequence[Any], t: Any, eta: Any = 0.3, gamma: Any = 0.55, state: Variable | None = None
) -> list[Any]:
    """Each gradient plus normal noise of variance η/tᵞ (Neelakantan et al. 2015). None stays None.

    t       the step, from 1: `optimizer.t`
    state   the register of random numbers, from `seed_state(seed)`; without one, a new one that all of them share

    Raises ArgumentError for a negative η or γ.
    """
    for name, value in (("eta", eta), ("gamma", gamma)):
        if not isinstance(value, Tensor):
            read_number(f"gradient_noise: {name}", value, "a finite number of at least 0", least=0)
    shared = seed_state() if state is None else state
    spread = sqrt(eta / cast(as_tensor(t), "float64") ** gamma)
    return [None if g is None else _noisy(as_tensor(g), spread, shared) for g in _listed("gradient_noise", gradients)]


def _noisy(g: Tensor, spread: Tensor, state: Variable) -> Tensor:
    normal = random_normal(like=_wide(g), state=state)
    normal.name = "ξ"
    return g + cast(spread, g.dtype) * cast(normal, g.dtype)


def all_finite(gradients: Iterable[Any]) -> Tensor:
    """Whether no element is infinite or NaN, a boolean of rank 0: `updates.when(all_finite(gradients))` skips the others.

    None among them is left out.
    """
    found: Tensor = constant(True)
    for g in _listed("all_finite", gradients):
        if g is not None:
            found = logical_and(found, reduce_all(isfinite(_telling(as_tensor(g)))))
    return found


def _checked(limit: Any) -> Any:
    if not isinstance(limit, Tensor):
        return read_number("limit", limit, "a positive finite number", positive=True)
    if limit.ndim or not limit.type.is_float:
        raise ArgumentError(f"limit is {limit.describe()}: a float of rank 0 expected", fix="cast it to float, and reduce it")
    return limit


def _listed(function: str, gradients: Any) -> list[Any]:
    return arguments.listed(gradients, f"{function}: gradients", "pass a list of tensors")
