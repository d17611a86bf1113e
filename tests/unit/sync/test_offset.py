"""An offset between two sets of curves is found wherever there is one, and nowhere else."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy import ndimage

from sonic_core.errors import InputError
from sonic_core.sync import offset
from sonic_core.sync.offset import BIAS, CONFIDENT, measure_offset

RATE = 100
RATES = [Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(50)]


def curves(seed, seconds):
    """Six curves as smooth as those of speech, with what one needs beyond the ends."""
    noise = np.random.default_rng(seed).standard_normal((6, round((seconds + 4) * RATE)))
    smooth = ndimage.gaussian_filter1d(noise, 0.06 * RATE, axis=1)
    return smooth / smooth.std(1, keepdims=True)


def scene(seed, seconds=10.0, fps=RATES[1], *, late=0.0, drift=0.0, share=0.6):
    """A mouth that does what the first two curves say, and a sound that comes ``late`` seconds after it.

    ``share`` of the mouth's movement comes from the sound, the rest is its own.
    """
    heard, own = curves(seed, seconds), curves(seed + 1000, seconds)
    times = np.arange(round(seconds * fps)) / float(fps)
    places = (times + 2) * RATE

    def at(row, places):
        return np.interp(places, np.arange(len(row)), row)

    mouth = [share * at(heard[row], places) + (1 - share) * at(own[row], places) for row in (0, 1, 0)]
    moments = np.arange(round(seconds * RATE)) / RATE
    moved = moments - late - BIAS - drift * (moments - seconds / 2)
    sound = np.stack([at(row, (moved + 2) * RATE) for row in heard])
    return np.array(mouth), np.ones(len(times), bool), fps, sound, RATE


@pytest.mark.parametrize("fps", RATES, ids=str)
@pytest.mark.parametrize("late", [-0.2, -0.06, -0.013, 0.0, 0.037, 0.1, 0.2])
def test_an_offset_is_found_between_frames(late, fps):
    found = measure_offset(*scene(1, fps=fps, late=late))
    assert found.verdict == "constant" and found.confident
    assert found.offset == pytest.approx(late, abs=0.004)
    assert found.confidence >= CONFIDENT


def test_wrong_sounds_are_not_trusted():
    trusted = 0
    for seed in range(40):
        mouth, seen, fps, _, _ = scene(seed)
        trusted += measure_offset(mouth, seen, fps, scene(seed + 5000)[3], RATE).confident
    assert trusted <= 2


def test_right_sounds_are_trusted():
    found = [measure_offset(*scene(seed, late=0.05, share=0.5)) for seed in range(20)]
    assert sum(one.confident for one in found) >= 19
    assert all(abs(one.offset - 0.05) <= 0.02 for one in found if one.confident)


@pytest.mark.parametrize("drift", [-0.042, -0.004, 0.005, 0.02, 0.042])
def test_a_drift_is_no_constant_offset(drift):
    found = measure_offset(*scene(3, seconds=40, drift=drift, late=0.03))
    assert found.verdict == "drift" and not found.confident
    assert found.drift == pytest.approx(drift, abs=0.001 + 0.1 * abs(drift))
    assert found.offset == pytest.approx(0.03, abs=0.03)
    assert "drifts by" in str(found)


def test_no_drift_is_seen_where_there_is_none():
    for seed in range(10):
        found = measure_offset(*scene(seed, seconds=40, late=-0.04))
        assert (found.verdict, found.drift) == ("constant", 0.0)


def test_frames_without_a_face_do_not_count():
    mouth, seen, fps, sound, rate = scene(4, seconds=12, late=0.08)
    spoilt = mouth.copy()
    spoilt[:, 100:150] += 40 * np.random.default_rng(0).standard_normal((3, 50))
    seen[95:155] = False
    assert measure_offset(mouth, seen, fps, sound, rate).offset == pytest.approx(0.08, abs=0.005)


def test_the_curve_is_the_measurement():
    found = measure_offset(*scene(5, late=0.12))
    assert np.all(np.diff(found.offsets) > 0)
    assert found.offsets[found.agreement.argmax()] == pytest.approx(0.12, abs=0.011)


def test_a_part_is_predicted_without_what_lies_beside_it():
    """A mouth that goes with its sound for 0.2 s around a border between parts, and nowhere else, tells neither part.

    Slow movements go on beyond a border: what is learned a moment from it would be a memory of what is to be predicted.
    """
    wave = np.zeros(250)
    wave[120:130] = 20 * np.sin(np.arange(10) * 0.4 * np.pi)  # two periods, 10 s at 25 frames a second, six parts
    sound = np.zeros((6, 250))
    sound[4] = wave
    assert abs(offset._agreement(np.stack([wave] * 3), sound, 25.0)) < 1e-6
    everywhere = np.random.default_rng(0).standard_normal(250)
    sound[4] = everywhere
    assert offset._agreement(np.stack([everywhere] * 3), sound, 25.0) > 1.9


@pytest.mark.parametrize("seconds", [0.5, 2.9])
def test_too_little_is_said(seconds):
    with pytest.raises(InputError, match="at least 3 s"):
        measure_offset(*scene(6, seconds=seconds))


def test_it_says_what_it_found():
    found = measure_offset(*scene(1, late=0.1))
    assert str(found).startswith("the sound comes 100 ms late (confidence 1.0") or "ms late" in str(found)
    assert "early" in str(replace(found, offset=-0.03))
    assert "cannot be told" in str(replace(found, verdict="unsure"))
