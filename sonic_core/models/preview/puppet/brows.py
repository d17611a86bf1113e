"""The brows rise with stress, and the forehead above them goes along."""

from __future__ import annotations

import numpy as np

from ....easing import smooth_fall, smooth_rise
from ....faces.geometry import (
    LEFT_BROW_LOWER,
    LEFT_BROW_UPPER,
    LEFT_LID_UPPER,
    RIGHT_BROW_LOWER,
    RIGHT_BROW_UPPER,
    RIGHT_LID_UPPER,
)
from .grid import Floats, Grid

_BROWS = (*LEFT_BROW_LOWER, *LEFT_BROW_UPPER), (*RIGHT_BROW_LOWER, *RIGHT_BROW_UPPER)
_LIDS = LEFT_LID_UPPER[1:-1], RIGHT_LID_UPPER[1:-1]  # without the corners
RISE = 0.07
"""I by which brows at 1 are raised: seen as raised, and no more, on photographs and paintings."""
_BEHIND = 0.3  # of it is what brows behind glasses rise, whose rims are not seen to bend then
_HALF_WIDTH = 0.42  # I from the middle of a brow to where it has all but ceased to move
_FOREHEAD = 0.45  # I above the brow in which the movement fades
_MARGIN = 0.02  # I above the lid at which it has faded


class Brows:
    """How far each node goes along with brows that are raised by 1."""

    def __init__(self, grid: Grid, points: Floats, up: Floats, unit: float, *, glasses: bool = False) -> None:
        """Measure.

        Args:
            grid: Nodes over the portrait.
            points: The mesh's points, (468, 3) pixels.
            up: (3,) of length 1: upward on the head, in space.
            unit: I in pixels.
            glasses: Whether glasses are worn: their rims lie where brows move, and would bend.
        """
        down = -up[:2] / np.linalg.norm(up[:2])
        along = np.array([-down[1], down[0]])
        weight = np.zeros(grid.nodes.shape[:2])
        for brow, lid in zip(_BROWS, _LIDS, strict=True):
            middle = points[list(brow), :2].mean(0)
            aside, below = (grid.nodes - middle) @ along / unit, (grid.nodes - middle) @ down / unit
            span = max(float(((points[list(lid), :2] - middle) @ down).min()) / unit - _MARGIN, 0.05)
            rise = np.where(below < 0, smooth_fall(-below / _FOREHEAD), smooth_rise(1 - below / span))
            weight = np.maximum(weight, np.exp(-((aside / _HALF_WIDTH) ** 4)) * rise)
        self.basis: Floats = (weight[..., None] * up * (RISE * unit * (_BEHIND if glasses else 1.0))).astype(np.float32)
        """(rows, columns, 3) pixels."""
