"""Give what is drawn the frame's light and sharpness, as they are in the skin around it."""

from __future__ import annotations

import cv2
import numpy as np

from ..puppet.grid import Floats

SMALL = 16.0
"""Pixels per eye distance at which light is compared."""
SPREAD = 0.35
"""Eye distances: deviation of the Gaussian over which light is averaged."""
DARKEST, LIGHTEST = 0.5, 2.0
"""Bounds of the change of light."""
FINE = 1.5
"""Pixels: deviation of the Gaussian below which structure is detail."""
SOFTEST, CRISPEST = 0.2, 1.15
"""Bounds of the change of detail."""
_FLOOR = 1e-4  # brightness that keeps black from being divided by


def match_light(drawn: Floats, frame: Floats, weight: Floats, unit: float) -> Floats:
    """Say by what each pixel drawn (h, w, 3) is multiplied to have the light of the frame.

    Args:
        drawn: What was drawn.
        frame: What is there, bent alike.
        weight: (h, w) where the two show the same skin.
        unit: Eye distance in pixels.
    """
    height, width = weight.shape
    size = max(round(width * SMALL / unit), 4), max(round(height * SMALL / unit), 4)

    def averaged(values: Floats) -> Floats:
        small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.GaussianBlur(small, (0, 0), SPREAD * SMALL), np.float32)

    weights = cv2.merge([weight] * 3)
    there, here = (averaged(np.asarray(cv2.multiply(one, weights), np.float32)) for one in (frame, drawn))
    floor = 0.02 * averaged(weight)[..., None] + _FLOOR
    gain = np.clip((there + floor) / (here + floor), DARKEST, LIGHTEST)
    return np.asarray(cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def match_detail(drawn: Floats, frame: Floats, weight: Floats) -> Floats:
    """Give what is drawn (h, w, 3) as much detail as the frame has where ``weight`` (h, w) says that both are alike."""
    soft = np.asarray(cv2.GaussianBlur(drawn, (0, 0), FINE), np.float32)
    fine = drawn - soft
    theirs = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32)
    theirs -= cv2.GaussianBlur(theirs, (0, 0), FINE)
    total = float(weight.sum()) + _FLOOR
    ours = cv2.cvtColor(fine, cv2.COLOR_RGB2GRAY)
    energies = [float(np.vdot(weight * values, values)) / total for values in (theirs, ours)]
    share = float(np.clip(np.sqrt((energies[0] + _FLOOR**2) / (energies[1] + _FLOOR**2)), SOFTEST, CRISPEST))
    fine *= np.float32(share)
    return np.add(soft, fine, out=soft)
