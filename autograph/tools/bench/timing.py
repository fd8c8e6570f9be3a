"""Fair timing: competitors take turns, so that whatever else the machine does hits all alike."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

WARM_UP = 3  # steps before each turn: the competitor before left the caches full of its own

Step = Callable[[int], object]


def race(steps: Mapping[str, Step], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds a step, one number for each round; in a round each competitor has one turn, in the order of `steps`.

    The turns of one competitor take about `seconds` together.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    position = dict.fromkeys(steps, 0)
    with collector_off():
        lengths = {name: _length_of_turn(step, seconds / rounds) for name, step in steps.items()}
        for _ in range(rounds):
            for name, step in steps.items():
                start = position[name] + WARM_UP
                time_steps(step, position[name], WARM_UP)
                times[name].append(time_steps(step, start, lengths[name]))
                position[name] = start + lengths[name]
    return times


def time_steps(step: Step, start: int, count: int) -> float:
    """Seconds a step, over the steps `start` to `start + count`."""
    before = perf_counter()
    for i in range(start, start + count):
        step(i)
    return (perf_counter() - before) / count


@contextmanager
def collector_off() -> Iterator[None]:
    """No garbage collection inside, whoever made the garbage."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _length_of_turn(step: Step, seconds: float) -> int:
    count = 1
    while (taken := time_steps(step, 0, count) * count) < seconds / 4:
        count *= 2
    return max(1, round(count * seconds / taken))
