"""The head turns, nods and tilts: a relief whose near parts move further than its outline, which stays.

A head turns around an axis between the ears. Seen from the front, what lies in the plane of that axis (the face's
outline) stays where it is and everything else moves in proportion to how far it stands before it, the nose the most.
So nothing needs cutting out, and the background is the portrait's own, to the last bit.
"""

from __future__ import annotations

import cv2
import numpy as np

from .anatomy import Anatomy
from .easing import smooth_rise
from .pose import Pose

TURN = 0.08
"""How far a turn of 1 moves what stands as far before the axis as the eyes, in face units: about 4 degrees."""
NOD = 0.06
"""The same for a nod of 1."""
TILT = np.radians(2.0)
LIFT = 0.012
"""How far a breath lifts the head, in face units."""
_ABOVE, _BELOW, _BESIDE = 2.2, 1.45, 1.4  # reach of the relief around the middle of the face, in face units
_ROUNDING = 0.05  # face units by which kinks of the outline are rounded
_RIM = 0.2  # face units inside the outline in which a movement grows to its full size
_MOST = 1.5  # largest turn, nod or tilt, however lively
_LEAST = 0.45  # of the full movement: what a face does even where its eyes are close to the outline
_CELL = 8  # pixels: movements are so smooth that they are worked out at one place in 64


class Head:
    """Undoes one portrait's head movement; grids that do not change are kept."""

    def __init__(self, anatomy: Anatomy, inside: np.ndarray) -> None:
        """Lay the grids for a crop.

        Args:
            anatomy: Where the face is.
            inside: How far inside the person's outline each pixel of the crop lies, (h, w) in face units, 0 outside.
        """
        self.anatomy = anatomy
        height, width = size = inside.shape
        self.y, self.x = np.mgrid[0:height, 0:width].astype(np.float32)
        rows, columns = (np.arange(-(-length // _CELL), dtype=np.float32) for length in size)
        self._x, self._y = np.meshgrid((columns + 0.5) * _CELL - 0.5, (rows + 0.5) * _CELL - 0.5)
        cells = len(self._x) * _CELL, self._x.shape[1] * _CELL
        self._places = np.empty(cells, np.float32), np.empty(cells, np.float32)
        self._whole, self._relief = self._measure(inside)

    def undo(self, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
        """Name for every pixel of a frame the place it has in the portrait with its head at rest.

        Returns:
            x, y, (h, w) each, in memory that the next call uses again.
        """
        unit, frame = self.anatomy.unit, self.anatomy.head
        turned = frame.turned(TURN * unit * _bounded(pose.yaw), NOD * unit * _bounded(pose.pitch))
        lifted = frame.turned(0.0, -LIFT * unit * pose.lift)
        tilt = TILT * _bounded(pose.roll)
        arm = self._x - frame.centre[0], self._y - frame.centre[1]
        swing = -tilt * arm[1], tilt * arm[0]
        right, down = (
            part * self._relief + (other + swung) * self._whole
            for part, other, swung in zip(turned, lifted, swing, strict=True)
        )
        x, y = (self._enlarged(part, full) for part, full in zip((right, down), self._places, strict=True))
        return np.subtract(self.x, x, out=x), np.subtract(self.y, y, out=y)

    def moving(self) -> np.ndarray:
        """Tell which pixels can move, (h, w) bool."""
        return self._enlarged(self._whole > 0, np.empty_like(self._places[0])) > 0

    def _enlarged(self, movement: np.ndarray, full: np.ndarray) -> np.ndarray:
        """Read a movement known at each cell's centre at every pixel; where cells around stand still, exactly 0."""
        cv2.resize(movement.astype(np.float32), full.shape[::-1], dst=full, interpolation=cv2.INTER_LINEAR)
        return full[: self.x.shape[0], : self.x.shape[1]]

    def _measure(self, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Measure at each cell how far it goes along with the head, and how near it is.

        Returns:
            Whole, 0 … 1, and relief, 1 at the eyes; both 0 from the head's outline to the crop's edge.
        """
        unit, (height, width) = np.float32(self.anatomy.unit), inside.shape
        along, down = (part / unit for part in self.anatomy.head.local(self._x, self._y))
        shift = 0.75 * float(np.sin(np.radians(self.anatomy.turn)))  # a turned head shows more of one side
        radius = np.hypot((along - shift) / _BESIDE, down / np.where(down < 0, _ABOVE, _BELOW))
        edge = np.minimum.reduce([self._y, self._x, height - 1 - self._y, width - 1 - self._x])
        free = smooth_rise((1 - radius) / 0.5) * smooth_rise((edge - _CELL) / (0.15 * unit)) * self._within(inside)
        most = self._most(free)
        whole = free * most / (free**8 + most**8) ** 0.125
        nose = np.exp(-(((along - self._nose()) / 0.2) ** 2) - ((down - 0.05) / 0.3) ** 2)
        return whole, whole * (1 + 0.22 * nose)

    def _most(self, free: np.ndarray) -> float:
        """Tell how far the face can go as one: no further than the outer corners of its eyes, or they would slant."""
        corners = []
        for eye, outward in zip(self.anatomy.eyes, (-1, 1), strict=True):
            across, down = eye.frame.turned(0.8 * outward * eye.half_width, 0.0)
            column, row = (eye.frame.centre[0] + float(across)) / _CELL, (eye.frame.centre[1] + float(down)) / _CELL
            corners.append(free[np.clip(int(row), 0, len(free) - 1), np.clip(int(column), 0, free.shape[1] - 1)])
        return max(_LEAST, float(min(corners)))

    def _within(self, inside: np.ndarray) -> np.ndarray:
        """Rise from 0 in every cell that touches what is outside to 1 well inside, without the outline's kinks."""
        reach = max(round(_ROUNDING * self.anatomy.unit / _CELL), 1)
        lowest = cv2.erode(inside, np.ones((2 * _CELL + 1, 2 * _CELL + 1), np.uint8), borderType=cv2.BORDER_REPLICATE)
        rows, columns = self._y[:, 0].astype(int), self._x[0].astype(int)
        cells = lowest[np.ix_(rows.clip(0, inside.shape[0] - 1), columns.clip(0, inside.shape[1] - 1))]
        deep = cv2.erode(cells, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
        risen = np.clip(deep / np.float32(_RIM), 0, 1)
        return cv2.GaussianBlur(risen, (2 * reach + 1, 2 * reach + 1), 0.5 * reach, borderType=cv2.BORDER_REPLICATE)

    def _nose(self) -> float:
        """Tell where the tip of the nose stands before the middle of eyes and mouth, in face units to the right."""
        return 0.35 * float(np.sin(np.radians(self.anatomy.turn)))


def _bounded(movement: float) -> float:
    """Keep a movement below ``_MOST``, beyond which the skin beside the face would fold; 1 stays nearly 1."""
    return float(movement / (1 + (movement / _MOST) ** 4) ** 0.25)
