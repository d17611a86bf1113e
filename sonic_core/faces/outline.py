"""Where the face ends beside the mouth and under it, and how far the head is turned.

An edge is believed as far as it is steep and lies where a face of this turn usually ends: between beard and collar, or
chin and neck, the steepest edge alone is often another. A turned head reaches less far beyond its mouth on the one side
and further on the other, so both sides together tell the turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .fit import REACH, Frame, patch
from .search import Array

PIXELS = 64.0
"""Pixels per unit of the face in the patch in which edges are looked for."""
SIDE, SIDE_PER_DEGREE = 0.89, 0.02
"""Usual distance from the mouth's middle to the face's outline beside it, in units, and how much one side gains and the
other loses per degree of the head's turn."""
CHIN = 0.68
"""Usual distance from the mouth's middle to the chin."""
SPREAD = 0.11
"""By how much these distances differ between people."""
TURN_SPREAD = 15.0
"""Degrees by which the heads of portraits are usually turned."""
_TURNS = np.arange(-45.0, 46.0)
_DISTANCES = np.arange(0.2, 1.6, 1 / PIXELS)


@dataclass(frozen=True)
class Outline:
    """Distances from the mouth's middle in units of the face."""

    left: float
    right: float
    chin: float
    turn: float
    """Degrees by which the head is turned to the picture's right."""


def measure_outline(pixels: NDArray[np.uint8], frame: Frame, mouth: tuple[float, float]) -> Outline:
    """Measure how far the face reaches beside and below the mouth.

    Args:
        pixels: (h, w, 3) RGB.
        frame: The face's frame.
        mouth: The mouth's middle in the frame, in units.
    """
    cut = patch(pixels, frame, PIXELS)
    down = np.linspace(-0.25, 0.25, 17)[:, None]
    across = np.linspace(-0.22, 0.22, 13)[:, None]
    jaw = _DISTANCES - 0.35 * down - 0.2 * down**2
    left, right = (_steepness(cut, mouth[0] + side * jaw, mouth[1] + down) for side in (-1, 1))
    turn = _turn(left, right)
    aside = 0.15 * float(np.sin(np.radians(turn)))
    below = _steepness(cut, mouth[0] - aside + across, mouth[1] + _DISTANCES - 0.9 * across**2)
    gain = SIDE_PER_DEGREE * turn
    return Outline(_end(left, SIDE + gain), _end(right, SIDE - gain), _end(below, CHIN), turn)


def _turn(left: Array, right: Array) -> float:
    """Weigh all turns by how well both sides' edges lie where a face so turned would end."""
    weight = -0.5 * (_TURNS / TURN_SPREAD) ** 2
    for steep, gain in ((left, SIDE_PER_DEGREE), (right, -SIDE_PER_DEGREE)):
        expected = SIDE + gain * _TURNS[:, None]
        weight += np.log(np.exp(2 * _belief(steep, expected)).mean(1))
    share = np.exp(weight - weight.max())
    return float((share * _TURNS).sum() / share.sum())


def _end(steep: Array, expected: float) -> float:
    """Find the distance at which the face ends."""
    belief = _belief(steep, expected)
    weight = np.exp(2 * (belief - belief.max()))
    return float((weight * _DISTANCES).sum() / weight.sum())


def _belief(steep: Array, expected: Array | float) -> Array:
    """Join what is seen and what is expected, in logarithms of a likelihood."""
    return 1.5 * np.log(steep + 0.4) - 0.5 * ((_DISTANCES - np.maximum(expected, 0.32)) / SPREAD) ** 2


def _steepness(cut: NDArray[np.float32], x: Array, y: Array) -> Array:
    """Measure how brightness and colour change along a bundle of rays.

    Args:
        cut: (s, s, 3) patch.
        x: Places along the rays in units, (rays, n) or what broadcasts to it, as ``y``.
        y: See ``x``.

    Returns:
        (n,): the median of all rays.
    """
    x, y = np.broadcast_arrays(x, y)
    columns, rows = ((REACH + x) * PIXELS).astype(np.float32), ((REACH - 0.5 + y) * PIXELS).astype(np.float32)
    values = cv2.remap(cut, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    values = cv2.GaussianBlur(np.log(values + 0.1), (0, 0), sigmaX=0.025 * PIXELS, sigmaY=0.8)
    change = np.median(np.abs(np.gradient(values, axis=1)), axis=0).sum(-1) * PIXELS
    return np.asarray(change, np.float64)
