"""Spectra → what the mouth network hears: log-mel levels, relative to the whole sound."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from ..types import Audio
from .channels import choose_ear
from .spectrum import FREQUENCIES, spectra

BANDS = 40
LOWEST, HIGHEST = 60.0, 7600.0
"""Hz, between which the bands lie."""

_SPAN = 70.0  # dB below the loudest band of the loudest frame that still count
_ACTIVE = 35.0  # dB below the loud frames that count as somebody speaking
_FRAMES = 3000  # frames a block: 30 s


class Scale(NamedTuple):
    """What makes levels relative to the sound they belong to."""

    floor: float
    """dB below which nothing counts."""
    mean: np.ndarray
    """(bands,) dB."""
    deviation: np.ndarray
    """(bands,) dB."""


def measure_levels(audio: Audio) -> np.ndarray:
    """Measure the mel levels of a sound, any rate, any channels: ``Speech.levels`` without anything else."""
    return np.concatenate([mel_levels(power) for power in spectra(audio, choose_ear(audio))])


def mel_levels(power: np.ndarray) -> np.ndarray:
    """Sum power (n, frequencies) in each mel band: (n, bands) float16 in dB."""
    return (10 * np.log10(power @ _bank().T + np.float32(1e-11))).astype(np.float16)


def scale_of(levels: np.ndarray) -> Scale:
    """Measure mean and deviation of each band over the frames in which somebody speaks.

    A microphone, a room and a voice's own colour are mostly such a mean and deviation.

    Args:
        levels: (n, bands) in dB, n at least 1.
    """
    floor, active = float(levels.max()) - _SPAN, np.flatnonzero(loud_frames(levels))
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


def loud_frames(levels: np.ndarray) -> np.ndarray:
    """Tell in which frames somebody speaks, as far as loudness tells it: (n,) bool from levels (n, bands)."""
    loud = levels.max(1).astype(np.float32)
    return loud > np.percentile(loud, 95) - _ACTIVE


@functools.cache
def band_edges() -> np.ndarray:
    """Space the feet and tops of the bands' triangles evenly in mel, 2595 log10(1 + f / 700): (bands + 2,) Hz."""
    least, most = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST, HIGHEST))
    return 700 * (10 ** (np.linspace(least, most, BANDS + 2) / 2595) - 1)


@functools.cache
def _bank() -> np.ndarray:
    """Make triangles evenly spaced in mel: (bands, WINDOW // 2 + 1).

    Source: librosa.filters.mel(htk=True, norm=None), whose numbers these are; not called, since importing it takes a
    second and listening to 20 s of sound takes 0.05.
    """
    edges = band_edges()
    rise = (FREQUENCIES - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - FREQUENCIES) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)
