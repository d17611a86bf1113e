"""Raises whoever speaks softer than the loudest voice in a sound, as a recordist's hand does, but never its pauses."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .loudness import total_level

_STEP = 10  # levels, 0.1 s, of which the loudest counts
_WINDOW = 12  # steps, 1.2 s, in which a voice's level is judged, before and after a moment
_THIRD = 3  # of them the third loudest counts: a click is no voice
_ABOVE = 10.0  # dB by which a voice stands out of the sound's quietest moments …
_LIVELY = 5.0  # … and its third loudest step out of its third softest: even noise does not
_FREE = (6.0, 12.0)  # dB by which a voice may be softer than the loudest as it is, and from which all of it is made up
_MOST = 26.0  # dB
_BRIEF = 4  # steps: what would be raised for less time is where one noise becomes another
_EASE = 1.0  # steps: deviation of the Gaussian by which the gain changes


def make_up(levels: np.ndarray) -> np.ndarray:
    """Tell by how many dB to raise each moment of a sound, so that all its voices are about as loud: (n,) float32.

    Args:
        levels: (n, bands) in dB, n at least 1.

    Returns:
        0 where the loudest voice speaks, for voices hardly softer, and for noise. A moment is judged by the softer of
        what is around it, about a second before and one after, and never raised above the loudest voice.
    """
    total = total_level(levels)
    count = -(-len(total) // _STEP)
    steps = np.pad(total, (0, count * _STEP - len(total)), mode="edge").reshape(count, _STEP).max(1)
    quiet = float(np.percentile(total, 5))
    around = np.pad(steps, _WINDOW - 1, mode="edge")
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(around, _WINDOW), axis=1)
    loud, soft = windows[:, -_THIRD], windows[:, _THIRD - 1]
    loud = np.where((loud > quiet + _ABOVE) & (loud > soft + _LIVELY), loud, np.nan)
    level = np.fmin(loud[:count], loud[_WINDOW - 1 :])
    if np.isnan(level).all():
        return np.zeros(len(total), np.float32)
    lacking = np.nanpercentile(level, 90) - np.fmax(level, ndimage.maximum_filter1d(steps, 3))
    lacking = np.where(np.isnan(level), 0, lacking)
    gain = np.clip(lacking, 0, _MOST) * np.clip((lacking - _FREE[0]) / (_FREE[1] - _FREE[0]), 0, 1)
    gain = ndimage.gaussian_filter1d(ndimage.grey_opening(gain, _BRIEF, mode="nearest"), _EASE, mode="nearest")
    return np.interp((np.arange(len(total)) + 0.5) / _STEP - 0.5, np.arange(count), gain).astype(np.float32)
