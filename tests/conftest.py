"""How the tests run: on NumPy, the definition, unless AUTOGRAPH_EXECUTOR names another executor.

Hypothesis draws the same examples every time in the gate, fresh ones and more of them in a campaign.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from autograph import config
from autograph.graph import tensor

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile("gate", derandomize=True, deadline=None, max_examples=50, database=None, suppress_health_check=SLOW)
settings.register_profile("campaign", deadline=None, max_examples=2000, print_blob=True, suppress_health_check=SLOW)
settings.load_profile("campaign" if os.environ.get("AUTOGRAPH_CAMPAIGN") else "gate")


def pytest_configure() -> None:
    """NumPy here and in processes that tests start, where the environment names no executor."""
    if not os.environ.get("AUTOGRAPH_EXECUTOR"):
        os.environ["AUTOGRAPH_EXECUTOR"] = "numpy"
        config.set_default_executor("numpy")


def pytest_collection_finish() -> None:
    """What was imported and collected stays, so the garbage collector need not look through it again in test after test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _graphs_of_other_tests_stay() -> Iterator[None]:
    """`clear_session` in one test does not make the tensors of another's module stale."""
    before = tensor._cleared[0]
    yield
    tensor._cleared[0] = before


@pytest.fixture(scope="module")
def on_numpy() -> Iterator[None]:
    """For tests of what the NumPy executor makes of a program: it is the default there, also where another is elsewhere."""
    before = config.default_executor()
    config.set_default_executor("numpy")
    yield
    config.set_default_executor(before)
