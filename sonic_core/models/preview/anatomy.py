"""Where the movable parts of a portrait are, measured once before the first frame.

Lengths are in pixels of the crop. The unit of a face is the distance between its eyes, corrected for turning away: a
turned face has its eyes closer together but its mouth as far below them as before.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...faces import fit
from ...faces.lids import Lids, fit_lids
from ...faces.lips import GAP, Lips, as_bytes, expected_lips, fit_lips
from ...faces.outline import Outline, measure_outline
from ...faces.seam import Seam, trace_seam
from ...types import Portrait

EYES_TO_MOUTH = 1.06
"""Median distance from the eyes' midpoint to the mouth's, in eye distances (front-facing portraits, own count)."""
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
    shadow: tuple[float, float]
    """How far the dark line on which shut lips meet reaches up and down from it; 0 and 0 where they do not meet."""
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
    points = np.asarray(portrait.face.points, np.float64)
    eyes, corners = points[:2], points[3:]
    down = np.linalg.norm(corners.mean(0) - eyes.mean(0))
    unit = float(max(np.linalg.norm(eyes[1] - eyes[0]), down / EYES_TO_MOUTH * 0.95))
    level = _direction(eyes[1] - eyes[0])
    origin = eyes.mean(0)
    face = Frame((float(origin[0]), float(origin[1])), level)
    patch_frame = fit.Frame(float(origin[0]), float(origin[1]), unit, float(np.rad2deg(np.arctan2(level[1], level[0]))))
    pixels = as_bytes(portrait.image)
    places = np.stack(face.local(*points.T), -1) / unit
    lips = fit_lips(pixels, patch_frame, expected_lips(places[3], places[4]))
    seam = None if lips.numbers[GAP] else trace_seam(pixels, patch_frame, lips)
    lids = fit_lids(pixels, patch_frame, places[:2])
    mouth = float(lips.x[[0, -1]].mean()), float(lips.upper_inner[[0, -1]].mean())
    outline = measure_outline(pixels, patch_frame, mouth)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    middle = (eyes.mean(0) + corners.mean(0)) / 2
    return Anatomy(
        unit=unit,
        head=Frame((float(middle[0]), float(middle[1])), level),
        mouth=_place_mouth((lips, seam), (face, unit), outline, float(places[2, 1]), grey.shape[0]),
        eyes=_place_eyes(lids, face, unit, grey),
        turn=outline.turn,
    )


def _direction(vector: np.ndarray) -> tuple[float, float]:
    length = max(float(np.linalg.norm(vector)), 1e-6)
    return float(vector[0]) / length, float(vector[1]) / length


def _placed(face: Frame, unit: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Turn places in face units into pixels, (n, 2)."""
    right, down = face.turned(x * unit, y * unit)
    return np.stack([right + face.centre[0], down + face.centre[1]], -1)


def _own_frame(first: np.ndarray, last: np.ndarray) -> tuple[Frame, float]:
    """Return the frame between two corners in pixels and half their distance."""
    centre = (first + last) / 2
    frame = Frame((float(centre[0]), float(centre[1])), _direction(last - first))
    return frame, float(np.linalg.norm(last - first)) / 2


def _edge(points: np.ndarray, frame: Frame, half: float, stations: np.ndarray) -> np.ndarray:
    """Read how far down an edge given by points in pixels lies at each station."""
    along, down = frame.local(points[:, 0], points[:, 1])
    return np.interp(stations, along / half, down).astype(np.float32)


def _place_mouth(
    found: tuple[Lips, Seam | None], place: tuple[Frame, float], outline: Outline, nose: float, height: int
) -> Mouth:
    """Lay the lips' edges into the mouth's own frame, and mark nose, chin and the picture's edge."""
    lips, seam = found
    face, unit = place
    inner = (lips.upper_inner, lips.lower_inner) if seam is None else (seam.y, seam.y)
    points = [_placed(face, unit, lips.x, edge) for edge in (lips.upper_outer, *inner, lips.lower_outer)]
    frame, half = _own_frame(points[1][0], points[1][-1])
    upper_outer, upper_inner, lower_inner, lower_outer = (_edge(part, frame, half, MOUTH_STATIONS) for part in points)
    teeth = upper_inner + np.float32(lips.teeth) * (lower_inner - upper_inner)
    above = unit * (float(lips.upper_inner[len(lips.x) // 2]) - nose)
    return Mouth(
        frame=frame,
        half_width=half,
        upper_outer=upper_outer,
        upper_inner=upper_inner,
        lower_inner=lower_inner,
        lower_outer=lower_outer,
        shadow=(0.0, 0.0) if seam is None else (unit * seam.above, unit * seam.below),
        teeth=teeth,
        nose=float(np.clip(0.7 * above, 0.22 * unit, 0.5 * unit)),
        chin=max(outline.chin * unit, float(lower_outer.max()) + 0.15 * unit),
        floor=max(height - frame.centre[1], 0.8 * unit),
        sides=(outline.left * unit, outline.right * unit),
    )


def _place_eyes(lids: tuple[Lids, Lids], face: Frame, unit: float, grey: np.ndarray) -> tuple[Eye, Eye]:
    """Lay the lids' edges into each eye's own frame and find the lower edges of the brows above them."""
    placed = []
    for lid in lids:
        upper, lower = (_placed(face, unit, lid.x, edge) for edge in (lid.upper, lid.lower))
        frame, half = _own_frame(upper[0], upper[-1])
        edges = (_edge(part, frame, half, EYE_STATIONS) for part in (upper, lower))
        placed.append((frame, half, *edges))
    brows = []
    for frame, _, upper, _ in placed:
        lid = -float(upper.min()) / unit
        where, change = _profile(grey, frame, unit, (-0.55, -lid - 0.03), 0.1)
        brow = float(-where[np.argmax(change * _likely(where, -lid - 0.14, 0.07))])
        brows.append(float(np.clip(brow, lid + 0.06, lid + 0.25)) - lid)
    one, other = (
        Eye(frame, half, upper, lower, float(np.mean(brows)) * unit - float(upper.min()))
        for frame, half, upper, lower in placed
    )
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
