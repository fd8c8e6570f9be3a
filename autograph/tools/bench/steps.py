"""`bench steps`: an actor with its critic in one step, a convolutional network, functions along rows with their gradients."""

from argparse import Namespace

from .contest import NATIVE, Competitor, entrants
from .problems import ACTOR_CRITIC, IMAGES, ROW_FUNCTIONS
from .report import conditions, show_races

OURS = ("autograph.backend", "optimizers")
AGENTS = (
    Competitor("autograph", "ours_more:actor_critic", OURS),
    Competitor("autograph, native", "ours_more:actor_critic_native", (*OURS, *NATIVE)),
    Competitor("jax jit, optax", "peers_jax_more:actor_critic", ("jax", "optax")),
    Competitor("torch eager, fused", "peers_more:actor_critic", ("torch",)),
)
NETWORKS = (
    Competitor("autograph", "ours_more:images", OURS),
    Competitor("autograph, native", "ours_more:images_native", (*OURS, *NATIVE)),
    Competitor("jax jit, optax", "peers_jax_more:images", ("jax", "optax")),
    Competitor("torch eager, fused", "peers_more:images", ("torch",)),
)
FUNCTIONS = (
    Competitor("autograph", "ours_more:along_rows", OURS),
    Competitor("autograph, native", "ours_more:along_rows_native", (*OURS, *NATIVE)),
    Competitor("numpy, copies alone", "ours_more:copies", whole=False),
    Competitor("jax jit", "peers_jax_more:along_rows", ("jax",)),
    Competitor("torch eager", "peers_more:along_rows", ("torch",)),
)


def run(options: Namespace) -> int:
    """Print a table for each step; 1 where competitors disagree."""
    print(f"\nSteps of other kinds. {conditions(options.rounds)}\n")
    agents, networks, functions = (entrants(some, options.only) for some in (AGENTS, NETWORKS, FUNCTIONS))
    contests = [(ACTOR_CRITIC, agents), (IMAGES, networks), *((name, functions) for name in ROW_FUNCTIONS)]
    return show_races([(name, name, competitors) for name, competitors in contests], options)
