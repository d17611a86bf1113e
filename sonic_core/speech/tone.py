"""Spectra → the pitch of a voice, and its melody."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from .loudness import SPAN
from .spectrum import FREQUENCIES, LEVEL_RATE, RATE, hann

LOWEST_TONE = 75.0
"""Hz: the lowest pitch that is looked for."""

_HIGHEST_TONE = 400  # Hz
_VOICED_BELOW = 1000  # Hz: what decides on a voice's pitch; above it noise
_VOICED, _NEARLY = 0.55, 0.9  # of full likeness is a pitch; of the highest peak is a shorter period as good
_EASE = 0.06  # s: deviation of the Gaussian by which a voice's pitch is blurred
_REACH = 12.0  # semitones from its usual pitch that a voice is believed


def measure_tone(power: np.ndarray) -> np.ndarray:
    """Find the pitch of a voice in power (n, frequencies): (n,) float32 semitones above ``LOWEST_TONE``, or NaN.

    Source: the autocorrelation's highest peak over that of the window, the shortest of nearly equal ones, Boersma
    1993, Proceedings of the Institute of Phonetic Sciences 17.
    """
    low = power * (FREQUENCIES < _VOICED_BELOW)
    least, most = RATE // _HIGHEST_TONE, int(RATE / LOWEST_TONE)
    alike = np.asarray(fft.irfft(low, axis=1))[:, : most + 2]
    own = np.fft.irfft(np.abs(np.fft.rfft(hann())) ** 2)[: most + 2]
    alike = alike[:, least - 1 :] / np.maximum(alike[:, :1], 1e-12) * (own[0] / own[least - 1 :])
    peak = (alike[:, 1:-1] >= alike[:, :-2]) & (alike[:, 1:-1] >= alike[:, 2:])
    height = np.where(peak, alike[:, 1:-1], 0)
    highest = height.max(1)
    lag = least + (height > _NEARLY * highest[:, None]).argmax(1)
    return np.where(highest > _VOICED, 12 * np.log2(RATE / LOWEST_TONE / lag), np.nan).astype(np.float32)


def melody(tone: np.ndarray, loudest: np.ndarray) -> np.ndarray:
    """Say how far a voice is above its usual pitch, smooth, 0 where it has none: (n,) semitones.

    Args:
        tone: (n,) as of ``measure_tone``.
        loudest: (n,) dB of each moment's loudest band; what is far below the loudest of all is no voice.
    """
    voiced = np.isfinite(tone) & (loudest > loudest.max() - SPAN[0])
    if not voiced.any():
        return np.zeros(len(voiced))
    above = np.where(voiced, tone - np.median(tone[voiced]), 0)
    voiced &= np.abs(above) < _REACH
    deviation = _EASE * LEVEL_RATE
    weight = ndimage.gaussian_filter1d(voiced.astype(np.float64), deviation)
    return ndimage.gaussian_filter1d(above * voiced, deviation) / (weight + 0.15)
