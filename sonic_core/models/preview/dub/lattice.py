"""Look at lower faces in cells that lie in the same places of every face, whichever way it is turned and speaks."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ....faces.geometry import (
    EYE_ENDS,
    LIPS_LOWER_INNER,
    LIPS_LOWER_OUTER,
    LIPS_UPPER_INNER,
    LIPS_UPPER_OUTER,
)
from ....media.pixels import Bytes
from .reference import OUTLINE

ROWS, COLUMNS = 20, 24
HALF = 0.95
"""I: how far the cells reach to both sides of the mouth's middle."""
AXIS = (2, 0, 17, 152)
"""Points down the middle of a lower face: under the nose, the lips' edges, the chin."""
KNOTS = (0.0, 4.0, 12.0, 18.0, 20.0)
"""Rows at which these lie, and where the cells end."""
BEYOND = 0.12
"""I: how far that is below the chin."""
OUTSIDE, FACE, LIPS, INSIDE = range(4)
"""What a cell shows: nothing that is drawn, skin, lips, or what an open mouth shows."""
_OPEN = 0.03  # I: gap of the lips from which a mouth is open
_FINE = 4  # bits after the point with which outlines are drawn

Points: TypeAlias = NDArray[np.floating]


class Lattice(NamedTuple):
    """Where the cells of a face lie in a picture."""

    axis: NDArray[np.float64]
    """(5, 2) pixels at ``KNOTS``."""
    across: NDArray[np.float64]
    """(2,): one I from the picture's left to its right along the eyes, in pixels."""

    @property
    def unit(self) -> float:
        """I in pixels."""
        return float(np.hypot(*self.across))

    @property
    def down(self) -> NDArray[np.float64]:
        """(2,): at a right angle to ``across``, one pixel long."""
        return np.array((-self.across[1], self.across[0])) / self.unit

    def places(self) -> NDArray[np.float32]:
        """Say where the middles of the cells lie: (rows, columns, 2) pixels."""
        rows = np.arange(ROWS) + 0.5
        middle = np.stack([np.interp(rows, KNOTS, side) for side in self.axis.T], 1)
        aside = ((np.arange(COLUMNS) + 0.5) / COLUMNS * 2 - 1) * HALF
        return (middle[:, None] + aside[None, :, None] * self.across).astype(np.float32)

    def cells(self, places: Points) -> NDArray[np.float32]:
        """Say in which column and row places (…, 2) of the picture lie; whole numbers are the middles of cells."""
        down = self.down
        heights = np.maximum.accumulate((self.axis - self.axis[0]) @ down + 1e-6 * np.arange(len(self.axis)))
        row = np.interp((places - self.axis[0]) @ down, heights, KNOTS)
        middle = np.stack([np.interp(row, KNOTS, side) for side in self.axis.T], -1)
        aside = (places - middle) @ self.across / self.unit**2
        return np.stack(((aside / HALF + 1) / 2 * COLUMNS - 0.5, row - 0.5), -1).astype(np.float32)


def lattice_of(points: Points) -> Lattice:
    """Lay the cells over a face whose mesh is (468, 2 or 3) pixels."""
    flat = np.asarray(points[:, :2], np.float64)
    first, second = (flat[list(ends)].mean(0) for ends in EYE_ENDS)
    across = second - first
    if not across.any():
        across = np.array((1.0, 0.0))
    axis = flat[list(AXIS)]
    made = Lattice(axis, across)
    return made._replace(axis=np.vstack((axis, axis[-1] + BEYOND * made.unit * made.down)))


def read_cells(small: Bytes, points: Points) -> NDArray[np.uint8]:
    """Read what the cells of a face show.

    Args:
        small: (h, w, 3) RGB, of which one pixel is about as large as a cell.
        points: (468, 3) in its pixels.

    Returns:
        (rows, columns, 4): RGB, and ``OUTSIDE``, ``FACE``, ``LIPS`` or ``INSIDE``.
    """
    lattice = lattice_of(points)
    read = np.empty((ROWS, COLUMNS, 4), np.uint8)
    nothing = cast("Bytes", None)  # the maps are one array
    read[..., :3] = cv2.remap(small, lattice.places(), nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    kinds = np.zeros((ROWS, COLUMNS), np.uint8)
    outlines = [(FACE, OUTLINE), (LIPS, (*LIPS_UPPER_OUTER, *LIPS_LOWER_OUTER[::-1]))]
    if np.linalg.norm(points[13] - points[14]) > _OPEN * lattice.unit:
        outlines.append((INSIDE, (*LIPS_UPPER_INNER, *LIPS_LOWER_INNER[::-1])))
    for kind, outline in outlines:
        around = np.round(lattice.cells(points[list(outline), :2]) * (1 << _FINE)).astype(np.int32)
        cv2.fillPoly(kinds, [around], (kind,), cv2.LINE_8, _FINE)
    read[..., 3] = kinds
    return read
