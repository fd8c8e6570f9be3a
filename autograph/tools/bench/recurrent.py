"""`bench recurrent`: the loss of a recurrent network and its gradient to all weights, over fifty steps of time."""

from argparse import Namespace

from .contest import NATIVE, Competitor, entrants
from .problems import LSTM
from .report import conditions, show_races

OURS = ("autograph.backend",)
COMPETITORS = (
    Competitor("autograph", "ours_recurrent:lstm", OURS),
    Competitor("autograph, native", "ours_recurrent:lstm_native", (*OURS, *NATIVE)),
    Competitor("jax jit, lax.scan", "peers_recurrent:lstm_jax", ("jax",)),
    Competitor("torch nn.LSTM", "peers_recurrent:lstm_torch", ("torch",)),
)


def run(options: Namespace) -> int:
    """Print the table; 1 where competitors disagree."""
    print(f"\nA recurrent network and its gradient. {conditions(options.rounds)}\n")
    return show_races([(LSTM, LSTM, entrants(COMPETITORS, options.only))], options)
