"""What is said of lips and sound after every video."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sonic_core.media.audio import read_audio
from sonic_core.speech import Speech
from sonic_core.sync.check import check_lips
from sonic_core.types import Audio

ASSETS = Path(__file__).resolve().parents[3] / "assets"


@pytest.fixture(scope="module")
def said():
    """The bundled speech twice, with three seconds of silence between."""
    audio = read_audio(ASSETS / "speech.wav")
    silence = torch.zeros(audio.samples.shape[0], 3 * audio.rate)
    return Speech.of(Audio(torch.cat((audio.samples, silence, audio.samples), 1), audio.rate)), audio.duration


def test_speech_and_long_pauses_are_told_apart(said):
    speech, once = said
    check = check_lips(speech, exact=True)
    assert len(check.pauses) == 1
    begin, end = check.pauses[0]
    assert begin == pytest.approx(once, abs=0.6)
    assert end == pytest.approx(once + 3, abs=0.6)
    assert check.speech == pytest.approx(2 * once, abs=1.5)
    assert check.closures > 4
    assert f"nobody speaks from {begin:.1f} to {end:.1f} s" in check.reason
    assert "by construction" in check.reason
    assert "hardly" not in check.reason


def test_a_mouth_that_hardly_moves_is_told_of(said):
    assert "hardly moves" in check_lips(said[0], lively=0.05).reason


def test_of_silence_nothing_is_doubted():
    check = check_lips(Speech.of(Audio(torch.zeros(1, 80000), 16000)))
    assert (check.speech, check.closures, check.pauses) == (0.0, 0, ((0.0, 5.0),))
    assert "hardly" not in check.reason
