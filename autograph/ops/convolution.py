"""Convolution along one to three axes: sums of products of a kernel with each window of its input.

    conv            (n, size…, c) * (taps…, c / groups, m) → (n, count…, m)
    conv_transpose  (n, count…, m) * (taps…, c / groups, m) → (n, size…, c)

Channels are last; kernels are not turned round. Three ops, each the gradient of the others: `conv` is linear in its input
and in its kernel, and the other two are its transposes in either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograph.arguments import choice, items, shown, whole
from autograph.arrays.windows import SAME, Window
from autograph.errors import ArgumentError, ShapeError
from autograph.graph.op import Kind, Op, register
from autograph.graph.tensor import Tensor, apply, as_tensor
from autograph.tensor_type import DType, Shape, Size, TensorType, float_dtype, shapes_agree, show_shape

__all__ = ["conv", "conv_transpose", "counted", "steps_of", "window_of"]

Steps = int | Sequence[int]
Padding = str | Sequence[tuple[int, int]]
_FIX = "pad the input, or take a smaller window"
_PART = "take a number of groups that divides both the channels in and those out"

# windows -------------------------------------------------------------------------------------------------------------


def steps_of(what: str, given: Any, rank: int) -> tuple[int, ...]:
    """A number for each axis of space, of at least 1; one stands for all. Raises ArgumentError for anything else."""
    some = items(given) * (rank if len(items(given)) == 1 else 1)
    if len(some) != rank:
        raise ArgumentError(f"{what} is {shown(given)}", fix=f"give one number, or {rank}: one for each axis of space")
    return tuple([whole(n, what, 1) for n in some])


def window_of(what: str, rank: int, strides: Any, padding: Any, dilation: Any) -> Window:
    """The arguments as a window along `rank` axes. Raises ArgumentError for what is none."""
    steps, apart = steps_of(f"{what}: strides", strides, rank), steps_of(f"{what}: dilation", dilation, rank)
    if isinstance(padding, str):
        choice(f"{what}: padding", padding, (SAME, "valid"))
        return Window(steps, apart, SAME if padding == SAME else ((0, 0),) * rank)
    pairs = [items(pair) for pair in items(padding)]
    if len(pairs) != rank or any(len(pair) != 2 for pair in pairs):
        raise ArgumentError(f"{what}: padding={shown(padding)}", fix='"same", "valid", or a pair (before, after) for each axis')
    return Window(steps, apart, tuple([(whole(a, f"{what}: padding", 0), whole(b, f"{what}: padding", 0)) for a, b in pairs]))


def counted(sizes: Shape, taps: Shape, window: Window) -> Shape:
    """How many windows there are along each axis, None where that is not known. Raises ShapeError where none fits."""
    counts: list[Size] = []
    for axis, (n, k) in enumerate(zip(sizes, taps, strict=True)):
        if n is None or (k is None and window.padding != SAME):
            counts.append(None)
            continue
        one = along(window, axis)
        (count,) = one.counts((n,), (k or 1,))
        if count < 1 and not (count == n == 0):
            raise ShapeError(f"a window of {one.reach((k or 1,))[0]} does not fit into {n}: axis {axis} of space", fix=_FIX)
        counts.append(count)
    return tuple(counts)


def along(window: Window, axis: int) -> Window:
    """The window along one of its axes."""
    padding = window.padding if isinstance(window.padding, str) else window.padding[axis : axis + 1]
    return Window(window.strides[axis : axis + 1], window.dilation[axis : axis + 1], padding)


# types ---------------------------------------------------------------------------------------------------------------


def _two_floats(types: Sequence[TensorType]) -> Sequence[DType | None]:
    """The first two operands as floats of one dtype; a third, of which the shape alone is read, as it is."""
    dtype = float_dtype(types[:2])
    return (dtype, dtype, *[None] * (len(types) - 2))


def _checked(x: TensorType, kernel: TensorType, groups: int) -> Size:
    """How many channels the input has. Raises ShapeError unless ranks and channels fit together."""
    if not 3 <= x.ndim <= 5 or kernel.ndim != x.ndim:
        raise ShapeError(
            f"{x} and {kernel} have ranks {x.ndim} and {kernel.ndim}",
            why="the input has a batch, one to three axes of space, and channels; the kernel these axes, channels in and out",
            fix="expand_dims, or reshape one of them",
        )
    c, m = kernel.shape[-2:]
    if m is not None and m % groups:
        raise ShapeError(f"the kernel {kernel} has {m} channels out, which do not part into {groups} groups", fix=_PART)
    wanted = None if c is None else c * groups
    if not shapes_agree(x.shape[-1:], (wanted,)):
        raise ShapeError(
            f"the input {x} has {x.shape[-1]} channels, the kernel {kernel} takes {wanted}",
            fix="channels are the last axis of the input, and the last but one of the kernel",
        )
    return x.shape[-1] if wanted is None else wanted


def _conv_type(x: TensorType, kernel: TensorType, window: Window, groups: int) -> TensorType:
    _checked(x, kernel, groups)
    return TensorType(x.dtype, (x.shape[0], *counted(x.shape[1:-1], kernel.shape[:-2], window), kernel.shape[-1]))


def _agreed(g: TensorType, wanted: Shape, what: str) -> None:
    if not shapes_agree(g.shape, wanted):
        fix = "give the sizes from which the convolution makes this shape"
        raise ShapeError(f"{what} gives {show_shape(wanted)}, not {show_shape(g.shape)}", fix=fix)


def _input_type(
    g: TensorType, kernel: TensorType, *like: TensorType, sizes: Shape | None, window: Window, groups: int
) -> TensorType:
    c = kernel.shape[-2]
    space = like[0].shape[1:-1] if sizes is None else sizes
    x = TensorType(g.dtype, (g.shape[0], *space, None if c is None else c * groups))
    _agreed(g, _conv_type(x, kernel, window, groups).shape, f"the convolution of {x} with {kernel}")
    return x


def _kernel_type(
    x: TensorType, g: TensorType, *like: TensorType, sizes: Shape | None, window: Window, groups: int
) -> TensorType:
    c = x.shape[-1]
    if c is not None and c % groups:
        raise ShapeError(f"the input {x} has {c} channels, which do not part into {groups} groups", fix=_PART)
    taps = like[0].shape[:-2] if sizes is None else sizes
    kernel = TensorType(x.dtype, (*taps, None if c is None else c // groups, g.shape[-1]))
    _agreed(g, _conv_type(x, kernel, window, groups).shape, f"the convolution of {x} with {kernel}")
    return kernel


# ops -----------------------------------------------------------------------------------------------------------------

_CONV = register(Op(
    "conv",
    kind=Kind.CONTRACTION,
    infer=_conv_type,
    eval=lambda xp, x, kernel, window, groups: xp.conv(x, kernel, window, groups),
    vjp=lambda g, y, x, kernel, window, groups: (
        _to_input(g, kernel, x, window, groups), _to_kernel(x, g, kernel, window, groups),
    ),
    operands=_two_floats,
    doc="Σ x[n, i·stride + k·dilation…, c] kernel[k…, c, m] over the taps k and the channels c of a group.",
))

_CONV_TO_INPUT: Op = register(Op(
    "conv_to_input",
    kind=Kind.CONTRACTION,
    infer=_input_type,
    eval=lambda xp, g, kernel, *like, sizes, window, groups: xp.conv_to_input(
        g, kernel, like[0].shape[1:-1] if sizes is None else sizes, window, groups
    ),
    vjp=lambda h, y, g, kernel, *like, sizes, window, groups: (
        apply(_CONV, h, kernel, window=window, groups=groups), _to_kernel(h, g, kernel, window, groups), *[None] * len(like),
    ),
    operands=_two_floats,
    specialize=lambda inputs, params: _settled(_CONV_TO_INPUT, inputs, params, slice(1, -1)),
    doc="The transpose of conv in its input: each window hands back what the kernel took from it.",
))

_CONV_TO_KERNEL: Op = register(Op(
    "conv_to_kernel",
    kind=Kind.CONTRACTION,
    infer=_kernel_type,
    eval=lambda xp, x, g, *like, sizes, window, groups: xp.conv_to_kernel(
        x, g, like[0].shape[:-2] if sizes is None else sizes, window, groups
    ),
    vjp=lambda h, y, x, g, *like, sizes, window, groups: (
        _to_input(g, h, x, window, groups), apply(_CONV, x, h, window=window, groups=groups), *[None] * len(like),
    ),
    operands=_two_floats,
    specialize=lambda inputs, params: _settled(_CONV_TO_KERNEL, inputs, params, slice(None, -2)),
    doc="The transpose of conv in its kernel: over all windows, what they see times what they get.",
))


def _settled(op: Op, inputs: tuple[Tensor, ...], params: dict[str, Any], cut: slice) -> Tensor | None:
    """The sizes that are read off the third input as numbers."""
    return apply(op, *inputs[:2], **{**params, "sizes": inputs[2].shape[cut]}) if len(inputs) > 2 else None


def _to_input(g: Tensor, kernel: Tensor, x: Tensor, window: Window, groups: int) -> Tensor:
    """The cotangent of the input `x`."""
    sizes = x.shape[1:-1]
    if None in sizes:
        return apply(_CONV_TO_INPUT, g, kernel, x, sizes=None, window=window, groups=groups)
    return apply(_CONV_TO_INPUT, g, kernel, sizes=sizes, window=window, groups=groups)


def _to_kernel(x: Tensor, g: Tensor, kernel: Tensor, window: Window, groups: int) -> Tensor:
    """The cotangent of the kernel."""
    taps = kernel.shape[:-2]
    if None in taps:
        return apply(_CONV_TO_KERNEL, x, g, kernel, sizes=None, window=window, groups=groups)
    return apply(_CONV_TO_KERNEL, x, g, sizes=taps, window=window, groups=groups)


# functions -----------------------------------------------------------------------------------------------------------


def conv(
    x: Any, kernel: Any, strides: Steps = 1, padding: Padding = "valid", dilation: Steps = 1, groups: int = 1
) -> Tensor:
    """y[n, i…, m] = Σ x[n, i·stride + k·dilation…, c] kernel[k…, c, m] over the taps k and the channels c.

    x        (n, size…, c), of one to three axes of space
    kernel   (taps…, c / groups, m); channels out stand group by group
    padding  zeros at the ends of each axis: "valid", none; "same", as many as give ⌈size / stride⌉ windows, the smaller
             half before; or a pair (before, after) for each axis
    Shape: (n, count…, m). Raises ShapeError where channels do not fit together or no window fits, ArgumentError for steps
    below 1 and for another padding.
    """
    tensor, weights = as_tensor(x), as_tensor(kernel)
    window = window_of("conv", max(tensor.ndim - 2, 1), strides, padding, dilation)
    return apply(_CONV, tensor, weights, window=window, groups=whole(groups, "conv: groups", 1))


def conv_transpose(
    x: Any, kernel: Any, sizes: Any, strides: Steps = 1, padding: Padding = "valid", dilation: Steps = 1, groups: int = 1
) -> Tensor:
    """The transpose of `conv`, from an input of `sizes` to x: the gradient of Σ x·conv(·, kernel).

    x        (n, count…, m)
    kernel   (taps…, c / groups, m)
    sizes    those of space of the result; or a tensor (n, size…, c), of which only the shape is read
    Shape: (n, size…, c). Raises ShapeError unless `conv` makes as many windows of these sizes as x has.
    """
    tensor, weights = as_tensor(x), as_tensor(kernel)
    window = window_of("conv_transpose", max(tensor.ndim - 2, 1), strides, padding, dilation)
    many = whole(groups, "conv_transpose: groups", 1)
    if isinstance(sizes, Tensor):
        return _to_input(tensor, weights, sizes, window, many)
    known = tuple([whole(n, "conv_transpose: a size", 0) for n in items(sizes)])
    if len(known) != tensor.ndim - 2:
        raise ShapeError(f"conv_transpose: sizes {shown(sizes)} for {tensor.describe()}", fix="one for each axis of space")
    return apply(_CONV_TO_INPUT, tensor, weights, sizes=known, window=window, groups=many)
