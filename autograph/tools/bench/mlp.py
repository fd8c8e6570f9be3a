"""`bench mlp`: a training step of multilayer perceptrons, from very small to the size where products rule."""

from argparse import Namespace

from .contest import NATIVE, Competitor, entrants
from .problems import BATCH_SIZES, network
from .report import conditions, show_races

OURS = ("autograph.backend", "optimizers")
COMPETITORS = (
    Competitor("autograph", "ours:mlp", OURS),
    Competitor("autograph, native", "ours:mlp_native", (*OURS, *NATIVE)),
    Competitor("C by hand", "peers_c:mlp", ("scipy",), program="cc"),
    Competitor("numpy by hand", "peers_numpy:mlp"),
    Competitor("numpy matmul only", "peers_numpy:products", whole=False),
    Competitor("jax jit", "peers_jax:mlp", ("jax",)),
    Competitor("torch eager", "peers_torch:mlp", ("torch",)),
    Competitor("torch eager, fused", "peers_torch:mlp_fused", ("torch",)),
    Competitor("torch compile, fused", "peers_torch:mlp_compiled", ("torch",), program="cc", slow=True),
    Competitor("pytensor", "peers_pytensor:mlp", ("pytensor",)),
)


def run(options: Namespace) -> int:
    """Print a table for each network; 1 where competitors disagree."""
    competitors = entrants(COMPETITORS, options.only)
    print(f"\nOne training step: tanh, softmax cross-entropy. {conditions(options.rounds)}\n")
    names = options.network or BATCH_SIZES
    titled = ((f"{name}, batch {network(name).batch}, {network(name).rule}", name, competitors) for name in names)
    return show_races(titled, options)
