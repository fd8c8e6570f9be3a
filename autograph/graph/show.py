"""A tensor as mathematics, in plain text and in LaTeX; a graph as a numbered list and as dot.

A formula is cut to the tensors nearest to its root, "…" standing for the rest, and a named tensor inside it is shown by
its name. A subexpression that is read several times is written once, behind "where". Nothing here recurses.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from autograph.graph.graph import ancestors
from autograph.graph.notation import (
    ANY,
    ATOM,
    FORMS,
    PRODUCT,
    SHAPED_LIKE,
    SUM,
    TRANSPARENT,
    escaped,
    latex_name,
    latex_number,
    number,
    raised,
)
from autograph.graph.op import Kind
from autograph.graph.tensor import Constant, Tensor, Variable
from autograph.tensor_type import show_shape

Labels = Mapping[Tensor, str]

_SHORT = 12  # characters: a shared subexpression up to this length is repeated rather than named


class _Piece(NamedTuple):
    """A formula of one tensor, and how tightly it binds."""

    text: str
    binds: int


class _Style(NamedTuple):
    """What differs between text and LaTeX."""

    latex: bool
    name: Callable[[str], str]
    number: Callable[[str], str]
    where: str
    separator: str

    def parenthesised(self, text: str) -> str:
        return rf"\left({text}\right)" if self.latex else f"({text})"


_TEXT = _Style(False, str, str, "  where ", ", ")
_LATEX = _Style(True, latex_name, latex_number, r" \quad\text{where } ", r",\; ")


def formula(tensor: Tensor, labels: Labels | None = None, limit: int = 32) -> str:
    """`tensor` as mathematics in plain text, as `w − η·m/(√v + ε)`.

    labels  what to call some tensors inside; limit  how many ops to show, "…" for those behind
    """
    return _render(tensor, labels or {}, limit, _TEXT)


def latex(tensor: Tensor, labels: Labels | None = None, limit: int = 32) -> str:
    """As `formula`, in LaTeX, without dollar signs."""
    return _render(tensor, labels or {}, limit, _LATEX)


def label_of(tensor: Tensor, labels: Labels) -> str | None:
    """The name by which formulas call a tensor, or None if they show what it is computed from."""
    label = labels.get(tensor)
    if label is None and not isinstance(tensor, Constant):
        return tensor.name if tensor.op.kind is Kind.LEAF else tensor.given_name
    return label


def _through(tensor: Tensor, labels: Labels) -> Tensor:
    """The tensor that a formula shows in its place: casts and the like are not mentioned."""
    while tensor.op.name in TRANSPARENT and label_of(tensor, labels) is None:
        tensor = tensor.inputs[0]
    return tensor


def _operands(tensor: Tensor, labels: Labels) -> list[Tensor]:
    """The inputs a formula shows."""
    shown = tensor.inputs[:1] if tensor.op.name in SHAPED_LIKE else tensor.inputs
    return [_through(source, labels) for source in shown]


def _render(root: Tensor, labels: Labels, limit: int, style: _Style) -> str:
    if root.op.name in TRANSPARENT:
        root = _through(root.inputs[0], labels)
        if label_of(root, labels) is not None:
            return style.name(str(label_of(root, labels)))
    operands = _nearest(root, labels, limit)
    uses: dict[Tensor, int] = {}
    for sources in operands.values():
        for source in sources:
            uses[source] = uses.get(source, 0) + 1
    taken = {label_of(source, labels) for source in uses}
    letters = (letter for letter in "abcdefghjkpqrsuxyz" if letter not in taken)
    pieces: dict[Tensor, _Piece] = {}
    definitions: list[str] = []
    for tensor in sorted(operands, key=_number):
        arguments = [pieces.get(source) or _leaf(source, labels, style) for source in operands[tensor]]
        piece = _compound(tensor, arguments, style)
        letter = next(letters, None) if uses.get(tensor, 0) > 1 and len(piece.text) > _SHORT else None
        if letter is not None:
            definitions.append(f"{letter} = {piece.text}")
            piece = _Piece(letter, ATOM)
        pieces[tensor] = piece
    result = pieces.get(root) or _leaf(root, labels, style)
    return result.text + (style.where + style.separator.join(definitions) if definitions else "")


def _number(tensor: Tensor) -> int:
    return tensor.number


def _nearest(root: Tensor, labels: Labels, limit: int) -> dict[Tensor, list[Tensor]]:
    """The tensors whose ops a formula shows, at most `limit` and nearest to the root first, with their operands."""
    found: dict[Tensor, list[Tensor]] = {}
    todo = deque([root])
    while todo and len(found) < limit:
        tensor = todo.popleft()
        named = tensor is not root and label_of(tensor, labels) is not None
        if named or tensor in found or tensor.op.kind is Kind.LEAF:
            continue
        found[tensor] = _operands(tensor, labels)
        todo.extend(found[tensor])
    return found


def _leaf(tensor: Tensor, labels: Labels, style: _Style) -> _Piece:
    """A name, a number, or "…" for what is cut off."""
    label = label_of(tensor, labels)
    if label is not None:
        simple = not re.search(r"[\s/+·−*-]", label)
        return _Piece(style.name(label), ATOM if simple else PRODUCT)
    if not isinstance(tensor, Constant):
        return _Piece(r"\dots" if style.latex else "…", ATOM)
    text = _constant(tensor.value)
    if text is None:
        return _Piece(style.name(f"constant{show_shape(tensor.shape)}"), ATOM)
    return _Piece(style.number(text), SUM if text.startswith("−") else ATOM)


def _constant(value: np.ndarray[Any, Any]) -> str | None:
    """A number, where the array holds only that number and is small enough to be sure of it quickly."""
    if not 0 < value.size <= 1000:
        return None
    first = value.flat[0]
    if not (value == first).all():
        return None
    return str(bool(first)) if value.dtype.kind == "b" else number(first.item())


def _compound(tensor: Tensor, operands: list[_Piece], style: _Style) -> _Piece:
    name = tensor.op.name
    form = FORMS.get(name)
    if form is None or len(form.needs) != len(operands) or (name == "transpose" and tensor.ndim != 2):
        arguments = [piece.text for piece in operands] + _axis(tensor)
        shown = rf"\operatorname{{{name.replace('_', chr(92) + '_')}}}" if style.latex else name.removesuffix("_like")
        return _Piece(shown + style.parenthesised(", ".join(arguments)), ATOM)
    needs = form.latex_needs if style.latex and form.latex_needs else form.needs
    if name in ("power", "integer_power") and not style.latex:
        return _Piece(raised(_fitted(operands[0], ATOM, style), operands[1].text), form.binds)
    texts = [_fitted(piece, need, style) for piece, need in zip(operands, needs, strict=True)]
    minus = "-" if style.latex else "−"
    if name == "add" and texts[1].startswith(minus):
        return _Piece(f"{texts[0]} {minus} {texts[1][1:]}", form.binds)
    return _Piece((form.latex if style.latex else form.text).format(*texts), form.binds)


def _fitted(piece: _Piece, need: int, style: _Style) -> str:
    return piece.text if piece.binds >= need or need == ANY else style.parenthesised(piece.text)


def _axis(tensor: Tensor) -> list[str]:
    """`axis=1`, unless all axes or none are meant."""
    axis = tensor.params.get("axis")
    if axis is None or (isinstance(axis, tuple) and len(axis) in (0, tensor.inputs[0].ndim)):
        return []
    return [f"axis={axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis}"]


def summary(tensor: Tensor) -> str:
    """One line for a person: `Tensor loss: float32[]  = mean(square(y − t))      train.py:14`."""
    kind = type(tensor).__name__
    name = tensor.name
    if isinstance(tensor, Variable | Constant) and not tensor.ndim:
        value = tensor.get_value() if isinstance(tensor, Variable) else tensor.value
        meaning = f"  = {_constant(np.asarray(value))}"
    else:
        meaning = "" if tensor.op.kind is Kind.LEAF else f"  = {formula(tensor, limit=12)}"
    return f"{kind} {name}: {tensor.type}{meaning}      {tensor.origin.place}"


def listing(outputs: Tensor | Iterable[Tensor], limit: int = 60) -> str:
    """The graph behind `outputs` as a numbered list, inputs before consumers, one line a tensor.

    Of a larger graph the `limit` tensors nearest to the outputs are shown.
    """
    roots = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    shown, left_out = _close_to(roots, limit)
    place = {tensor: position for position, tensor in enumerate(shown, 1)}
    rows = []
    for tensor, position in place.items():
        arguments = ", ".join(f"%{place[s]}" if s in place else "…" for s in tensor.inputs)
        what = f"{tensor.op.name}({', '.join([arguments, *_axis(tensor)])})" if tensor.inputs else _leaf_line(tensor)
        name = f"{tensor.given_name} = " if tensor.given_name and tensor.inputs else ""
        rows.append((f"%{position}", name + what, str(tensor.type), tensor.origin.place))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*([f"… {left_out:,} more"] if left_out else []), *lines])


def _leaf_line(tensor: Tensor) -> str:
    if isinstance(tensor, Constant):
        return f"constant {_constant(tensor.value) or '…'}"
    return f"{tensor.op.name} {tensor.name}"


def _close_to(roots: list[Tensor], limit: int) -> tuple[list[Tensor], int]:
    """At most `limit` tensors nearest to the roots, inputs before consumers, and how many there are beyond."""
    nearest: dict[Tensor, None] = {}
    todo = deque(roots)
    while todo and len(nearest) < limit:
        tensor = todo.popleft()
        if tensor not in nearest:
            nearest[tensor] = None
            todo.extend(tensor.inputs)
    return sorted(nearest, key=_number), len(ancestors(roots)) - len(nearest)


_SHAPES = {"variable": "box, style=filled", "placeholder": "house", "constant": "plaintext"}


def dot(outputs: Tensor | Iterable[Tensor], limit: int = 200) -> str:
    """The graph behind `outputs` in the language of Graphviz: data flows downwards; of a large graph the end only."""
    roots = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    shown, left_out = _close_to(roots, limit)
    place = {tensor: position for position, tensor in enumerate(shown, 1)}
    lines = ["digraph {", '  node [shape=ellipse, fontname="sans-serif"];']
    if left_out:
        lines.append(f'  more [shape=plaintext, label="… {left_out:,} more"];')
    for tensor, position in place.items():
        title = _leaf_line(tensor) if not tensor.inputs else f"{tensor.given_name or ''} {tensor.op.name}".strip()
        shape = _SHAPES.get(tensor.op.name, "ellipse")
        lines.append(f"  n{position} [shape={shape}, label={_quoted(title, str(tensor.type))}];")
        lines += [f"  n{place[s]} -> n{position};" if s in place else f"  more -> n{position};" for s in tensor.inputs]
    return "\n".join([*lines, "}"])


def _quoted(*lines: str) -> str:
    """Lines of text as one string of dot."""
    printable = ["".join(c if c.isprintable() else " " for c in line) for line in lines]
    return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in printable) + '"'


def _repr_html(tensor: Tensor) -> str:
    return f"<code>{escaped(summary(tensor))}</code>"


def _repr_latex(tensor: Tensor) -> str:
    return f"$\\displaystyle {latex(tensor, limit=12)}$"


# Tensors are told here how to show themselves: what a formula is, they need not know.
Tensor.__repr__ = summary  # type: ignore[assignment, method-assign]
Tensor._repr_html_ = _repr_html  # type: ignore[attr-defined]
Tensor._repr_latex_ = _repr_latex  # type: ignore[attr-defined]
