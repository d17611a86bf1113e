"""How well faces are read, against labels that another tracker, or a person, gave them. Errors are in eye distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..faces.landmarks import read_landmarks
from ..types import Box, Face

KEYS = ("eye_right", "eye_left", "mouth_left", "mouth_right")
"""Points of a label, in a picture's pixels: the eye that is left in the picture, the other, and the mouth's corners."""
NEAR = 0.1
"""Error up to which a face counts as read."""
LOOSE = ((1.3, 0.0, 0.0), (0.7, 0.0, 0.0), (1.0, 0.3, 0.0), (1.0, -0.3, 0.0), (1.0, 0.0, 0.3), (1.0, 0.0, -0.3))
"""Sizes of boxes that are a third off, and how far they lie to the right and down, in sides of the box."""


@dataclass(frozen=True)
class ReadingErrors:
    """How far a face's points lie from a label; infinite where no face was found."""

    eye: float
    """Of the worse eye."""
    corners: float
    """Mean of the mouth's two corners."""
    mouth: float
    """Of the middle between them."""

    @property
    def found(self) -> bool:
        """Whether there was a face at all."""
        return bool(np.isfinite(self.eye))


MISSED = ReadingErrors(*(float("inf"),) * 3)
"""No face was found."""


def compare_with_label(face: Face, label: Mapping[str, Sequence[float]]) -> ReadingErrors:
    """Compare a face with a label.

    Args:
        face: As a finder gives it.
        label: The places (x, y) of ``KEYS``.
    """
    found, true = np.array(face.points)[[0, 1, 3, 4]], np.array([label[key] for key in KEYS])
    unit = np.hypot(*(true[1] - true[0]))
    off = np.hypot(*(found - true).T) / unit
    middle = np.hypot(*(found[2:].mean(0) - true[2:].mean(0))) / unit
    return ReadingErrors(float(off[:2].max()), float(off[2:].mean()), float(middle))


def loosen(box: Box) -> list[Box]:
    """List boxes that are a third off in size or place, as ``LOOSE`` says."""
    left, top, right, bottom = box
    x, y, width, height = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    found = []
    for size, across, down in LOOSE:
        a, b, w, h = x + across * width, y + down * height, size * width / 2, size * height / 2
        found.append((a - w, b - h, a + w, b + h))
    return found


def measure_looseness(image: torch.Tensor, face: Face) -> float:
    """Say how far the mesh's points, read from a loose box, lie at most from the face's own, mean over the points.

    Args:
        image: (3, h, w).
        face: Infinite is returned for one without landmarks.
    """
    if face.landmarks is None:
        return float("inf")
    points = face.landmarks.points[:, :2]
    reads = [read_landmarks(image, box).points[:, :2] for box in loosen(face.box)]
    return max(float(np.hypot(*(read - points).T).mean()) for read in reads) / face.eye_distance


@dataclass(frozen=True)
class ReadingSummary:
    """What many faces have in common."""

    found: int
    faces: int
    medians: tuple[float, float, float]
    """Of the worse eye, the mouth's corners and its middle."""
    near: tuple[float, float, float]
    """Share of all faces within ``NEAR``, missed ones included."""


def summarise_reading(errors: Sequence[ReadingErrors]) -> ReadingSummary:
    """Sum up the errors of at least one face."""
    table: NDArray[np.float64] = np.array([(one.eye, one.corners, one.mouth) for one in errors])
    medians, near = np.median(table, 0).tolist(), (table <= NEAR).mean(0).tolist()
    return ReadingSummary(sum(one.found for one in errors), len(errors), tuple(medians), tuple(near))
