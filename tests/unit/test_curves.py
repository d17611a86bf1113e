"""Curves are read as scipy reads them, and movements add up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from sonic_core.curves import RATE, add_bump, add_step, read_at, soft_limited


def test_a_curve_is_read_through_its_values_smoothly_and_without_overshoot():
    values = np.random.default_rng(0).standard_normal(60)
    times = np.arange(1.0 / RATE, 58 / RATE, 0.0007)
    place = times * RATE
    read, known = read_at(values, times), PchipInterpolator(np.arange(60), values)(place)
    assert np.allclose(read_at(values, np.arange(60) / RATE), values, atol=1e-6)
    assert np.allclose(read, known, atol=1e-5)
    left = place.astype(int)
    assert (read <= np.maximum(values[left], values[left + 1]) + 1e-6).all()


def test_beyond_its_ends_a_curve_stays():
    values = np.array([1.0, 3.0, 2.0])
    assert read_at(values, np.array([-1.0, 9.0])).tolist() == [1.0, 2.0]
    assert read_at(values[:1], np.array([-1.0, 9.0])).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("start", [-0.3, 0.2, 1.9, 5.0])
def test_steps_and_bumps_at_the_edge_of_a_curve_are_those_of_a_longer_one(start):
    short, longer = np.zeros(100), np.zeros(400)
    for one in (short, longer):
        add_bump(one, start, (0.2, 0.1, 0.3), 2.0)
    assert np.array_equal(short, longer[:100])
    steps, more = np.zeros((2, 100)), np.zeros((2, 400))
    for two in (steps, more):
        add_step(two, start, 0.5, np.array([1.0, -2.0]))
    assert np.array_equal(steps, more[:, :100])
    assert more[:, -1].tolist() == [1.0, -2.0]


def test_limits_are_approached_and_never_passed_and_small_values_stay():
    values = np.linspace(-40, 40, 801)
    limited = soft_limited(values, -4, 6)
    assert -4 <= limited.min() < -3.99 and 5.99 < limited.max() <= 6
    assert (np.diff(limited) >= 0).all()
    small = np.abs(values) <= 2
    assert np.allclose(limited[small], values[small], rtol=0.02)
