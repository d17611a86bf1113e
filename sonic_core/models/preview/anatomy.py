"""Where the movable parts of a portrait are, measured once before the first frame.

Lengths are in pixels of the crop. The unit of a face is the distance between its eyes, corrected for turning away: a
turned face has its eyes closer together but its mouth as far below them as before.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...faces.lips import lip_line
from ...types import Portrait

EYES_TO_MOUTH = 1.06
"""Median distance from the eyes' midpoint to the mouth's, in eye distances (front-facing portraits, own count)."""
MOUTH_TO_CHIN = 0.65
"""Median distance from the mouth's midpoint to the chin, in eye distances (likewise)."""
MOUTH_STATIONS = np.linspace(-1, 1, 33, dtype=np.float32)
"""Places along a mouth at which its contours are known, in half widths from the centre."""
EYE_STATIONS = np.linspace(-1, 1, 17, dtype=np.float32)
"""Places along an eye at which its lids are known, in half widths from the centre."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A place on the face with its own axes: ``along`` to the right in the picture, and down at a right angle to it."""

    centre: tuple[float, float]
    along: tuple[float, float]

    def local(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn pixel positions into (along, down) positions around the centre."""
        dx, dy = x - np.float32(self.centre[0]), y - np.float32(self.centre[1])
        c, s = (np.float32(part) for part in self.along)
        return dx * c + dy * s, dy * c - dx * s

    def turned(
        self, right: np.ndarray | float, down: np.ndarray | float
    ) -> tuple[np.ndarray | float, np.ndarray | float]:
        """Turn a movement along the axes into one in pixels (x, y)."""
        c, s = (np.float32(part) for part in self.along)
        return right * c - down * s, right * s + down * c


@dataclass(frozen=True, eq=False)
class Mouth:
    """The lips' seam and what surrounds it, in the mouth's frame (centre between the corners)."""

    frame: Frame
    half_width: float
    """Half the distance between the corners."""
    upper_outer: np.ndarray
    """Upper edge of the upper lip: down-position at each of ``MOUTH_STATIONS``, (n,) float32, as the three below."""
    upper_inner: np.ndarray
    """Lower edge of the upper lip."""
    lower_inner: np.ndarray
    """Upper edge of the lower lip; where the mouth is shut the same as ``upper_inner``: the seam."""
    lower_outer: np.ndarray
    """Lower edge of the lower lip."""
    teeth: np.ndarray
    """Lower edge of the upper teeth where they are bared, ``upper_inner`` where they are not."""
    nose: float
    """Distance from the centre up to the base of the nose."""
    chin: float
    """Distance from the centre down to the chin."""
    floor: float
    """Distance from the centre down to the crop's lower edge."""
    sides: tuple[float, float]
    """Distances from the centre to the face's outline, to the left and to the right along the axis."""


@dataclass(frozen=True, eq=False)
class Eye:
    """An eye's opening in its own frame."""

    frame: Frame
    half_width: float
    """Half the distance between the eye's corners."""
    upper_lid: np.ndarray
    """Edge of the upper lid: down-position at each of ``EYE_STATIONS``, (n,) float32; negative is above the centre."""
    lower_lid: np.ndarray
    """Edge of the lower lid, likewise."""
    brow: float
    """Distance from the centre up to the lower edge of the brow."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Everything that moves, where it is."""

    unit: float
    head: Frame
    """Centre between eyes and mouth; axes along the eyes."""
    mouth: Mouth
    eyes: tuple[Eye, Eye]
    turn: float
    """Degrees by which the head is turned to the picture's right, about −45 … 45."""


def measure_anatomy(portrait: Portrait) -> Anatomy:
    """Measure the movable parts of a portrait's face from its five points and the picture around them."""
    points = np.asarray(portrait.face.points, np.float32)
    eyes, corners = points[:2], points[3:]
    down = np.linalg.norm(corners.mean(0) - eyes.mean(0))
    unit = float(max(np.linalg.norm(eyes[1] - eyes[0]), down / EYES_TO_MOUTH * 0.95))
    level = _direction(eyes[1] - eyes[0])
    grey = cv2.cvtColor(np.ascontiguousarray(portrait.image.permute(1, 2, 0).numpy()), cv2.COLOR_RGB2GRAY)
    middle = (eyes.mean(0) + corners.mean(0)) / 2
    return Anatomy(
        unit=unit,
        head=Frame((float(middle[0]), float(middle[1])), level),
        mouth=_measure_mouth(portrait, grey, points, unit),
        eyes=_measure_eyes(grey, eyes, level, unit),
        turn=0.0,
    )


def _direction(vector: np.ndarray) -> tuple[float, float]:
    length = max(float(np.linalg.norm(vector)), 1e-6)
    return float(vector[0]) / length, float(vector[1]) / length


def _measure_mouth(portrait: Portrait, grey: np.ndarray, points: np.ndarray, unit: float) -> Mouth:
    """Follow the lips' seam, give the lips their usual thickness and mark nose, chin and the picture's edge."""
    line = np.asarray(lip_line(portrait.image, portrait.face), np.float32)
    left, right = line[0], line[-1]
    centre = (left + right) / 2
    frame = Frame((float(centre[0]), float(centre[1])), _direction(right - left))
    half = float(np.linalg.norm(right - left)) / 2
    along, depth = frame.local(line[:, 0], line[:, 1])
    seam = np.polyval(np.polyfit(along / half, depth, 4), MOUTH_STATIONS).astype(np.float32)
    arch = np.sqrt(np.clip(1 - MOUTH_STATIONS**2, 0, 1)).astype(np.float32)
    nose = frame.local(points[2:3, 0], points[2:3, 1])[1][0]
    middle = float(seam[len(seam) // 2])
    where, change = _profile(grey, frame, unit, (0.35, 1.0), 0.16)
    chin = where[np.argmax(np.abs(change) * _likely(where, MOUTH_TO_CHIN, 0.13))] * unit
    return Mouth(
        frame=frame,
        half_width=half,
        upper_outer=seam - 0.11 * unit * arch,
        upper_inner=seam,
        lower_inner=seam,
        lower_outer=seam + 0.14 * unit * arch,
        teeth=seam,
        nose=float(np.clip(0.7 * (middle - nose), 0.22 * unit, 0.5 * unit)),
        chin=float(chin),
        floor=max(grey.shape[0] - float(centre[1]), 0.8 * unit),
        sides=(0.95 * unit, 0.95 * unit),
    )


def _measure_eyes(grey: np.ndarray, centres: np.ndarray, level: tuple[float, float], unit: float) -> tuple[Eye, Eye]:
    """Find the lids' edges and the brow as the steepest changes of brightness, near where they usually are.

    The upper edge is taken a little high: skin drawn over the eye is a blink, an iris drawn down is a smear. Both eyes
    get the same lids, since two measurements are better than one and people blink with both.
    """
    frames = [Frame((float(x), float(y)), level) for x, y in centres]
    found = []
    for frame in frames:
        where, change = _profile(grey, frame, unit, (-0.5, 0.22), 0.1)
        upper = float(-where[np.argmin(change * _likely(where, -0.1, 0.045))]) + 0.015
        lower = float(where[np.argmax(change * _likely(where, 0.095, 0.045))])
        brow = float(-where[np.argmax(change * _likely(where, -0.27, 0.06))])
        found.append((upper, lower, float(np.clip(brow, upper + 0.07, upper + 0.16))))
    upper, lower, brow = np.array(found).mean(0) * unit
    arch = (1 - np.abs(EYE_STATIONS) ** 3).astype(np.float32)
    one, other = (Eye(frame, 0.35 * unit, -upper * arch, lower * arch, float(brow)) for frame in frames)
    return one, other


def _profile(
    grey: np.ndarray, frame: Frame, unit: float, reach: tuple[float, float], half_width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Measure how brightness changes going down through a frame's centre.

    Returns:
        Depths in face units and the change of brightness at each, both (n,).
    """
    where = np.arange(*reach, 0.01, dtype=np.float32)
    along = np.linspace(-half_width, half_width, 9, dtype=np.float32) * unit
    dx, dy = frame.turned(along[None, :], where[:, None] * np.float32(unit))
    x = np.asarray(dx + frame.centre[0], np.float32)
    y = np.asarray(dy + frame.centre[1], np.float32)
    values = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).mean(1)
    return where, np.gradient(cv2.GaussianBlur(values[:, None], (1, 5), 0)[:, 0])


def _likely(where: np.ndarray, expected: float, spread: float) -> np.ndarray:
    return np.exp(-(((where - expected) / spread) ** 2))
