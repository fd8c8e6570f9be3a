"""The rules that PyTorch or optax has too, called so that all take the same steps where any call of the peer's does."""

from dataclasses import dataclass
from typing import Any, NamedTuple

RATE = 1e-3


class Call(NamedTuple):
    """A name in a library, and the keywords it is called with. Not `same`: the library's form of the rule is another."""

    name: str
    keywords: dict[str, Any]
    same: bool = True


@dataclass(frozen=True)
class Rule:
    """One rule as we call it, and as the peers do that have it."""

    name: str
    ours: Call
    torch: Call | None = None
    optax: Call | None = None
    matrices: bool = False  # whether it is made for matrices: the parameters are then square
    products: bool = False  # whether products of these take most of its time, which for large ones is then not the rule's


def _call(name: str, **keywords: Any) -> Call:
    return Call(name, keywords)


def _other(name: str, **keywords: Any) -> Call:
    return Call(name, keywords, same=False)


_BALL = {"lr": RATE, "momentum": 0.9}
RULES = (
    Rule("SGD", _call("SGD", lr=RATE), _call("SGD", lr=RATE), _call("sgd", learning_rate=RATE)),
    Rule("SGD, momentum", _call("SGD", **_BALL), _call("SGD", **_BALL), _call("sgd", learning_rate=RATE, momentum=0.9)),
    Rule("SGD, Nesterov", _call("SGD", **_BALL, nesterov=True), _call("SGD", **_BALL, nesterov=True),
         _call("sgd", learning_rate=RATE, momentum=0.9, nesterov=True)),
    Rule("Adagrad", _call("Adagrad", lr=RATE, epsilon=1e-10), _call("Adagrad", lr=RATE),
         _call("adagrad", learning_rate=RATE, initial_accumulator_value=0.0, eps=1e-20)),
    Rule("Adadelta", _call("Adadelta", rho=0.9, epsilon=1e-6), _call("Adadelta"), _call("adadelta", learning_rate=1.0)),
    Rule("RMSprop", _call("RMSprop", lr=RATE, epsilon=1e-8), _call("RMSprop", lr=RATE, alpha=0.9),
         _call("rmsprop", learning_rate=RATE, eps_in_sqrt=False)),
    Rule("RMSprop, centred", _call("RMSprop", lr=RATE, epsilon=1e-8, centered=True),
         _call("RMSprop", lr=RATE, alpha=0.9, centered=True), _call("rmsprop", learning_rate=RATE, eps=1e-12, centered=True)),
    Rule("RMSprop, momentum", _call("RMSprop", epsilon=1e-8, **_BALL), _call("RMSprop", alpha=0.9, **_BALL),
         _call("rmsprop", learning_rate=RATE, momentum=0.9, eps_in_sqrt=False)),
    Rule("Adam", _call("Adam", lr=RATE, epsilon=1e-8), _call("Adam", lr=RATE), _call("adam", learning_rate=RATE)),
    Rule("AMSGrad", _call("Adam", lr=RATE, epsilon=1e-8, amsgrad=True), _call("Adam", lr=RATE, amsgrad=True),
         _other("amsgrad", learning_rate=RATE)),
    Rule("Adamax", _call("Adamax", lr=RATE), _call("Adamax", lr=RATE), _call("adamax", learning_rate=RATE)),
    Rule("Nadam", _call("Nadam", lr=RATE, epsilon=1e-8), _call("NAdam", lr=RATE), _other("nadam", learning_rate=RATE)),
    Rule("NAdamW", _call("NAdamW", lr=RATE, epsilon=1e-8),
         _call("NAdam", lr=RATE, weight_decay=0.01, decoupled_weight_decay=True),
         _other("nadamw", learning_rate=RATE, weight_decay=0.01)),
    Rule("AdamW", _call("AdamW", lr=RATE, epsilon=1e-8), _call("AdamW", lr=RATE),
         _call("adamw", learning_rate=RATE, weight_decay=0.01)),
    Rule("RAdam", _call("RAdam", lr=RATE, epsilon=1e-8), _call("RAdam", lr=RATE), _call("radam", learning_rate=RATE)),
    Rule("Rprop", _call("Rprop", lr=RATE), _call("Rprop", lr=RATE), _other("rprop", learning_rate=RATE)),
    Rule("ASGD", _call("ASGD", lr=RATE), _call("ASGD", lr=RATE)),
    Rule("Adafactor", _call("Adafactor", lr=RATE), _call("Adafactor", lr=RATE),
         _call("adafactor", learning_rate=RATE, min_dim_size_to_factor=1), matrices=True),
    Rule("Lion", _call("Lion", lr=RATE, weight_decay=1e-3), optax=_call("lion", learning_rate=RATE)),
    Rule("LAMB", _call("LAMB", lr=RATE), optax=_call("lamb", learning_rate=RATE)),
    Rule("LARS", _call("LARS", lr=1.0), optax=_call("lars", learning_rate=1.0)),
    Rule("Yogi", _call("Yogi", lr=RATE), optax=_call("yogi", learning_rate=RATE)),
    Rule("AdaBelief", _call("AdaBelief", lr=RATE), optax=_call("adabelief", learning_rate=RATE)),
    Rule("NovoGrad", _call("NovoGrad", lr=RATE), optax=_call("novograd", learning_rate=RATE)),
    Rule("Adan", _call("Adan", lr=RATE, epsilon=1e-8), optax=_call("adan", learning_rate=RATE, eps_root=0.0)),
    Rule("Muon", _call("Muon", lr=RATE), _other("Muon", lr=RATE),
         _other("contrib.muon", learning_rate=RATE, weight_decay=0.1), matrices=True, products=True),
    Rule("Schedule-free SGD", _call("ScheduleFreeSGD", lr=RATE), optax=_call("contrib.schedule_free_sgd", learning_rate=RATE)),
    Rule("Schedule-free AdamW", _call("ScheduleFreeAdamW", lr=RATE, eps_hat=False, epsilon=1e-8),
         optax=_call("contrib.schedule_free_adamw", learning_rate=RATE)),
)  # fmt: skip
