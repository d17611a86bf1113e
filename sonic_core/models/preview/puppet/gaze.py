"""Where an eye looks: the iris shifts inside the lids, and the lids follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....easing import smooth_rise
from .eye_frame import EyePart

SHIFT = 0.0033
"""I by which an iris shifts for each degree."""
_MOST = 15.0  # degrees: further the white beside the iris looks drawn out
_GRIP = 0.025  # I from a lid's edge over which the ball's movement takes over from the lid's
_STRETCHED = (
    0.75  # of the way from the iris's middle to the lower lid: what a look up stretches, so that no lid is seen
)
_RIM = 0.012  # I: the lids' edges, lashes and wet rim
_ROOM = 0.05  # I of white that an iris needs beside it to shift as far as it may
_LEAST_ROOM = 0.4  # share of a shift that it always makes
_CORNERS, _WITHIN = 0.05, 1.1  # I before the corners in which the iris's shift ends; half widths: the lids'
_LID, _CHEEK = 0.13, 0.12  # I above and below the eye in which the skin goes along
_NARROW = 0.03, 0.06  # I: an eye less open does not shift, and over how much more it begins to
_UPPER_DOWN, _UPPER_UP, _LOWER = 0.8, 0.35, 0.3  # shares of the iris's way that the lids go along


@dataclass(frozen=True, eq=False)
class GazeField:
    """Where each place's colour is fetched from for one gaze, relative to itself, in pixels along the eye's frame."""

    along: np.ndarray
    down: np.ndarray
    lid: np.ndarray | float
    """How far the upper lid's edge has moved down."""


class Gaze:
    """Shifts one eye's iris."""

    def __init__(self, window: EyePart) -> None:
        """Measure how far each sample of a window goes along with iris and lids."""
        self._window, frame = window, window.frame
        along, down = window.along, window.down
        unit = np.float32(frame.unit)
        self._top, self._bottom = top, bottom = frame.at(frame.top, along), frame.at(frame.bottom, along)
        gap = np.maximum(bottom - top, 1)
        iris_along, iris_down = frame.local(*frame.iris.astype(np.float32)[:, None])
        distance = np.hypot(along - iris_along, down - iris_down) / np.float32(frame.radius)
        inside = smooth_rise((frame.half - np.abs(along)) / (_CORNERS * unit))
        self._iris = smooth_rise(2 - distance) * inside
        middle = np.clip((down - top) / gap, 0, 1)
        share = smooth_rise(_WITHIN - np.abs(along) / np.float32(frame.half))
        above = smooth_rise(1 - (top - down) / (_LID * unit)) * smooth_rise(1 - (down - top) / gap)
        below = smooth_rise(1 - (down - bottom) / (_CHEEK * unit)) * smooth_rise(middle)
        self._upper, self._lower = above * share, below * share
        self._edge = share
        opening = frame.gap / frame.unit
        self._room = float(smooth_rise((opening - _NARROW[0]) / _NARROW[1]))
        side = float(iris_along[0])
        room = (frame.half - frame.radius + np.array([side, -side])) / (_ROOM * frame.unit)
        self.room = np.clip(room, _LEAST_ROOM, 1.0)
        """How much of a shift the white has room for, to the left and to the right, in [0, 1]."""
        floor = float(frame.at(frame.bottom, iris_along)[0] - iris_down[0])
        self._floor = np.float32(max(_STRETCHED * floor, _GRIP * frame.unit))
        self._still = GazeField(np.zeros_like(along), np.zeros_like(along), 0.0)

    def look(self, degrees_x: float, degrees_y: float) -> GazeField:
        """Look ``degrees_x`` to the picture's right and ``degrees_y`` down."""
        if degrees_x == 0 and degrees_y == 0:
            return self._still
        frame = self._window.frame
        x, y = (
            float(np.clip(part, -_MOST, _MOST)) * SHIFT * frame.unit * self._room for part in (degrees_x, degrees_y)
        )
        ax, ay = frame.along
        shift, sink = (x * ax + y * ay) * frame.foreshortening, y * ax - x * ay
        upper, lower = np.float32(y * (_UPPER_DOWN if y > 0 else _UPPER_UP)), np.float32(y * _LOWER)
        lids = upper * self._upper + lower * self._lower
        grip = np.float32(_GRIP * frame.unit)
        iris = self._iris * self._between(upper, lower, grip, self._floor if y < 0 else grip)
        along, down = np.float32(-shift) * iris, -(np.float32(sink) * iris + lids * (1 - iris))
        return GazeField(along, self._kept_inside(along, down, upper, lower), upper * self._edge)

    def _kept_inside(self, along: np.ndarray, down: np.ndarray, upper: np.float32, lower: np.float32) -> np.ndarray:
        """Let what is seen below the upper lid come from below it, not from its lashes, (h, w)."""
        window, frame = self._window, self._window.frame
        rim = np.float32(_RIM * frame.unit)
        top = frame.at(frame.top, window.along + along) + rim
        kept = np.maximum(down, top - window.down)
        return down + self._between(upper + rim / 2, lower - rim / 2, rim, rim) * (kept - down)

    def _between(self, upper: np.float32, lower: np.float32, soft: np.float32, soft_below: np.float32) -> np.ndarray:
        """Tell what lies between the lids where they are now, (h, w) in [0, 1]; the sides are soft, in pixels."""
        below = (self._window.down - self._top - upper * self._edge) / soft
        above = (self._bottom + lower * self._edge - self._window.down) / soft_below
        return smooth_rise(below) * smooth_rise(above)
