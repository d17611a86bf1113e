"""Make mouths and sounds as various as cameras and microphones do, anew at each step.

Without it a network does as well on clips that are drawn, and far worse on people.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...sync.network import FRAME_RATE

Random = np.random.Generator

GAIN, MIXED = 0.35, 0.15
"""Deviation of the logarithm of each curve's gain, and of what goes over from one curve into another."""
OWN, TREMBLE, SWAY = 0.9, 0.35, 1.0
"""Most of what a mouth does for itself, of the tracker's noise, and of slow change, in deviations of the curve."""
BLURRED = 0.5
"""Share of mouths that are blurred by a frame."""
_OWN_PACE = (0.04, 0.2)
"""Deviation in seconds of the Gaussian that blurs what a mouth does for itself."""
_SLOW = 0.5
"""The same of slow change."""
_BLUR = np.array([0.25, 0.5, 0.25])


def vary_mouth(curves: NDArray[np.floating], random: Random) -> NDArray[np.float64]:
    """Give curves (k, n) another owner, another tracker and another camera."""
    count, length = curves.shape
    spread = curves.std(1, keepdims=True) + 1e-9
    unit = (curves - curves.mean(1, keepdims=True)) / spread
    mixed = (np.eye(count) + MIXED * random.standard_normal((count, count))) @ unit
    varied = mixed * np.exp(GAIN * random.standard_normal((count, 1)))
    pace = random.uniform(*_OWN_PACE) * FRAME_RATE
    shared = random.standard_normal((count, count)) @ _wave(random, (count, length), pace) / np.sqrt(count)
    varied += random.uniform(0, OWN) * shared
    varied += random.uniform(0, TREMBLE) * random.standard_normal((count, length))
    varied += random.uniform(0, SWAY) * _wave(random, (count, length), _SLOW * FRAME_RATE)
    if random.random() < BLURRED:
        varied = ndimage.convolve1d(varied, _BLUR, axis=1, mode="nearest")
    return varied


def _wave(random: Random, shape: tuple[int, int], pace: float) -> NDArray[np.float64]:
    """Draw curves of deviation 1 that are blurred by ``pace`` frames."""
    wave = ndimage.gaussian_filter1d(random.standard_normal(shape), pace, axis=1, mode="wrap")
    return wave / (wave.std(1, keepdims=True) + 1e-9)
