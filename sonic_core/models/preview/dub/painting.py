"""Paint the new mouth into one frame after the other; a pixel that is no part of it is never touched."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ....media.lazy import LazyFrame, PaintedFrame, even
from ....media.threads import single_threaded
from ..puppet.grid import Floats, Window, places_of
from ..puppet.pose import Pose
from .bending import MOVING, Bending
from .fronting import behind, draw_front
from .lattice import lattice_of
from .lip_tint import tint_lips
from .matching import match_detail, match_light
from .reference import Reference, Stand
from .survey import Candidate, Survey

LEAST_BEND = 0.08
"""Pixels by which a pixel is moved at least: less is not seen, and leaves it as it is."""
LEAST_COVER = 1 / 512
"""Cover from which what is drawn is laid over a pixel."""
ALL = 255
"""What marks a pixel in a mask."""
EASE = 4
"""Frames in which the mouth passes from the video's to the new one, where a stretch is left as it was."""
KEPT = 3
"""References that are kept ready: a video goes back and forth between a few scenes."""


Tint: TypeAlias = tuple[float, float]
"""By what the upper and the lower lip are multiplied."""


@dataclass(frozen=True, eq=False)
class Double:
    """A reference, and how frames are bent to it."""

    reference: Reference
    bending: Bending


class Painter:
    """Paints mouths into the frames of one video."""

    def __init__(self, survey: Survey) -> None:
        """Begin with what is known of the video."""
        self._survey = survey
        self.strength = ease(survey)
        """(n,): how far each frame's mouth is the new one, 0 … 1."""
        self._measured = lru_cache(maxsize=KEPT)(measure_double)

    def shuts(self) -> bool:
        """Say whether the first mouth that is painted can be shut."""
        number = int(np.argmax(self.strength > 0))
        with single_threaded():
            return self._double(number).reference.lips.closable

    def _double(self, number: int) -> Double:
        """Measure the face that is drawn into a frame, unless that has been done."""
        upper, lower = map(float, self._survey.tint(number))
        return self._measured(self._survey.candidate(number), (upper, lower))

    def paint(self, frame: LazyFrame, number: int, pose: Pose) -> tuple[LazyFrame, int]:
        """Let a frame's mouth do what the pose says.

        Args:
            frame: It is not changed.
            number: Of the frame in the video.
            pose: What the mouth does.

        Returns:
            The frame, the same object where nothing is painted, and how many pixels are others.
        """
        strength = float(self.strength[number])
        if not strength:
            return frame, 0
        double = self._double(number)
        points = self._survey.points(number)
        stand = double.reference.stand(points)
        window = _window(stand, double.bending.reach, frame.size)
        if window is None:
            return frame, 0
        window = even(window) if not any(side % 2 for side in frame.size) else window
        own = frame.values(window)
        mask = self._survey.fronts.get(number)
        front = None if mask is None else draw_front(mask, lattice_of(points), window, own)
        brush = _Brush(double, stand, pose, window, strength, front)
        made, changed = brush.paint(own, points)
        cv2.bitwise_and(changed, _differ(made, own), dst=changed)
        count = cv2.countNonZero(changed)
        if not count:
            return frame, 0
        cv2.copyTo(made, changed, own)
        return PaintedFrame(frame, window, own, changed), count


def _differ(one: Floats, other: Floats) -> NDArray[np.uint8]:
    """Mark with 255 where two pictures (h, w, 3) differ."""
    return np.asarray(cv2.bitwise_not(cv2.inRange(cv2.absdiff(one, other), (0, 0, 0), (0, 0, 0))), np.uint8)


def measure_double(candidate: Candidate, tint: Tint) -> Double:
    """Measure a candidate's face, its lips multiplied by ``tint``."""
    pixels = np.divide(candidate.pixels, np.float32(255), dtype=np.float32)
    reference = Reference(tint_lips(pixels, candidate.landmarks, np.array(tint)), candidate.landmarks)
    return Double(reference, Bending(reference))


def ease(survey: Survey) -> NDArray[np.float32]:
    """Say how far the mouth of each frame is the new one: all or nothing, with a soft passage within a scene."""
    drawn = survey.fit & ~survey.hidden & (survey.chosen[survey.scenes] >= 0)
    strength = drawn.astype(np.float32)
    for way in (1, -1):
        far = EASE + 1
        for number in range(len(drawn))[::way]:
            before = number - way
            same = 0 <= before < len(drawn) and survey.scenes[before] == survey.scenes[number]
            far = far + 1 if drawn[number] and same else (0 if not drawn[number] else EASE + 1)
            strength[number] = min(strength[number], far / (EASE + 1))
    return strength


@dataclass(frozen=True, eq=False)
class _Brush:
    """All that decides how one frame's window is painted."""

    double: Double
    stand: Stand
    pose: Pose
    window: Window
    """Rows and columns of the frame."""
    strength: float
    front: Floats | None
    """(h, w) of the window in [0, 1]: where something is in front of the face; None for nothing."""

    def paint(self, own: Floats, points: NDArray[np.floating]) -> tuple[Floats, NDArray[np.uint8]]:
        """Paint into a window's own pixels (h, w, 3), where the mesh was read as ``points``.

        Returns:
            The window, and (h, w) which of its pixels are meant: others than 0.
        """
        reference, bending, stand = self.double.reference, self.double.bending, self.stand
        places = reference.places(stand, self.pose, self.window)
        there = stand.project(reference.moved_points(self.pose)[list(MOVING)])
        off = self.strength * (points[list(MOVING), :2] - there) * self._free(points[list(MOVING), :2])[:, None]
        field = bending.field(off, places)
        least = (LEAST_BEND, LEAST_BEND)
        meant = np.asarray(cv2.bitwise_not(cv2.inRange(field, np.negative(least), least)), np.uint8)
        made = _bent(own, field, meant)
        inner = _window(stand, reference.drawn, own.shape[:2], self.window)
        if inner is not None:
            cover = reference.cover(places[inner])
            self._draw(made[inner], places[inner], cover, inner)
            meant[inner][self.strength * cover > LEAST_COVER] = ALL
        if self.front is not None:
            behind(made, own, self.front, field)
        return made, meant

    def _free(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Say how far nothing is before points (n, 2) of the frame, (n,): what is not seen moves nothing."""
        if self.front is None:
            return np.ones(len(points), np.float32)
        places = (points - (self.window[1].start, self.window[0].start)).astype(np.float32)[None]
        nothing = cast("Floats", None)  # the maps are one array
        return 1 - np.asarray(cv2.remap(self.front, places, nothing, cv2.INTER_LINEAR)[0], np.float32)

    def _draw(self, view: Floats, places: Floats, cover: Floats, inner: Window) -> None:
        """Draw the lower face into a part of the window (h, w, 3), in place."""
        rows, columns = (
            slice(span.start + off.start, span.stop + off.start) for span, off in zip(inner, self.window, strict=True)
        )
        reference = self.double.reference
        drawn = reference.draw(self.stand, self.pose, places, (rows, columns))
        beside = np.minimum(4 * cover * (1 - cover), 1)
        if self.front is not None:
            beside *= 1 - self.front[inner]
        drawn *= match_light(drawn, view, beside, reference.unit * self.stand.scale)
        drawn = match_detail(drawn, view, beside)
        drawn -= view
        drawn *= cv2.merge([np.float32(self.strength) * cover] * 3)
        view += drawn
        np.clip(view, 0, 1, out=view)


def _bent(own: Floats, field: Floats, meant: NDArray[np.uint8]) -> Floats:
    """Take each pixel of a window (h, w, 3) that is meant from where the field (h, w, 2) says, relative to it."""
    left, top, width, height = cv2.boundingRect(meant)
    made, part = own.copy(), np.s_[top : top + height, left : left + width]
    if width and height:
        where = field[part] + places_of(*field.shape[:2])[part]
        nothing = cast("Floats", None)  # the maps are one array
        bent = cv2.remap(own, where, nothing, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        made[part] = np.clip(bent, 0, 1, out=bent)
    return made


def _window(
    stand: Stand, corners: NDArray[np.floating], size: tuple[int, ...], within: Window | None = None
) -> Window | None:
    """Surround points (n, 3) of a reference by rows and columns of a frame, or of a window of it; None for none."""
    places = stand.project(corners)
    if within is not None:
        places = places - (within[1].start, within[0].start)
    left, top = np.maximum(np.floor(places.min(0)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(places.max(0)).astype(int) + 2, (size[1], size[0]))
    return (slice(int(top), int(bottom)), slice(int(left), int(right))) if right > left and bottom > top else None
