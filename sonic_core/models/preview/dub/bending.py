"""Bend a frame's own jaw and cheeks to where the new mouth has them: its skin, light and edges stay the frame's."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ....faces.geometry import LIPS_LOWER_OUTER, LIPS_UPPER_OUTER, OVAL
from ..puppet.grid import Floats
from ..puppet.lip_shapes import fade_out
from ..puppet.splines import ThinPlate
from .reference import Reference

JAW = (58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288)
"""The lower jaw's edge."""
BESIDE = (18, 200, 199, 175, 57, 287, 43, 273, 212, 432, 214, 434, 210, 430, 202, 422, 204, 424, 216, 436, 192, 416,
          169, 394, 164, 186, 410, 92, 322)  # fmt: skip
"""Chin, what is beside the mouth, and above it."""
MOVING = tuple(dict.fromkeys((*JAW, *BESIDE, *LIPS_UPPER_OUTER, *LIPS_LOWER_OUTER)))
"""Points that are brought to where the new mouth has them."""
STILL = (2, 98, 327, 129, 358, 50, 280, 205, 425, 132, 361, 93, 323, 234, 454, 1, 6, 33, 263)
"""Points that stay where they are."""
RINGS = 1.3, 1.7
"""Times the oval: what stays too, the nearer one only above the chin."""
STIFFNESS = 3e-3
"""Bending against passing through, lengths in eye distances: one point that is read badly moves little."""
SPAN, BELOW = (1.0, 1.3), 0.55
"""Times the oval from where bending fades, and where it has; how much further that is below the chin, on the neck."""
COARSE = 4
"""Nodes of the reference's grid, each way, for one at which bending is known."""


class Bending:
    """Bends frames to one reference's shape."""

    def __init__(self, reference: Reference) -> None:
        """Solve once what each point moves; its mesh is where points are tied."""
        points, unit, grid = reference.points.astype(np.float64), reference.unit, reference.grid
        oval = points[list(OVAL), :2]
        middle = (oval.min(0) + oval.max(0)) / 2
        below = (oval - middle) @ (points[152, :2] - points[10, :2]) > 0
        near, far = (middle + (oval - middle) * times for times in RINGS)
        rings = np.concatenate((near[~below], far))
        places = np.concatenate((points[list(MOVING), :2], points[list(STILL), :2], rings)) / unit
        nodes = np.ascontiguousarray(grid.nodes[::COARSE, ::COARSE])
        flat = nodes.reshape(-1, 2).astype(np.float64)
        fade = fade_out(points, flat, reference.lips.axes, span=SPAN, below=BELOW)
        some = fade > 0
        shares = np.zeros((len(flat), len(MOVING)))
        spline = ThinPlate(places, np.eye(len(places), len(MOVING)), STIFFNESS)
        shares[some] = spline.read(flat[some] / unit) * fade[some, None]
        self._shares, self._size = shares.astype(np.float32), nodes.shape[:2]
        self._first, self._step = np.float32(grid.nodes[0, 0, 0]), np.float32(grid.step * COARSE)
        left, top = flat[some].min(0) - self._step
        right, bottom = flat[some].max(0) + self._step
        depth = float(np.median(points[:, 2]))
        self.reach = np.array([(x, y, depth) for x in (left, right) for y in (top, bottom)])
        """(4, 3) corners of all that bends, in the reference's pixels."""

    def field(self, off: NDArray[np.floating], places: Floats) -> Floats:
        """Say for each pixel from where in the frame it comes, relative to it.

        Args:
            off: (n, 2) pixels: where ``MOVING`` are in the frame, relative to where they shall be.
            places: (h, w, 2): where in the reference each pixel of a window comes from.

        Returns:
            (h, w, 2) pixels; 0 where nothing bends.
        """
        field = np.einsum("nm,mc->nc", self._shares, off.astype(np.float32)).reshape(*self._size, 2)
        where = (places - self._first) / self._step
        nothing = cast("Floats", None)  # the maps are one array
        return cast("Floats", cv2.remap(field, where, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT))
