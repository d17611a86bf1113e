"""Mel-frequency cepstral coefficients as SyncNet hears them: a hundred columns a second.

Source: Davis and Mermelstein 1980; the constants are those of the package python_speech_features, which the published
scores are made with (no window function, 26 bands to 8 kHz, sine lifter, log energy in place of the first).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

SAMPLE_RATE, COLUMN_RATE = 16_000, 100
WINDOW, STEP, POINTS = 400, 160, 512
"""Samples of a column, between columns, and of its Fourier transform."""
BANDS, COEFFICIENTS = 26, 13
PREEMPHASIS, LIFTER = 0.97, 22
FULL = 32768.0
"""Full scale of the 16-bit samples that the coefficients are counted in."""
MEL_SCALE, MEL_BREAK = 2595.0, 700.0
LEAST = float(np.finfo(np.float64).eps)
"""Energy that takes the place of none, before its logarithm."""
BLOCK = 4096
"""Columns that are transformed at a time."""


def mel_filters() -> NDArray[np.float64]:
    """Make triangular filters (bands, bins) over the power spectrum, their corners on whole bins."""
    top = MEL_SCALE * np.log10(1 + SAMPLE_RATE / 2 / MEL_BREAK)
    corners = MEL_BREAK * (10 ** (np.linspace(0, top, BANDS + 2) / MEL_SCALE) - 1)
    bins = np.floor((POINTS + 1) * corners / SAMPLE_RATE)
    place = np.arange(POINTS // 2 + 1)
    low, middle, high = bins[:-2, None], bins[1:-1, None], bins[2:, None]
    rise, fall = (place - low) / np.maximum(middle - low, 1), (high - place) / np.maximum(high - middle, 1)
    inside = (place >= low) & (place < high)
    return np.where(inside, np.where(place < middle, rise, fall), 0.0)


def mfcc(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the coefficients of a sound, block by block.

    Args:
        samples: (n,) at 16 kHz, full scale ±1.

    Returns:
        (columns, 13) float32: a column for every 10 ms, the last one filled up with silence.
    """
    count, filters = 1 + max(-(-(len(samples) - WINDOW) // STEP), 0), mel_filters()
    found = np.empty((count, COEFFICIENTS), np.float32)
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        begin, end = first * STEP, (last - 1) * STEP + WINDOW
        heard = _sixteen_bits(samples[max(begin - 1, 0) : end])
        before, heard = (heard[:1], heard[1:]) if begin else (np.zeros(1), heard)
        flat = heard - PREEMPHASIS * np.append(before, heard[:-1])
        flat = np.pad(flat, (0, end - begin - len(flat)))
        parts = np.lib.stride_tricks.sliding_window_view(flat, WINDOW)[::STEP]
        found[first:last] = _cepstra(parts, filters)
    return found


def _sixteen_bits(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.clip(np.trunc(np.asarray(samples, np.float64) * FULL), -FULL, FULL - 1)


def _cepstra(parts: NDArray[np.float64], filters: NDArray[np.float64]) -> NDArray[np.float64]:
    power = np.abs(np.fft.rfft(parts, POINTS)) ** 2 / POINTS
    energy, bands = (np.where(one == 0, LEAST, one) for one in (power.sum(1), power @ filters.T))
    cepstra = np.asarray(dct(np.log(bands), type=2, axis=1, norm="ortho"))[:, :COEFFICIENTS]
    cepstra *= 1 + LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / LIFTER)
    cepstra[:, 0] = np.log(energy)
    return cepstra
