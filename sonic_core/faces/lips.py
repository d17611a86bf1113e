"""Follow the seam between the lips and find where it ends.

The seam is the darkest path from one side of the mouth to the other; among the stretches of that path, the one that is
dark and lip-coloured inside and neither outside is the mouth. Its ends are the corners.

Source: the path is Bellman's shortest path, column by column.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..types import Face, Point
from .fit import Frame, Map, patch, points_frame

PIXELS = 72.0
"""Pixels per unit of the face in the patch in which lips are followed."""
HALF_WIDTH, HALF_HEIGHT = 0.62, 0.3
"""Half the sides of the region that is looked at, in units."""
LINE_POINTS = 13
"""Points of a lip line."""


def lip_line(image: torch.Tensor, face: Face) -> tuple[Point, ...]:
    """Return points along the seam between the lips, from the left-in-picture corner to the other.

    Where teeth show, the seam is the edge between the upper teeth and what lies under them.

    Args:
        image: (3, h, w) RGB in [0, 1].
        face: Its mouth corners are where the line begins and ends.

    Returns:
        13 points (x, y) in the picture's pixels; the first and the last are the face's mouth corners.
    """
    pixels = as_bytes(image)
    corners = np.array(face.points[3:])
    eyes = np.array(face.points[:2])
    frame = points_frame(np.vstack([eyes, face.points[2], corners.mean(0)]))
    across = corners[1] - corners[0]
    frame = Frame(frame.x, frame.y, frame.unit, float(np.rad2deg(np.arctan2(across[1], across[0]))))
    matrix = frame.matrix(PIXELS)
    first, last = corners @ matrix[:, :2].T + matrix[:, 2]
    if last[0] - first[0] < 4:
        steps = np.linspace(0, 1, LINE_POINTS)[:, None]
        return as_points(corners[0] + steps * across)
    cut = patch(pixels, frame, PIXELS)
    left, right = round(first[0]), round(last[0])
    rows = _darkest_path(seam_map(cut), (left, right), (first[1], last[1]))
    rows = rows + _teeth_below(cut, left, rows)
    columns = np.linspace(left, right, LINE_POINTS)
    line = np.stack([columns, np.interp(columns, np.arange(left, right + 1), rows)], 1)
    inverse = cv2.invertAffineTransform(matrix)
    line = line @ inverse[:, :2].T + inverse[:, 2]
    line[0], line[-1] = corners
    return as_points(line)


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
    seam = seam_map(cut, gain=2.0)
    rows = _darkest_path(seam, (left, right), (float(y), float(y)), loose=True)
    columns = np.arange(left, right + 1)
    nearest = np.clip(np.round(rows).astype(int), 0, cut.shape[0] - 1)
    strength = seam[nearest, columns] + 4.0 * _redness(cut)[nearest, columns]
    strength = cv2.GaussianBlur(strength[None].astype(np.float32), (0, 0), 0.02 * PIXELS)[0]
    begin, end = _mouth_stretch(strength, float(x) - left)
    corners = np.array([(columns[begin], rows[begin]), (columns[end], rows[end])], np.float64)
    inverse = cv2.invertAffineTransform(matrix)
    return corners @ inverse[:, :2].T + inverse[:, 2]


def seam_map(cut: NDArray[np.float32], gain: float = 1.0) -> Map:
    """Compute how much each pixel looks like the seam of a mouth, 0 to 1: thin, lying, darker than above and below.

    A higher ``gain`` lets faint seams count as much as strong ones.
    """
    light = cut @ np.array([0.3, 0.5, 0.2], np.float32)
    spread = float(light[cut.shape[0] // 4 :].std()) + 0.04
    best = np.zeros(light.shape, np.float32)
    for across in (0.018, 0.035):
        sigma = across * PIXELS
        bar = cv2.GaussianBlur(light, (0, 0), sigmaX=0.06 * PIXELS, sigmaY=sigma)
        step = max(1, round(2.5 * sigma))
        padded = np.pad(bar, ((step, step), (0, 0)), mode="edge")
        above, below = padded[: -2 * step], padded[2 * step :]
        best = np.maximum(best, 0.6 * np.minimum(above, below) + 0.4 * np.maximum(above, below) - bar)
    return np.tanh(best / spread * gain).astype(np.float32)


def _teeth_below(cut: NDArray[np.float32], left: int, rows: Map) -> Map:
    """Measure how far the upper teeth reach below the darkest line, which in a smile is the upper lip's shadow on them.

    Teeth begin right under that line and are as bright as skin but much less coloured (in a grey picture: brighter).

    Args:
        cut: (h, w, 3) RGB around the mouth.
        left: Column of the line's first point.
        rows: The line's row in each column, (n,).

    Returns:
        (n,) pixels, 0 at the corners; all 0 where no teeth show.
    """
    value = cut.max(-1)
    colour = (value - cut.min(-1)) / (value + 0.05)
    bright, coloured = np.percentile(value, 60), np.percentile(colour, 50)
    white = value > 0.85 * bright
    white &= colour < 0.66 * coloured if coloured > 0.12 else value > 1.12 * bright
    depth = np.arange(round(0.26 * PIXELS))
    at = np.clip(np.round(rows[:, None] + depth).astype(int), 0, cut.shape[0] - 1)
    run = white[at, np.clip(left + np.arange(len(rows)), 0, cut.shape[1] - 1)[:, None]]
    begins = run.argmax(1)
    ends = begins + np.argmin(np.take_along_axis(run, np.minimum(depth + begins[:, None], depth[-1]), 1), 1)
    toothed = run.any(1) & (begins <= 0.09 * PIXELS) & (ends - begins >= 0.03 * PIXELS) & (ends < depth[-1])
    middle = slice(round(0.2 * len(rows)), round(0.8 * len(rows)))
    if toothed[middle].mean() < 0.5:
        return np.zeros_like(rows)
    known = np.flatnonzero(toothed)
    columns, depths = np.r_[0, known, len(rows) - 1], np.r_[0, ends[known], 0]
    reach = np.interp(np.arange(len(rows)), columns, depths).astype(np.float32)
    return cv2.GaussianBlur(cv2.medianBlur(reach[None], 5), (0, 0), 2.0)[0]


def _redness(cut: NDArray[np.float32]) -> Map:
    """How much redder than its surroundings each pixel is."""
    red = cut[..., 0] / (cut.sum(2) + 0.15)
    return cv2.GaussianBlur(red, (0, 0), 0.05 * PIXELS) - cv2.GaussianBlur(red, (0, 0), 0.4 * PIXELS)


def _darkest_path(seam: Map, columns: tuple[int, int], rows: tuple[float, float], loose: bool = False) -> Map:
    """Follow the strongest seam from column to column.

    Args:
        seam: (h, w) strength.
        columns: First and last column.
        rows: Where the path begins and ends; where it is ``loose``, about where it runs.
        loose: Let the ends slide.

    Returns:
        The row of each column, smoothed to fractions of a pixel.
    """
    first, last = columns
    half = round(HALF_HEIGHT * PIXELS)
    count = last - first + 1
    chord = np.linspace(rows[0], rows[1], count)
    offsets = np.arange(-half, half + 1)
    at = np.clip(np.round(chord[:, None] + offsets).astype(int), 0, seam.shape[0] - 1)
    gain = seam[at, np.clip(np.arange(first, last + 1), 0, seam.shape[1] - 1)[:, None]]
    gain = gain - (0.12 if loose else 0.06) * (offsets / (0.16 * PIXELS)) ** 2
    if not loose:
        gain[[0, -1]] -= 4.0 * np.abs(offsets)
    moves = np.zeros(gain.shape, int)
    best, step = gain[0], 0.12 if loose else 0.05
    for column in range(1, count):
        padded = np.pad(best, 1, constant_values=-1e9)
        choices = np.stack([padded[:-2] - step, padded[1:-1], padded[2:] - step])
        moves[column] = choices.argmax(0) - 1
        best = choices.max(0) + gain[column]
    index = np.zeros(count, int)
    index[-1] = int(best.argmax())
    for column in range(count - 1, 0, -1):
        index[column - 1] = index[column] + moves[column, index[column]]
    path = (chord + offsets[index]).astype(np.float32)
    smooth = np.pad(path, 6, mode="reflect", reflect_type="odd") if count > 6 else path
    return cv2.GaussianBlur(smooth[None], (0, 0), 2.0)[0][6:-6] if count > 6 else path


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


def as_bytes(image: torch.Tensor) -> NDArray[np.uint8]:
    """Turn (3, h, w) RGB in [0, 1] into contiguous (h, w, 3) bytes."""
    pixels = (image.detach().cpu().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())


def as_points(points: NDArray[np.floating]) -> tuple[Point, ...]:
    """Turn (n, 2) numbers into a tuple of points."""
    return tuple((float(x), float(y)) for x, y in points)
