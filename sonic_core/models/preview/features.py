"""Sound → what the mouth network hears: log-mel levels a hundred times a second, relative to the whole sound."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from torch.nn.functional import pad

from ...media.audio import resample
from ...types import Audio

RATE = 16_000
HOP = 160
LEVEL_RATE = RATE // HOP
"""Levels per second."""
WINDOW = 512
BANDS = 40
LOWEST, HIGHEST = 60.0, 7600.0
"""Hz, between which the bands lie."""

_SPAN = 70.0  # dB below the loudest band of the loudest frame that still count
_ACTIVE = 35.0  # dB below the loud frames that count as somebody speaking
_BLOCK = 20  # s
_CONTEXT = 2  # s around a block: longer than the resampler's filter at any rate in use
_FRAMES = 3000  # frames a block of spectra: 30 s


class Scale(NamedTuple):
    """What makes levels relative to the sound they belong to."""

    floor: float
    """dB below which nothing counts."""
    mean: np.ndarray
    """(bands,) dB."""
    deviation: np.ndarray
    """(bands,) dB."""


def measure_levels(audio: Audio) -> np.ndarray:
    """Measure the mel levels of a sound in dB below its own peak, some seconds at a time.

    Args:
        audio: Any rate, any channels.

    Returns:
        (n, bands) float16, row ``i`` centred at ``i / LEVEL_RATE`` seconds; 29 MB for an hour.
    """
    rate, count = audio.rate, audio.samples.shape[1]
    peak = peak_of(audio) or 1.0
    parts = []
    for start in range(0, count, _BLOCK * rate):
        left, right = start - _CONTEXT * rate, start + (_BLOCK + _CONTEXT) * rate
        part = audio.samples[:, max(left, 0) : right]
        part = pad(part, (max(-left, 0), max(right - count, 0))) / peak
        samples = resample(Audio(part, rate), RATE, channels=1).samples[0].numpy()
        edge = _CONTEXT * RATE - WINDOW // 2
        last = start + _BLOCK * rate >= count
        frames = 1 + (count - start) * LEVEL_RATE // rate if last else _BLOCK * LEVEL_RATE
        parts.append(mel_levels(samples[edge : edge + (frames - 1) * HOP + WINDOW]).astype(np.float16))
        audio.rest()
    return np.concatenate(parts) if parts else np.zeros((0, BANDS), np.float16)


def peak_of(audio: Audio) -> float:
    """Find the largest magnitude of any sample, 0 for none, a block at a time."""
    largest, step = 0.0, _BLOCK * audio.rate
    for start in range(0, audio.samples.shape[1], step):
        largest = max(largest, float(audio.samples[:, start : start + step].abs().max()))
        audio.rest()
    return largest


def mel_levels(samples: np.ndarray) -> np.ndarray:
    """Measure the level of each mel band in dB.

    Args:
        samples: (WINDOW + (n − 1) · HOP,) at ``RATE``: frame ``i`` is the window that begins at ``i · HOP``.

    Returns:
        (n, bands) float32.
    """
    window = np.hanning(WINDOW).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    bank = _bank().T
    parts = []
    for start in range(0, len(frames), _FRAMES):
        spectrum = np.fft.rfft(frames[start : start + _FRAMES] * window, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2) @ bank / (WINDOW * WINDOW / 8)
        parts.append(10 * np.log10(power + 1e-11))
    return np.concatenate(parts).astype(np.float32)


def scale_of(levels: np.ndarray) -> Scale:
    """Measure mean and deviation of each band over the frames in which somebody speaks.

    A microphone, a room and a voice's own colour are mostly such a mean and deviation.

    Args:
        levels: (n, bands) in dB, n at least 1.
    """
    loud = levels.max(1).astype(np.float32)
    floor = float(loud.max()) - _SPAN
    active = np.flatnonzero(loud > np.percentile(loud, 95) - _ACTIVE)
    total, squares = np.zeros(BANDS), np.zeros(BANDS)
    for start in range(0, len(active), _FRAMES):
        chosen = np.maximum(levels[active[start : start + _FRAMES]].astype(np.float64), floor)
        total += chosen.sum(0)
        squares += (chosen**2).sum(0)
    mean = total / len(active)
    deviation = np.sqrt(np.maximum(squares / len(active) - mean**2, 0))
    return Scale(floor, mean.astype(np.float32), np.maximum(deviation, 2.0).astype(np.float32))


def standardise(levels: np.ndarray, scale: Scale) -> np.ndarray:
    """Make levels (n, bands) relative to their sound: float32, about ±1, at most ±4."""
    above = np.maximum(levels.astype(np.float32), scale.floor)
    return ((above - scale.mean) / scale.deviation).clip(-4, 4)


@functools.cache
def _bank() -> np.ndarray:
    """Make triangles evenly spaced in mel, 2595 log10(1 + f / 700): (bands, WINDOW // 2 + 1)."""

    def mel(hertz: float) -> float:
        return 2595 * float(np.log10(1 + hertz / 700))

    edges = 700 * (10 ** (np.linspace(mel(LOWEST), mel(HIGHEST), BANDS + 2) / 2595) - 1)
    frequency = np.fft.rfftfreq(WINDOW, 1 / RATE)
    rise = (frequency - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - frequency) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)
