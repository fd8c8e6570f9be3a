"""Stability: forms that overflow or cancel become those that do not. Finite values stay within a few ulp of the truth."""

from __future__ import annotations

from autograph.graph.tensor import Tensor
from autograph.ops.elementwise import abs as absolute
from autograph.ops.elementwise import exp, expm1, log, log1p, sqrt, square
from autograph.ops.special import log_sigmoid, sigmoid, softplus
from autograph.passes.rewrite import Rules

stability = Rules("stability")


@stability.rule(lambda x: log(sigmoid(x)))
def log_of_sigmoid(x: Tensor) -> Tensor:
    return log_sigmoid(x)


@stability.rule(lambda x: log(1.0 + exp(x)))
def log_of_one_plus_exp(x: Tensor) -> Tensor:
    return softplus(x)


@stability.rule(lambda x: log1p(exp(x)))
def log1p_of_exp(x: Tensor) -> Tensor:
    return softplus(x)


@stability.rule(lambda x: log(1.0 + x))
def log_of_one_plus(x: Tensor) -> Tensor:
    return log1p(x)


@stability.rule(lambda x: exp(x) - 1.0)
def exp_minus_one(x: Tensor) -> Tensor:
    return expm1(x)


@stability.rule(lambda x: log(exp(x)))
def log_of_exp(x: Tensor) -> Tensor:
    return x


@stability.rule(lambda x: sqrt(square(x)))
def root_of_square(x: Tensor) -> Tensor:
    return absolute(x)
