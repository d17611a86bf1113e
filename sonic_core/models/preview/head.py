"""The head turns, nods and tilts: a relief whose near parts move further than its outline, which stays.

A head turns around an axis between the ears. Seen from the front, what lies in the plane of that axis (the face's
outline) stays where it is and everything else moves in proportion to how far it stands before it, the nose the most.
So the outline needs no cutting out, and the background is the portrait's own, to the last bit.
"""

from __future__ import annotations

import cv2
import numpy as np

from .anatomy import Anatomy
from .easing import smooth_rise
from .pose import Pose

TURN = 0.075
"""How far a turn of 1 moves what stands as far before the axis as the eyes, in face units: about 4 degrees."""
NOD = 0.06
"""The same for a nod of 1."""
TILT = np.radians(2.0)
LIFT = 0.012
"""How far a breath lifts the head, in face units."""
_ABOVE, _BELOW, _BESIDE = 1.75, 1.3, 1.12  # reach of the relief around the middle of the face, in face units
_CELL = 8  # pixels: movements are so smooth that they are worked out at one place in 64


class Head:
    """Undoes one portrait's head movement; grids that do not change are kept."""

    def __init__(self, anatomy: Anatomy, size: tuple[int, int]) -> None:
        """Lay the grids for a crop of ``size`` (h, w)."""
        self.anatomy = anatomy
        height, width = size
        self.y, self.x = np.mgrid[0:height, 0:width].astype(np.float32)
        rows, columns = (np.arange(-(-length // _CELL), dtype=np.float32) for length in size)
        self._x, self._y = np.meshgrid((columns + 0.5) * _CELL - 0.5, (rows + 0.5) * _CELL - 0.5)
        self._whole, self._relief = self._measure(size)

    def undo(self, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
        """Name for every pixel of a frame the place it has in the portrait with its head at rest: x, y, (h, w) each."""
        unit, frame = self.anatomy.unit, self.anatomy.head
        turned = frame.turned(TURN * unit * pose.yaw, NOD * unit * pose.pitch)
        lifted = frame.turned(0.0, -LIFT * unit * pose.lift)
        arm = self._x - frame.centre[0], self._y - frame.centre[1]
        tilted = -TILT * pose.roll * arm[1], TILT * pose.roll * arm[0]
        moved = (
            part * self._relief + (other + tilt) * self._whole
            for part, other, tilt in zip(turned, lifted, tilted, strict=True)
        )
        return self.x - self._enlarge(next(moved)), self.y - self._enlarge(next(moved))

    def _enlarge(self, movement: np.ndarray) -> np.ndarray:
        """Read a movement known at each cell's centre at every pixel; where cells around stand still, exactly 0."""
        rows, columns = movement.shape
        full = cv2.resize(movement.astype(np.float32), (columns * _CELL, rows * _CELL), interpolation=cv2.INTER_LINEAR)
        return full[: self.x.shape[0], : self.x.shape[1]]

    def _measure(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Measure at each cell how far it goes along with the head, and how near it is.

        Returns:
            Whole, 0 … 1, and relief, 1 at the eyes; both 0 from the face's outline to the crop's edge.
        """
        unit = np.float32(self.anatomy.unit)
        along, down = (part / unit for part in self.anatomy.head.local(self._x, self._y))
        left, right = self._sides()
        height = np.where(down < 0, np.float32(_ABOVE), np.float32(_BELOW))
        radius = np.hypot((along - (right - left) / 2) / ((right + left) / 2), down / height)
        edge = np.minimum.reduce([self._y, self._x, size[0] - 1 - self._y, size[1] - 1 - self._x])
        whole = smooth_rise((1 - radius) / 0.75) * smooth_rise((edge - _CELL) / (0.15 * unit))
        nose = np.exp(-(((along - self._nose()) / 0.2) ** 2) - ((down - 0.05) / 0.3) ** 2)
        return whole, whole * (1 + 0.22 * nose)

    def _sides(self) -> tuple[float, float]:
        """Tell how far the face reaches to the left and to the right of its middle, in face units.

        A turned face reaches further where its cheek and ear are seen.
        """
        shift = 0.75 * float(np.sin(np.radians(self.anatomy.turn)))
        return _BESIDE + shift, _BESIDE - shift

    def _nose(self) -> float:
        """Tell where the tip of the nose stands before the middle of eyes and mouth, in face units to the right."""
        return 0.35 * float(np.sin(np.radians(self.anatomy.turn)))
