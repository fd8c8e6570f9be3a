"""Optimizers that return updates: `function(inputs, loss, updates=Adam(1e-3).get_updates(loss, params))`.

Names and arguments are those of Keras 2.3.1; `lr` is `learning_rate`, and lower-case names are aliases. A rule of your
own is a subclass of `Optimizer` with one method.
"""

from __future__ import annotations

from optimizers.adaptive import Adadelta, Adagrad, Adamax, Nadam, RMSprop
from optimizers.averaging import Averages, ema, hard_update, lookahead, polyak, soft_update, swa, swapped
from optimizers.base import Optimizer
from optimizers.clipping import (
    all_finite,
    centralize,
    clip_adaptively,
    clip_by_global_norm,
    clip_by_norm,
    clip_by_value,
    global_norm,
    gradient_noise,
)
from optimizers.compose import Accumulated, Partition, Scaled, accumulate, dynamic_scale, partition, static_scale
from optimizers.constraints import (
    Constraint,
    MaxNorm,
    MinMaxNorm,
    NonNeg,
    UnitNorm,
    box,
    get_constraint,
    l1_ball,
    l2_ball,
    max_norm,
    min_max_norm,
    non_neg,
    simplex,
    unit_norm,
)
from optimizers.curvature import SOAP, Sophia
from optimizers.decoupled import AdaBelief, AdamW, Adan, NAdamW, RAdam, Yogi
from optimizers.layerwise import LAMB, LARS, Adafactor, Muon, NovoGrad
from optimizers.online import ASGD, Ftrl
from optimizers.plateaus import Plateau, plateau
from optimizers.quasi_newton import LBFGS
from optimizers.registry import deserialize, get, register, serialize
from optimizers.rules import SGD, Adam, SparseAdam
from optimizers.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from optimizers.schedules import (
    Schedule,
    constant,
    cosine,
    cosine_restarts,
    exponential,
    interpolate,
    inverse_time,
    join,
    linear,
    multi_step,
    one_cycle_cosine,
    one_cycle_linear,
    piecewise_constant,
    polynomial,
    rsqrt,
    step_decay,
    triangular,
    warmup,
    wsd,
)
from optimizers.sharpness import sam_gradients
from optimizers.signed import Lion, Rprop
from optimizers.slots import Slots

__all__ = [
    "ASGD", "Accumulated", "AdaBelief", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Adan",
    "Averages", "Constraint", "Ftrl", "LAMB", "LARS", "LBFGS", "Lion", "MaxNorm", "MinMaxNorm", "Muon", "NAdamW", "Nadam",
    "NonNeg", "NovoGrad", "Optimizer", "Partition", "Plateau", "RAdam", "RMSprop", "Rprop", "SGD", "SOAP", "Scaled",
    "Schedule", "ScheduleFreeAdamW", "ScheduleFreeSGD", "Slots", "Sophia", "SparseAdam", "UnitNorm", "Yogi",
    "accumulate", "adabelief", "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "adan", "all_finite",
    "asgd", "box", "centralize", "clip_adaptively", "clip_by_global_norm", "clip_by_norm", "clip_by_value",
    "constant", "cosine", "cosine_restarts", "deserialize", "dynamic_scale", "ema", "exponential", "ftrl", "get",
    "get_constraint", "global_norm", "gradient_noise", "hard_update", "interpolate", "inverse_time", "join",
    "l1_ball", "l2_ball", "lamb", "lars", "lbfgs", "linear", "lion", "lookahead", "max_norm", "min_max_norm", "multi_step",
    "muon", "nadam", "nadamw", "non_neg", "novograd", "one_cycle_cosine", "one_cycle_linear", "partition",
    "piecewise_constant", "plateau", "polyak", "polynomial", "radam", "rmsprop", "rprop", "rsqrt", "sam_gradients",
    "schedulefreeadamw", "schedulefreesgd", "serialize", "sgd", "simplex", "soap", "soft_update", "sophia",
    "sparseadam", "static_scale", "step_decay", "swa", "swapped", "triangular", "unit_norm", "warmup", "wsd",
    "yogi",
]  # fmt: skip

_ALL: tuple[type[Optimizer], ...] = (
    ASGD, LAMB, LARS, LBFGS, SGD, SOAP, AdaBelief, Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Adan, Ftrl, Lion,
    Muon, NAdamW, Nadam, NovoGrad, RAdam, RMSprop, Rprop, ScheduleFreeAdamW, ScheduleFreeSGD, Sophia, SparseAdam,
    Yogi,
)  # fmt: skip
register([*_ALL, Accumulated, Partition, Scaled])
del register
asgd, ftrl = ASGD, Ftrl
adadelta, adagrad, adamax, nadam, rmsprop = Adadelta, Adagrad, Adamax, Nadam, RMSprop
adabelief, adamw, adan, nadamw, radam, yogi = AdaBelief, AdamW, Adan, NAdamW, RAdam, Yogi
lamb, lars, adafactor, muon, novograd = LAMB, LARS, Adafactor, Muon, NovoGrad
lion, rprop = Lion, Rprop
schedulefreeadamw, schedulefreesgd = ScheduleFreeAdamW, ScheduleFreeSGD
soap, sophia = SOAP, Sophia
sgd, adam, sparseadam, lbfgs = SGD, Adam, SparseAdam, LBFGS
