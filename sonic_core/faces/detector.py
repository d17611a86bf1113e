"""Find where faces may be with BlazeFace, which is a convolution and so works on pictures of any size.

Source: the published graph "face_detection_short_range"; Bazarevsky et al., BlazeFace, arXiv 1907.05047.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..types import Box, Point
from .networks import FaceDetector, load_network
from .regions import Matrix, Pixels, Region, as_input, as_points, back

LEAST_SCORE = 0.5
"""Published score below which an anchor shows no face."""
MOST_OVERLAP = 0.3
"""Published intersection over union above which two anchors show one face."""
MOST_LOGIT = 80.0
"""Limit of a logit, so that its exponential stays finite."""
MARGIN = 1.5
"""Side of the mesh's square over the longer side of a detection's box, as published."""
TILE, SEAM = 1024, 128
"""Side of the parts, in pixels, in which a large picture is looked through, and what neighbours have in common."""
STRIDES = ((8, 2), (16, 6))
"""Pixels from anchor to anchor, and anchors in one place."""


class Detection(NamedTuple):
    """A face as the detector sees it, in the picture's pixels."""

    box: Box
    points: tuple[Point, ...]
    """The person's right eye, left eye, nose tip, mouth, right ear, left ear."""
    score: float

    @property
    def tilt(self) -> float:
        """Degrees by which the face is turned clockwise."""
        (ax, ay), (bx, by) = self.points[:2]
        return math.degrees(math.atan2(by - ay, bx - ax))

    def moved(self, origin: Point, scale: float) -> Detection:
        """Express it in the pixels of a picture of which a part from ``origin`` on was seen ``scale`` times smaller."""
        left, top, right, bottom = (side * scale + start for side, start in zip(self.box, origin * 2, strict=True))
        points = tuple((x * scale + origin[0], y * scale + origin[1]) for x, y in self.points)
        return Detection((left, top, right, bottom), points, self.score)

    def region(self) -> Region:
        """Return the square in which the mesh looks."""
        left, top, right, bottom = self.box
        side = MARGIN * max(right - left, bottom - top)
        return Region((left + right) / 2, (top + bottom) / 2, side, self.tilt)


def detect_at(image: Pixels, longer: float, quarters: int = 0) -> list[Detection]:
    """List the detections in a picture seen at one size, the best first.

    Args:
        image: (h, w, 3) RGB bytes.
        longer: Pixels that the longer side is scaled to; a face is found where about 16 to 110 pixels are left of it.
        quarters: Quarter turns clockwise by which heads are thought to be turned.
    """
    scale = longer / max(image.shape[:2])
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = np.rot90(np.asarray(cv2.resize(image, size, interpolation=kind), np.uint8), quarters)
    found = []
    for top, bottom in _parts(seen.shape[0]):
        for left, right in _parts(seen.shape[1]):
            found += _detect(seen[top:bottom, left:right], (left, top))
    matrix = _turn(size, quarters) @ np.diag([size[0] / image.shape[1], size[1] / image.shape[0], 1.0])
    rows = merge(np.array([row for row, _ in found]), np.array([score for _, score in found]))
    return [_detection(row, score, matrix[:2]) for row, score in rows]


def _parts(side: int) -> list[tuple[int, int]]:
    """Divide a side into overlapping parts."""
    count = max(1, math.ceil((side - SEAM) / (TILE - SEAM)))
    cuts = np.linspace(0, max(side - SEAM, 1), count + 1).round().astype(int).tolist()
    return [(begin, min(end + SEAM, side)) for begin, end in pairwise(cuts)]


def _turn(size: list[int], quarters: int) -> NDArray[np.float64]:
    """Return the (3, 3) map from a picture of ``size`` (w, h) to where ``np.rot90`` brings its pixels."""
    matrix, (width, height) = np.eye(3), size
    for _ in range(quarters % 4):
        matrix = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, width - 1.0], [0.0, 0.0, 1.0]]) @ matrix
        width, height = height, width
    return matrix


def _detect(seen: Pixels, origin: tuple[int, int]) -> list[tuple[NDArray[np.float64], float]]:
    """List rows (8, 2) of centre, size and points, and their scores, in a part that begins at ``origin``."""
    side = FaceDetector.side
    high, wide = (max(side, math.ceil(length / 16) * 16) for length in seen.shape[:2])
    down, across = (high - seen.shape[0]) // 2, (wide - seen.shape[1]) // 2
    black = np.zeros((high, wide, 3), np.uint8)
    black[down : down + seen.shape[0], across : across + seen.shape[1]] = seen
    with torch.inference_mode():
        logits, places = load_network(FaceDetector)(as_input([black]) * 2 - 1)
    chances = torch.sigmoid(logits[0].clamp(-MOST_LOGIT, MOST_LOGIT)).double().numpy()
    kept = chances > LEAST_SCORE
    rows = places[0].double().numpy()[kept]
    rows[:, [0, *range(2, 8)]] += (anchors(high, wide)[kept] - (across - origin[0], down - origin[1]))[:, None]
    return list(zip(rows, chances[kept].tolist(), strict=True))


def anchors(high: int, wide: int) -> NDArray[np.float64]:
    """Return the middles (n, 2) of the anchors of a picture, x and y in its pixels."""
    grids = []
    for stride, each in STRIDES:
        y, x = np.mgrid[: high // stride, : wide // stride]
        grids.append(np.repeat((np.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride, each, 0))
    return np.concatenate(grids)


def merge(rows: NDArray[np.float64], scores: NDArray[np.float64]) -> list[tuple[NDArray[np.float64], float]]:
    """Average rows (n, 8, 2) that overlap the best one by their scores, then those that overlap the next.

    Returns:
        The averages and the best score of each, the best first.
    """
    found = []
    left = np.argsort(-scores, kind="stable")
    while len(left):
        same = _overlaps(rows[left[0]], rows[left]) > MOST_OVERLAP
        same[0] = True
        weights = scores[left[same]] / scores[left[same]].sum()
        found.append((np.tensordot(weights, rows[left[same]], 1), float(scores[left[0]])))
        left = left[~same]
    return found


def _overlaps(row: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the intersection over union of a row's box with those of rows (n, 8, 2)."""
    low, high = np.maximum(row[0] - row[1] / 2, rows[:, 0] - rows[:, 1] / 2), row[0] + row[1] / 2
    common = (np.minimum(high, rows[:, 0] + rows[:, 1] / 2) - low).clip(0).prod(1)
    union = row[1].prod() + rows[:, 1].prod(1) - common
    return common / np.maximum(union, 1e-9)


def _detection(row: NDArray[np.float64], score: float, matrix: Matrix) -> Detection:
    """Carry a row (8, 2) into the picture that ``matrix`` maps to where it was seen."""
    points = back(row[2:], matrix)
    corners = back(row[0] + row[1] * [(-0.5, -0.5), (0.5, 0.5)], matrix)
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    return Detection((float(left), float(top), float(right), float(bottom)), as_points(points), score)
