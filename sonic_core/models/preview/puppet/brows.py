"""The brows rise with stress, and the forehead above them goes along."""

from __future__ import annotations

import numpy as np

from ..easing import smooth_fall, smooth_rise
from .grid import Floats, Grid

BROWS = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107), (276, 283, 282, 295, 285, 300, 293, 334, 296, 336)
LIDS = (246, 161, 160, 159, 158, 157, 173), (466, 388, 387, 386, 385, 384, 398)
RISE = 0.07
"""I by which brows at 1 are raised: seen as raised, and no more, on photographs and paintings."""
_HALF_WIDTH = 0.42  # I from the middle of a brow to where it has all but ceased to move
_FOREHEAD = 0.45  # I above the brow in which the movement fades
_MARGIN = 0.02  # I above the lid at which it has faded


class Brows:
    """How far each node goes along with brows that are raised by 1."""

    def __init__(self, grid: Grid, points: Floats, up: Floats, unit: float) -> None:
        """Measure.

        Args:
            grid: Nodes over the portrait.
            points: The mesh's points, (468, 3) pixels.
            up: (3,) of length 1: upward on the head, in space.
            unit: I in pixels.
        """
        down = -up[:2] / np.linalg.norm(up[:2])
        along = np.array([-down[1], down[0]])
        weight = np.zeros(grid.nodes.shape[:2])
        for brow, lid in zip(BROWS, LIDS, strict=True):
            middle = points[list(brow), :2].mean(0)
            aside, below = (grid.nodes - middle) @ along / unit, (grid.nodes - middle) @ down / unit
            span = max(float(((points[list(lid), :2] - middle) @ down).min()) / unit - _MARGIN, 0.05)
            rise = np.where(below < 0, smooth_fall(-below / _FOREHEAD), smooth_rise(1 - below / span))
            weight = np.maximum(weight, np.exp(-((aside / _HALF_WIDTH) ** 4)) * rise)
        self.basis: Floats = (weight[..., None] * up * RISE * unit).astype(np.float32)
        """(rows, columns, 3) pixels."""
