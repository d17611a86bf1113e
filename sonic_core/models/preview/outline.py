"""Where the face ends beside the mouth and under it.

An edge is believed as far as it is steep and lies where a face of this turn usually ends: between beard and collar, or
chin and neck, the steepest edge alone is often another.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...faces.fit import REACH, Frame, patch

PIXELS = 64.0
"""Pixels per unit of the face in the patch in which edges are looked for."""
SIDE, SIDE_PER_DEGREE = 0.89, 0.02
"""Usual distance from the mouth's middle to the face's outline beside it, in units, and how much one side gains and the
other loses per degree of the head's turn."""
CHIN = 0.68
"""Usual distance from the mouth's middle to the chin."""
SPREAD = 0.11
"""By how much these distances differ between people."""
_FARTHEST = 1.6


@dataclass(frozen=True)
class Outline:
    """Distances from the mouth's middle in units of the face."""

    left: float
    right: float
    chin: float


def measure_outline(pixels: np.ndarray, frame: Frame, mouth: tuple[float, float], turn: float) -> Outline:
    """Measure how far the face reaches beside and below the mouth.

    Args:
        pixels: The crop, (h, w, 3) RGB bytes.
        frame: The face's frame.
        mouth: The mouth's middle in the frame, in units.
        turn: Degrees by which the head is turned to the picture's right.
    """
    cut = patch(pixels, frame, PIXELS)
    distance = np.arange(0.2, _FARTHEST, 1 / PIXELS)
    down = np.linspace(-0.25, 0.25, 17)[:, None]
    across = np.linspace(-0.22, 0.22, 13)[:, None]
    left, right = (
        _end(cut, mouth[0] + side * (distance - 0.35 * down - 0.2 * down**2), mouth[1] + down, distance, expected)
        for side, expected in ((-1, SIDE + SIDE_PER_DEGREE * turn), (1, SIDE - SIDE_PER_DEGREE * turn))
    )
    aside = 0.15 * float(np.sin(np.radians(turn)))
    chin = _end(cut, mouth[0] - aside + across, mouth[1] + distance - 0.9 * across**2, distance, CHIN)
    return Outline(left, right, chin)


def _end(cut: np.ndarray, x: np.ndarray, y: np.ndarray, distance: np.ndarray, expected: float) -> float:
    """Find the distance at which brightness and colour change together along all rays.

    Args:
        cut: (s, s, 3) patch.
        x: Places along the rays in units, (rays, n) or what broadcasts to it, as ``y``.
        y: See ``x``.
        distance: (n,) of those places.
        expected: The usual distance.
    """
    x, y = np.broadcast_arrays(x, y)
    columns, rows = ((REACH + x) * PIXELS).astype(np.float32), ((REACH - 0.5 + y) * PIXELS).astype(np.float32)
    values = cv2.remap(cut, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    values = cv2.GaussianBlur(np.log(values + 0.1), (0, 0), sigmaX=0.025 * PIXELS, sigmaY=0.8)
    steep = np.median(np.abs(np.gradient(values, axis=1)), axis=0).sum(-1) * PIXELS
    belief = np.log(steep + 0.4) * 1.5 - 0.5 * ((distance - max(expected, 0.35)) / SPREAD) ** 2
    weight = np.exp(2.0 * (belief - belief.max()))
    return float((weight * distance).sum() / weight.sum())
