"""Search a picture for places that look like a face, over sizes and tilts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, takewhile

import cv2
import numpy as np
from numpy.typing import NDArray

from .cascade import WINDOW, scan

SIDE = 320
"""Longer side in pixels of the copy in which faces are searched for at every tilt."""
FINE_SIDE = 640
"""Longer side of the copy in which small, upright faces are searched for."""
TILTED_WINDOW = 32
"""Side in that copy of the smallest face that is searched for tilted."""
STEP = 1.17
"""From one window size to the next."""
TILTS = (0.0, -24.0, 24.0)
"""Degrees by which the picture is turned, besides not at all."""
LEAST_SCORE = 30.0
"""Windows below this tell nothing."""


@dataclass(frozen=True)
class Place:
    """Where a face seems to be."""

    x: float
    y: float
    size: float
    """Side of the cascade's window in the picture's pixels, about 2.7 eye distances."""
    tilt: float
    """Degrees; positive when the face's right-in-picture eye is the lower one."""
    score: float
    """Of the best window."""
    weight: float
    """How many good windows agree."""


def find_places(gray: NDArray[np.uint8]) -> list[Place]:
    """List places that may hold a face, the likeliest first.

    Args:
        gray: (h, w) grey values.
    """
    found = [_turned(gray, SIDE, tilt, (TILTED_WINDOW if tilt else WINDOW, 10_000)) for tilt in TILTS]
    if max(gray.shape) > SIDE:
        found.append(_turned(gray, FINE_SIDE, 0.0, (WINDOW, WINDOW * FINE_SIDE / SIDE), stride=2))
    return merge(np.concatenate(found))


def _turned(
    gray: NDArray[np.uint8],
    side: int,
    tilt: float,
    sizes: tuple[float, float],
    stride: int = 1,
) -> NDArray[np.float64]:
    """Scan a turned copy of at most ``side`` pixels; rows are x, y, size, tilt, score in the picture's pixels."""
    shrink = min(side / max(gray.shape), 4.0)
    height, width = gray.shape
    interpolation = cv2.INTER_AREA if shrink < 1 else cv2.INTER_LINEAR
    small = cv2.resize(
        gray, (max(1, round(width * shrink)), max(1, round(height * shrink))), interpolation=interpolation
    )
    turned, back = turn(np.asarray(small, np.uint8), tilt)
    most = min(sizes[1], *turned.shape)
    scales = [WINDOW / size for size in takewhile(lambda size: size <= most, (sizes[0] * STEP**k for k in count()))]
    levels = [
        cv2.resize(
            turned, (round(turned.shape[1] * scale), round(turned.shape[0] * scale)), interpolation=cv2.INTER_AREA
        )
        for scale in scales
    ]
    found = [np.zeros((0, 5))]
    for scale, windows in zip(scales, scan([np.asarray(level, np.uint8) for level in levels], stride), strict=True):
        likely = windows[windows[:, 2] > LEAST_SCORE]
        centres = (likely[:, :2] + WINDOW / 2) / scale
        centres = (centres @ back[:, :2].T + back[:, 2]) / shrink
        constant = np.tile([WINDOW / scale / shrink, tilt], (len(likely), 1))
        found.append(np.column_stack([centres, constant, likely[:, 2]]).astype(np.float64))
    return np.concatenate(found)


def turn(gray: NDArray[np.uint8], tilt: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Turn a picture so that a face tilted by ``tilt`` stands upright; also return the way back, (2, 3)."""
    height, width = gray.shape
    if tilt == 0:
        return gray, np.eye(2, 3)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    wide, high = round(width * cosine + height * sine), round(width * sine + height * cosine)
    matrix[:, 2] += (wide - width) / 2, (high - height) / 2
    turned = cv2.warpAffine(gray, matrix, (wide, high), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), np.asarray(cv2.invertAffineTransform(matrix), np.float64)


def merge(windows: NDArray[np.float64], most: int = 8) -> list[Place]:
    """Join windows (x, y, size, tilt, score) that mean the same face; the likeliest first."""
    places = []
    left = windows[np.argsort(-windows[:, 4])]
    while len(left) and len(places) < most:
        best = left[0]
        apart = np.hypot(left[:, 0] - best[0], left[:, 1] - best[1]) / best[2]
        same = (apart < 0.22) & (np.abs(np.log(left[:, 2] / best[2])) < 0.35)
        share = np.exp((left[same, 4] - best[4]) / 5.0)
        mean = np.average(left[same], axis=0, weights=share)
        size = float(np.exp(np.average(np.log(left[same, 2]), weights=share)))
        weight = float(np.exp((left[same, 4] - 50.0) / 6.0).sum())
        places.append(Place(float(mean[0]), float(mean[1]), size, float(mean[3]), float(best[4]), weight))
        left = left[~((apart < 0.5) & (np.abs(np.log(left[:, 2] / best[2])) < 1.0))]
    return sorted(places, key=lambda place: place.score + 4 * np.log(place.weight + 1e-9), reverse=True)
