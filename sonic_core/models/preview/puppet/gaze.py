"""Where an eye looks: the iris shifts inside the lids, and the lids follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .eye_frame import Window
from .eye_light import smooth_step

SHIFT = 0.0033
"""I by which an iris shifts for each degree."""
_MOST = 15.0  # degrees: further the white beside the iris looks drawn out
_ROOM = 0.05  # I of white that an iris needs beside it to shift as far as it may
_LEAST_ROOM = 0.4  # share of a shift that it always makes
_UPPER_DOWN, _UPPER_UP, _LOWER = 0.8, 0.35, 0.3  # shares of the iris's way that the lids go along


@dataclass(frozen=True, eq=False)
class Look:
    """Where each place's colour is fetched from for one gaze, relative to itself, in pixels along the eye's frame."""

    along: np.ndarray
    down: np.ndarray
    lid: np.ndarray | float
    """How far the upper lid's edge has moved down."""


class Gaze:
    """Shifts one eye's iris."""

    def __init__(self, window: Window) -> None:
        """Measure how far each sample of a window goes along with iris and lids."""
        self._frame = frame = window.frame
        along, down = window.along, window.down
        unit = np.float32(frame.unit)
        top, bottom = frame.at(frame.top, along), frame.at(frame.bottom, along)
        gap = np.maximum(bottom - top, 1)
        iris_along, iris_down = frame.local(*frame.iris.astype(np.float32)[:, None])
        distance = np.hypot(along - iris_along, down - iris_down) / np.float32(frame.radius)
        inside = smooth_step((down - top) / (0.02 * unit)) * smooth_step((bottom - down) / (0.02 * unit))
        inside *= smooth_step((frame.half - np.abs(along)) / (0.05 * unit))
        self._iris = smooth_step(2 - distance) * inside
        middle = np.clip((down - top) / gap, 0, 1)
        share = smooth_step(1.1 - np.abs(along) / np.float32(frame.half))
        above = smooth_step(1 - (top - down) / (0.13 * unit)) * smooth_step(1 - (down - top) / gap)
        below = smooth_step(1 - (down - bottom) / (0.12 * unit)) * smooth_step(middle)
        self._upper, self._lower = above * share, below * share
        self._edge = share
        opening = frame.gap / frame.unit
        self._room = float(smooth_step((opening - 0.03) / 0.06))
        side = float(iris_along[0])
        room = (frame.half - frame.radius + np.array([side, -side])) / (_ROOM * frame.unit)
        self.room = np.clip(room, _LEAST_ROOM, 1.0)
        """How much of a shift the white has room for, to the left and to the right, in [0, 1]."""
        self._still = Look(np.zeros_like(along), np.zeros_like(along), 0.0)

    def look(self, degrees_x: float, degrees_y: float) -> Look:
        """Look ``degrees_x`` to the picture's right and ``degrees_y`` down."""
        if degrees_x == 0 and degrees_y == 0:
            return self._still
        frame = self._frame
        x, y = (
            float(np.clip(part, -_MOST, _MOST)) * SHIFT * frame.unit * self._room for part in (degrees_x, degrees_y)
        )
        ax, ay = frame.along
        across = (x * ax + y * ay) * frame.foreshortening
        down = y * ax - x * ay
        upper = down * (_UPPER_DOWN if down > 0 else _UPPER_UP)
        lids = np.float32(upper) * self._upper + np.float32(down * _LOWER) * self._lower
        iris = self._iris
        return Look(
            np.float32(-across) * iris, -(np.float32(down) * iris + lids * (1 - iris)), np.float32(upper) * self._edge
        )
