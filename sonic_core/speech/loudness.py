"""How loud a voice is, on its own scale: from no speech to its loud moments."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .spectrum import LEVEL_RATE

SPAN = (35.0, 18.0, 6.0)
"""dB: the most and the least by which a voice's loud moments exceed what is no longer speech, and that its noise."""

_EASE = 0.04  # s: deviation of the Gaussian by which a sound's level is blurred
_FRAMES = 3000  # frames a block: 30 s


def total_level(levels: np.ndarray) -> np.ndarray:
    """Add up the bands of levels (n, bands) in dB, blurred by 40 ms: (n,) float32 in dB."""
    starts = range(0, len(levels), _FRAMES)
    parts = [10 ** (levels[start : start + _FRAMES].astype(np.float32) / 10) for start in starts]
    total = 10 * np.log10(np.concatenate([part.sum(1) for part in parts]))
    return ndimage.gaussian_filter1d(total, _EASE * LEVEL_RATE).astype(np.float32)


def loud_moments(level: np.ndarray) -> float:
    """Measure the level of a voice's loud moments, in dB, in a smooth level (n,) in dB, n at least 1."""
    return float(np.percentile(level[level >= level.max() - 40], 90))


def measure_loudness(level: np.ndarray) -> np.ndarray:
    """Map a smooth level (n,) in dB to 0 (no speech) … 1 (this voice's loud moments), at most 1.1: (n,)."""
    most, least, above = SPAN
    loud = loud_moments(level)
    quiet = max(loud - most, min(float(np.percentile(level, 4)) + above, loud - least))
    return np.clip((level - quiet) / (loud - quiet), 0, 1.1)
