"""Find where a mouth begins and ends: a first look, before its lips are fitted.

The seam between the lips is the darkest path from one side of the mouth to the other; among the stretches of that path,
the one that is dark and lip-coloured inside and neither outside is the mouth. Its ends are the corners.

Source: the path is Bellman's shortest path, column by column.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .fit import LIGHT, Frame, Map, patch

PIXELS = 72.0
"""Pixels per unit of the face in the patch in which the seam is followed."""
HALF_WIDTH, HALF_HEIGHT = 0.62, 0.3
"""Half the sides of the region that is looked at, in units."""


def find_corners(image: NDArray[np.uint8], frame: Frame, mouth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find both corners of the mouth.

    Args:
        image: (h, w, 3) RGB.
        frame: The face's frame.
        mouth: About the middle of the mouth, (x, y) in the picture's pixels.

    Returns:
        (2, 2): left-in-picture corner, other corner.
    """
    matrix = frame.matrix(PIXELS)
    cut = patch(image, frame, PIXELS)
    x, y = matrix[:, :2] @ mouth + matrix[:, 2]
    reach = round(HALF_WIDTH * PIXELS)
    left = int(np.clip(round(x) - reach, 0, cut.shape[1] - 2 * reach - 1))
    right = left + 2 * reach
    seam = _seam_map(cut)
    rows = _darkest_path(seam, (left, right), float(y))
    columns = np.arange(left, right + 1)
    nearest = np.clip(np.round(rows).astype(int), 0, cut.shape[0] - 1)
    strength = seam[nearest, columns] + 4.0 * _redness(cut)[nearest, columns]
    strength = cv2.GaussianBlur(strength[None].astype(np.float32), (0, 0), 0.02 * PIXELS)[0]
    begin, end = _mouth_stretch(strength, float(x) - left)
    corners = np.array([(columns[begin], rows[begin]), (columns[end], rows[end])], np.float64)
    inverse = cv2.invertAffineTransform(matrix)
    return corners @ inverse[:, :2].T + inverse[:, 2]


def _seam_map(cut: NDArray[np.float32]) -> Map:
    """Compute how much each pixel looks like the seam of a mouth, 0 to 1: thin, lying, darker than above and below."""
    light = cut @ LIGHT
    spread = float(light[cut.shape[0] // 4 :].std()) + 0.04
    best = np.zeros(light.shape, np.float32)
    for across in (0.018, 0.035):
        sigma = across * PIXELS
        bar = cv2.GaussianBlur(light, (0, 0), sigmaX=0.06 * PIXELS, sigmaY=sigma)
        step = max(1, round(2.5 * sigma))
        padded = np.pad(bar, ((step, step), (0, 0)), mode="edge")
        above, below = padded[: -2 * step], padded[2 * step :]
        best = np.maximum(best, 0.6 * np.minimum(above, below) + 0.4 * np.maximum(above, below) - bar)
    return np.tanh(best / spread * 2).astype(np.float32)


def _redness(cut: NDArray[np.float32]) -> Map:
    """How much redder than its surroundings each pixel is."""
    red = cut[..., 0] / (cut.sum(2) + 0.15)
    return cv2.GaussianBlur(red, (0, 0), 0.05 * PIXELS) - cv2.GaussianBlur(red, (0, 0), 0.4 * PIXELS)


def _darkest_path(seam: Map, columns: tuple[int, int], middle: float) -> Map:
    """Follow the strongest seam from column to column.

    Args:
        seam: (h, w) strength.
        columns: First and last column.
        middle: About the row where the path runs.

    Returns:
        The row of each column, smoothed to fractions of a pixel.
    """
    first, last = columns
    half = round(HALF_HEIGHT * PIXELS)
    count = last - first + 1
    offsets = np.arange(-half, half + 1)
    at = np.clip(np.round(middle + offsets).astype(int), 0, seam.shape[0] - 1)
    gain = seam[at, np.arange(first, last + 1)[:, None]] - 0.12 * (offsets / (0.16 * PIXELS)) ** 2
    moves = np.zeros(gain.shape, int)
    best, step = gain[0], 0.12
    for column in range(1, count):
        padded = np.pad(best, 1, constant_values=-1e9)
        choices = np.stack([padded[:-2] - step, padded[1:-1], padded[2:] - step])
        moves[column] = choices.argmax(0) - 1
        best = choices.max(0) + gain[column]
    index = np.zeros(count, int)
    index[-1] = int(best.argmax())
    for column in range(count - 1, 0, -1):
        index[column - 1] = index[column] + moves[column, index[column]]
    path = (middle + offsets[index]).astype(np.float32)
    smooth = np.pad(path, 6, mode="reflect", reflect_type="odd")
    return cv2.GaussianBlur(smooth[None], (0, 0), 2.0)[0][6:-6]


def _mouth_stretch(strength: Map, middle: float) -> tuple[int, int]:
    """Choose first and last column of the mouth: strong inside, weak outside, about 0.7 units wide."""
    level = 0.5 * (np.percentile(strength, 85) + np.percentile(strength, 15))
    scale = float(strength.std()) + 1e-3
    sums = np.concatenate([[0], np.cumsum((strength - level) / scale)]) / PIXELS
    begin, end = np.meshgrid(np.arange(len(strength)), np.arange(len(strength)), indexing="ij")
    width, centre = (end - begin) / PIXELS, ((end + begin) / 2 - middle) / PIXELS
    score = 2.0 * (sums[end + 1] - sums[begin]) - ((width - 0.7) / 0.16) ** 2 * 0.25 - (centre / 0.12) ** 2 * 0.25
    score[width < 0.25] = -np.inf
    first, last = np.unravel_index(int(score.argmax()), score.shape)
    return int(first), int(last)
