"""floatx, epsilon and the image data format, kept where Keras keeps them, so that there is one of each."""

from __future__ import annotations

import sys
from typing import Any

from autograph import config

__all__ = ["share"]

_KERAS = "keras.backend.common"  # the module that holds them
_SHARED = {"floatx": "_FLOATX", "epsilon": "_EPSILON", "image_data_format": "_IMAGE_DATA_FORMAT"}


class _Shared(dict[str, Any]):
    """Settings of which three are those of Keras, as soon as Keras is loaded."""

    def __getitem__(self, name: str) -> Any:
        keras = sys.modules.get(_KERAS)
        return super().__getitem__(name) if keras is None or name not in _SHARED else getattr(keras, _SHARED[name])

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        keras = sys.modules.get(_KERAS)
        if keras is not None and name in _SHARED:
            setattr(keras, _SHARED[name], value)


def share() -> None:
    """Let `autograph.config` read and write Keras's settings from now on."""
    config.keep_in(_Shared)
