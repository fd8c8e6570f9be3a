"""autograph: gradients on a symbolic graph, and functions whose calls are ticks of a clock.

A variable is a register, a call of a compiled function is one tick, and the updates are the next-state function.
"""

from __future__ import annotations

from autograph import arguments, ops
from autograph.branches import cond
from autograph.config import (
    default_executor,
    epsilon,
    floatx,
    image_data_format,
    set_default_executor,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    set_threads,
    threads,
)
from autograph.control import iterate
from autograph.derivatives import hessian, hessian_vector_product, jacobian, jacobian_vector_product
from autograph.errors import (
    AmbiguousError,
    ArgumentError,
    ArgumentTypeError,
    AutographError,
    AxisError,
    CheckpointError,
    DisconnectedError,
    DivisionByZeroError,
    DTypeError,
    DuplicateUpdateError,
    FeedError,
    IndexRangeError,
    LoopError,
    MissingInputError,
    NoGradientRuleError,
    NonFiniteError,
    ReentrantCallError,
    ShapeError,
    SizeError,
    StaleGraphError,
    SymbolicError,
    UpdateError,
    UpdateTypeError,
    nearest,
)
from autograph.evaluation import eval
from autograph.explain import GradientPath, explain_gradient
from autograph.function import Function, function
from autograph.functions.activations import (
    elu,
    gelu,
    gelu_tanh,
    hard_sigmoid,
    leaky_relu,
    log_softmax,
    mish,
    relu6,
    selu,
    silu,
    softmax,
    swish,
)
from autograph.functions.regularisation import dropout
from autograph.functions.row_sparse import RowSparse, row_sparse
from autograph.functions.statistics import count_nonzero, moments, norm, reduce_std
from autograph.gradients import gradients
from autograph.graph.tensor import Constant, Placeholder, Tensor, Variable, as_tensor, constant, placeholder, variable
from autograph.graph.updates import Update, Updates
from autograph.graph.writing import set_values
from autograph.ops.barriers import gradient_clip, gradient_reverse, gradient_scale, identity, stop_gradient
from autograph.ops.comparison import (
    equal,
    greater,
    greater_equal,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)
from autograph.ops.contraction import batch_dot, dot, inner, matmul, outer, tensordot, vecdot
from autograph.ops.convolution import conv, conv_transpose
from autograph.ops.cumulative import cumprod, cumsum
from autograph.ops.custom import custom_gradient, custom_op
from autograph.ops.diagonal import diag, diagonal, trace, tril, triu
from autograph.ops.effects import print_tensor
from autograph.ops.einsum import einsum
from autograph.ops.elementwise import (
    abs,
    add,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    cast,
    cbrt,
    cos,
    cosh,
    div_no_nan,
    divide,
    exp,
    exp2,
    expm1,
    floor_divide,
    hypot,
    lerp,
    log,
    log1p,
    log2,
    log10,
    mod,
    mul_no_nan,
    multiply,
    negative,
    power,
    reciprocal,
    rsqrt,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
)  # fmt: skip
from autograph.ops.filling import full_like, ones_like, zeros_like
from autograph.ops.gathering import gather, one_hot, scatter_add
from autograph.ops.guard import hold
from autograph.ops.indexing import boolean_mask, gather_nd, nonzero
from autograph.ops.joining import concatenate, pad, repeat, roll, split, stack, tile, unstack
from autograph.ops.linear_algebra import cholesky, det, inv, qr, solve
from autograph.ops.movement import (
    broadcast_like,
    broadcast_to,
    expand_dims,
    flatten,
    flip,
    moveaxis,
    ravel,
    reshape,
    reshape_like,
    squeeze,
    swapaxes,
    transpose,
)
from autograph.ops.norms import centered, logsumexp, reduce_var
from autograph.ops.pooling import average_pool, max_pool, sum_pool
from autograph.ops.random import (
    random_bernoulli,
    random_integers,
    random_normal,
    random_permutation,
    random_uniform,
    seed_state,
    truncated_normal,
)
from autograph.ops.ranges import arange, eye, tri
from autograph.ops.reduction import (
    argmax,
    argmin,
    reduce_all,
    reduce_any,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from autograph.ops.rounding import ceil, floor, round, trunc
from autograph.ops.rows import put_rows
from autograph.ops.selection import clip, maximum, minimum, relu, where
from autograph.ops.shape import rank, shape, size_of
from autograph.ops.sorting import argsort, searchsorted, sort, take_along_axis, top_k, unique
from autograph.ops.special import (
    digamma,
    erf,
    erfc,
    erfinv,
    lgamma,
    log_sigmoid,
    logaddexp,
    ndtr,
    ndtri,
    polygamma,
    sigmoid,
    sinc,
    softplus,
    softsign,
    xlog1py,
    xlogy,
)
from autograph.scan import scan
from autograph.session import Session, clear_session, get_session, set_session
from autograph.while_loop import while_loop

__all__ = [
    "AmbiguousError", "ArgumentError", "ArgumentTypeError", "AutographError", "AxisError", "CheckpointError", "Constant",
    "DTypeError", "DisconnectedError", "DivisionByZeroError", "DuplicateUpdateError", "FeedError", "Function", "GradientPath",
    "IndexRangeError", "LoopError", "MissingInputError", "NoGradientRuleError", "NonFiniteError", "Placeholder",
    "ReentrantCallError", "RowSparse", "Session", "ShapeError", "SizeError", "StaleGraphError", "SymbolicError", "Tensor",
    "Update", "UpdateError", "UpdateTypeError", "Updates", "Variable", "abs", "add", "arange", "arccos", "arccosh", "arcsin",
    "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argsort", "arguments", "as_tensor", "average_pool",
    "batch_dot", "boolean_mask", "broadcast_like", "broadcast_to", "cast", "cbrt", "ceil", "centered", "cholesky",
    "clear_session", "clip", "concatenate", "cond", "constant", "conv", "conv_transpose", "cos", "cosh", "count_nonzero",
    "cumprod", "cumsum", "custom_gradient", "custom_op", "default_executor", "det", "diag", "diagonal", "digamma", "div_no_nan",
    "divide", "dot", "dropout", "einsum", "elu", "epsilon", "equal", "erf", "erfc", "erfinv", "eval", "exp", "exp2",
    "expand_dims", "explain_gradient", "expm1", "eye", "flatten", "flip", "floatx", "floor", "floor_divide", "full_like",
    "function", "gather", "gather_nd", "gelu", "gelu_tanh", "get_session", "gradient_clip", "gradient_reverse",
    "gradient_scale", "gradients", "greater", "greater_equal", "hard_sigmoid", "hessian", "hessian_vector_product", "hold",
    "hypot", "identity", "image_data_format", "inner", "inv", "isfinite", "isinf", "isnan", "iterate", "jacobian",
    "jacobian_vector_product", "leaky_relu", "lerp", "less", "less_equal", "lgamma", "log", "log10", "log1p", "log2",
    "log_sigmoid", "log_softmax", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "logsumexp", "matmul",
    "max_pool", "maximum", "minimum", "mish", "mod", "moments", "moveaxis", "mul_no_nan", "multiply", "ndtr", "ndtri",
    "nearest", "negative", "nonzero", "norm", "not_equal", "one_hot", "ones_like", "ops", "outer", "pad", "placeholder",
    "polygamma", "power", "print_tensor", "put_rows", "qr", "random_bernoulli", "random_integers", "random_normal",
    "random_permutation",
    "random_uniform", "rank", "ravel", "reciprocal", "reduce_all", "reduce_any", "reduce_max", "reduce_mean", "reduce_min",
    "reduce_prod", "reduce_std", "reduce_sum", "reduce_var", "relu", "relu6", "repeat", "reshape", "reshape_like", "roll",
    "round", "row_sparse", "rsqrt", "scan", "scatter_add", "searchsorted", "seed_state", "selu", "set_default_executor",
    "set_epsilon", "set_floatx", "set_image_data_format", "set_session", "set_threads", "set_values", "shape", "sigmoid",
    "sign", "silu", "sin", "sinc", "sinh", "size_of", "softmax", "softplus", "softsign", "solve", "sort", "split", "sqrt",
    "square", "squeeze", "stack", "stop_gradient", "subtract", "sum_pool", "swapaxes", "swish", "take_along_axis", "tan",
    "tanh", "tensordot", "threads", "tile", "top_k", "trace", "transpose", "tri", "tril", "triu", "trunc", "truncated_normal",
    "unique", "unstack", "variable", "vecdot", "where", "while_loop", "xlog1py", "xlogy", "zeros_like",
]  # fmt: skip
