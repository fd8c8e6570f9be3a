"""`bench keras`: epochs of `model.fit` in Keras 2.3.1 on autograph, in tf_keras on TensorFlow, and as loops of PyTorch."""

from argparse import Namespace

from .contest import NATIVE, Competitor, entrants
from .epochs import EPOCHS
from .report import conditions, show_races

OURS = ("keras", "autograph.backend")
COMPETITORS = (
    Competitor("keras on autograph", "ours_keras:fit", OURS),
    Competitor("keras on autograph, native", "ours_keras:fit_native", (*OURS, *NATIVE)),
    Competitor("tf_keras on tensorflow", "ours_keras:fit_tensorflow", ("tf_keras", "tensorflow")),
    Competitor("torch eager, fused", "peers_keras:epoch_torch", ("torch",)),
)


def run(options: Namespace) -> int:
    """Print a table for each network; 1 where competitors disagree."""
    print(f"\nEpochs of 20 batches of 32. {conditions(options.rounds)}\n")
    found = entrants(COMPETITORS, options.only)
    return show_races([(name, name, found) for name in EPOCHS], options)
