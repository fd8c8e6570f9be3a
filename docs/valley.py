"""Every optimizer's path through one valley: the sections and pictures of the page `rules.md`.

The rules are those that `optimizers` offers, so a new one is on the page by itself. The formula of a rule is its
docstring, its paper is the one that the docstring names, looked up in `papers.md`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import optimizers
from autograph import function, reduce_sum, variable
from optimizers import Optimizer

DOCS = Path(__file__).resolve().parent
RULES = sorted(
    {rule for rule in vars(optimizers).values() if isinstance(rule, type) and issubclass(rule, Optimizer)} - {Optimizer},
    key=lambda rule: rule.__name__.lower(),
)
START, LOWEST, STEPS = (-1.2, 1.0), (1.0, 1.0), 100
FRAME = (-1.7, 1.7), (-0.8, 2.0)
RATES = 10.0 ** np.arange(-4, 4.01, 0.25)
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "0.78"  # told apart by everyone (Okabe & Ito 2008)


class Path2D(NamedTuple):
    """Where a rule went: its rate, the points from the start on, and the loss at each of them."""

    rate: float
    points: np.ndarray[Any, Any]
    losses: np.ndarray[Any, Any]


def valley(x: Any, y: Any) -> Any:
    """Rosenbrock's valley (1960), twenty times less steep: it bends, and it is flat along its floor."""
    return (1 - x) ** 2 + 5 * (y - x * x) ** 2


def path(rule: type[Optimizer]) -> Path2D:
    """The steps of the rule with its defaults, at the rate that keeps the mean of the loss's logarithm lowest.

    Rates at which it leaves the frame are out of the question, as long as there is another.
    """
    np.random.seed(0)  # for rules that draw random numbers
    optimizer = rule()
    shape = (1,) * (len(rule.example) - 1) + (2,)  # some rules are for matrices
    p = variable(np.reshape(START, shape), "float64", "p")
    loss = reduce_sum(valley(p[..., 0], p[..., 1]))
    step = function([], [loss, p], updates=optimizer.get_updates(loss, [p]))
    first, found = step.state(), []
    for rate in RATES:
        step.restore(first)
        optimizer.lr = rate
        losses, points = step.loop(STEPS + 1)
        points = points.reshape(-1, 2)
        outside = any(not (low <= along.min() and along.max() <= high) for along, (low, high) in zip(points.T, FRAME))
        found.append((outside, np.log(np.maximum(losses, 1e-10)).mean(), Path2D(rate, points, losses)))
    return min((one for one in found if np.isfinite(one[1])), key=lambda one: one[:2])[2]


# the page -------------------------------------------------------------------------------------------------------------


def papers() -> dict[tuple[str, str], str]:
    """The lines of `papers.md` by the first author's name and the year."""
    lines = re.findall(r"^- (.*)$", (DOCS / "papers.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {key: line for line in lines for key in cited(line)[:1]}


def cited(text: str) -> list[tuple[str, str]]:
    """First author and year of the papers that a text names, such as `Kingma & Ba 2015` or `Liu et al. 2023`."""
    return re.findall(r"\b([A-ZÀ-Ý]\w+)(?:, [A-ZÀ-Ý]\w+)*(?: & [A-ZÀ-Ý]\w+| et al\.)? ((?:19|20)\d\d)\b", text)


def section(rule: type[Optimizer], way: Path2D, translate: Callable[[list[str]], list[str]]) -> str:
    """What the page says of a rule, in Markdown; `translate` makes reStructuredText of a docstring."""
    name, doc, known = rule.__name__, inspect.getdoc(rule) or "", papers()
    sources = [f"- {known[key]}" for key in dict.fromkeys(cited(doc)) if key in known]
    low = name.lower()
    return "\n".join([
        f"## {name}", "", "```{eval-rst}", *translate(doc.splitlines()), "```", "",
        f"![The path of {name} over the contours of the valley, and its loss at each step](rules/{low}.png)", "",
        f"η = {way.rate:.3g}; after {STEPS} steps the loss is {way.losses[-1]:.1g}. Arguments: {{class}}`optimizers.{name}`.", "",
        *sources, "",
    ])  # fmt: skip


def write(folder: Path, translate: Callable[[list[str]], list[str]]) -> None:
    """Write the sections and the pictures of all rules."""
    folder.mkdir(exist_ok=True)
    ways = {rule: path(rule) for rule in RULES}
    for rule, way in ways.items():
        draw(folder, rule.__name__, way, [other.losses for other in ways.values()])
    links = [f"[![{r.__name__}](rules/{r.__name__.lower()}_small.png)](#{r.__name__.lower()})" for r in RULES]
    text = "\n".join([*links, "", *(section(rule, way, translate) for rule, way in ways.items())])
    (folder / "sections.md").write_text(text, encoding="utf-8")


# the pictures ---------------------------------------------------------------------------------------------------------


def draw(folder: Path, name: str, way: Path2D, everyone: list[np.ndarray[Any, Any]]) -> None:
    """Two files: the path beside the losses, and the path alone, small, for the overview."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 9, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7.2, 2.9), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        contours(left, way, 1.2)
        left.set_title(name)
        for losses in everyone:
            right.plot(losses, color=GREY, linewidth=0.7)
        right.plot(way.losses, color=BLUE, linewidth=2)
        right.set(yscale="log", ylim=(1e-8, 20), xlim=(0, STEPS), xlabel="step", title="loss (grey: the other rules)")
        save(figure, folder / f"{name.lower()}.png", 110)
        figure = Figure(figsize=(1.75, 1.6), layout="constrained")
        contours(figure.subplots(), way, 0.9)
        figure.suptitle(name, fontsize=9)
        save(figure, folder / f"{name.lower()}_small.png", 90)


def contours(ax: Any, way: Path2D, width: float) -> None:
    """The valley from above, with the path in it."""
    across, up = np.meshgrid(*(np.linspace(*side, 120) for side in FRAME))
    height = valley(across, up)
    ax.contour(across, up, height, levels=np.geomspace(0.03, height.max(), 11), colors=GREY, linewidths=0.7 * width)
    ax.plot(*way.points.T, color=BLUE, linewidth=width, marker=".", markersize=3.5 * width)
    ax.plot(*START, "o", color="white", markeredgecolor="black", markersize=5 * width)
    ax.plot(*LOWEST, "*", color=ORANGE, markeredgecolor="white", markersize=6 + 6 * width)
    ax.set(xlim=FRAME[0], ylim=FRAME[1], xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def save(figure: Any, file: Path, dpi: int) -> None:
    """A file of few colours, which is a small one."""
    from PIL import Image

    figure.savefig(file, dpi=dpi)
    with Image.open(file) as picture:
        reduced = picture.convert("RGB").quantize(48, method=Image.Quantize.MAXCOVERAGE)
    reduced.save(file, optimize=True)
