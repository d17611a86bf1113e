"""Check a reading of a face, and see what is in front of it.

The thresholds lie between what 105 portraits gave, photographed, painted, drawn and sculpted, and what a dog, masks,
veils, a microphone, a hand and sunglasses gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..media.pixels import as_bytes
from ..types import Landmarks
from .geometry import (
    BRIDGE,
    CHEEKS,
    LEFT_EYE_RINGS,
    LEFT_LID_LOWER,
    LEFT_LID_UPPER,
    LIPS_LOWER_INNER,
    LIPS_LOWER_OUTER,
    LIPS_UPPER_INNER,
    LIPS_UPPER_OUTER,
    RIGHT_LID_LOWER,
    RIGHT_LID_UPPER,
    RIGID,
    eye_distance,
    mirror_points,
)
from .landmarks import face_region, read_mirrored, read_regions
from .regions import Pixels, Region, cut

SIDE = 384
"""Pixels of the upright cut in which a face is looked at."""
LEAST_SCORE = 0.7
"""Score of the mesh below which a face is doubtful: portraits have 0.78 and more, a dog 0.46, masked faces to 0.52."""
MOST_APART = 0.08
"""Mean distance, in eye distances, of the still points of two cuts: portraits to 0.074, a profile 0.086, a cat 0.17."""
LEAST_LIGHT_RANGE, MOST_LID_LIGHT = 0.34, 0.5
"""Range of brightness inside an eye (5th to 95th percentile), and brightness around it, as shares of the skin's, below
which it is behind a dark lens: sunglasses to 0.23 and 0.3, portraits are never below both."""
LEAST_RANGE_ALONE = 0.15
"""The same range for one eye alone, which may lie in the shadow."""
LEAST_LIP_CONTRAST, NO_LIP_CONTRAST = 6.5, 2.0
"""Difference in colour (CIE Lab) between lips and what is around them below which they may be covered, and below which
they hardly can be there."""
MOST_SEAM, MOST_SEAM_ALONE, MOST_STRANGE = 0.85, 0.8, 17.0
"""Brightness of the seam of the lips over that around, above which lips with little contrast, or none, are covered
(masks and a microphone from 0.86 on, a hand 0.82; portraits to 0.84 and 0.77), and the difference in hue between lower
face and bridge of the nose that shows a mask or a veil as well (from 17.3 on; portraits to 15)."""
BROKEN_SEAM, MOST_WANDER = 0.70, 0.05
"""Brightness of a seam over that around, and how far up and down its darkest places stray, in eye distances, above
which lips with little contrast are covered too: gaps between fingers are dark, but no line (a hand .78 and .083;
portraits with as little contrast stay below one or the other: .68 and .015, .80 and .008, .52 and .060)."""
SEAM_REACH = 0.16
"""How far above and below the lips' seam light is compared, in eye distances."""
AROUND_LIPS = (164, 167, 393, 18, 200, 83, 313, 199, 92, 322, 43, 273)
"""Skin above and below the lips."""
Numbers = Sequence[int] | NDArray[np.integer]


@dataclass(frozen=True)
class Doubts:
    """What is doubtful about a face that was read."""

    eyes_hidden: tuple[bool, bool]
    """Whether each eye, the picture's left one first, is behind something dark: no lid can be drawn there."""
    mouth_hidden: bool
    """Whether something is in front of the mouth: what is drawn there is drawn over it."""
    doubtful: str | None
    """Why the points may be wrong, a clause without a capital and full stop; None when nothing says so."""


def examine(image: torch.Tensor | Pixels, landmarks: Landmarks) -> Doubts:
    """Check landmarks against their picture.

    Args:
        image: (3, h, w) RGB in [0, 1], or (h, w, 3) RGB bytes.
        landmarks: A face in the picture's pixels.
    """
    pixels = as_bytes(image) if isinstance(image, torch.Tensor) else image
    region = face_region(landmarks.points.astype(np.float64))
    view = _View(pixels, landmarks, region)
    return Doubts(view.eyes_hidden(), view.mouth_hidden(), _doubt(pixels, landmarks, region))


def _doubt(pixels: Pixels, landmarks: Landmarks, region: Region) -> str | None:
    apart = disagreement(pixels, landmarks, region)
    if landmarks.score < LEAST_SCORE:
        return f"it hardly looks like a human face (score {landmarks.score:.2f} of 1, {LEAST_SCORE} or more is sure)"
    if apart > MOST_APART:
        return (
            f"two looks at it put its points {apart:.2f} eye distances apart, up to {MOST_APART} is usual; "
            "it may be no human face, be turned away or be covered"
        )
    return None


def disagreement(pixels: Pixels, landmarks: Landmarks, region: Region) -> float:
    """Measure how far a face's still points in a mirror lie from those in a wider, tilted cut, in eye distances."""
    other = Region(region.x + 0.02 * region.side, region.y, 1.06 * region.side, region.tilt + 4)
    first, second = read_mirrored(pixels, region).points, read_regions(pixels, [other])[0].points
    return float(np.hypot(*(first - second)[list(RIGID), :2].T).mean() / max(eye_distance(landmarks.points), 1e-6))


class _View:
    """A face upright, with its points, where colours are measured."""

    def __init__(self, pixels: Pixels, landmarks: Landmarks, region: Region) -> None:
        matrix = region.matrix(SIDE)
        inside = cut(pixels, region, SIDE).astype(np.float32) / 255
        self.points = landmarks.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        self.unit = eye_distance(landmarks.points) * SIDE / region.side
        self.sharp = np.asarray(cv2.cvtColor(inside, cv2.COLOR_RGB2LAB), np.float32)[..., 0]
        self.luma = inside @ np.array([0.299, 0.587, 0.114], np.float32)
        soft = cv2.GaussianBlur(inside, (0, 0), 0.02 * self.unit)
        self.lab = np.asarray(cv2.cvtColor(soft, cv2.COLOR_RGB2LAB), np.float32)

    def colour(self, numbers: Numbers) -> NDArray[np.floating]:
        """Return the median colour (Lab) at some points."""
        return np.median(_at(self.lab, self.points[list(numbers)]), 0)

    def inside(self, upper: Numbers, lower: Numbers) -> NDArray[np.bool_]:
        """Mark what lies between two contours that go from left to right."""
        mask = np.zeros((SIDE, SIDE), np.uint8)
        outline = np.vstack([self.points[list(upper)], self.points[list(lower)][::-1]])
        cv2.fillPoly(mask, [outline.round().astype(np.int32)], (1,))
        return mask > 0

    def eyes_hidden(self) -> tuple[bool, bool]:
        """Say of each eye whether it is behind a dark lens."""
        cheeks = _at(self.luma, self.points[list(CHEEKS)])
        skin, light = max(float(np.median(cheeks)), 0.02), max(float(self.colour(BRIDGE + CHEEKS)[0]), 2.0)
        ring = list(LEFT_EYE_RINGS[1])
        lids = ((LEFT_LID_UPPER, LEFT_LID_LOWER, ring), (RIGHT_LID_UPPER, RIGHT_LID_LOWER, mirror_points()[ring]))
        ranges, dark = [], []
        for upper, lower, around in lids:
            values = self.luma[self.inside(upper, lower)]
            low, high = np.percentile(values, [5, 95]) if values.size else (0.0, 0.0)
            ranges.append(float(high - low) / skin)
            dark.append(float(self.colour(around)[0]) < MOST_LID_LIGHT * light)
        hidden = [narrow < LEAST_LIGHT_RANGE and shade for narrow, shade in zip(ranges, dark, strict=True)]
        if not all(hidden):
            hidden = [one and narrow < LEAST_RANGE_ALONE for one, narrow in zip(hidden, ranges, strict=True)]
        return hidden[0], hidden[1]

    def mouth_hidden(self) -> bool:
        """Say whether the mouth is covered: lips and skin look alike, and no seam is there or the skin is no skin."""
        lips = np.median(self.lab[self.inside(LIPS_UPPER_OUTER, LIPS_LOWER_OUTER)], 0)
        around = self.colour(AROUND_LIPS)
        contrast = float(np.linalg.norm(lips - around))
        if not contrast < LEAST_LIP_CONTRAST:
            return False
        strange = float(np.hypot(*(around - self.colour(BRIDGE))[1:]))
        seam, wander = self.seam()
        if strange > MOST_STRANGE or (seam > BROKEN_SEAM and wander > MOST_WANDER):
            return True
        return seam > (MOST_SEAM_ALONE if contrast < NO_LIP_CONTRAST else MOST_SEAM)

    def seam(self) -> tuple[float, float]:
        """Measure the brightness of the lips' seam over that of what is around it, and how it strays up and down."""
        upper, lower = (self.points[list(edge)] for edge in (LIPS_UPPER_INNER, LIPS_LOWER_INNER))
        down = self.points[17] - self.points[0]
        down /= max(float(np.hypot(*down)), 1e-6)
        steps = np.linspace(-SEAM_REACH, SEAM_REACH, 33)
        light = _at(self.sharp, ((upper + lower) / 2)[None, 2:-2] + steps[:, None, None] * self.unit * down)
        share = float(np.median(light.min(0) / np.maximum(np.percentile(light, 75, axis=0), 1.0)))
        return share, float(np.std(steps[light.argmin(0)]))


def _at(values: NDArray[np.floating], places: NDArray[np.floating]) -> NDArray[np.floating]:
    """Look values up at places (…, 2)."""
    x, y = np.moveaxis(np.clip(np.rint(places), 0, SIDE - 1).astype(int), -1, 0)
    return values[y, x]
