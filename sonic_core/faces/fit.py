"""Cut a face out upright, for what is looked for in it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .geometry import REACH, Frame, four_points, points_frame

__all__ = ["LARGE", "LIGHT", "REACH", "Frame", "four_points", "patch", "points_frame"]

LIGHT = np.array([0.3, 0.5, 0.2], np.float32)
"""What red, green and blue weigh in the brightness in which mouths and lids are looked for."""
LARGE = 3 * 2_000_000
"""Values of a picture from which it pays to cut before shrinking."""


def patch(image: NDArray[np.uint8], frame: Frame, pixels: float) -> NDArray[np.float32]:
    """Cut the upright patch around a frame: (s, s, 3) RGB in [0, 1], anti-aliased."""
    side = round(2 * REACH * pixels)
    matrix = frame.matrix(pixels)
    shrink = pixels / frame.unit
    if shrink < 0.6:
        if image.size > LARGE:
            image, matrix = _surroundings(image, matrix, side)
        small = cv2.resize(image, None, fx=shrink * 1.5, fy=shrink * 1.5, interpolation=cv2.INTER_AREA)
        ratio = np.array([small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]])
        matrix = np.column_stack([matrix[:, :2] / ratio, matrix[:, 2] + matrix[:, :2] @ (0.5 / ratio - 0.5)])
        image = np.asarray(small, np.uint8)
    cut = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return (cut / 255).astype(np.float32)


def _surroundings(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], side: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Cut away what lies far outside a patch of ``side`` pixels; return what is left and the map from there."""
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([(0, 0), (side, 0), (0, side), (side, side)]) @ inverse[:, :2].T + inverse[:, 2]
    margin = 0.1 * np.ptp(corners, axis=0).max()
    size = image.shape[1], image.shape[0]
    left, top = (int(np.clip(low, 0, most - 1)) for low, most in zip(corners.min(0) - margin, size, strict=True))
    right, bottom = (int(np.clip(high, 1, most)) for high, most in zip(corners.max(0) + margin, size, strict=True))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    moved = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ (left, top)])
    return image[top:bottom, left:right], moved
