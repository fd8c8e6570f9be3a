"""`bench optimizers`: a step of every rule that PyTorch or optax has too, on many short parameters, some, and a long one."""

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from .contest import NATIVE, TOLERANCE, Competitor, Mismatch, entrants
from .problems import GRADIENTS, Array, Stepper, Steps, steps
from .report import conditions, number, table, write_json
from .rules import RULES, Rule
from .timing import race

OURS = ("autograph.backend", "optimizers")
COMPETITORS = (
    Competitor("autograph", "ours:rule", OURS),
    Competitor("autograph, native", "ours:rule_native", (*OURS, *NATIVE)),
    Competitor("C by hand", "peers_c:rule", ("scipy",), program="cc"),
    Competitor("torch, loop", "peers_torch:rule_loop", ("torch",)),
    Competitor("torch, foreach", "peers_torch:rule_foreach", ("torch",)),
    Competitor("torch, fused", "peers_torch:rule_fused", ("torch",)),
    Competitor("jax jit, optax", "peers_jax:rule", ("jax", "optax")),
)
SIZES = ("400x100", "100x10000", "1x4000000")
LARGE = 10_000  # numbers of a matrix from which on its products would be timed, and not the rule
QUICK = {"rounds": 2, "seconds": 0.05, "size": ["40x100"]}


@dataclass(frozen=True)
class Found:
    """Of one rule: microseconds a step by competitor, who of these takes steps of another form, and the megabytes that
    ours holds or takes beyond parameters, gradients and state."""

    rule: str
    median_us: dict[str, float]
    other_form: list[str]
    scratch_mb: float | None


def run(options: Namespace) -> int:
    """Print a table for each size; 1 where competitors take different steps that should be the same: then that rule is told
    on stderr, and not timed."""
    result = 0
    if options.quick:
        vars(options).update(QUICK)
    competitors = entrants(COMPETITORS, options.only)
    rules = [rule for rule in RULES if not options.rule or any(part.lower() in rule.name.lower() for part in options.rule)]
    print(f"\nOne step, gradients given. {conditions(options.rounds)}\n")
    races: dict[str, list[Found]] = {}
    for size in options.size or SIZES:
        count, length = map(int, size.split("x"))
        rows = races[f"{count:,} × {length:,} numbers"] = []
        for rule in rules:
            if rule.products and length >= LARGE:
                continue
            try:
                rows.append(compare(steps(rule, count, length), competitors, options.rounds, options.seconds))
            except Mismatch as mismatch:
                print(f"{size}, {rule.name}: {mismatch}", file=sys.stderr)
                result = 1
        print(step_table(list(races)[-1], [c.name for c in competitors], rows), flush=True)
    if options.json:
        write_json(options.json, {"conditions": conditions(options.rounds)}, races)
    return result


def compare(problem: Steps, competitors: Sequence[Competitor], rounds: int, seconds: float) -> Found:
    """Who has the rule takes some steps, which must be the same where the form is; then all are timed in turns.

    Raises:
        Mismatch: some lead elsewhere.
    """
    built = {c.name: c.builder()(problem) for c in competitors}
    steppers: dict[str, Stepper] = {name: stepper for name, stepper in built.items() if stepper is not None}
    for stepper in steppers.values():
        for i in range(GRADIENTS):
            stepper.step(i)
    other = [c.name for c in competitors if c.name in steppers and not _same_form(c, problem.rule)]
    check_steps(problem.parameters, {name: s.values() for name, s in steppers.items() if name not in other})
    times = race({name: stepper.step for name, stepper in steppers.items()}, rounds, seconds)
    scratch = next((s.scratch_mb for s in steppers.values() if s.scratch_mb is not None), None)
    return Found(problem.rule.name, {name: median(taken) * 1e6 for name, taken in times.items()}, other, scratch)


def _same_form(competitor: Competitor, rule: Rule) -> bool:
    library = competitor.source.partition(":")[0].removeprefix("peers_")
    call = {"ours": rule.ours, "c": rule.ours, "torch": rule.torch, "jax": rule.optax}[library]
    return call is None or call.same


def check_steps(start: Sequence[Array], reached: Mapping[str, Sequence[Array]]) -> None:
    """Compare where the steps led from `start` with where those of the first competitor did.

    Raises:
        Mismatch: one is further from there than a thousandth of the way.
    """
    first = next(iter(reached.values()), start)
    way = sum(float(np.sum((a - b) ** 2)) for a, b in zip(first, start, strict=True)) ** 0.5
    away = {
        name: sum(float(np.sum((a - b) ** 2)) for a, b in zip(values, first, strict=True)) ** 0.5 / way
        for name, values in reached.items()
    }
    wrong = [name for name, part in away.items() if not part <= TOLERANCE]
    if wrong:
        found = "\n".join(f"  {name}: {part:.2g} of the way from {next(iter(reached))}" for name, part in away.items())
        raise Mismatch(f"MISMATCH, nothing is timed: {', '.join(wrong)} and the first below lead apart.\n{found}")


def step_table(title: str, competitors: Sequence[str], rows: Sequence[Found]) -> str:
    """One line for each rule: microseconds of all, with the ratio to the first column, and our scratch."""
    cells = [[row.rule, *(_cell(row, name, competitors[0]) for name in competitors), _scratch(row)] for row in rows]
    return f"### {title}\n\n{table(('rule', *(f'{name}, µs' for name in competitors), 'our scratch, MB'), cells)}\n"


def _cell(row: Found, name: str, reference: str) -> str:
    taken = row.median_us.get(name)
    if taken is None:
        return "–"
    ratio = "" if name == reference or reference not in row.median_us else f" ({taken / row.median_us[reference]:.2f})"
    return f"{number(taken)}{ratio}{'*' if name in row.other_form else ''}"


def _scratch(row: Found) -> str:
    return "–" if row.scratch_mb is None else f"{row.scratch_mb:.2f}"
