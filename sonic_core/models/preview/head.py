"""The head turns a little: near parts of the face move further than its outline, which stays."""

from __future__ import annotations

import numpy as np

from .anatomy import Anatomy
from .pose import Pose


class Head:
    """Undoes one portrait's head movement; grids that do not change are kept."""

    def __init__(self, anatomy: Anatomy, size: tuple[int, int]) -> None:
        """Lay the grids for a crop of ``size`` (h, w)."""
        self.anatomy = anatomy
        height, width = size
        self.y, self.x = np.mgrid[0:height, 0:width].astype(np.float32)
        self._depth = self._relief()

    def undo(self, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
        """Name for every pixel of a frame the place it has in the portrait with its head at rest: x, y, (h, w) each."""
        unit = self.anatomy.unit
        right, down = self.anatomy.head.turned(0.05 * unit * pose.yaw, 0.04 * unit * pose.pitch)
        return self.x - np.float32(right) * self._depth, self.y - np.float32(down) * self._depth

    def _relief(self) -> np.ndarray:
        """How near each part of the face is: 1 at the nose, 0 at the face's outline and at the crop's edge."""
        unit = self.anatomy.unit
        along, down = self.anatomy.head.local(self.x, self.y)
        radius = (along / (1.05 * unit)) ** 2 + (down / (1.35 * unit)) ** 2
        bulge = np.clip(1 - radius, 0, 1)
        nose = np.exp(-((along / (0.22 * unit)) ** 2) - ((down / (0.35 * unit)) ** 2))
        height, width = self.x.shape
        edge = np.minimum.reduce([self.y, self.x, height - 1 - self.y, width - 1 - self.x])
        return (bulge * bulge * (3 - 2 * bulge) * (0.8 + 0.2 * nose) * np.clip(edge / (0.15 * unit), 0, 1)).astype(
            np.float32
        )
