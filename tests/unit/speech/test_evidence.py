"""What goes with a mouth's movement is read off a sound without lag, and off silence not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core.media.audio import read_audio
from sonic_core.speech import Speech
from sonic_core.speech.spectrum import LEVEL_RATE, RATE
from sonic_core.types import Audio

SPEECH = Path(__file__).resolve().parents[3] / "assets" / "speech.wav"


@pytest.fixture(scope="module")
def speech() -> Audio:
    return read_audio(SPEECH)


def evidence_of(audio: Audio) -> np.ndarray:
    return Speech.of(audio).evidence


def opening_of(audio: Audio) -> np.ndarray:
    return evidence_of(audio)[1]


def tone(seconds: float, level: float, rate: int = RATE) -> torch.Tensor:
    """A vowel-like hum: harmonics of 140 Hz."""
    time = torch.arange(int(seconds * rate)) / rate
    return level * sum(torch.sin(2 * torch.pi * 140 * k * time) / k for k in range(1, 20))[None]


def test_the_mouth_opens_with_speech_and_shuts_in_silence():
    silence = torch.zeros(1, 16_000)
    opening = opening_of(Audio(torch.cat([silence, tone(1.0, 0.2), silence], 1), RATE))
    assert opening[int(1.3 * LEVEL_RATE) : int(1.7 * LEVEL_RATE)].min() > 0.3
    assert opening[: int(0.8 * LEVEL_RATE)].max() < 0.02
    assert opening[int(2.2 * LEVEL_RATE) :].max() < 0.02


def test_silence_and_near_silence_move_nothing():
    for samples in (torch.zeros(1, 16_000), 1e-5 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))):
        assert not evidence_of(Audio(samples, RATE)).any()


def test_opening_does_not_depend_on_how_loud_the_recording_is(speech):
    loud, soft = opening_of(speech), opening_of(Audio(speech.samples * 0.1, speech.rate))
    assert np.abs(loud - soft).max() < 0.1


def test_opening_follows_the_sound_without_lag(speech):
    curve = opening_of(speech)
    samples = speech.samples[0].numpy()
    hop = speech.rate // LEVEL_RATE
    energy = np.log([np.mean(samples[i : i + hop] ** 2) + 1e-6 for i in range(0, len(samples) - hop, hop)])
    energy = np.convolve(energy, np.hanning(9) / np.hanning(9).sum(), "same")
    times = np.arange(0, speech.duration - 0.1, 0.01)
    frames = np.interp(times * LEVEL_RATE, np.arange(len(curve)), curve)[: len(energy)]
    lags = {
        lag: np.corrcoef(np.roll(frames, -lag)[50:-50], energy[: len(frames)][50:-50])[0, 1] for lag in range(-10, 11)
    }
    best = max(lags, key=lags.__getitem__)
    assert lags[best] > 0.6
    assert abs(best) <= 3  # hundredths of a second


def test_evidence_of_a_sound_has_no_delay():
    """A burst in the middle of silence is evident around its middle."""
    samples = torch.zeros(1, 4 * 16000)
    samples[:, 30000:34000] = 0.3 * torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    evidence = evidence_of(Audio(samples, RATE))
    for row in (1, 3, 4, 5):
        weight = evidence[row] - evidence[row].min()
        assert (weight * np.arange(len(weight))).sum() / weight.sum() == pytest.approx(200, abs=1.5), row
