"""`bench steps`: an actor with its critic in one step, and functions along rows with their gradients."""

import sys
from argparse import Namespace

from .contest import NATIVE, Competitor, Mismatch, entrants, hold
from .problems import ACTOR_CRITIC, ROW_FUNCTIONS
from .report import conditions, race_table, write_json

OURS = ("autograph.backend", "optimizers")
AGENTS = (
    Competitor("autograph", "ours_more:actor_critic", OURS),
    Competitor("autograph, native", "ours_more:actor_critic_native", (*OURS, *NATIVE)),
    Competitor("jax jit, optax", "peers_more:actor_critic_jax", ("jax", "optax")),
    Competitor("torch eager, fused", "peers_more:actor_critic_torch", ("torch",)),
)
FUNCTIONS = (
    Competitor("autograph", "ours_more:along_rows", OURS),
    Competitor("autograph, native", "ours_more:along_rows_native", (*OURS, *NATIVE)),
    Competitor("numpy, copies alone", "ours_more:copies", whole=False),
    Competitor("jax jit", "peers_more:along_rows_jax", ("jax",)),
    Competitor("torch eager", "peers_more:along_rows_torch", ("torch",)),
)


def run(options: Namespace) -> int:
    """Print a table for each step; 1 where competitors disagree."""
    print(f"\nSteps of other kinds. {conditions(options.rounds)}\n")
    races = {}
    for name in (ACTOR_CRITIC, *ROW_FUNCTIONS):
        competitors = entrants(AGENTS if name == ACTOR_CRITIC else FUNCTIONS, options.only)
        try:
            races[name] = hold(name, competitors, options)
        except Mismatch as mismatch:
            print(f"{name}: {mismatch}", file=sys.stderr)
            return 1
        print(race_table(name, races[name]), flush=True)
    if options.json:
        write_json(options.json, {"conditions": conditions(options.rounds)}, races)
    return 0
