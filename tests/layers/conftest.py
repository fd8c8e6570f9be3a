"""What several of these tests need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

DIGITS = Path(__file__).resolve().parents[2] / "docs/tutorials/data/optdigits.npz"


@pytest.fixture(scope="session")
def digits() -> tuple[Any, Any]:
    """Images of 64 grey levels from 0 to 1, in an order of chance, and the digits that they show."""
    with np.load(DIGITS) as data:
        images, labels = data["images"].reshape(-1, 64) / np.float32(16), data["labels"]
    order = np.random.RandomState(0).permutation(len(images))
    return images[order], labels[order]
