from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def nothing_added(empty_place):
    """Every test here begins without weights."""
