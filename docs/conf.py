"""How the documentation is built: `sphinx-build -W docs docs/_build`. The tutorials run in every build."""

import re
import sys
from importlib.metadata import version as installed_version
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import valley
import vocabulary

project = "autograph"
author = "the autograph authors"
copyright = "the autograph authors"
release = installed_version("autograph-engine")
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "rules", "tutorials", "vocabulary"]
default_role = "code"
smartquotes = False
nitpicky = False

html_theme = "furo"
html_title = "autograph"
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",  # every tutorial runs
    "abort_on_example_error": True,
    "within_subsection_order": "numbering.TitleNumber",
    "capture_repr": ("_repr_html_", "__repr__"),
    "remove_config_comments": True,
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
}


# Docstrings are plain text: `code` in backticks, lists with dashes, indented or aligned lines shown as they stand.
# Sphinx reads reStructuredText, in which |x|, x**2 and a_ mean something else, so they are translated here.

_ALIGNED = re.compile(r"\S {2,}\S")
_SPECIAL = re.compile(r"([\\*|_])")


def _prose(line: str) -> str:
    """A line of text with its backticks as code and everything else taken literally."""
    pieces = re.split(r"`+([^`]+)`+", line)
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            pieces[i] = _SPECIAL.sub(r"\\\1", piece).replace("`", r"\`")
        else:
            before = "\\ " if pieces[i - 1] and not pieces[i - 1][-1].isspace() else ""
            after = "\\ " if i + 1 < len(pieces) and pieces[i + 1][:1].strip() else ""
            pieces[i] = f"{before}``{piece.strip()}``{after}"
    text = "".join(pieces)
    text = re.sub(r"::(\s*)$", r":\1", text)
    return re.sub(r"^(\s*)(?=(\w{1,4}[.)]|[+•:]|\.\.|[-=~^]{3,})(\s|\w|$))", r"\1\\", text)


def _block(lines: list[str]) -> list[str]:
    """One block between blank lines, as reStructuredText."""
    if lines[0].startswith((".. ", ">>> ")):
        return [*lines, ""]
    if lines[0].startswith("- "):
        items = [line if line.startswith(("- ", " ")) else f"  {line}" for line in lines]
        return [line[: len(line) - len(line.lstrip("- "))] + _prose(line.lstrip("- ")) for line in items] + [""]
    if any(_ALIGNED.search(line) for line in lines) or (len(lines) > 1 and all("←" in line for line in lines)):
        return ["::", "", *("    " + line.replace("`", "") for line in lines), ""]
    result: list[str] = []
    literal = False
    for line in lines:
        if line.startswith(" ") != literal:
            literal = not literal
            result += ["", "::", ""] if literal else [""]
        result.append("    " + line.replace("`", "") if literal else _prose(line))
    return [*result, ""]


def translated(lines: list[str]) -> list[str]:
    """The lines of a docstring as reStructuredText that shows them as they were written."""
    around = zip(["", *lines], lines, [*lines[1:], ""])
    kept = [" " if before[:1] == after[:1] == " " and not line.strip() else line.rstrip() for before, line, after in around]
    return [out for filled, block in groupby(kept, bool) if filled for out in _block(list(block))]


def plain_docstring(app, what, name, obj, options, lines):
    """Show a docstring as it was written."""
    lines[:] = translated(lines)


def plain_signature(app, what, name, obj, options, signature, return_annotation):
    """Errors are raised by autograph, not by users: their page shows no constructor. A rule shows its own arguments."""
    if what == "class" and signature and obj in valley.RULES:
        return (signature.partition(", *, ")[0] + ", *, …)", None)
    return ("", None) if what == "exception" and signature else None


def worth_showing(app, what, name, obj, skip, options):
    """A rule's method says no more than the rule's formula."""
    return True if name == "rule" and (obj.__doc__ or "").startswith("One step of p") else None


def setup(app):
    app.connect("builder-inited", lambda app: valley.write(Path(app.srcdir) / "rules", translated))
    app.connect("builder-inited", lambda app: vocabulary.write(Path(app.srcdir) / "vocabulary"))
    app.connect("autodoc-process-docstring", plain_docstring)
    app.connect("autodoc-process-signature", plain_signature)
    app.connect("autodoc-skip-member", worth_showing)
