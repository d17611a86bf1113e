"""An offset between a mouth and a sound is found wherever their cosines have a peak, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from sonic_core.sync.network import FRAME_RATE
from sonic_core.sync.offset import CONFIDENT, LAGS, confidence_of, evidence_at, evidence_of, measure_offset

WIDE = 0.05
"""Seconds: deviation of a peak, as the sync network's are."""


def scene(seed, seconds=10.0, *, late=0.0, drift=0.0, height=0.35):
    """Cosines of a mouth and a sound that comes ``late`` seconds after it, among those that strangers have."""
    count = round(seconds * FRAME_RATE)
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((count, len(LAGS))), (2, 2))
    behind = late + drift * (np.arange(count) / FRAME_RATE - seconds / 2)
    peak = np.exp(-(((LAGS[None] + behind[:, None]) / WIDE) ** 2) / 2)
    return 0.2 * noise / noise.std() + height * peak


@pytest.mark.parametrize("late", [-0.2, -0.06, -0.013, 0.0, 0.037, 0.1, 0.2])
def test_an_offset_is_found_between_frames(late):
    found = measure_offset(scene(1, late=late))
    assert found.verdict == "constant" and found.confident
    assert found.offset == pytest.approx(late, abs=0.008)
    assert found.confidence >= CONFIDENT


@pytest.mark.parametrize("weigh", [evidence_of, lambda cosines: evidence_at(cosines, 0.0)], ids=["looked for", "known"])
def test_the_flanks_of_a_peak_are_no_chance_and_what_lies_beyond_them_is(weigh):
    away = np.abs(LAGS)
    lone = np.where(away == 0, 0.3, np.where(away < 0.165, 0.2, 1e-9))
    another = lone + 0.15 * ((away > 0.165) & (away < 0.36))
    heights = [weigh(np.tile(curve, (250, 1))) for curve in (lone, another)]
    chance = 0.15 * ((away > 0.165) & (away < 0.36)).sum() / (away > 0.165).sum()
    assert heights == pytest.approx([0.3 * 10**0.5, (0.3 - chance) * 10**0.5], rel=0.01)


def test_confidence_is_the_share_of_wrong_sounds_that_were_found_to_have_less():
    """Half, 95 % and 99 % of the wrong sounds of ``benchmarks/sync.py`` lie below these."""
    found = [confidence_of(evidence) for evidence in (0.177, 0.386, 0.503)]
    assert found == pytest.approx([0.5, 0.95, 0.99], abs=2e-3)


def test_strangers_are_not_trusted():
    assert not any(measure_offset(scene(seed, height=0)).confident for seed in range(30))


def test_a_longer_clip_needs_a_lower_peak():
    low = [measure_offset(scene(seed, 6, height=0.15)).confidence for seed in range(10)]
    long = [measure_offset(scene(seed, 60, height=0.15)).confidence for seed in range(10)]
    assert np.mean(low) < 0.99 < np.mean(long)
    assert not any(measure_offset(scene(seed, 60, height=0)).confident for seed in range(10))


@pytest.mark.parametrize("drift", [-0.042, -0.004, 0.005, 0.02, 0.042])
def test_a_drift_is_no_constant_offset(drift):
    found = measure_offset(scene(3, seconds=40, drift=drift, late=0.03))
    assert found.verdict == "drift" and not found.confident
    assert found.drift == pytest.approx(drift, abs=0.001 + 0.1 * abs(drift))
    assert found.offset == pytest.approx(0.03, abs=0.03)
    assert "drifts by" in str(found)


def test_no_drift_is_seen_where_there_is_none():
    for seed in range(10):
        found = measure_offset(scene(seed, seconds=40, late=-0.04))
        assert (found.verdict, found.drift) == ("constant", 0.0)


def test_moments_without_a_face_do_not_count():
    cosines = scene(4, seconds=12, late=0.08)
    cosines[100:160] = np.nan
    cosines[:, 190:] = np.nan  # the sound is too short to be moved as far
    assert measure_offset(cosines).offset == pytest.approx(0.08, abs=0.006)


def test_nothing_known_is_unsure():
    found = measure_offset(np.full((100, len(LAGS)), np.nan))
    assert found.verdict == "unsure" and found.confidence < 0.2


def test_the_curve_is_the_measurement():
    found = measure_offset(scene(5, late=0.12))
    assert np.all(np.diff(found.offsets) > 0)
    assert found.offsets[found.agreement.argmax()] == pytest.approx(0.12, abs=0.011)


def test_more_evidence_is_more_confidence():
    shares = [confidence_of(evidence) for evidence in (0.0, 0.3, 0.6, 1.2)]
    assert shares == sorted(shares) and shares[0] < 0.2 and shares[-1] > CONFIDENT


def test_it_says_what_it_found():
    found = measure_offset(scene(1, late=0.1))
    assert "ms late (confidence" in str(found)
    assert "early" in str(replace(found, offset=-0.03))
    assert "cannot be told" in str(replace(found, verdict="unsure"))
