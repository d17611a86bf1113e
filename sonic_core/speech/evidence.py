"""Spectra → what goes with a mouth's movement, by signal processing, with zero phase.

Curves by which a mouth seen in a video is compared with a sound; what a mouth does to say it is ``motion``'s. They are
a view of their own of the same spectra: ``sync``'s confidence is calibrated on these bands in single precision, the
mouth network trained on mel levels in half precision, and neither can be made of the other's numbers.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..easing import smooth_rise
from .brightness import FIRST_FORMANT, LOW, MIDDLE, brightness, standard
from .loudness import loud_moments, measure_loudness
from .spectrum import FREQUENCIES, LEVEL_RATE

_BANDS = ((60, 7600), LOW, (300, 1200), MIDDLE, (4000, 7600))  # Hz: all, the low end, voice, what is bright, hiss
_SILENT = -65.0  # dB of full scale below which a sound counts as silence
_ACTIVE = 0.25  # loudness above which somebody speaks
_EASE = 0.02  # s: deviation of the Gaussian by which a sound's level is blurred
_DEEPEST = 50  # dB below their loudest moment to which the levels of single bands count


def band_levels(power: np.ndarray, peak: float) -> np.ndarray:
    """Measure the levels of ``_BANDS`` in dB of full scale, and the centroid of 200–1200 Hz in Hz.

    Args:
        power: (n, frequencies) relative to the sound's peak.
        peak: That peak's magnitude.

    Returns:
        (6, n) float32.
    """
    within = np.stack([_between(*band) for band in _BANDS])
    power = power * np.float32(peak * peak)
    weight = power * _between(*FIRST_FORMANT) + 1e-12
    levels = 10 * np.log10(power @ within.T + 1e-10)
    return np.column_stack([levels, (weight @ FREQUENCIES) / weight.sum(1)]).T.astype(np.float32)


def mouth_evidence(bands: np.ndarray) -> np.ndarray:
    """Make of a sound's ``band_levels`` (6, n) what goes with the movement of a mouth.

    Returns:
        (6, n) float32 at ``LEVEL_RATE``: brightness (of the vowel: how open it sounds), predicted opening (0 closed … 1
        as open as this voice ever is) and width (−1 lips drawn together … 1 spread), loudness (0 … 1.1), and the levels
        of 4–7.6 kHz and 1.5–3 kHz in dB, these two at most 50 dB below their loudest moment. Zeros for silence.
    """
    level, low, voice, middle, high, centre = bands
    level = ndimage.gaussian_filter1d(level, _EASE * LEVEL_RATE)
    loudness = measure_loudness(level)
    active = loudness > _ACTIVE
    if loud_moments(level) < _SILENT or not active.any():
        return np.zeros((6, len(level)), np.float32)
    bright = brightness(centre, middle, low, active)
    vowel = np.clip(0.55 + 0.2 * bright, 0.1, 1.1)
    hiss = smooth_rise((standard(high, active) - standard(voice, active) - 1.0) / 1.5)
    opening = loudness * (0.45 * loudness + 0.55 * vowel) * (1 - 0.55 * hiss) * (1 - closures(voice, middle, loudness))
    width = np.tanh(0.6 * (standard(middle, active) - standard(voice, active))) * loudness
    predicted = (_smooth(opening, 0.035), _smooth(width, 0.06), _smooth(loudness, 0.05))
    single = (np.maximum(band, band.max() - _DEEPEST) for band in (high, middle))
    return np.stack((bright * active, *predicted, *single)).astype(np.float32)


def closures(voice: np.ndarray, middle: np.ndarray, loudness: np.ndarray) -> np.ndarray:
    """Find the short dips in which lips are shut: p and b (nearly silent), m (a murmur without middle frequencies).

    Args:
        voice: Level of 300–1200 Hz in dB, (n,).
        middle: Level of 1.5–3 kHz in dB, (n,).
        loudness: 0 … 1, (n,).

    Returns:
        0 open … 1 shut, (n,). Only dips with speech on both sides within 150 ms count; a pause is no closure.
    """
    reach = int(0.15 * LEVEL_RATE)
    level = 0.5 * (voice + middle)
    before = ndimage.maximum_filter1d(level, reach, origin=(reach - 1) // 2)
    after = ndimage.maximum_filter1d(level, reach, origin=-((reach - 1) // 2))
    depth = np.minimum(before, after) - level
    spoken = ndimage.maximum_filter1d(loudness, reach) > 0.4
    return ndimage.maximum_filter1d(smooth_rise((depth - 12.0) / 8.0) * spoken, 3)


def _between(least: float, most: float) -> np.ndarray:
    """Choose the frequencies from ``least`` to below ``most`` Hz: (frequencies,) of 1 and 0."""
    return ((least <= FREQUENCIES) & (most > FREQUENCIES)).astype(np.float32)


def _smooth(values: np.ndarray, seconds: float) -> np.ndarray:
    """Blur over time with a Gaussian of this deviation; it has no lag."""
    return ndimage.gaussian_filter1d(values.astype(np.float32), seconds * LEVEL_RATE, mode="constant")
