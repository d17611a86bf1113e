"""Fit the lids' edges of both eyes at once: a shape of seven numbers each, and the wish that the two agree.

What an open eye encloses is not skin: white is less coloured, the iris darker. Where there is no colour, as on a
statue, the dark line of the upper lid and the edge of the lower one decide. Brows and the frames of glasses are no skin
either, and darker than any lid; only a shape of an eye's proportions, with skin above and below it, keeps off them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .fit import LIGHT, REACH, Frame, patch
from .search import Array, Evidence, search

PIXELS = 128.0
"""Pixels per unit of the face in the patch in which lids are fitted."""
STATIONS = np.linspace(-1, 1, 17)
"""Places along an eye at which its lids are known, in half widths from the centre."""
MIDDLE, DEPTH, WIDTH, SLOPE, ABOVE, BELOW, PEAK = range(7)
"""The seven numbers: the corners' middle (x, y), half the width, how far the outer corner is lower than the inner one,
the lids' heights above and below the line between the corners, and where the upper lid is highest, toward the nose; in
units, the last in half widths."""
USUAL = np.array([0.0, 0.0, 0.222, -0.04, 0.1, 0.055, 0.05])
SPREADS = np.array([0.09, 0.07, 0.03, 0.03, 0.03, 0.02, 0.15])
AGREEMENT = np.array([np.inf, 0.035, 0.02, 0.03, 0.02, 0.014, 0.12])
"""By how much the two eyes' numbers may differ."""
CERTAIN = 1.5
BELOW_EYES = 0.75
"""How far down lids are looked for, in units."""
EYE_WEIGHT, UPPER_WEIGHT, LOWER_WEIGHT, IRIS_WEIGHT = 120.0, 9.0, 5.0, 6.0
"""How much a square unit of eye, and a half width of upper and of lower edge, count."""


@dataclass(frozen=True, eq=False)
class Lids:
    """The lids' edges of one eye in a face's frame, in units of the face, at ``STATIONS``."""

    x: Array
    upper: Array
    lower: Array
    numbers: Array
    """The seven numbers of the shape."""


def fit_lids(image: NDArray[np.uint8], frame: Frame, centres: Array) -> tuple[Lids, Lids]:
    """Fit the edges of all four lids.

    Args:
        image: (h, w, 3) RGB.
        frame: The face's frame.
        centres: (2, 2) about where the eyes are, in the frame's units, left in the picture first.
    """
    whole = patch(image, frame, PIXELS)
    spread = float((whole[: whole.shape[0] // 2] @ LIGHT).std()) + 0.04
    cut = whole[: round((REACH - 0.5 + BELOW_EYES) * PIXELS)]
    maps = [*_edges(cut, spread), _irises(cut, spread)]
    expected = np.concatenate([[*centre, *USUAL[2:]] for centre in centres])
    numbers = expected
    for _ in range(2):
        seen = Evidence([_likeness(cut, numbers.reshape(2, 7))], maps, PIXELS, (REACH, REACH - 0.5))
        numbers, _ = search(
            lambda drawn, seen=seen: _score(drawn.reshape(-1, 2, 7), seen),
            expected,
            np.tile(SPREADS, 2),
            None if numbers is expected else numbers,
        )
    found = []
    for shape, side in zip(numbers.reshape(2, 7), (1.0, -1.0), strict=True):
        x, upper, lower = (part[0, 0] for part in outline(shape[None, None], side, STATIONS))
        found.append(Lids(x, upper, lower, shape))
    return found[0], found[1]


def outline(numbers: Array, inward: float | Array, stations: Array) -> tuple[Array, Array, Array]:
    """Draw eyes.

    Args:
        numbers: (n, e, 7).
        inward: 1 where the nose is to the right of the eye, −1 where it is to the left; a number or (e,).
        stations: (m,) places along the eye.

    Returns:
        x, upper and lower edge, (n, e, m) each, in units of the face.
    """
    column = np.moveaxis(numbers, -1, 0)[..., None]
    side = np.atleast_1d(np.asarray(inward, float))[None, :, None]
    chord = column[DEPTH] - 0.5 * column[SLOPE] * stations * side
    peak = np.clip(column[PEAK], -0.5, 0.5) * side
    off = stations - peak
    share = np.clip(off / np.where(off > 0, 1 - peak, 1 + peak), -1, 1)
    bulge = 1 - stations**2
    return (
        column[MIDDLE] + column[WIDTH] * stations,
        chord - np.maximum(column[ABOVE], 0.01) * (1 - np.abs(share) ** 2.2),
        chord + np.maximum(column[BELOW], 0.005) * bulge,
    )


_COARSE = np.linspace(-0.94, 0.94, 13)
_SIDES = np.array([1.0, -1.0])


def _score(numbers: Array, evidence: Evidence) -> Array:
    """Score pairs of eyes, (n, 2, 7)."""
    x, upper, lower = outline(numbers, _SIDES, _COARSE)
    step = numbers[..., WIDTH, None] * 2 * 0.94 / len(_COARSE)
    above, between, below = (evidence.at(x, y) for y in (upper, (upper + lower) / 2, lower))
    region = ((below[0] - above[0]) * step).sum((1, 2))
    dark, edge = (above[1] * step).sum((1, 2)), (below[2] * step).sum((1, 2))
    iris = between[3][..., 2:-2].max(-1).sum(1)
    differ = 0.5 * (((numbers[:, 0] - numbers[:, 1]) / AGREEMENT) ** 2).sum(1)
    return EYE_WEIGHT * region + UPPER_WEIGHT * dark + LOWER_WEIGHT * edge + IRIS_WEIGHT * iris - differ


def _likeness(cut: NDArray[np.float32], shapes: Array) -> Array:
    """Say how much likelier each pixel is eye than skin, (h, w)."""
    soft = cv2.GaussianBlur(cut, (0, 0), 0.01 * PIXELS).astype(np.float64)
    red, green, blue = np.moveaxis(soft, -1, 0) + 0.06
    colours = np.stack([np.log(red + green + blue), np.log(red / green), np.log(green / blue)], -1)
    rows, columns = np.mgrid[: cut.shape[0], : cut.shape[1]]
    x, y = columns / PIXELS - REACH, rows / PIXELS - (REACH - 0.5)
    result = np.zeros(cut.shape[:2])
    for shape in shapes:
        across, down = x - shape[MIDDLE], y - shape[DEPTH]
        near = (np.abs(across) < 0.42) & (np.abs(down) < 0.42)
        around = colours[(np.abs(across) < 0.24) & (down > 0.14) & (down < 0.34)]
        lid = colours[(np.abs(across) < 0.2) & (down < -0.12) & (down > -0.2)]
        skin = np.minimum(_distance(colours[near], around), _distance(colours[near], lid))
        result[near] = np.clip(0.5 * skin - 1.5, -CERTAIN, CERTAIN)
    return result


def _distance(colours: Array, sample: Array) -> Array:
    low, high = np.percentile(sample, [20, 80], axis=0)
    spread = np.maximum(0.6 * (high - low), (0.1, 0.04, 0.05))
    return (((colours - np.median(sample, 0)) / spread) ** 2).sum(-1)


def _edges(cut: NDArray[np.float32], spread: float) -> tuple[Array, Array]:
    """How steeply brightness falls going down, −1 to 1, and how steeply it changes either way, 0 to 1."""
    soft = cv2.GaussianBlur(cut @ LIGHT, (0, 0), sigmaX=0.03 * PIXELS, sigmaY=0.015 * PIXELS)
    steep = np.gradient(soft, axis=0) * PIXELS * 0.04 / spread
    return np.tanh(-steep).astype(np.float64), np.tanh(np.abs(steep) * 0.4 + np.maximum(steep, 0) * 0.6).astype(
        np.float64
    )


def _irises(cut: NDArray[np.float32], spread: float) -> Array:
    """How much darker a disc of an iris' size is than what surrounds it, about −1 to 1."""
    around, disc = (cv2.GaussianBlur(cut @ LIGHT, (0, 0), sigma * PIXELS) for sigma in (0.16, 0.06))
    return np.tanh((around - disc) / spread).astype(np.float64)
