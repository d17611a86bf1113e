"""Lips are put beside the sound: how well they follow, whether they shut in time, whether they rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sonic_core.evaluate.lips import CLOSED, PRESSED, correlate, count_closures, measure_lips, silent_opening
from sonic_core.media.audio import read_audio
from sonic_core.media.mixing import pad, shift
from sonic_core.speech import Speech

ASSETS = Path(__file__).resolve().parents[3] / "assets"
FPS = 25.0


@pytest.fixture(scope="module")
def sound():
    voice = read_audio(ASSETS / "speech.wav")
    return pad(voice, voice.duration + 2)


@pytest.fixture(scope="module")
def speech(sound):
    return Speech.of(sound)


@pytest.fixture(scope="module")
def lips(speech):
    """What sonic-preview's lips do, I."""
    return 0.3 * speech.motion.at(np.arange(int(speech.duration * FPS)) / FPS).opening.astype(float)


def test_lips_that_follow_are_told_from_lips_that_do_not(speech, lips):
    assert correlate(lips, speech, FPS) == pytest.approx(1, abs=0.02)
    assert correlate(np.roll(lips, 100), speech, FPS) < 0.6
    assert correlate(np.full_like(lips, 0.1), speech, FPS) == 0.0


def test_a_late_sound_changes_no_correlation(sound, lips):
    assert correlate(lips, Speech.of(shift(sound, 0.16)), FPS) > 0.95


def test_a_face_that_is_seen_in_part_is_enough(speech, lips):
    half = np.where(np.arange(len(lips)) % 4 < 2, lips, np.nan)
    assert correlate(half, speech, FPS) > 0.95
    assert correlate(np.full_like(lips, np.nan), speech, FPS) is None


def test_every_p_b_and_m_is_looked_at(speech, lips):
    heard, kept = count_closures(lips, speech, FPS)
    assert heard >= 5
    assert kept == 1
    assert count_closures(np.maximum(lips, CLOSED + 0.01), speech, FPS) == (heard, 0)
    late, kept_late = count_closures(lips, speech, FPS, 0.2)
    assert late == heard and kept_late < 0.5
    assert count_closures(np.full_like(lips, np.nan), speech, FPS) == (0, None)
    assert (speech.motion.closure > PRESSED).any()


def test_closures_of_a_late_sound_are_found_where_they_belong(sound, lips):
    speech = Speech.of(shift(sound, 0.16))
    assert count_closures(lips, speech, FPS, 0.16)[1] == 1
    assert count_closures(lips, speech, FPS)[1] < 0.7


def test_an_open_mouth_in_silence_is_seen(speech, lips):
    assert silent_opening(lips, speech, FPS) == pytest.approx(0, abs=0.01)
    assert silent_opening(lips + 0.1, speech, FPS) == pytest.approx(0.1, abs=0.01)
    talking = lips[: round(7 * FPS)]
    assert silent_opening(talking, Speech.of(read_audio(ASSETS / "speech.wav", duration=7.0)), FPS) is None


def test_what_cannot_be_measured_says_why(speech, lips):
    found = measure_lips(lips, None, speech, FPS)
    assert found.sync is None and "no face" in found.refused
    assert found.correlation is not None
