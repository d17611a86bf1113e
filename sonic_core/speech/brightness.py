"""How bright, and so how open, a vowel sounds, relative to the voice that says it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .mel import band_edges, loud_frames
from .spectrum import LEVEL_RATE

LOW, FIRST_FORMANT, MIDDLE = (60, 300), (200, 1200), (1500, 3000)
"""Hz: a voice's low end, where its first formant lies, what is bright."""

_EASE = 0.05  # s: deviation of the Gaussian by which the brightness of mel levels is blurred
_FRAMES = 3000  # frames a block: 30 s


def brightness(centroid: np.ndarray, middle: np.ndarray, low: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Tell how bright a voice sounds: (n,), 0 being its mean.

    Args:
        centroid: (n,) Hz of the spectrum within ``FIRST_FORMANT``.
        middle: (n,) dB of the level within ``MIDDLE``.
        low: (n,) dB of that within ``LOW``.
        active: (n,) bool, where somebody speaks.

    Source: z(spectral centroid of 200–1200 Hz) + z(level of 1.5–3 kHz) − ½ z(level of 60–300 Hz).
    """
    return standard(centroid, active) + standard(middle, active) - 0.5 * standard(low, active)


def mel_brightness(levels: np.ndarray) -> np.ndarray:
    """Measure the brightness of mel levels (n, bands) in dB: (n,) float32, 0 where nobody speaks, blurred by 50 ms."""
    centre = band_edges()[1:-1]
    low, slow, middle = ((centre >= least) & (centre < most) for least, most in (LOW, FIRST_FORMANT, MIDDLE))
    parts = []
    for start in range(0, len(levels), _FRAMES):
        power = 10 ** (levels[start : start + _FRAMES].astype(np.float32) / 10)
        centroid = power[:, slow] @ centre[slow] / power[:, slow].sum(1)
        parts.append((centroid, 10 * np.log10(power[:, middle].sum(1)), 10 * np.log10(power[:, low].sum(1))))
    active = loud_frames(levels)
    centroid, bright, deep = (np.concatenate(part) for part in zip(*parts, strict=True))
    curve = brightness(centroid, bright, deep, active) * active
    return ndimage.gaussian_filter1d(curve, _EASE * LEVEL_RATE).astype(np.float32)


def standard(values: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Subtract the mean and divide by the deviation of the active frames, all (n,); outliers are cut off."""
    chosen = values[active]
    return np.clip((values - chosen.mean()) / max(float(chosen.std()), 1e-3), -2.5, 2.5)
