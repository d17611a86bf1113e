"""Follow the dark line on which shut lips meet.

The fitted shape (``lips.py``) knows a seam as one arch. Real ones are bows: the upper lip hangs into the lower one at
its middle. The line is followed around the fitted arch as the darkest smooth path; a shadow of some height lies on it,
which belongs to neither lip.

Source: Amini et al., "Using dynamic programming for solving variational problems in vision", PAMI 1990 (the path).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .fit import REACH, Frame, patch
from .lips import STATIONS, Lips
from .search import Array

PIXELS = 128.0
"""Pixels per unit of the face in the patch in which the seam is followed."""
ASTRAY = 0.05
"""How far, in units, a seam may leave the arch that was fitted."""
STIFF, HELD = 900.0, 120.0
"""What leaving the arch's direction from station to station, and distance from it, cost: per square unit."""
THICKEST = 0.03
"""How far, in units, the shadow on a seam may reach up or down."""
_STEP = 0.005
_DARK, _LIGHT = 0.5, 0.75  # brightness, as a share of the lip's, that is surely a shadow's, and surely none
_OF_LIP = 0.25  # share of a lip that can lie in shadow: a thin lip that is only painted as a line is none
_MIDST = 0.7  # half widths to both sides of the middle in which the shadow is measured


@dataclass(frozen=True, eq=False)
class Seam:
    """Where shut lips meet, in a face's frame and units, at ``lips.STATIONS``."""

    y: Array
    """(n,)."""
    above: float
    """How far the shadow on the seam reaches up from it."""
    below: float
    """How far it reaches down."""


def trace_seam(image: NDArray[np.uint8], frame: Frame, lips: Lips) -> Seam:
    """Follow the seam of shut lips.

    Args:
        image: (h, w, 3) RGB.
        frame: The face's frame.
        lips: What was fitted in it; its two inner edges are one.
    """
    light, far = _profiles(patch(image, frame, PIXELS), lips), round(ASTRAY / _STEP)
    path = _darkest(_lines(light), far)
    offset = cv2.GaussianBlur((path * _STEP)[None], (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)[0]
    offset = offset * np.clip((1 - np.abs(STATIONS)) / 0.06, 0, 1)
    above, below = (
        min(_shadow(light, path, way), _OF_LIP * float((edge * way).max()))
        for way, edge in ((-1, lips.upper_outer - lips.upper_inner), (1, lips.lower_outer - lips.lower_inner))
    )
    return Seam(lips.upper_inner + offset, above, below)


def _profiles(cut: NDArray[np.float32], lips: Lips) -> Array:
    """Read brightness along a line across the arch at each station: (stations, offsets), the arch in the middle."""
    light = cv2.GaussianBlur(cut.max(-1), (0, 0), sigmaX=0.02 * PIXELS, sigmaY=0.006 * PIXELS)
    reach = round((ASTRAY + 2.5 * THICKEST) / _STEP)
    offsets = np.arange(-reach, reach + 1) * _STEP
    x = (lips.x[:, None] + 0 * offsets + REACH) * PIXELS
    y = (lips.upper_inner[:, None] + offsets + REACH - 0.5) * PIXELS
    return cv2.remap(light, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR).astype(np.float64)


def _lines(light: Array) -> Array:
    """How dark a line each place is on against what lies a little above and below it, about −1 … 1."""
    best = np.full(light.shape, -np.inf)
    for away in (round(0.02 / _STEP), round(0.04 / _STEP)):
        padded = np.pad(light, ((0, 0), (away, away)), mode="edge")
        above, below = padded[:, : -2 * away], padded[:, 2 * away :]
        best = np.maximum(best, 0.6 * np.minimum(above, below) + 0.4 * np.maximum(above, below) - light)
    return np.tanh(2 * best / (float(light.std()) + 0.04))


def _darkest(lines: Array, far: int) -> NDArray[np.int64]:
    """Find the path of offsets (stations,), in steps from the arch, that runs on the darkest line and is smooth."""
    middle = lines.shape[1] // 2
    offsets = np.arange(-far, far + 1)
    gain = lines[:, middle + offsets] - HELD * (offsets * _STEP) ** 2
    turn = STIFF * ((offsets[:, None] - offsets) * _STEP) ** 2
    total, came = gain[0], np.zeros(gain.shape, np.int64)
    for station in range(1, len(gain)):
        ways = total - turn
        came[station] = ways.argmax(1)
        total = ways.max(1) + gain[station]
    path = [int(total.argmax())]
    for station in range(len(gain) - 1, 0, -1):
        path.append(int(came[station, path[-1]]))
    return offsets[path[::-1]]


def _shadow(light: Array, path: NDArray[np.int64], way: int) -> float:
    """Measure how far the shadow on the seam reaches one way: to where it lightens most steeply.

    What is hardly darker than the lip is no shadow: a lip's own colour, or a painter's stroke for it.
    """
    steps = np.arange(round(2.5 * THICKEST / _STEP))
    across = np.take_along_axis(light, light.shape[1] // 2 + path[:, None] + way * steps, 1)
    across = across[np.abs(STATIONS) < _MIDST]
    reach = (np.diff(across[:, : round(THICKEST / _STEP) + 2], axis=1).argmax(1) + 0.5) * _STEP
    ratio = across[:, 0] / np.maximum(across.max(1), 1e-3)
    return float(np.median(reach * np.clip((_LIGHT - ratio) / (_LIGHT - _DARK), 0, 1)))
