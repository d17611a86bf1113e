"""Sounds with voices in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core import Audio, read_audio
from sonic_core.media.mixing import resample

ASSETS = Path(__file__).resolve().parents[4] / "assets"
RATE, SOFTER = 16_000, 4


def heard(name: str) -> np.ndarray:
    """Read one of the project's sounds at ``RATE``, as loud as the others: (n,)."""
    samples = resample(read_audio(ASSETS / name), RATE, channels=1).samples[0].numpy()
    return samples * np.float32(0.08 / np.sqrt(np.square(samples).mean()))


def sound(*parts: np.ndarray, rate: int = RATE) -> Audio:
    """Join samples to a sound."""
    return Audio(torch.from_numpy(np.concatenate(parts).astype(np.float32))[None], rate)


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """7.9 seconds of one voice."""
    return heard("speech.wav")


@pytest.fixture(scope="session")
def other() -> np.ndarray:
    """2.4 seconds of another."""
    return heard("sounds/english.wav")


@pytest.fixture(scope="session")
def dialogue(speech: np.ndarray, other: np.ndarray) -> Audio:
    """Two who take turns; the second is four times softer."""
    pause = np.zeros(RATE // 4, np.float32)
    return sound(speech[: 4 * RATE], pause, other / SOFTER, pause, speech[4 * RATE :], pause, other / SOFTER)
