"""How hypothesis runs here: the same examples every time in the gate, fresh ones and more of them in a campaign."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile("gate", derandomize=True, deadline=None, max_examples=50, database=None, suppress_health_check=SLOW)
settings.register_profile("campaign", deadline=None, max_examples=2000, print_blob=True, suppress_health_check=SLOW)
settings.load_profile("campaign" if os.environ.get("AUTOGRAPH_CAMPAIGN") else "gate")
