"""Cut turned squares out of a picture, and carry points back from there."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..types import Point

Pixels: TypeAlias = NDArray[np.uint8]
"""A picture, (h, w, 3) RGB bytes."""
Matrix: TypeAlias = NDArray[np.float64]
"""A (2, 3) affine map."""

SHARPEST = 1.5
"""Picture pixels per cut pixel above which a picture is averaged before it is cut, against aliasing."""


class Region(NamedTuple):
    """A square of a picture, in its pixels."""

    x: float
    """Its centre."""
    y: float
    side: float
    tilt: float = 0.0
    """Degrees by which it is turned clockwise."""

    def matrix(self, pixels: int) -> Matrix:
        """Return the map from the picture into a cut of ``pixels`` × ``pixels``."""
        angle, scale = math.radians(self.tilt), pixels / self.side
        cosine, sine = math.cos(angle) * scale, math.sin(angle) * scale
        turn = np.array([[cosine, sine], [-sine, cosine]])
        return np.column_stack([turn, pixels / 2 - turn @ (self.x, self.y)])


def as_points(points: NDArray[np.floating]) -> tuple[Point, ...]:
    """Turn (n, 2) numbers into a tuple of points."""
    return tuple((float(x), float(y)) for x, y in points)


def cut(image: Pixels, region: Region, pixels: int, border: int = cv2.BORDER_REPLICATE) -> Pixels:
    """Cut a region out as (pixels, pixels, 3); what lies beyond the picture is made as ``border`` says."""
    matrix = region.matrix(pixels)
    shrink = pixels / region.side
    if shrink * SHARPEST < 1:
        image, matrix = _surroundings(image, matrix, pixels)
        size = [max(1, round(length * shrink * SHARPEST)) for length in image.shape[1::-1]]
        ratio = np.array(size) / image.shape[1::-1]
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = np.column_stack([matrix[:, :2] / ratio, matrix[:, 2] + matrix[:, :2] @ (0.5 / ratio - 0.5)])
    inside = cv2.warpAffine(image, matrix, (pixels, pixels), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(inside, np.uint8)


def back(points: NDArray[np.floating], matrix: Matrix) -> NDArray[np.float64]:
    """Carry (…, 2) points of a cut back into the picture that ``matrix`` cut it from."""
    inverse = cv2.invertAffineTransform(matrix)
    return points @ inverse[:, :2].T + inverse[:, 2]


def as_input(cuts: list[Pixels]) -> torch.Tensor:
    """Stack cuts into (b, 3, h, w) float32 in [0, 1], laid out as the networks are quickest with."""
    stacked = torch.from_numpy(np.stack(cuts)).permute(0, 3, 1, 2)
    return stacked.float().div_(255).contiguous(memory_format=torch.channels_last)


def _surroundings(image: Pixels, matrix: Matrix, side: int) -> tuple[Pixels, Matrix]:
    """Cut away what lies far outside a cut of ``side`` pixels; return what is left and the map from there."""
    corners = back(np.array([(0, 0), (side, 0), (0, side), (side, side)], np.float64), matrix)
    margin = 0.05 * np.ptp(corners, axis=0).max()
    size = image.shape[1], image.shape[0]
    left, top = (int(np.clip(low, 0, most - 1)) for low, most in zip(corners.min(0) - margin, size, strict=True))
    right, bottom = (int(np.clip(high, 1, most)) for high, most in zip(corners.max(0) + margin, size, strict=True))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    moved = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ (left, top)])
    return image[top:bottom, left:right], moved
