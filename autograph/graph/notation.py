"""How ops are written in mathematics: in plain text and in LaTeX, and how tightly each form binds."""

from __future__ import annotations

import re
from typing import NamedTuple

# How tightly a form binds: an operand that binds less than its place asks for is put in parentheses.
ANY, CHOICE, LOGIC, COMPARISON, SUM, PRODUCT, UNARY, POWER, ATOM = range(9)


class Notation(NamedTuple):
    """A form in text and in LaTeX with `{0} {1} …` for its operands, how tightly it binds, what its operands must."""

    text: str
    latex: str
    binds: int
    needs: tuple[int, ...]
    latex_needs: tuple[int, ...] | None = None  # where they differ, as in fractions


_TO_THE = Notation("{0}^{1}", "{{{0}}}^{{{1}}}", POWER, (ATOM, ATOM), (ATOM, ANY))
_PLUS = Notation("{0} + {1}", "{0} + {1}", SUM, (SUM, SUM))
_TIMES = Notation("{0}·{1}", r"{0} \cdot {1}", PRODUCT, (PRODUCT, PRODUCT))
_OVER = Notation("{0}/{1}", r"\frac{{{0}}}{{{1}}}", PRODUCT, (PRODUCT, UNARY), (ANY, ANY))


def _between(text: str, latex: str, binds: int) -> Notation:
    return Notation(f"{{0}} {text} {{1}}", f"{{0}} {latex} {{1}}", binds, (binds + 1, binds + 1))


FORMS: dict[str, Notation] = {
    "add": _PLUS,
    "subtract": Notation("{0} − {1}", "{0} - {1}", SUM, (SUM, PRODUCT)),
    "multiply": _TIMES,
    **dict.fromkeys(("mul_no_nan", "times_slope", "times_cotangent"), _TIMES),
    "divide": _OVER,
    "div_no_nan": _OVER,
    "negative": Notation("−{0}", "-{0}", SUM, (PRODUCT,)),
    "reciprocal": Notation("1/{0}", r"\frac{{1}}{{{0}}}", PRODUCT, (UNARY,), (ANY,)),
    "floor_divide": Notation("⌊{0}/{1}⌋", r"\lfloor {0} / {1} \rfloor", ATOM, (PRODUCT, UNARY)),
    "mod": Notation("{0} mod {1}", r"{0} \bmod {1}", PRODUCT, (UNARY, UNARY)),
    "matmul": Notation("{0} @ {1}", r"{0} \, {1}", PRODUCT, (PRODUCT, UNARY)),
    "power": _TO_THE,
    "integer_power": _TO_THE,
    "square": Notation("{0}²", "{{{0}}}^2", POWER, (ATOM,)),
    "sqrt": Notation("√{0}", r"\sqrt{{{0}}}", UNARY, (ATOM,), (ANY,)),
    "rsqrt": Notation("1/√{0}", r"\frac{{1}}{{\sqrt{{{0}}}}}", PRODUCT, (ATOM,), (ANY,)),
    "abs": Notation("|{0}|", r"\left|{0}\right|", ATOM, (ANY,)),
    "exp": Notation("exp({0})", "e^{{{0}}}", POWER, (ANY,)),
    "transpose": Notation("{0}ᵀ", r"{{{0}}}^{{\top}}", POWER, (ATOM,)),
    "equal": _between("=", "=", COMPARISON),
    "not_equal": _between("≠", r"\ne", COMPARISON),
    "less": _between("<", "<", COMPARISON),
    "less_equal": _between("≤", r"\le", COMPARISON),
    "greater": _between(">", ">", COMPARISON),
    "greater_equal": _between("≥", r"\ge", COMPARISON),
    "logical_and": Notation("{0} ∧ {1}", r"{0} \land {1}", LOGIC, (LOGIC, LOGIC)),
    "logical_or": _between("∨", r"\lor", LOGIC),
    "logical_not": Notation("¬{0}", r"\lnot {0}", UNARY, (UNARY,)),
    "hold": Notation(
        "{1} if {0} else {2}",
        r"\begin{{cases}} {1} & {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
        CHOICE,
        (LOGIC, LOGIC, CHOICE),
        (ANY, ANY, ANY),
    ),
}

# Ops that change how a tensor is held and not what it means: a formula shows their first input in their place.
TRANSPARENT = frozenset(
    {"broadcast_like", "broadcast_to", "broadcast_to_sizes", "cast", "expand_dims", "identity", "reshape_like", "stop_gradient"}
)
# Ops whose further inputs lend their shape alone.
SHAPED_LIKE = frozenset({"sum_like"})

_SUPERSCRIPTS = str.maketrans("0123456789abcdefghijklmnoprstuvwxyz−", "⁰¹²³⁴⁵⁶⁷⁸⁹ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ⁻")
_RAISABLE = re.compile(r"−?[0-9]{1,3}|[a-pr-z]")

_LETTERS = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau",
    "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda",
    "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega", "∂": "partial", "∞": "infty",
    "‖": "Vert",
}  # fmt: skip
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉ₜₗᵣ", "0123456789tlr", strict=True))
_ESCAPES = {**{c: "\\" + c for c in "#$%&_{}"}, "~": r"\sim ", "^": r"\wedge ", "\\": r"\backslash "}
_PIECES = re.compile(r"[\x20-\x7e]+|.", re.DOTALL)


def raised(base: str, exponent: str) -> str:
    """A power in text: by superscripts where the exponent is short (`tᵏ`), by `^` else."""
    if _RAISABLE.fullmatch(exponent):
        return base + exponent.translate(_SUPERSCRIPTS)
    return f"{base}^{exponent}" if re.fullmatch(r"[\w.]+|\([^()]*\)", exponent) else f"{base}^({exponent})"


def latex_name(name: str) -> str:
    """A tensor's name in LaTeX: Greek letters, subscript digits, primes and hats by their commands, words upright."""
    ratio = re.fullmatch(r"∂([^/∂]+)/∂([^∂]+)", name)
    if ratio:
        above, below = ratio.groups()
        return rf"\frac{{\partial {latex_name(above)}}}{{\partial {latex_name(below)}}}"
    result = ""
    for piece in _PIECES.findall(name):
        if not piece.isprintable() and piece != "\u0302":
            continue
        if piece.isascii():
            plain = "".join(_ESCAPES.get(c, c) for c in piece)
            result += piece if len(piece) == 1 and piece.isalnum() else rf"\mathrm{{{plain}}}"
        elif piece in _LETTERS:
            result += rf"\{_LETTERS[piece]} "
        elif piece in _SUBSCRIPTS:
            result += f"_{{{_SUBSCRIPTS[piece]}}}"
        elif piece == "′":
            result += "'"
        elif piece == "\u0302":
            result = rf"\hat{{{result.strip()}}}"
        else:
            result += rf"\text{{{piece}}}"
    return result.strip()


def escaped(text: str) -> str:
    """Text as HTML shows it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def latex_number(text: str) -> str:
    """A number as `number` writes it, in LaTeX."""
    base, _, exponent = text.replace("−", "-").partition("e")
    if not exponent:
        return base.replace("inf", r"\infty").replace("nan", r"\mathrm{NaN}")
    return f"10^{{{exponent}}}" if base == "1" else rf"{base} \cdot 10^{{{exponent}}}"


def number(value: float) -> str:
    """A number in six digits: `0.001`, `2`, `−1e−7`, `inf`."""
    text = re.sub(r"e([+-])0*", lambda m: "e" + m[1].replace("+", ""), f"{value:.6g}")
    return text.replace("-", "−")
