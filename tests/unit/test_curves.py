"""Curves are read as scipy reads them, and movements add up."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from sonic_core.curves import CURVE_RATE, add_bump, add_step, read_at, soft_limited
from sonic_core.errors import SettingsError
from sonic_core.keyframes import Curve


def test_a_curve_is_read_through_its_values_smoothly_and_without_overshoot():
    values = np.random.default_rng(0).standard_normal(60)
    times = np.arange(1.0 / CURVE_RATE, 58 / CURVE_RATE, 0.0007)
    place = times * CURVE_RATE
    read, known = read_at(values, times), PchipInterpolator(np.arange(60), values)(place)
    assert np.allclose(read_at(values, np.arange(60) / CURVE_RATE), values, atol=1e-6)
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


def test_a_curve_of_keyframes_passes_through_them_and_stays_beyond():
    curve = Curve.of("0.5:1, 2:0.6, 4:1.2, 9:1.3")
    assert np.allclose(curve.at(np.array([0.5, 2, 4, 9])), (1, 0.6, 1.2, 1.3))
    assert curve.at(np.array([0.0, 99.0])).tolist() == [1.0, 1.3]
    assert Curve.of("linear 0:0, 4:2").at(np.array([1.0, 3.0])).tolist() == [0.5, 1.5]
    assert Curve.of(0.3).at(np.array([0.0, 7.0])).tolist() == [0.3, 0.3]
    assert Curve.of([(0, 1), (2, 3)]) == Curve.of("0:1\n2:3") == Curve.of("smooth 0:1,2:3,")


def test_a_smooth_curve_goes_on_without_a_stop_a_kink_or_an_overshoot():
    seconds, values = np.array([0, 1.0, 1.5, 4, 5]), np.array([0, 1.0, 3, 3.5, 2])
    curve = Curve.of(list(zip(seconds, values, strict=True)))
    times = np.arange(0, 5.001, 0.001)
    read = curve.at(times)
    speed = np.gradient(read, times)
    assert read.max() <= 3.5 + 1e-9 and read.min() >= 0
    assert speed[1500] > 0.1, "half way up it does not stop"
    assert abs(speed[[0, -1]]).max() < 0.02 and abs(np.diff(speed)).max() < 0.05
    known = PchipInterpolator(seconds, values)
    assert np.allclose(read[1000:4000], known(times)[1000:4000], atol=1e-6), "between inner keyframes it is scipy's"


def test_a_curve_that_bounces_goes_back_and_forth():
    curve = Curve((1.0, 2.0, 3.0), (0.0, 1.0, 4.0), "linear", bounces=True)
    assert curve.at(np.array([0.0, 1.5, 3.0, 3.5, 5.0, 5.5, 7.25])).tolist() == [0, 0.5, 4, 2.5, 0, 0.5, 3.25]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("", "got nothing"),
        ([], "got nothing"),
        ("0:1, 2:1, 1:3", "more than 2 s, got 1 s"),
        ("0:1, 0:2", "more than 0 s, got 0 s"),
        ("-1:0, 2:1", "from 0, the beginning of the video; got -1"),
        ("0:nan", "one that is none"),
        (float("inf"), "one that is none"),
        ("0:1, 2", "seconds:value"),
        ("0:1:2", "seconds:value"),
        ("swift 0:1, 2:3", "seconds:value"),
        (True, "seconds:value"),
        ([(1,), (2, 3)], "seconds:value"),
    ],
)
def test_what_is_no_curve_is_refused(written, told):
    with pytest.raises(SettingsError, match=told):
        Curve.of(written)


def test_an_easing_is_one_of_two():
    with pytest.raises(SettingsError, match="smooth or linear; got 'bouncy'"):
        Curve((0.0,), (1.0,), "bouncy")
