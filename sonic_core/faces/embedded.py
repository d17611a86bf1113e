"""The finder that needs no files: a soft cascade says where, a joint fit of eyes, nose and mouth says how."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..types import Box, Face, largest_first
from .cascade import WINDOW, scan
from .corners import find_corners
from .fit import REACH, WINDOW_UNITS, Fit, Frame, fit, four_points, patch, place_frame, points_frame
from .lids import fit_lids
from .lips import as_bytes, as_points, expected_lips, fit_lips
from .outline import measure_outline
from .windows import Place, find_places

TRIED = 6
"""Places in which points are fitted."""
LEAST_EVIDENCE = 2.5
"""Evidence at which a face is as likely as not."""
LEAST_SCORE, SURE_SCORE = 0.5, 0.87
"""Scores below the first are no face; where one face reaches the second, all others must."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
BEHIND = 0.015
"""How far the middle of a head lies beside that of its five points, in units per degree of its turn."""
SCALES = (1.0, 1.2)
"""Factors on the size of a place that are tried."""


class EmbeddedFinder:
    """Finds faces with nothing downloaded.

    Photographs, paintings, statues and drawn figures, seen from the front to three quarters and tilted up to 35
    degrees, from about 40 pixels.
    """

    name = "embedded"

    def find(self, image: torch.Tensor) -> list[Face]:
        """List the faces of ``image`` (3, h, w), the largest first; an empty list when there is none."""
        pixels = as_bytes(image)
        gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        found = []
        for place in find_places(gray)[:TRIED]:
            best = fit_place(pixels, place)
            found.append((confidence(pixels, place, best), best))
        sure = max((score for score, _ in found), default=0.0) >= SURE_SCORE
        least = SURE_SCORE if sure else LEAST_SCORE
        faces = [complete(pixels, best, score) for score, best in found if score >= least]
        return largest_first(_apart(faces)[: None if sure else 1])

    def fit_inside(self, image: torch.Tensor, box: Box) -> Face:
        """Fit the points of the face that is known to fill ``box``; a face is returned in any case."""
        return fit_inside(as_bytes(image), box)


def fit_place(pixels: NDArray[np.uint8], place: Place) -> Fit:
    """Fit the points at several sizes and keep the best."""
    frame = place_frame(place)
    fits = [fit(pixels, Frame(frame.x, frame.y, frame.unit * scale, frame.tilt)) for scale in SCALES]
    return max(fits, key=lambda one: one.quality)


def confidence(pixels: NDArray[np.uint8], place: Place, found: Fit) -> float:
    """Weigh what the cascade says, before and after the fit, the fit, and whether eyes are darker than cheeks."""
    evidence = (place.score - 40) / 5 + 2 * (found.quality - 1)
    evidence += 0.5 * np.log(second_look(pixels, found.frame) + 1e-3) + min(eye_darkness(pixels, found), 1.2)
    return float(1 / (1 + np.exp(-np.clip(evidence - LEAST_EVIDENCE, -30, 30))))


def second_look(pixels: NDArray[np.uint8], frame: Frame) -> float:
    """Let the cascade look again at the upright face; return how many good windows agree."""
    middle = np.array([REACH, REACH - 0.23])
    sizes = WINDOW / WINDOW_UNITS / np.geomspace(0.85, 1.3, 8)
    grays = [(patch(pixels, frame, size) @ LUMA * 255).round().astype(np.uint8) for size in sizes]
    weight = 0.0
    for size, windows in zip(sizes, scan(grays), strict=True):
        near = np.hypot(*(windows[:, :2] + WINDOW / 2 - middle * size).T) < 4
        weight += float(np.exp((windows[near, 2] - 50) / 6).sum())
    return weight


def eye_darkness(pixels: NDArray[np.uint8], found: Fit, unit: float = 32.0) -> float:
    """Measure how much darker the eyes are than the cheeks, in standard deviations of the patch."""
    light = cv2.GaussianBlur(patch(pixels, found.frame, unit) @ LUMA, (0, 0), 0.1 * unit)
    matrix = found.frame.matrix(unit)
    points = found.points @ matrix[:, :2].T + matrix[:, 2]
    eyes, mouth = points[:2], points[3]
    cheeks = 0.45 * eyes + 0.55 * mouth + 0.35 * (eyes - eyes.mean(0))
    at = np.clip(np.round(np.vstack([eyes, cheeks])).astype(int), 0, light.shape[0] - 1)
    values = light[at[:, 1], at[:, 0]]
    return float((values[2:].mean() - values[:2].mean()) / (light.std() + 0.02))


def complete(pixels: NDArray[np.uint8], found: Fit, score: float) -> Face:
    """Move the points of a fitted face to the middle of its lids and the corners of its lips, and give it a box."""
    matrix = found.frame.matrix(1.0)
    matrix[:, 2] -= REACH, REACH - 0.5
    places = found.points @ matrix[:, :2].T + matrix[:, 2]
    ends = find_corners(pixels, found.frame, found.points[3]) @ matrix[:, :2].T + matrix[:, 2]
    eyes = [lids.numbers[:2] for lids in fit_lids(pixels, found.frame, places[:2])]
    lips = fit_lips(pixels, found.frame, expected_lips(*ends))
    corners = [(lips.x[end], lips.upper_inner[end]) for end in (0, -1)]
    middle = lips.numbers[0], lips.numbers[1]
    turn = measure_outline(pixels, found.frame, middle).turn
    inverse = cv2.invertAffineTransform(matrix)
    points = np.vstack([eyes, places[2], corners]) @ inverse[:, :2].T + inverse[:, 2]
    eye, other_eye, nose, corner, other_corner = as_points(points)
    return Face(face_box(points, turn), (eye, other_eye, nose, corner, other_corner), score)


def face_box(points: NDArray[np.float64], turn: float) -> Box:
    """Compute the box, brow to chin and cheek to cheek, of five points (5, 2) of a head turned by ``turn`` degrees."""
    frame = points_frame(four_points(points))
    angle = np.deg2rad(frame.tilt)
    down = np.array([-np.sin(angle), np.cos(angle)])
    depth = float((points[3:].mean(0) - points[:2].mean(0)) @ down)
    middle = points[:2].mean(0) * 0.5 + points[3:].mean(0) * 0.5
    behind = -BEHIND * turn * frame.unit
    centre = middle + down * 0.03 * depth + np.array([down[1], -down[0]]) * behind
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
