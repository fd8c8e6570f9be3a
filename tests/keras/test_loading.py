"""How Keras finds autograph, on a small package that is laid out as Keras is: none of it needs Keras itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from autograph import config
from autograph.errors import ArgumentError

FILES = {
    "keras/__init__.py": """
        from . import utils, callbacks
        __version__ = "2.3.1"
    """,
    "keras/utils/__init__.py": """
        from . import generic_utils, io_utils
        from .. import backend
        from .io_utils import kind
    """,
    "keras/utils/generic_utils.py": "",
    "keras/utils/io_utils.py": """
        import numpy as np
        def kind():
            return np.string_
    """,
    "keras/backend/__init__.py": "from .load_backend import *",
    "keras/backend/common.py": """
        _FLOATX, _EPSILON, _IMAGE_DATA_FORMAT = "float64", 1e-3, "channels_first"
    """,
    "keras/backend/load_backend.py": """
        import importlib, os
        from . import common
        try:
            entries = importlib.import_module(os.environ["KERAS_BACKEND"]).__dict__
        except ImportError:
            raise ValueError("Unable to import backend")
        assert all(name in entries for name in ("placeholder", "variable", "function"))
        globals().update(entries)
    """,
    "keras/callbacks/__init__.py": "from .callbacks import *",
    "keras/callbacks/callbacks.py": """
        from collections import Iterable
        import numpy as np
        def best():
            return np.Inf
        def fails():
            raise LookupError
    """,
}


@pytest.fixture
def small_keras(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        lines = [line.removeprefix("        ") for line in text.splitlines()]
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("\n".join(lines))
    return tmp_path


def test_the_variable_alone_is_enough_and_files_stay_as_they_are(small_keras: Path, run: Any) -> None:
    done = run("import keras; print(keras.callbacks.best(), keras.utils.kind().__name__)", KERAS_BACKEND="autograph.keras")
    assert done.stdout == "inf bytes_\n", done.stderr
    assert "np.Inf" in (small_keras / "keras/callbacks/callbacks.py").read_text()


def test_one_line_says_what_is_adapted(small_keras: Path, run: Any) -> None:
    done = run("import keras", KERAS_BACKEND="autograph.keras")
    assert done.stderr.count("\n") == 1 and "autograph.keras: keras 2.3.1 and keras-rl 0.4.2 are adapted to" in done.stderr


def test_a_file_of_byte_code_from_before_is_not_read(small_keras: Path, run: Any) -> None:
    code = "import sys; sys.dont_write_bytecode = False; import keras.utils; print(keras.utils.kind().__name__)"
    (small_keras / "keras/backend/__init__.py").write_text("")
    assert run(code, PYTHONDONTWRITEBYTECODE="").returncode  # np.string_ is gone, but the byte code is written
    done = run(f"import autograph.keras; {code}", PYTHONDONTWRITEBYTECODE="")
    assert done.stdout == "bytes_\n", done.stderr


def test_importing_it_first_needs_no_variable(small_keras: Path, run: Any) -> None:
    done = run("import autograph.keras, keras; print(keras.callbacks.best())")
    assert done.stdout == "inf\n", done.stderr


def test_processes_that_are_spawned_are_adapted_too_and_say_nothing(small_keras: Path, run: Any) -> None:
    (small_keras / "script.py").write_text(
        "import sys, multiprocessing, keras\n"
        "def best(x):\n    return keras.callbacks.best() + x\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(best, [1]), sys.argv)\n"
    )
    done = run("-m", "autograph", "keras", "script.py", "--fast", "2")
    assert done.stdout == "[inf] ['script.py', '--fast', '2']\n" and done.stderr.count("adapted") == 1, done.stderr


def test_a_script_that_is_not_there_is_said(run: Any) -> None:
    done = run("-m", "autograph", "keras", "nowhere.py")
    assert done.returncode == 2 and "no script 'nowhere.py'" in done.stderr


def test_tracebacks_show_the_lines_of_the_file(small_keras: Path, run: Any) -> None:
    done = run("import keras; keras.callbacks.fails()", KERAS_BACKEND="autograph.keras")
    assert 'callbacks.py", line 7, in fails\n    raise LookupError' in done.stderr


def test_labels_that_are_floats_are_cut_as_by_the_backends_of_keras(run: Any) -> None:
    code = "print(A.eval(A.sparse_categorical_crossentropy([[1.7]], [[0.25, 0.75]])))"
    done = run(f"import autograph.keras as A; {code}")
    assert float(done.stdout.strip().strip("[]")) == pytest.approx(-math.log(0.75), 1e-6), done.stderr


def test_settings_are_those_of_keras(small_keras: Path, run: Any) -> None:
    done = run(
        """
        import autograph, keras
        from autograph import backend as K
        from keras.backend import common
        print(K.floatx(), K.epsilon(), K.image_data_format(), K.dtype(K.zeros(2)))
        common._FLOATX = "float16"
        print(K.floatx())
        K.set_floatx("float32")
        print(common._FLOATX, autograph.floatx(), autograph.default_executor() != "")
        """,
        KERAS_BACKEND="autograph.keras",
    )
    assert done.stdout == "float64 0.001 channels_first float64\nfloat16\nfloat32 float32 True\n", done.stderr


def test_settings_are_kept_in_another_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_settings", dict(config._settings))
    held = {"floatx": "float64"}
    config.keep_in(lambda before: {**before, **held})
    assert config.floatx() == "float64" and config.image_data_format() == "channels_last"
    with pytest.raises(ArgumentError):
        config.set_floatx("complex")


def test_why_it_cannot_be_loaded_is_shown(small_keras: Path, run: Any) -> None:
    hidden = "import sys; sys.modules['autograph.backend.random'] = None; import keras"
    done = run(hidden, KERAS_BACKEND="autograph.keras")
    last = done.stderr.rstrip().rpartition("\n")[2]
    assert last.startswith("RuntimeError: autograph.keras cannot be loaded: import of autograph.backend.random halted")
