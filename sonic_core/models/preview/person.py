"""Where the person ends and the background begins, so that no movement ever reaches the background."""

from __future__ import annotations

import cv2
import numpy as np

from .anatomy import Anatomy

_UNIT = 26.0  # pixels per face unit in the small picture in which the outline is looked for
_ROUNDS = 4
_TEMPLES = ((1.15, 0.08), (1.7, -0.05))
"""How far to either side of an eye, in its half widths, is certainly face, unless that is farther than so many units
beyond the side of the face: an eye's ends, and the temples, where hair may look like background."""
_STEPS = np.float32(256)  # of a pixel of that picture, in which distances are told


def depth_inside(image: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """Measure how far inside the person's outline each pixel lies, 0 from there outward.

    The middle of the face counts as inside in any case. Where the background looks like the person, too much counts
    as inside; where hair looks like the background, too little: both cost nothing but a little movement.

    Args:
        image: The crop, (h, w, 3) float32 in [0, 1].
        anatomy: Where the face is.

    Returns:
        (h, w) float32 in face units.
    """
    height, width = image.shape[:2]
    inside = _inside(image, anatomy)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    steps = np.rint(distance.clip(max=65_535 / _STEPS) * _STEPS).astype(np.uint16)  # whole numbers are blurred exactly
    steps = cv2.GaussianBlur(steps, (0, 0), 1.0)
    steps[cv2.erode(inside, np.ones((3, 3), np.uint8)) == 0] = 0
    full = cv2.resize(steps.astype(np.float32) / _STEPS, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.maximum(full - 1, 0) / np.float32(_UNIT)


def _inside(image: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """Part person and background in a small picture: (h, w) bytes, 1 inside.

    Source: Rother, Kolmogorov and Blake, GrabCut, SIGGRAPH 2004 (OpenCV's).
    """
    scale = _UNIT / anatomy.unit
    height, width = (max(round(length * scale), 8) for length in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    marks = np.full((height, width), cv2.GC_BGD, np.uint8)
    points = _face_points(anatomy) * scale
    middle = (float(anatomy.head.centre[0] * scale), float(anatomy.head.centre[1] * scale))
    degrees = float(np.degrees(np.arctan2(anatomy.head.along[1], anatomy.head.along[0])))
    left, right = (side / anatomy.unit for side in anatomy.mouth.sides)
    aside = anatomy.head.turned((right - left) / 2 * _UNIT, 0.0)
    centre = middle[0] + float(aside[0]), middle[1] + float(aside[1])
    cv2.fillPoly(marks, [_ellipse(centre, (1.7, 2.2), degrees)], cv2.GC_PR_BGD)
    cv2.fillPoly(marks, [_ellipse(centre, (0.45 * (right + left), 1.3), degrees)], cv2.GC_PR_FGD)
    chin, across = points[-1], 0.45 * _UNIT
    neck = slice(round(max(chin[1], 0)), height), slice(round(max(chin[0] - across, 0)), round(chin[0] + across))
    marks[neck] = cv2.GC_PR_FGD
    face = cv2.convexHull(points.astype(np.float32)).astype(np.int32)
    cv2.fillConvexPoly(marks, face, cv2.GC_FGD)
    if np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).all():
        return np.ones((height, width), np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    pixels = (np.clip(small, 0, 1) * 255).astype(np.uint8)
    cv2.grabCut(pixels, marks, (0, 0, width, height), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    round_brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    found = cv2.morphologyEx(cv2.morphologyEx(found, cv2.MORPH_CLOSE, round_brush), cv2.MORPH_OPEN, round_brush)
    cv2.fillConvexPoly(found, face, 1)
    _, pieces = cv2.connectedComponents(found)
    row, column = int(np.clip(middle[1], 0, height - 1)), int(np.clip(middle[0], 0, width - 1))
    found = (pieces == pieces[row, column]).astype(np.uint8)
    _, holes = cv2.connectedComponents(1 - found)
    border = np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))
    return ((found == 1) | ~np.isin(holes, border)).astype(np.uint8)


def _face_points(anatomy: Anatomy) -> np.ndarray:
    """List places that certainly belong to the face: (n, 2) pixels, the chin last."""
    mouth, head = anatomy.mouth, anatomy.head
    places = []
    for eye in anatomy.eyes:
        for reach, margin in _TEMPLES:
            side = reach * eye.half_width
            for across, down in ((-side, -eye.brow), (side, -eye.brow), (-side, 0.1 * side), (side, 0.1 * side)):
                dx, dy = eye.frame.turned(across, down)
                x, y = eye.frame.centre[0] + float(dx), eye.frame.centre[1] + float(dy)
                places.append(_nearer(x, y, margin * anatomy.unit, anatomy))
    for across, side in zip((-1, 1), mouth.sides, strict=True):
        dx, dy = head.turned(across * min(0.4 * anatomy.unit, 0.45 * side), -1.2 * anatomy.unit)
        places.append((head.centre[0] + float(dx), head.centre[1] + float(dy)))
    for across, down in ((-1.05 * mouth.half_width, 0.0), (1.05 * mouth.half_width, 0.0), (0.0, 0.95 * mouth.chin)):
        dx, dy = mouth.frame.turned(across, down)
        places.append((mouth.frame.centre[0] + float(dx), mouth.frame.centre[1] + float(dy)))
    return np.array(places, np.float64)


def _nearer(x: float, y: float, margin: float, anatomy: Anatomy) -> tuple[float, float]:
    """Move a place beside an eye to ``margin`` beyond the sides of the face, as at the mouth, if it lies farther."""
    mouth = anatomy.mouth
    along = float(mouth.frame.local(np.array(x), np.array(y))[0])
    left, right = (side + margin for side in mouth.sides)
    dx, dy = mouth.frame.turned(float(np.clip(along, -left, right) - along), 0.0)
    return x + float(dx), y + float(dy)


def _ellipse(middle: tuple[float, float], reach: tuple[float, float], degrees: float) -> np.ndarray:
    """Draw an ellipse around a place in the small picture, its half axes in face units: (n, 2) int32."""
    axes = round(reach[0] * _UNIT), round(reach[1] * _UNIT)
    return np.asarray(cv2.ellipse2Poly((round(middle[0]), round(middle[1])), axes, round(degrees), 0, 360, 5))
