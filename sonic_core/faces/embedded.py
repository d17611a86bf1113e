"""The finder that needs no files: a soft cascade says where, a joint fit of eyes, nose and mouth says how."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..types import Box, Face, largest_first
from .fit import Fit, Frame, fit, place_frame, points_frame
from .lips import as_bytes, as_points, find_corners
from .windows import Place, find_places

TRIED = 4
"""Places in which points are fitted."""
LEAST_SCORE = 0.5
"""Scores below this are no face."""
SCALES = (1.0, 1.2)
"""Factors on the size of a place that are tried."""


@dataclass(frozen=True)
class EmbeddedFinder:
    """Finds faces with nothing downloaded.

    Photographs, paintings, statues and drawn figures, seen from the front to three quarters and tilted up to 35
    degrees, from about 40 pixels.
    """

    name: str = "embedded"

    def find(self, image: torch.Tensor) -> list[Face]:
        """List the faces of ``image`` (3, h, w), the largest first; an empty list when there is none."""
        pixels = as_bytes(image)
        gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        found = []
        for place in find_places(gray)[:TRIED]:
            best = fit_place(pixels, place)
            score = confidence(place, best)
            if score >= LEAST_SCORE:
                found.append(complete(pixels, best, score))
        return largest_first(_apart(found))

    def fit_inside(self, image: torch.Tensor, box: Box) -> Face:
        """Fit the points of the face that is known to fill ``box``; a face is returned in any case."""
        return fit_inside(as_bytes(image), box)


def fit_place(pixels: NDArray[np.uint8], place: Place) -> Fit:
    """Fit the points at several sizes and keep the best."""
    frame = place_frame(place)
    fits = [fit(pixels, Frame(frame.x, frame.y, frame.unit * scale, frame.tilt)) for scale in SCALES]
    return max(fits, key=lambda one: one.quality)


def confidence(place: Place, found: Fit) -> float:
    """Weigh what the cascade and the fit say, 0 to 1."""
    evidence = (place.score - 46) / 3.0 + np.log(place.weight + 1e-3) * 0.7 + (found.quality - 1.0) * 1.5
    return float(1 / (1 + np.exp(-np.clip(evidence, -30, 30))))


def complete(pixels: NDArray[np.uint8], found: Fit, score: float) -> Face:
    """Find the mouth's corners and the box of a fitted face."""
    corners = find_corners(pixels, found.frame, found.points[3])
    points = np.vstack([found.points[:3], corners])
    eye, other_eye, nose, corner, other_corner = as_points(points)
    return Face(face_box(points), (eye, other_eye, nose, corner, other_corner), score)


def face_box(points: NDArray[np.float64]) -> Box:
    """Compute the box, brow to chin and cheek to cheek, of five points (5, 2)."""
    frame = points_frame(np.vstack([points[:3], points[3:].mean(0)]))
    angle = np.deg2rad(frame.tilt)
    down = np.array([-np.sin(angle), np.cos(angle)])
    depth = float((points[3:].mean(0) - points[:2].mean(0)) @ down)
    middle = points[:2].mean(0) * 0.5 + points[3:].mean(0) * 0.5
    centre = middle + down * 0.03 * depth
    across, high = 1.06 * frame.unit, 1.15 * max(depth, 0.6 * frame.unit)
    half_width = abs(np.cos(angle)) * across + abs(np.sin(angle)) * high * 0.35
    half_height = abs(np.cos(angle)) * high + abs(np.sin(angle)) * across * 0.35
    x, y = centre
    return float(x - half_width), float(y - half_height), float(x + half_width), float(y + half_height)


def fit_inside(pixels: NDArray[np.uint8], box: Box) -> Face:
    """Fit the points of the face that is known to fill ``box``."""
    left, top, right, bottom = box
    unit = min((right - left) / 2.12, (bottom - top) / 2.5)
    frame = Frame((left + right) / 2, (top + bottom) / 2 - 0.5 * unit, unit, 0.0)
    found = fit(pixels, frame)
    return complete(pixels, found, 1.0)


def _apart(faces: list[Face]) -> list[Face]:
    """Drop faces that overlap a better one."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda one: one.score, reverse=True):
        if all(_overlap(face.box, other.box) < 0.3 for other in kept):
            kept.append(face)
    return kept


def _overlap(box: Box, other: Box) -> float:
    """Divide the common area by the smaller one."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    smaller = min((one[2] - one[0]) * (one[3] - one[1]) for one in (box, other))
    return max(width, 0.0) * max(height, 0.0) / smaller
