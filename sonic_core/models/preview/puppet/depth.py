"""How near to the camera every part of a head is, over the whole picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator

from ....easing import smooth_rise
from .grid import Floats, Grid

DEPTH = 1.05
"""Factor on the mesh's depth: the median over yawed frames of five real clips (1.05, 1.075, 1.175, 1.075, 0.85)."""
STEEPEST = 3.0
"""Slope that the depth has at most: a head may then turn by 13 degrees before the picture folds."""
_SMOOTH = 0.04  # I: deviation of the blur that takes the mesh's edges out of the depth
_AXIS = 90  # percentile of the oval's depth at which the head's axis lies at least
_ROUND = 1.45  # distance from the face's middle, in the oval's, at which what surrounds it lies at the axis' depth
_CROWN = 1.7  # the same upward, where the skull goes on round; without it the forehead grows tall in a nod


class Depth:
    """The depth at the nodes of a grid, and how far from the face they are."""

    def __init__(self, grid: Grid, points: Floats, oval: tuple[int, ...], ears: tuple[int, int], unit: float) -> None:
        """Measure.

        Args:
            grid: Where to.
            points: The mesh's points, (468, 3) pixels.
            oval: The numbers of those around the face, in order.
            ears: The two of them beside the ears.
            unit: I in pixels.
        """
        around = points[list(oval)].astype(np.float64)
        around[:, 2] *= DEPTH
        self.axis = float(max(np.percentile(around[:, 2], _AXIS), points[list(ears), 2].mean() * DEPTH))
        """Depth of the head's axis, at which hair and silhouette lie."""
        middle = (around[:, :2].min(0) + around[:, :2].max(0)) / 2
        offset = grid.nodes - middle
        angle, distance = np.arctan2(offset[..., 1], offset[..., 0]), np.hypot(offset[..., 0], offset[..., 1])
        radius, edge = _by_angle(around, middle, angle)
        self.reach: Floats = (distance / np.maximum(radius, 1e-3)).astype(np.float32)
        """(rows, columns): distance from the face's middle, 1 on its oval."""
        inside = LinearNDInterpolator(points[:, :2].astype(np.float64), points[:, 2].astype(np.float64) * DEPTH)
        known = inside(grid.nodes[..., 0], grid.nodes[..., 1])
        outside = _outside(self.reach, edge, self.axis, np.sin(np.minimum(angle, 0)) ** 2)
        depth = np.where(np.isnan(known) | (self.reach > 1), outside, known).astype(np.float32)
        depth = _flattened(depth, grid.step, STEEPEST)
        blur = max(_SMOOTH * unit / grid.step, 0.3)
        self.values: Floats = np.asarray(cv2.GaussianBlur(depth, (0, 0), blur), np.float32)
        """(rows, columns) pixels, smaller is nearer."""


def _by_angle(
    around: NDArray[np.float64], middle: NDArray[np.float64], angle: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the oval's distance from ``middle`` and its depth in the direction ``angle`` of every node."""
    offset = around[:, :2] - middle
    angles = np.arctan2(offset[:, 1], offset[:, 0])
    order = np.argsort(angles)
    radius = np.hypot(offset[:, 0], offset[:, 1])
    read = [np.interp(angle, angles[order], values[order], period=2 * np.pi) for values in (radius, around[:, 2])]
    return read[0], read[1]


def _outside(reach: Floats, edge: NDArray[np.float64], axis: float, upward: NDArray[np.float32]) -> NDArray[np.float64]:
    """Go from the oval's depth to the axis' with the distance; upward along an arc, as a skull does."""
    beside = smooth_rise((reach - 1) / (_ROUND - 1))
    along = np.clip((reach - 1) / (_CROWN - 1), 0, 1)
    above = 1 - np.sqrt(np.maximum(1 - along**2, 0))
    return edge + (axis - edge) * (beside * (1 - upward) + above * upward)


def _flattened(depth: Floats, step: int, steepest: float) -> Floats:
    """Bring what lies farther away than a slope allows nearer: the flank of a nose, the rim of a face.

    No node lies farther away than a neighbour by more than the slope, row by row, column by column and diagonally.
    """
    flat, rows, columns = depth.copy(), *depth.shape
    rounds = int((float(depth.max()) - float(depth.min())) / (steepest * step)) + 1
    for _ in range(rounds):
        around = np.pad(flat, 1, mode="edge")
        for down, across in ((0, 1), (1, 0), (1, 2), (2, 1), (0, 0), (0, 2), (2, 0), (2, 2)):
            rise = np.float32(steepest * step * np.hypot(down - 1, across - 1))
            np.minimum(flat, around[down : down + rows, across : across + columns] + rise, out=flat)
    return flat
