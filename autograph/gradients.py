"""Reverse mode: one walk back over the graph, and what is built on it.

For each tensor on a path from the loss to a variable, its op's `vjp` turns the cotangent of the output into those of
the inputs; where several meet they are added. The result is more graph, so gradients of gradients need nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from autograph.arguments import listed, shown
from autograph.errors import ArgumentError, ArgumentTypeError, DTypeError, NoGradientRuleError, ShapeError
from autograph.graph.graph import ancestors, descendants, family
from autograph.graph.op import Kind
from autograph.graph.tensor import Tensor, as_tensor
from autograph.ops.elementwise import cast
from autograph.ops.movement import broadcast_like
from autograph.ops.reduction import sum_like
from autograph.tensor_type import shapes_agree


def gradients(
    loss: Tensor | Sequence[Tensor],
    variables: Tensor | Sequence[Tensor],
    *,
    cotangents: Any = None,
    stop: Iterable[Tensor] = (),
) -> Any:
    """∂loss/∂v for each v in `variables`: a list, or a single tensor for a single variable; None where v is unconnected.

    loss        a tensor of rank 0, or any tensors with `cotangents` (their weights in the sum that is differentiated)
    variables   float tensors: variables, placeholders, or any expression the loss is computed from
    stop        tensors that count as computed from nothing: gradients go to them, and no further. So with `stop` the
                same as `variables` each derivative is a partial one, the others held fixed

    Each gradient has the dtype and shape of its variable. Raises ShapeError if the loss is no number and no cotangents
    are given, DTypeError for an integer variable or loss, NoGradientRuleError for an op on the path without a rule.
    """
    if not isinstance(loss, Tensor | list | tuple):
        raise ArgumentTypeError(f"the loss is {shown(loss)}, not a tensor", fix="write gradients(loss, [w, b])")
    outputs = [loss] if isinstance(loss, Tensor) else list(loss)
    single = isinstance(variables, Tensor)
    sources: list[Any] = [variables] if single else listed(variables, "variables", "pass one variable or a list of them")
    for position, source in enumerate(sources):
        _check_source(source, position)
    seeds = _seeds(outputs, cotangents, isinstance(loss, Tensor))
    blocked = set(stop)
    order = ancestors(outputs, stop=blocked)
    try:
        found = backward(order, dict_of_sums(zip(outputs, seeds, strict=True)), sources, blocked)
    except NoGradientRuleError as error:
        names = ", ".join(repr(source.name) for source in sources)
        losses = ", ".join(repr(output.name) for output in outputs)
        raise error.retold(f"between {losses} and {names}: {error.what}") from None
    results = [found.get(source) for source in sources]
    return results[0] if single else results


def _check_source(source: object, position: int) -> None:
    if not isinstance(source, Tensor):
        raise ArgumentTypeError(
            f"variables[{position}] is {shown(source)}, not a tensor", fix="pass the variable itself"
        )
    if not source.type.is_float:
        raise DTypeError(
            f"{source.name!r} is {source.dtype}: only floats have gradients",
            fix="cast it to float, or differentiate with respect to what it indexes",
            where=str(source.origin),
        )


def _seeds(outputs: list[Tensor], cotangents: Any, single: bool) -> list[Tensor]:
    for output in outputs:
        if not isinstance(output, Tensor):
            raise ArgumentTypeError(f"the loss is {shown(output)}, not a tensor", fix="write gradients(loss, [w, b])")
        if not output.type.is_float:
            what = f"the loss {output.name!r} is {output.dtype}: only floats have gradients"
            raise DTypeError(what, fix="compute it in floats, or cast what it is made of", where=str(output.origin))
    if cotangents is None:
        for output in outputs:
            if output.ndim:
                raise ShapeError(
                    f"the loss {output.name!r} has shape {output.type}: a gradient needs one number",
                    fix="take its mean or sum, or pass `cotangents=`",
                    where=str(output.origin),
                )
        return [as_tensor(1.0, output.dtype) for output in outputs]
    given = [cotangents] if single else listed(cotangents, "cotangents", "give one for each loss")
    if len(given) != len(outputs):
        raise ArgumentError(f"{len(outputs)} outputs and {len(given)} cotangents: one each is needed", fix="pair them")
    seeds = []
    for output, value in zip(outputs, given, strict=True):
        seed = cast(value, output.dtype)
        if seed.shape != output.shape and seed.ndim == 0:
            seed = broadcast_like(seed, output)
        if not shapes_agree(seed.shape, output.shape):
            what = f"the cotangent of {output.name!r} is {seed.type}, the output {output.type}"
            raise ShapeError(what, fix="give one number, or an array of the output's shape", where=str(output.origin))
        seeds.append(seed)
    return seeds


def dict_of_sums(pairs: Iterable[tuple[Tensor, Tensor]]) -> dict[Tensor, Tensor]:
    """A dict of the pairs, the values of equal keys added."""
    sums: dict[Tensor, Tensor] = {}
    for key, value in pairs:
        sums[key] = sums[key] + value if key in sums else value
    return sums


def backward(
    order: Sequence[Tensor], cotangents: dict[Tensor, Tensor], sources: Iterable[Tensor], stop: Iterable[Tensor] = ()
) -> dict[Tensor, Tensor]:
    """The walk: from cotangents of some tensors of `order` (inputs first) to those of all on the way to `sources`."""
    blocked = set(stop)
    relevant = descendants(sources, order, blocked)
    together = _together(order, blocked)
    for tensor in reversed(order):
        g: Any = cotangents.get(tensor)
        if tensor in together:
            g = {t.params["result"]: cotangents[t] for t in together[tensor] if t in cotangents} or None
        elif tensor.op.several and tensor not in blocked:
            continue  # the last of its family has sent its cotangent back
        if g is None or tensor not in relevant or tensor in blocked or tensor.op.kind is Kind.LEAF:
            continue
        for source, flow in zip(tensor.inputs, flows(tensor, g, relevant), strict=True):
            if flow is not None:
                cotangents[source] = cotangents[source] + flow if source in cotangents else flow
    return cotangents


def _together(order: Sequence[Tensor], blocked: set[Tensor]) -> dict[Tensor, list[Tensor]]:
    """The results of each op of several that are in `order`, by the last of them: made in a row, they are read behind it."""
    families: dict[Any, list[Tensor]] = {}
    for tensor in order:
        if tensor.op.several and tensor not in blocked:
            families.setdefault(family(tensor), []).append(tensor)
    return {some[-1]: some for some in families.values()}


def flows(tensor: Tensor, g: Any, relevant: set[Tensor]) -> list[Tensor | None]:
    """The cotangents that `g` of `tensor` sends to those of its inputs that are relevant, each in its input's type.

    `g` is a tensor; for an op of several results it may be a dict of those of its family, by the number of the result.
    """
    op = tensor.op
    wanted = [source in relevant and source.type.is_float for source in tensor.inputs]
    if op.vjp is None or not any(wanted):
        return [None] * len(tensor.inputs)
    if op.several and isinstance(g, Tensor):
        g = {tensor.params["result"]: g}
    terms = op.vjp(g, tensor, *tensor.inputs, **tensor.params)
    return [
        _fitted(term, source, tensor) if want and term is not None else None
        for term, source, want in zip(terms, tensor.inputs, wanted, strict=True)
    ]


def _fitted(term: Any, source: Tensor, tensor: Tensor) -> Tensor:
    """A cotangent in the dtype and shape of its tensor: stretched where a rule was brief, summed where it broadcast."""
    g = cast(term, source.dtype)
    if g.ndim < source.ndim or (g.ndim == source.ndim and any(m == 1 != n for m, n in zip(g.shape, source.shape, strict=True))):
        g = broadcast_like(g, tensor if tensor.op.kind is Kind.ELEMENTWISE else source)
    return sum_like(g, source)
