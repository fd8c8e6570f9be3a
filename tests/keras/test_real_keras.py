"""Keras 2.3.1 and keras-rl 0.4.2 themselves, where they are installed."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

EDITS = Path(__file__).resolve().parents[2] / "autograph/keras/edits.py"
PACKAGES = ("h5py", "keras", "keras_applications", "keras_preprocessing", "rl", "scipy")
table: dict[str, Any] = {}
exec(compile(EDITS.read_text(encoding="utf-8"), EDITS, "exec"), table)  # alone: importing its package adapts this process

pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in PACKAGES), reason="the extra `keras` is not installed"
)


def source_of(module: str) -> str:
    package, *rest = module.split(".")
    spec = find_spec(package)
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0], *rest).with_suffix(".py").read_text(encoding="utf-8")


@pytest.mark.parametrize(("module", "pattern"), [(m, p) for m, edits in table["EDITS"].items() for p, _ in edits])
def test_every_edit_finds_its_line_and_keeps_the_count_of_lines(module: str, pattern: str) -> None:
    source = source_of(module)
    assert re.search(pattern, source)
    assert table["edited"](module, source).count("\n") == source.count("\n")
    assert table["edited"](module, source) != source


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a script of Keras prints, one line for each fact below."""
    folder = tmp_path_factory.mktemp("keras")
    (folder / "script.py").write_text(SCRIPT)
    here = {"KERAS_HOME": str(folder / "home"), "PYTHONPATH": str(EDITS.parents[2]), "AUTOGRAPH_EXECUTOR": "numpy"}
    command = [sys.executable, "-W", "error::SyntaxWarning", "-m", "autograph", "keras", "script.py"]
    done = subprocess.run(command, cwd=folder, env=here, text=True, capture_output=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


SCRIPT = '''
import numpy as np
from keras import backend as K, metrics
from keras.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from keras.layers import BatchNormalization, Dense, Dropout, Input, Lambda
from keras.models import Model, load_model
from keras.preprocessing.sequence import pad_sequences
from keras.utils.generic_utils import getargspec
import rl.agents, rl.util
from rl.agents.dqn import NAFLayer

np.random.seed(0)
x = Input((4,))
print("lambda", K.int_shape(Lambda(lambda t: K.sum(t, axis=-1))(x)))

y = Dense(1)(Dropout(0.1)(BatchNormalization()(Dense(8, activation="relu")(x))))
model = Model(x, y)
model.compile("adam", "mse", metrics=["mae"])
features = np.random.normal(size=(64, 4)).astype("float32")
targets = features.sum(1, keepdims=True)
watch = [EarlyStopping(), ReduceLROnPlateau(), ModelCheckpoint("best.h5", save_best_only=True)]
losses = model.fit(features, targets, epochs=12, validation_split=0.25, verbose=0, callbacks=watch).history["loss"]
print("learns", losses[-1] < losses[0])
model.save("model.h5")
again = load_model("model.h5")
print("hdf5", np.array_equal(again.predict(features), model.predict(features)), len(again.optimizer.get_weights()) > 1)
model.compile("sgd", "mse", metrics=[metrics.Precision(top_k=1)])
print("top k", model.evaluate(features, np.ones((64, 1)), verbose=0)[1])
print("padded", pad_sequences([[1], [2, 3]], value=0).tolist())
print("arguments", getargspec(lambda a, b=1: a).args)

error = rl.util.huber_loss(K.constant([[0.0, 0.0]]), K.constant([[0.5, 3.0]]), 1.0)
print("huber", K.eval(error).tolist())
flat, mean, action = np.array([[0.0, 2.0, np.log(3.0)]]), np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
full = NAFLayer(2).call([K.constant(flat), K.constant(mean), K.constant(action)])
diagonal = NAFLayer(2, mode="diag").call([K.constant([[2.0, 4.0]]), K.constant(mean), K.constant(action)])
print("naf", K.eval(full).round(4).tolist(), K.eval(diagonal).tolist())
'''


@pytest.mark.parametrize("line", [
    "lambda (None,)", "learns True", "hdf5 True True", "top k 1.0", "padded [[0, 1], [2, 3]]", "arguments ['a', 'b']",
    "huber [[0.125, 2.5]]", "naf [[-5.0]] [[-3.0]]",
])  # fmt: skip
def test_a_script_of_keras(said: str, line: str) -> None:
    assert line in said.splitlines(), said
