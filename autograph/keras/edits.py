"""Which lines of Keras 2.3.1 and keras-rl 0.4.2 read otherwise on today's Python, NumPy and h5py, and on this backend.

An edit is a pattern of `re` and its replacement, applied wherever it is found; none changes the number of lines, so that
tracebacks and debuggers show the file as it lies on disk. `_autograph` is `autograph.keras.repairs`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["EDITS", "edited"]

Edit = tuple[str, str]

# `np.array` of observations of several shapes: an array of objects, as NumPy made of them until 1.24.
_RAGGED: Edit = (r"batch = np\.array\((batch|\[state\])\)", r"batch = _autograph.stacked(\1)")
# What NAFLayer says on a backend that is neither Theano nor TensorFlow, once for each of its modes.
_UNKNOWN = r"raise RuntimeError\('Unknown Keras backend \"\{\}\"\.'\.format\(K\.backend\(\)\)\)"

EDITS: dict[str, Sequence[Edit]] = {
    # abstract base classes left `collections` with Python 3.10, `inspect.ArgSpec` with 3.11
    "keras.callbacks.callbacks": [
        (r"from collections import Iterable", "from collections.abc import Iterable"),
        (r"np\.Inf\b", "np.inf"),
    ],
    "keras.engine.training_utils": [(r", collections\.(Container|Mapping|Sequence)\)", r", collections.abc.\1)")],
    "keras.utils.generic_utils": [(r"inspect\.ArgSpec\(", "_autograph.ArgSpec(")],
    # `is` with a number is a warning since Python 3.8
    "keras.losses": [(r"label_smoothing is not 0", "label_smoothing != 0")],
    "keras.backend.numpy_backend": [(r"training is (\d)", r"training == \1"), (r"dtype=np\.int\)", "dtype=int)")],
    # names that left NumPy with 2.0
    "keras_preprocessing.sequence": [(r"np\.unicode_", "np.str_")],
    # h5py 3: attributes are text rather than bytes, files open for reading, and `fid` is `id`
    "keras.engine.saving": [(r"(\w+(?:\.attrs)?(?:\['\w+'\])?)\.decode\('utf-?8'\)", r"_autograph.text(\1)")],
    "keras.utils.io_utils": [
        (r"np\.string_", "np.bytes_"),
        (r"\n( {16})self\.data\.attrs\[attr\] = val", r"\n\1self.data.attrs[attr] = data_npy"),  # a list: of fixed width
        (r"\bx\.decode\('utf8'\)", "_autograph.text(x)"),
        (r"h5py\.File\('in-memory-h5py', ", "h5py.File('in-memory-h5py', 'a', "),
        (r"\.fid\.get_file_image", ".id.get_file_image"),
    ],
    # a Lambda without `output_shape` finds it out, as on TensorFlow
    "keras.layers.core": [(r"K\.backend\(\) in \('tensorflow', 'cntk'\)", "True")],
    # the best k predictions of Precision and Recall, for which Keras asked TensorFlow
    "keras.metrics": [(r"top_k is not None and K\.backend\(\) != 'tensorflow'", "False")],
    "keras.utils.metrics_utils": [
        (r"import tensorflow as tf\b", "pass"),
        (r"tf\.nn\.top_k\(x, k, sorted=False\)", "_autograph.top_k(x, k)"),
    ],
    # counters of int16 wrap at 32768 since NumPy 2
    "rl.core": [(r"np\.int16\(0\)", "0")],
    "rl.memory": [(r"np\.copy\(x\)", "_autograph.copied(x)")],
    "rl.processors": [(r"\[np\.array\(x\) for x", "[_autograph.stacked(x) for x")],
    "rl.agents.cem": [_RAGGED],
    "rl.agents.ddpg": [_RAGGED],
    "rl.agents.sarsa": [_RAGGED],
    "rl.agents.dqn": [
        _RAGGED,
        (rf"{_UNKNOWN}(?=\s+assert L )", "L, LT = _autograph.lower_triangles(L_flat, self.nb_actions)"),
        (rf"{_UNKNOWN}(?=\s+assert P )", "P = _autograph.diagonals(L_flat, self.nb_actions)"),
    ],
    "rl.util": [
        (r"raise RuntimeError\('Unknown backend .*", "return K.switch(condition, squared_loss, linear_loss)"),
    ],
}


def edited(module: str, source: str) -> str:
    """The source of a module of `EDITS` as it is to be compiled; as many lines as before."""
    for pattern, replacement in EDITS[module]:
        source = re.sub(pattern, replacement, source)
    return source
