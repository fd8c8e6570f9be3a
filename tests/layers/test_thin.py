"""The layers stay thin, and every public name of theirs is documented."""

from __future__ import annotations

import ast
import inspect
import io
import tokenize
from pathlib import Path

import pytest

from autograph import layers

FILES = sorted((Path(__file__).resolve().parents[2] / "autograph/layers").glob("*.py"))
NOT_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def lines_of_code(source: str) -> int:
    """Lines that hold more than a comment or a docstring."""
    documented = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type not in NOT_CODE]
    return len({line for t in tokens for line in range(t.start[0], t.end[0] + 1)} - documented)


def test_all_layers_and_models_take_fewer_than_1200_lines_of_code() -> None:
    assert lines_of_code('"""One."""\n\n# two\nx = (1,\n     2)\n') == 2
    assert len(FILES) > 5 and sum(lines_of_code(path.read_text(encoding="utf-8")) for path in FILES) < 1200


@pytest.mark.parametrize("name", layers.__all__)
def test_a_public_name_says_what_it_is(name: str) -> None:
    thing = getattr(layers, name)
    assert len((inspect.getdoc(thing) or "").strip()) > 3
    if inspect.isclass(thing) and issubclass(thing, layers.Layer):
        assert vars(thing).get("__doc__"), "not that of its base"
