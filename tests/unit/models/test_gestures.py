"""Gestures follow the voice, live in its pauses, never repeat and never jump."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from sonic_core.models.preview.gestures import RATE, Gestures, gesture_curves


def voice(seconds: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Phrases of 1.5 to 4 s with pauses of 0.4 to 1 s; syllables about four times a second, not all as loud."""
    stream = np.random.default_rng(seed)
    speaking, loudness = [np.zeros(RATE // 2)], [np.zeros(RATE // 2)]
    while sum(map(len, speaking)) < seconds * RATE:
        spoken, pause = int(stream.uniform(1.5, 4) * RATE), int(stream.uniform(0.4, 1) * RATE)
        time = np.arange(spoken) / RATE
        stress = np.interp(time, np.arange(0, 5, 0.25), stream.uniform(0.3, 1, 20))
        speaking.append(np.repeat([1.0, 0.0], [spoken, pause]))
        loudness.append(np.concatenate([stress * np.abs(np.sin(2 * np.pi * 2 * time)), np.zeros(pause)]))
    count = int(seconds * RATE)
    return np.concatenate(speaking)[:count], np.concatenate(loudness)[:count]


@pytest.fixture(scope="module")
def ten_minutes():
    return gesture_curves(*voice(600), 1)


def blink_moments(gestures: Gestures) -> np.ndarray:
    """Seconds at which the eyes close beyond the half."""
    return np.flatnonzero((gestures.blink[1:] >= 0.5) & (gestures.blink[:-1] < 0.5)) / RATE


def test_every_curve_has_the_sounds_length_and_starts_from_rest():
    for count in (0, 1, 2, 7, 500):
        gestures = gesture_curves(np.ones(count), np.ones(count), 3)
        for curve in astuple(gestures):
            assert len(curve) == max(count, 2)
            assert curve.dtype == np.float32
            assert abs(curve[0]) < 0.01


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["talking", "listening", "monologue"])
def test_people_blink_ten_to_thirty_times_a_minute(seed, kind):
    count = 600 * RATE
    speaking, loudness = {
        "talking": voice(600, seed),
        "listening": (np.zeros(count), np.zeros(count)),
        "monologue": (np.ones(count), np.ones(count)),
    }[kind]
    moments = blink_moments(gesture_curves(speaking, loudness, seed))
    assert 100 <= len(moments) <= 300
    assert moments[0] > 0.5
    intervals = np.diff(moments)
    assert intervals.std() > 0.35 * intervals.mean()


def test_blinks_prefer_the_ends_of_phrases(ten_minutes):
    speaking, _ = voice(600)
    ends = np.flatnonzero(np.diff(speaking) < 0) / RATE
    moments = blink_moments(ten_minutes)
    near = np.abs(moments[:, None] - ends[None]).min(1) < 0.2
    by_chance = min(1.0, len(ends) * 0.4 / 600)
    assert near.mean() > 2 * by_chance


def test_eyes_shut_faster_than_they_open(ten_minutes):
    slopes = np.diff(ten_minutes.blink)
    assert (slopes < -0.01).sum() > 1.3 * (slopes > 0.01).sum()


def test_gestures_repeat_with_the_seed_and_differ_without():
    speaking, loudness = voice(30)
    first, again, other = (gesture_curves(speaking, loudness, seed) for seed in (7, 7, 8))
    for one, two, three in zip(astuple(first), astuple(again), astuple(other), strict=True):
        assert np.array_equal(one, two)
        assert not np.array_equal(one, three)


def test_a_longer_sound_begins_alike():
    speaking, loudness = voice(60)
    shorter, longer = (
        gesture_curves(speaking[: 30 * RATE], loudness[: 30 * RATE], 7),
        gesture_curves(speaking, loudness, 7),
    )
    for one, two in zip(astuple(shorter), astuple(longer), strict=True):
        assert np.allclose(one[: 25 * RATE], two[: 25 * RATE], atol=0.02)


def test_nothing_jumps_between_frames(ten_minutes):
    frames = ten_minutes.at(np.arange(0, 599, 0.04))
    for name, most in {"yaw": 0.1, "pitch": 0.25, "roll": 0.12, "lift": 0.1, "brows": 0.25, "blink": 0.8}.items():
        assert np.abs(np.diff(getattr(frames, name))).max() < most, name


def test_the_head_wanders_but_never_drifts_or_repeats(ten_minutes):
    for name in ("yaw", "pitch", "roll"):
        curve = getattr(ten_minutes, name)
        assert np.abs(curve).max() < 1.6, name
        assert 0.15 < curve.std() < 0.6, name
        minutes = curve.reshape(-1, 60 * RATE)
        assert np.abs(minutes.mean(1)).max() < 0.35, name
        likeness = np.corrcoef(minutes) - np.eye(len(minutes))
        assert np.abs(likeness).max() < 0.6, name


def test_heads_move_in_speech_and_calm_down_in_silence():
    still = gesture_curves(np.zeros(120 * RATE), np.zeros(120 * RATE), 2)
    lively = gesture_curves(*voice(120), 2)
    for name in ("yaw", "pitch", "roll"):
        calm, moved = (np.abs(np.diff(getattr(part, name))).mean() for part in (still, lively))
        assert 0 < calm < 0.6 * moved, name
    assert still.brows.max() < 0.3 < lively.brows.max()


def test_the_head_nods_with_stress():
    """Nodding is deeper around loud syllables than it is with the sound shifted by half a second or more."""
    speaking, loudness = voice(600, 5)
    pitch = gesture_curves(speaking, loudness, 3).pitch
    syllables = loudness * speaking
    at_once = np.corrcoef(pitch, syllables)[0, 1]
    shifted = [np.corrcoef(pitch, np.roll(syllables, int(lag * RATE)))[0, 1] for lag in (37.1, 61.7, 113.3)]
    assert at_once > max(shifted) + 0.1


def test_silence_breathes_twelve_to_sixteen_times_a_minute():
    lift = gesture_curves(np.zeros(300 * RATE), np.zeros(300 * RATE), 4).lift
    breaths = ((lift[1:] >= 0.3) & (lift[:-1] < 0.3)).sum() / 5
    assert 11.5 <= breaths <= 16.5


def test_pauses_take_a_breath():
    speaking = np.ones(20 * RATE)
    speaking[10 * RATE : int(10.6 * RATE)] = 0
    lift = gesture_curves(speaking, speaking, 1).lift
    assert lift[int(9.9 * RATE)] < 0.05
    assert lift[int(10.2 * RATE) : 12 * RATE].max() > 0.4


def test_any_frame_rate_reads_the_same_curves(ten_minutes):
    slow, fast = (ten_minutes.at(np.arange(0, 20, 1 / fps)) for fps in (24, 48))
    for one, two in zip(astuple(slow), astuple(fast), strict=True):
        assert np.allclose(one, two[::2])
