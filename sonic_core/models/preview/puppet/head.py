"""The head turns: one soft field in three dimensions that carries face, hair, neck and shoulders and leaves the rest.

Everything lies at its depth and is turned about a pivot in the neck, seen from far away (orthographic: a nearer camera
only adds differences far from the pivot). Hair and silhouette lie at the depth of the head's axis, so that yaw and
pitch hardly move them and the background needs no repair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ....easing import edge_distance, smooth_fall, smooth_rise
from .depth import Depth
from .grid import WHOLE, Floats, Grid, Window
from .pose import Pose

_PIVOT = 0.35  # I below the chin: where neck and shoulders meet
_STIFF, _FREE = 1.5, 2.7  # distance from the face's middle, in the oval's, up to which all moves, from which nothing
_FACE, _AROUND = 1.15, 1.8  # the same where no person was seen: a face moves in any case, what is beside it with it
_HALO, _SOFT = 0.12, 0.16  # I around a person that moves along; deviation of the blur behind which the rest stays
_NECK = 0.05, 1.3  # I below the chin between which movement fades; 0.6 pinches the neck, 1.25 to 2.2 look alike
_BORDER = 0.09  # share of the picture's shorter side in which movement fades to its border
_FOLD, _STRETCH = -0.7, 0.8  # least and most of the movement's slope …
_SPARED = 0.3  # … in all but so many percent of the nodes …
_NEAR = 1.3  # … within this distance from the face's middle
_MOST_YAW, _MOST_DOWN, _MOST_UP, _MOST_ROLL = 12.0, 8.0, 8.0, 6.0  # degrees; beyond them foreheads grow, lines bend
_STEP = 0.25  # degrees to which limits are found
_LINEAR = 0.55  # share of its limit up to which an angle is taken as it is


@dataclass(frozen=True)
class TurnLimits:
    """How far this portrait's head turns before something folds or is stretched, in degrees, all positive."""

    left: float
    """To the picture's left."""
    right: float
    up: float
    down: float
    roll: float = _MOST_ROLL

    def bounded(self, yaw: float, pitch: float, roll: float) -> tuple[float, float, float]:
        """Bring angles within the limits, smoothly."""
        return (
            _soft(yaw, self.right, self.left),
            _soft(pitch, self.up, self.down),
            _soft(roll, self.roll, self.roll),
        )


def _soft(value: float, least: float, most: float) -> float:
    """Keep a value up to a share of its limit on its side, and let the rest of it approach the limit."""
    limit = most if value > 0 else least
    free, beyond = _LINEAR * limit, abs(value) - _LINEAR * limit
    if beyond <= 0:
        return value
    room = limit - free
    return float(np.sign(value)) * (free + room * float(np.tanh(beyond / room)))


def _softened(grid: Grid, person: Floats, unit: float) -> Floats:
    """Say at the nodes how far what is there goes along with the person, (rows, columns)."""
    size = grid.nodes.shape[1::-1]
    small = cv2.resize(person, (size[0], size[1]), interpolation=cv2.INTER_AREA)
    reach = max(round(_HALO * unit / grid.step), 1)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(smooth_rise(small * 2 - 0.5).astype(np.float32), brush)
    return np.asarray(cv2.GaussianBlur(near, (0, 0), _SOFT * unit / grid.step), np.float32)


class Head:
    """Turns a head, and with it whatever moved on its face before."""

    def __init__(self, grid: Grid, depth: Depth, chin: tuple[float, float], unit: float, person: Floats) -> None:
        """Measure what moves.

        Args:
            grid: Nodes over the portrait.
            depth: Their depth.
            chin: x of the face's middle and y of its chin, in pixels.
            unit: I in pixels.
            person: (h, w) of the picture: share of a person in each pixel.
        """
        self._unit = unit
        self.places: Floats = np.concatenate([grid.nodes, depth.values[..., None]], -1)
        """(rows, columns, 3): the nodes in space, in pixels."""
        self.pivot = np.array([chin[0], chin[1] + _PIVOT * unit, depth.axis], np.float32)
        below = (grid.nodes[..., 1] - chin[1]) / unit
        weight = smooth_fall((depth.reach - _STIFF) / (_FREE - _STIFF))
        weight *= np.maximum(_softened(grid, person, unit), smooth_fall((depth.reach - _FACE) / (_AROUND - _FACE)))
        weight *= smooth_fall((below - _NECK[0]) / (_NECK[1] - _NECK[0]))
        height, width = grid.size
        places = np.rint(grid.nodes[..., ::-1]).astype(int)
        rows, columns = np.moveaxis(np.minimum(places, (height - 1, width - 1)), -1, 0)
        border = edge_distance(height, width)[rows, columns]
        within = border - grid.step
        self.inside: Floats = smooth_rise(within / (_BORDER * min(height, width))).astype(np.float32)[..., None]
        """(rows, columns, 1): 0 at the picture's border, which stays, 1 away from it."""
        weight *= self.inside[..., 0]
        self.weight: Floats = weight.astype(np.float32)[..., None]
        """(rows, columns, 1): how far a node goes along with the head, 0 … 1."""
        self._inside, self._weight = (np.repeat(share, 3, axis=-1) for share in (self.inside, self.weight))
        self._last: tuple[Pose | None, tuple[Floats, Floats]] = None, (self._matrix(0, 0, 0), np.zeros(2, np.float32))
        self.limits = self._limits(grid, depth.reach < _NEAR)

    def turn(self, pose: Pose, moved: Floats, window: Window = WHOLE) -> Floats:
        """Turn the head with what has moved on it.

        Args:
            pose: The angles and the sway.
            moved: (rows, columns, 3) pixels by which the nodes of a window have moved on the face.
            window: Their rows and columns.

        Returns:
            (rows, columns, 2) pixels by which the nodes move in the picture.
        """
        return self._move(*self._stand(pose), moved, window)

    def project(self, pose: Pose, points: Floats) -> Floats:
        """Say where in the frame points (n, 3) of the face's middle come to lie, (n, 2) pixels."""
        matrix, sway = self._stand(pose)
        return ((points - self.pivot) @ matrix.T + self.pivot[:2] + sway).astype(np.float32)

    def _stand(self, pose: Pose) -> tuple[Floats, Floats]:
        """Make a pose's rotation (2, 3) and its sway (2,) in pixels; those of the last pose are remembered."""
        last, stance = self._last
        if last is not pose:
            matrix = self._matrix(*self.limits.bounded(pose.yaw, pose.pitch, pose.roll))
            stance = matrix, np.array([pose.sway_x, pose.sway_y], np.float32) * np.float32(self._unit)
            self._last = pose, stance
        return stance

    def _move(self, matrix: Floats, sway: Floats, moved: Floats, window: Window) -> Floats:
        """Move the nodes as ``turn`` says; a third number comes along, with which OpenCV is eight times as fast."""
        moved = moved * self._inside[window]
        there = cast("Floats", cv2.add(moved, self.places[window]))
        turn = np.column_stack([matrix - np.eye(2, 3, dtype=np.float32), self.pivot[:2] + sway - matrix @ self.pivot])
        turned = cast("Floats", cv2.transform(there, turn[[0, 1, 1]]))
        turned *= self._weight[window]
        turned += moved
        flat = np.empty((*turned.shape[:2], 2), np.float32)
        cv2.mixChannels([turned], [flat], [0, 0, 1, 1])
        return flat

    def _matrix(self, yaw: float, pitch: float, roll: float) -> Floats:
        """Make the first two rows of the rotation, (2, 3)."""
        a, b, c = np.radians([yaw, pitch, roll])
        about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        return (about_z @ about_x @ about_y)[:2].astype(np.float32)

    def _limits(self, grid: Grid, near: NDArray[np.bool_]) -> TurnLimits:
        """Find how far the head turns to each side before the picture would fold or be stretched too much."""
        sides = (1, 0, _MOST_YAW), (-1, 0, _MOST_YAW), (0, -1, _MOST_UP), (0, 1, _MOST_DOWN)
        return TurnLimits(*(self._limit(grid, near, yaw, pitch, most) for yaw, pitch, most in sides))

    def _limit(self, grid: Grid, near: NDArray[np.bool_], yaw: float, pitch: float, most: float) -> float:
        """Find the limit to one side, at most ``most``."""
        if self._clean(grid, near, yaw * most, pitch * most):
            return most
        least = _STEP
        while most - least > _STEP:
            middle = (least + most) / 2
            clean = self._clean(grid, near, yaw * middle, pitch * middle)
            least, most = (middle, most) if clean else (least, middle)
        return least

    def _clean(self, grid: Grid, near: NDArray[np.bool_], yaw: float, pitch: float) -> bool:
        still = np.zeros_like(self.places)
        moved = self._move(self._matrix(yaw, pitch, 0), np.zeros(2, np.float32), still, WHOLE)
        slopes = [np.gradient(moved[..., axis], axis=1 - axis)[near] / grid.step for axis in (0, 1)]
        low = min(float(np.percentile(slope, _SPARED)) for slope in slopes)
        high = max(float(np.percentile(slope, 100 - _SPARED)) for slope in slopes)
        return low > _FOLD and high < _STRETCH
