"""Curves over time are summed up the same way wherever they come from."""

from __future__ import annotations

import numpy as np
import pytest

from sonic_core.evaluate.statistics import best_lag, calmed, correlations, count_blinks, range_of, spread


def test_blinks_are_counted_and_half_open_eyes_are_none():
    lids = np.full(100, 0.3)
    lids[[20, 21, 60]] = 0.1
    lids[80:90] = 0.25
    lids[40] = np.nan
    assert count_blinks(lids) == 2
    assert count_blinks(np.full(5, np.nan)) == 0


def test_leaps_are_no_movement():
    curve = np.zeros(200)
    curve[::40] = 50.0
    assert spread(curve) == pytest.approx(0, abs=1e-9)
    swing = np.sin(np.arange(200) / 25 * 2 * np.pi)
    assert spread(swing) == pytest.approx(swing.std(), rel=0.05)
    assert spread(np.zeros(3)) is None
    assert len(calmed(np.zeros(3))) == 3


def test_a_range_leaves_the_outermost_twentieths_out_and_what_is_unknown():
    curve = np.arange(101.0)
    curve[-1] = 1000
    assert range_of(np.append(curve, np.nan)) == pytest.approx(90)
    assert np.isnan(range_of(np.full(3, np.nan)))


@pytest.mark.parametrize("late", [-2, 0, 2])
def test_correlations_find_the_lag_and_leave_out_what_was_not_seen(late):
    curve = np.random.default_rng(0).standard_normal(200)
    truth = np.roll(curve, late)
    truth[50:60] = np.nan
    found = correlations(curve, truth, 2)
    assert list(found) == [-2, -1, 0, 1, 2]
    assert best_lag(found) == late and found[late] == pytest.approx(1)
    assert max(value for lag, value in found.items() if lag != late) < 0.3


def test_what_stands_still_is_like_nothing():
    found = correlations(np.zeros(20), np.arange(20.0), 1)
    assert np.isnan(list(found.values())).all() and best_lag(found) == -1
    assert np.isnan(list(correlations(np.arange(3.0), np.arange(3.0), 3).values())).all(), "too short"
