"""The rules as a NumPy programmer writes them, one parameter at a time, from the papers and not from `optimizers`.

Each takes a parameter, its gradient, what it remembered (a dict, empty at first), the step (1 at first), and numbers;
it returns the new parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Rule = Callable[..., Array]
STEPS = 100
SHAPES: Any = ((3, 4), (5, 2))
VECTORS: Any = ((7,), (1,))


def start(dtype: str = "float64", shapes: Any = SHAPES) -> list[Array]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def gradients_of(dtype: str = "float64", shapes: Any = SHAPES) -> Iterator[list[Array]]:
    rng = np.random.default_rng(1)
    for _ in range(STEPS):
        yield [(rng.normal(size=shape) * 10 ** rng.uniform(-3, 1)).astype(dtype) for shape in shapes]


def curvature(shape: Any, t: int) -> Array:
    """The diagonal of a Hessian at step t."""
    return np.random.default_rng((2, t, *shape)).normal(size=shape) * 30


def walk(rule: Rule, lr: float, decay: float = 0.0, shapes: Any = SHAPES, kept: str = "", **numbers: Any) -> list[Array]:
    """Where the parameters are after 100 steps with given gradients, and what the rule has kept for each by that name."""
    params, memory = start(shapes=shapes), [{} for _ in shapes]  # type: ignore[var-annotated]
    for t, found in enumerate(gradients_of(shapes=shapes), 1):
        rate = lr / (1 + decay * (t - 1))
        params = [rule(p, g, s, t, rate, **numbers) for p, g, s in zip(params, found, memory, strict=True)]
    return params + [s[kept] for s in memory if kept]


def ema(s: dict[str, Any], name: str, beta: float, x: Any) -> Any:
    s[name] = s.get(name, 0.0) + (1 - beta) * (x - s.get(name, 0.0))
    return s[name]


def sgd(p: Any, g: Any, s: Any, t: int, lr: float, momentum=0.0, nesterov=False) -> Any:
    s["velocity"] = momentum * s.get("velocity", 0) - lr * g
    return p + (momentum * s["velocity"] - lr * g if nesterov else s["velocity"])


def adam(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False) -> Any:
    m, v = ema(s, "m", beta_1, g), ema(s, "v", beta_2, g * g)
    s["top"] = np.maximum(s.get("top", 0), v)
    rate = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return p - rate * m / (np.sqrt(s["top"] if amsgrad else v) + epsilon)


def rmsprop(p: Any, g: Any, s: Any, t: int, lr: float, rho=0.9, epsilon=1e-7, momentum=0.0, centered=False) -> Any:
    spread = ema(s, "square", rho, g**2) - (ema(s, "mean", rho, g) ** 2 if centered else 0)
    s["velocity"] = momentum * s.get("velocity", 0) - lr * g / (np.sqrt(spread) + epsilon)
    return p + s["velocity"]


def adagrad(p: Any, g: Any, s: Any, t: int, lr: float, epsilon=1e-7) -> Any:
    s["sum"] = s.get("sum", 0) + g**2
    return p - lr / (s["sum"] ** 0.5 + epsilon) * g


def adadelta(p: Any, g: Any, s: Any, t: int, lr: float, rho=0.95, epsilon=1e-7) -> Any:
    u = np.sqrt((s.get("steps", 0) + epsilon) / (ema(s, "square", rho, g * g) + epsilon)) * g
    ema(s, "steps", rho, u * u)
    return p - lr * u


def adamax(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, beta_2=0.999, epsilon=1e-7) -> Any:
    s["top"] = np.maximum(beta_2 * s.get("top", 0), np.abs(g))
    return p - lr * ema(s, "m", beta_1, g) / (1 - beta_1**t) / (s["top"] + epsilon)


def nadam(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, beta_2=0.999, epsilon=1e-7, schedule_decay=0.004,
          weight_decay=0.0) -> Any:  # fmt: skip
    mu, following = (beta_1 * (1 - 0.96 ** (k * schedule_decay) / 2) for k in (t, t + 1))
    s["product"] = s.get("product", 1.0) * mu
    bar = (1 - mu) * g / (1 - s["product"]) + following * ema(s, "m", beta_1, g) / (1 - s["product"] * following)
    return p - lr * bar / (np.sqrt(ema(s, "v", beta_2, g**2) / (1 - beta_2**t)) + epsilon) - lr * weight_decay * p


def adamw(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False,
          weight_decay=0.01, decoupled="lr", eps_hat=True, first=0.01) -> Any:  # fmt: skip
    m, v = ema(s, "m", beta_1, g), ema(s, "v", beta_2, g * g)
    if amsgrad:
        v = s["top"] = np.maximum(s.get("top", 0), v)
    place = epsilon / np.sqrt(1 - beta_2**t) if eps_hat else epsilon
    adam = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + place)
    return p - lr * adam - {"lr": lr, "schedule": lr / first, "none": 1}[decoupled] * weight_decay * p


def radam(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.0,
          eps_hat=True) -> Any:  # fmt: skip
    m, v = ema(s, "m", beta_1, g) / (1 - beta_1**t), ema(s, "v", beta_2, g * g)
    end = 2 / (1 - beta_2) - 1
    rho = end - 2 * t * beta_2**t / (1 - beta_2**t)
    step = m
    if rho > 5:
        r = np.sqrt((rho - 4) * (rho - 2) * end / ((end - 4) * (end - 2) * rho))
        step = r * m / (np.sqrt(v / (1 - beta_2**t)) + (epsilon / np.sqrt(1 - beta_2**t) if eps_hat else epsilon))
    return p * (1 - lr * weight_decay) - lr * step


def yogi(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, beta_2=0.999, epsilon=1e-3, initial=1e-6) -> Any:
    v = s.get("v", initial)
    s["v"] = np.where(v > g**2, v - (1 - beta_2) * g**2, v + (1 - beta_2) * g**2)
    return p - lr * ema(s, "m", beta_1, g) / (1 - beta_1**t) / (np.sqrt(s["v"] / (1 - beta_2**t)) + epsilon)


def adabelief(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, beta_2=0.999, epsilon=1e-16, weight_decay=0.0) -> Any:
    m = ema(s, "m", beta_1, g)
    s["v"] = ema(s, "v", beta_2, (g - m) ** 2) + epsilon
    step = m / (1 - beta_1**t) / (np.sqrt(s["v"] / (1 - beta_2**t)) + epsilon)
    return p - lr * (step + weight_decay * p)


def adan(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.98, beta_2=0.92, beta_3=0.99, epsilon=1e-7,
         weight_decay=0.0) -> Any:  # fmt: skip
    d = g - s.get("g", g)
    s["g"] = g
    m, v = ema(s, "m", beta_1, g) / (1 - beta_1**t), ema(s, "v", beta_2, d) / (1 - beta_2**t)
    n = ema(s, "n", beta_3, (g + (1 - beta_2) * d) ** 2) / (1 - beta_3**t)
    return (p - lr / (np.sqrt(n) + epsilon) * (m + (1 - beta_2) * v)) / (1 + lr * weight_decay)


def lion(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, beta_2=0.99, weight_decay=0.0) -> Any:
    u = np.sign(beta_1 * s.get("m", 0) + (1 - beta_1) * g)
    ema(s, "m", beta_2, g)
    return p - lr * (u + weight_decay * p)


def rprop(p: Any, g: Any, s: Any, t: int, lr: float, shrink=0.5, grow=1.2, smallest=1e-6, largest=50.0) -> Any:
    product = g * s.get("g", 0)
    factor = np.where(product > 0, grow, np.where(product < 0, shrink, 1.0))
    s["size"] = np.minimum(np.maximum(s.get("size", lr) * factor, smallest), largest)
    s["g"] = np.where(product < 0, 0, g)
    return p - np.sign(s["g"]) * s["size"]


def trusted(p: Any, step: Any, coefficient: float = 1.0, epsilon: float = 0.0) -> Any:
    """How much longer a step gets, to be in proportion to p; 1 where either is zero."""
    above, below = np.linalg.norm(p), np.linalg.norm(step)
    return coefficient * above / (below + epsilon) if above > 0 and below > 0 else 1.0


def lamb(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, beta_2=0.999, epsilon=1e-6, weight_decay=0.0) -> Any:
    v = np.sqrt(ema(s, "v", beta_2, g**2) / (1 - beta_2**t))
    r = ema(s, "m", beta_1, g) / (1 - beta_1**t) / (v + epsilon) + weight_decay * p
    return p - lr * trusted(p, r) * r


def lars(p: Any, g: Any, s: Any, t: int, lr: float, momentum=0.9, trust_coefficient=0.001, epsilon=0.0, weight_decay=0.0,
         nesterov=False) -> Any:  # fmt: skip
    u = g + weight_decay * p
    u = lr * trusted(p, u, trust_coefficient, epsilon) * u
    s["b"] = momentum * s.get("b", 0) + u
    return p - (u + momentum * s["b"] if nesterov else s["b"])


def novograd(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, beta_2=0.25, epsilon=1e-6, weight_decay=0.0) -> Any:
    size = float(np.sum(g * g))
    s["v"] = size if t == 1 else beta_2 * s["v"] + (1 - beta_2) * size
    s["m"] = beta_1 * s.get("m", 0) + (g / (np.sqrt(s["v"]) + epsilon) + weight_decay * p)
    return p - lr * s["m"]


def muon(p: Any, g: Any, s: Any, t: int, lr: float, momentum=0.95, weight_decay=0.1, nesterov=True, steps=5,
         adjust="original") -> Any:  # fmt: skip
    m = ema(s, "m", momentum, g)
    u, (n, k) = (1 - momentum) * g + momentum * m if nesterov else m, p.shape
    left, values, right = np.linalg.svd(u, full_matrices=False)
    x = values / np.linalg.norm(values)
    for _ in range(steps):
        x = 3.4445 * x - 4.775 * x**3 + 2.0315 * x**5
    scale = {"original": np.sqrt(max(1, k / n)), "rms": 0.2 * np.sqrt(max(n, k)), "none": 1}[adjust]
    return p * (1 - lr * weight_decay) - lr * scale * (left * x) @ right


def adafactor(p: Any, g: Any, s: Any, t: int, lr: float, exponent=0.8, epsilon_1=1e-30, epsilon_2=1e-3, threshold=1.0,
              weight_decay=0.0, relative_step=True) -> Any:  # fmt: skip
    beta, squares = 1 - t**-exponent, g**2 + epsilon_1
    if p.ndim > 1:
        r, c = ema(s, "r", beta, squares.sum(-1)), ema(s, "c", beta, squares.sum(-2))
        v = np.outer(r, c) / r.sum()
    else:
        v = ema(s, "v", beta, squares)
    u = g / np.sqrt(v)
    u /= max(1, np.sqrt(np.mean(u**2)) / threshold)
    rho = min(lr, 1 / np.sqrt(t)) if relative_step else lr
    return p * (1 - lr * weight_decay) - max(epsilon_2, np.sqrt(np.mean(p**2))) * rho * u


def asgd(p: Any, g: Any, s: Any, t: int, lr: float, lambd=1e-4, alpha=0.75, t0=1e6) -> Any:
    eta = lr / (1 + lambd * lr * (t - 1)) ** alpha
    new = p * (1 - lambd * eta) - eta * g
    s["average"] = s.get("average", 0) + (new - s.get("average", 0)) / max(1, t - 1 - t0)
    return new


def ftrl(p: Any, g: Any, s: Any, t: int, lr: float, beta=0.0, l1=0.0, l2=0.0, initial=0.1) -> Any:
    n = s.get("n", initial)
    if t == 1:
        s["z"] = -p * ((beta + np.sqrt(n)) / lr + l2) - np.sign(p) * l1
    s["n"] = n + g**2
    s["z"] = s["z"] + g - (np.sqrt(s["n"]) - np.sqrt(n)) / lr * p
    leader = -(s["z"] - np.sign(s["z"]) * l1) / ((beta + np.sqrt(s["n"])) / lr + l2)
    return np.where(np.abs(s["z"]) <= l1, 0.0, leader)


def sophia(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.96, beta_2=0.99, gamma=0.01, epsilon=1e-12,
           weight_decay=0.01, every=10, probe="rademacher") -> Any:  # fmt: skip
    ratio = ema(s, "m", beta_1, g) / np.maximum(gamma * s.get("h", np.zeros_like(p)), epsilon)
    if t % every == 1 % every:
        ema(s, "h", beta_2, curvature(p.shape, t))
    return p - lr * (np.clip(ratio, -1, 1) + weight_decay * p)


def soap(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.95, beta_2=0.95, epsilon=1e-7, weight_decay=0.01, every=10,
         largest=10_000) -> Any:  # fmt: skip
    if p.ndim < 2:
        return adamw(p, g, s, t, lr, beta_1, beta_2, epsilon, weight_decay=weight_decay)
    q = s.setdefault("q", [np.eye(n) for n in p.shape])
    v = ema(s, "v", beta_2, (q[0].T @ g @ q[1]) ** 2)
    hat = np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    step = hat * q[0] @ ((q[0].T @ ema(s, "m", beta_1, g) @ q[1]) / (np.sqrt(v) + epsilon)) @ q[1].T
    for side, squares in enumerate((g @ g.T, g.T @ g)):
        factor = ema(s, f"factor_{side}", beta_2, squares)
        if t % every == 0 and p.shape[side] <= largest:
            q[side] = np.linalg.qr(factor @ q[side])[0]
    return p - lr * (step + weight_decay * p)


def schedule_free_sgd(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, weight_decay=0.0, weight_power=2.0) -> Any:
    return averaged(p, g + weight_decay * p, s, lr, lr, beta_1, weight_power)


def schedule_free_adamw(p: Any, g: Any, s: Any, t: int, lr: float, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=0.0,
                        weight_power=2.0, eps_hat=True) -> Any:  # fmt: skip
    seen, v = 1 - beta_2**t, ema(s, "v", beta_2, g**2)
    gamma = lr * np.sqrt(seen) if eps_hat else lr
    u = g / (np.sqrt(v if eps_hat else v / seen) + epsilon)
    return averaged(p, u + weight_decay * p, s, gamma, gamma, beta_1, weight_power)


def averaged(p: Any, u: Any, s: Any, lr: float, gamma: float, beta: float, power: float) -> Any:
    """y from x and z, all three kept, as in the paper."""
    z = s.get("z", p) - lr * u
    s["total"] = s.get("total", 0.0) + gamma**power
    c = gamma**power / s["total"]
    s["x"], s["z"] = (1 - c) * s.get("x", p) + c * z, z
    return (1 - beta) * z + beta * s["x"]
