"""`bench keras`: epochs of `model.fit` in Keras 2.3.1 on autograph, in tf_keras on TensorFlow, and as loops of PyTorch; and
steps of an agent of keras-rl."""

import importlib
import sys
from argparse import Namespace

from .contest import NATIVE, Competitor, Mismatch, entrants
from .epochs import EPOCHS
from .report import conditions, show_races

OURS = ("keras", "autograph.backend")
COMPETITORS = (
    Competitor("keras on autograph", "ours_keras:fit", OURS),
    Competitor("keras on autograph, native", "ours_keras:fit_native", (*OURS, *NATIVE)),
    Competitor("tf_keras on tensorflow", "ours_keras:fit_tensorflow", ("tf_keras", "tensorflow")),
    Competitor("torch eager, fused", "peers_keras:epoch_torch", ("torch",)),
)
RL = ("rl", "gymnasium", *OURS)
AGENTS = (
    Competitor("keras-rl on autograph", "agents:timed", RL),
    Competitor("keras-rl on autograph, native", "agents:timed_native", (*RL, *NATIVE)),
)


def run(options: Namespace) -> int:
    """Print a table for each network, and one of the agent; 1 where competitors disagree."""
    print(f"\nEpochs of 20 batches of 32, steps of an agent. {conditions(options.rounds)}\n")
    found, agents = entrants(COMPETITORS, options.only), entrants(AGENTS, options.only)
    paces = {}
    if agents:
        # Loaded by name, for it loads the engine, which someone may have asked to leave out.
        try:
            text, paces = importlib.import_module(f"{__package__}.agents").agents_table(agents, options.rounds)
        except Mismatch as mismatch:
            print(f"keras-rl: {mismatch}", file=sys.stderr)
            return 1
        print(text, flush=True)
    return show_races([(name, name, found) for name in EPOCHS if found], options, {"agents": paces})
