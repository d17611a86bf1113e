"""Pixel by pixel beside a reference: PSNR and SSIM.

Source: Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, TIP 2004.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..media.pixels import Bytes

FULL = 255.0
LEAST_ERROR = 1e-10
"""Mean squared error, of pixels in [0, 1], below which two frames are the same: 100 dB."""
WINDOW, DEVIATION = 11, 1.5
"""Sides in pixels of the window in which structure is compared, and the deviation of its Gaussian: published."""
STEADY = (0.01 * FULL) ** 2, (0.03 * FULL) ** 2
"""What keeps the ratios steady where there is nothing: published."""


def psnr(one: Bytes, other: Bytes) -> float:
    """Compare two pictures (h, w, 3) of one size: dB, 100 at most."""
    apart = one.astype(np.float32) - other.astype(np.float32)
    return -10 * math.log10(max(float(np.square(apart).mean()) / FULL**2, LEAST_ERROR))


def ssim(one: Bytes, other: Bytes) -> float:
    """Compare the structure of two pictures (h, w, 3) of one size, by their luma: 1 for the same."""
    first, second = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in (one, other))
    mean, other_mean = _blurred(first), _blurred(second)
    energy, other_energy = _blurred(first * first) - mean**2, _blurred(second * second) - other_mean**2
    common = _blurred(first * second) - mean * other_mean
    light = (2 * mean * other_mean + STEADY[0]) / (mean**2 + other_mean**2 + STEADY[0])
    structure = (2 * common + STEADY[1]) / (energy + other_energy + STEADY[1])
    rim = WINDOW // 2
    inside = (light * structure)[rim:-rim, rim:-rim]
    return float((inside if inside.size else light * structure).mean())


def _blurred(values: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(values, (WINDOW, WINDOW), DEVIATION)
