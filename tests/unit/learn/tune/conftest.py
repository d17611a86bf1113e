"""How the tests of tuning are tuned."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.learn.conftest import PLAN


@pytest.fixture(scope="package", name="plan")
def plan_fixture():
    return PLAN


@pytest.fixture
def chance():
    return np.random.default_rng(0)
