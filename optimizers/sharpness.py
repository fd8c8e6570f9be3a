"""SAM: gradients from where the loss is higher nearby, so that training ends where its surroundings are low too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograph import (
    ArgumentTypeError,
    Tensor,
    Updates,
    Variable,
    abs,
    cast,
    div_no_nan,
    square,
    stop_gradient,
)
from optimizers.arguments import read_gradients, read_parameters
from optimizers.clipping import global_norm
from optimizers.hyperparameters import amount

_RHO = amount(0.05, "ρ")
_RHO.name = "rho"


def sam_gradients(loss: Tensor, params: Sequence[Variable], rho: Any = 0.05, adaptive: bool = False) -> list[Tensor]:
    """∂loss at p + ε, for every p of `params`, in the place of the loss: `opt.get_updates(sam_gradients(loss, ps), ps)`.

        ε = ρ·g/‖g‖                            g = ∂loss/∂p, ‖·‖ over all parameters (Foret et al. 2021)
        adaptive: ε = ρ·p²·g/‖|p|·g‖           which does not depend on the scales of parameters (Kwon et al. 2021)

    rho, ρ   how far up: a number of at least 0, or a float tensor of rank 0, such as a register

    ε counts as a constant. It is 0 where all gradients are, and a norm does not overflow; gradients that are not finite
    give gradients that are not. Random numbers are the same at both points. What is given back is plain gradients: options
    of the optimizer, such as `clipnorm`, are applied to them. Raises ArgumentTypeError for gradients in the loss's
    place, ArgumentError for a number that makes no sense, and what `Optimizer.get_gradients` raises.
    """
    if not isinstance(loss, Tensor):
        raise ArgumentTypeError(
            "sam_gradients: gradients in place of the loss", why="they are taken at other points", fix="pass the loss"
        )
    distance, own = _RHO.read(rho), read_parameters(params)
    found = read_gradients(loss, own)
    wide = [cast(g, np.result_type(g.dtype, np.float32)) for g in found]  # half precision would not hold their norm
    scales = [square(cast(p, g.dtype)) if adaptive else 1.0 for p, g in zip(own, wide, strict=True)]
    size = global_norm([abs(p) * g if adaptive else g for p, g in zip(own, wide, strict=True)])
    steps = [distance * scale * div_no_nan(g, size) for scale, g in zip(scales, wide, strict=True)]
    moved = Updates([(p, p + stop_gradient(cast(step, p.dtype))) for p, step in zip(own, steps, strict=True)])
    gradients: list[Tensor] = moved.after(found)
    return gradients
