"""`bench updates`: Adam on many small parameters, what our functions cost, and steps of a few rows of a large table."""

import importlib
import sys
from argparse import Namespace

from .contest import NATIVE, Competitor, Mismatch, entrants, hold
from .problems import MANY_PARAMETERS
from .report import conditions, cost_table, race_table, write_json

OURS = ("autograph.backend", "optimizers")
COMPETITORS = (
    Competitor("autograph", "ours:updates", OURS),
    Competitor("autograph, native", "ours:updates_native", (*OURS, *NATIVE)),
    Competitor("autograph, 400 feeds", "ours:updates_separate", OURS),
    Competitor("numpy, an Adam each", "peers_numpy:updates_each"),
    Competitor("numpy, one flat Adam", "peers_numpy:updates_flat"),
    Competitor("jax jit, optax", "peers_jax:updates", ("jax", "optax")),
    Competitor("torch, loop", "peers_torch:updates_loop", ("torch",)),
    Competitor("torch, foreach", "peers_torch:updates_foreach", ("torch",)),
    Competitor("torch, fused", "peers_torch:updates_fused", ("torch",)),
)


def run(options: Namespace) -> int:
    """Print the race, and the costs of our functions if we take part; 1 where competitors disagree."""
    competitors = entrants(COMPETITORS, options.only)
    print(f"\nAdam on given gradients. {conditions(options.rounds)}\n")
    try:
        rows = hold(MANY_PARAMETERS, competitors, options)
    except Mismatch as mismatch:
        print(f"{MANY_PARAMETERS}: {mismatch}", file=sys.stderr)
        return 1
    print(race_table(MANY_PARAMETERS, rows), flush=True)
    costs = []
    if any(c.is_ours for c in competitors):
        # Loaded by name, for it loads the engine, which someone may have asked to leave out.
        costs = importlib.import_module(f"{__package__}.costs").all_costs(options.rounds, options.seconds)
        print(cost_table("What our functions cost", costs))
        embeddings = importlib.import_module(f"{__package__}.embeddings")
        print(embeddings.embedding_table(options.rounds, options.seconds))
    if options.json:
        named = {cost.what: [cost.amount, cost.unit] for cost in costs}
        write_json(options.json, {"conditions": conditions(options.rounds), "costs": named}, {MANY_PARAMETERS: rows})
    return 0
