"""Read people's meshes in every frame of a video, and find the same people again after a cut.

Who it is, is told by how the upper face looks: a few colours of brows, eyes, nose, hair and skin, their brightness on
the whole left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import combinations
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import FaceNotFoundError
from ..media.lazy import LazyFrame, as_lazy
from ..types import FaceFinder, largest_first
from .embedded import LEAST_SCORE
from .finder import face_finder
from .geometry import head_pose
from .landmarks import FOUND_PRESENCE, Points, face_region, read_both
from .regions import Pixels, Region, cut
from .track import PATIENCE

SIDE, FINE = 12, 4
"""Colours across and down a face's square by which a person is known, and pixels averaged for each."""
UPPER, INNER = slice(0, 8), slice(2, 10)
"""Rows that speech does not change, and columns in which little of what is behind shows."""
DIMMEST, BRIGHTEST = 0.7, 1.4
"""Bounds of the change of brightness that is left out."""
STRANGER = 14.0
"""Mean difference, in Lab units, from which a face is another person's: one person turning and talking has to 13 with
himself, 2 of 100 pairs of portraits less than 15."""
LOOKS = 8
"""Looks of a person that are remembered: the first and the last of scenes."""
NEWCOMER = 25.0
"""Degrees to a side up to which somebody unlike all who are known, in a scene without those, is a new person and not
one of them from the side."""
ONE_FACE = 0.25
"""Sides of its square within which the middles of two sights are of one face."""
WIDER = 1.3
"""Side of what is cut out of a frame, over that of the square in which the mesh looks."""


Look: TypeAlias = NDArray[np.float32]
"""(rows, columns, 3) in Lab: how somebody's upper face looks."""


class Sight(NamedTuple):
    """A person in a frame."""

    points: Points
    """(468, 3) in the frame's pixels."""
    presence: float
    """Logit of a face being there."""
    pixels: Pixels
    """(h, w, 3) bytes: what is around the face."""
    origin: tuple[int, int]
    """(x, y) in the frame where ``pixels`` begin."""
    frame: LazyFrame
    """The frame, of which ``pixels`` are but a glance."""


class PeopleTracker:
    """Follows some of the people of a video through its frames, in order; only frames that are past are used.

    People are numbered as they appear: those of the first frame with a face by their size, 0 the largest, and then
    whoever is new.
    """

    def __init__(self, finder: FaceFinder | None = None, numbers: Collection[int] = (0,)) -> None:
        """Begin before the first frame.

        Args:
            finder: Finds faces at the beginning, after cuts and where somebody was lost; None takes the best one.
            numbers: Whom to follow.
        """
        self.finder = finder or face_finder(everybody=len(numbers) > 1)
        self._numbers = sorted(numbers)
        self._people: list[_Person] = []
        self._scene = 0
        self._wait, self._patience = 0, PATIENCE[0]

    def follow(self, frame: torch.Tensor | LazyFrame) -> dict[int, Sight]:
        """Return those who are seen in the next frame, (3, h, w) RGB in [0, 1] or a lazy one, by their numbers."""
        frame = as_lazy(frame)
        seen: dict[int, Sight] = {}
        for number, person in self._followed():
            sight = None if person.region is None else _look(frame, person.region)
            if sight is None:
                continue
            if sight.presence >= FOUND_PRESENCE:
                seen[number], person.region = sight, face_region(sight.points)
                continue
            person.region = None
            self._wait, self._patience = 0, PATIENCE[0]
        self._part(seen)
        return seen if len(seen) == len(self._numbers) else self._found(frame, seen)

    def forget(self) -> None:
        """Look for everybody anew in the next frame: another scene begins."""
        self._scene += 1
        self._wait, self._patience = 0, PATIENCE[0]
        for person in self._people:
            person.region = None

    def check(self) -> None:
        """Raise when somebody was never seen.

        Raises:
            FaceNotFoundError: There were no faces, or fewer people than asked for.
        """
        if len(self._people) <= self._numbers[-1]:
            found = f"{len(self._people)} were told apart" if self._people else "none was found in any frame"
            raise FaceNotFoundError(
                f"Expected face {self._numbers[-1]} in the video, counted from 0, the largest first and then as they "
                f"appear; {found} (finder: {self.finder.name}); use a video with one larger, front-facing face, or "
                "another number."
            )

    def _followed(self) -> Iterator[tuple[int, _Person]]:
        """Go through those who are wanted and known."""
        return ((number, self._people[number]) for number in self._numbers if number < len(self._people))

    def _part(self, seen: dict[int, Sight]) -> None:
        """Where two are followed on one face, leave it to the one whom it looks like."""
        for one, other in combinations(sorted(seen), 2):
            if one in seen and other in seen and _same_place(seen[one], seen[other]):
                unlike = {number: self._people[number].differ(_look_of(seen[number])) for number in (one, other)}
                lost = max(unlike, key=lambda number: unlike[number])
                del seen[lost]
                self._people[lost].region = None

    def _found(self, frame: LazyFrame, seen: dict[int, Sight]) -> dict[int, Sight]:
        """Look for those who are not seen, unless that was in vain a moment ago."""
        if self._wait > 0:
            self._wait -= 1
            return seen
        faces = [
            face.landmarks
            for face in largest_first(self.finder.find(frame.whole()))
            if face.landmarks is not None and face.landmarks.score >= LEAST_SCORE
        ]
        sights = [_look(frame, face_region(face.points.astype(np.float64))) for face in faces]
        sights = [sight for sight in sights if sight.presence >= FOUND_PRESENCE]
        sights = [sight for sight in sights if not any(_same_place(sight, one) for one in seen.values())]
        known = self._known(sights, seen)
        for number, person in self._followed():
            if number in known:
                seen[number], person.region = known[number], face_region(known[number].points)
        if len(seen) < len(self._numbers):
            self._wait, self._patience = self._patience, min(2 * self._patience, PATIENCE[1])
        return seen

    def _known(self, sights: list[Sight], seen: Collection[int]) -> dict[int, Sight]:
        """Tell who is who of those who are not followed yet, and remember their looks."""
        looks = [_look_of(sight) for sight in sights]
        lost = [number for number in range(len(self._people)) if number not in seen]
        apart = {
            (number, place): self._people[number].differ(look) for place, look in enumerate(looks) for number in lost
        }
        found: dict[int, int] = {}
        for number, place in sorted(apart, key=lambda pair: apart[pair]):
            if apart[number, place] < STRANGER and number not in found and place not in found.values():
                found[number] = place
                self._people[number].remember(looks[place])
        met = {*seen, *found}
        for number in met:
            self._people[number].scene = self._scene
        all_met, waiting = (
            len(found) == len(lost),
            any(person.scene == self._scene for number, person in enumerate(self._people) if number not in met),
        )
        for place, sight in enumerate(sights):
            new = place not in found.values() and len(self._people) <= self._numbers[-1] and not waiting
            if new and (all_met or _faces_us(sight)):
                found[len(self._people)] = place
                self._people.append(_Person([looks[place]], self._scene))
        return {number: sights[place] for number, place in found.items()}


class _Person:
    """How somebody looks, and where he or she is followed."""

    def __init__(self, looks: list[Look], scene: int) -> None:
        self.looks, self.scene = looks, scene
        self.region: Region | None = None

    def differ(self, look: Look) -> float:
        """Measure how much somebody looks otherwise, in Lab units."""
        return min(_differ(look, known) for known in self.looks)

    def remember(self, look: Look) -> None:
        """Keep the first look, and some of the last."""
        self.looks[1:] = [*self.looks[1:], look][1 - LOOKS :]


class PersonTracker:
    """Follows one person through the frames of a video, in order; only frames that are past are used."""

    def __init__(self, finder: FaceFinder | None = None, index: int = 0) -> None:
        """Begin before the first frame.

        Args:
            finder: As of ``PeopleTracker``.
            index: Whom to follow, by number.
        """
        self._people, self._index = PeopleTracker(finder, (index,)), index

    def follow(self, frame: torch.Tensor) -> Sight | None:
        """Return the person in the next frame (3, h, w), RGB in [0, 1]; None where he or she is not seen."""
        return self._people.follow(frame).get(self._index)

    def forget(self) -> None:
        """Look for the person anew in the next frame: another scene begins."""
        self._people.forget()

    def check(self) -> None:
        """Raise when the person was never seen.

        Raises:
            FaceNotFoundError: There were no faces, or fewer people than asked for.
        """
        self._people.check()


def _look(frame: LazyFrame, region: Region) -> Sight:
    """Read the face in a region of a frame."""
    half, (height, width) = WIDER * region.side / 2, frame.size
    left, top = (int(np.clip(middle - half, 0, most - 1)) for middle, most in ((region.x, width), (region.y, height)))
    right, bottom = (
        int(np.clip(middle + half, least + 1, most))
        for middle, least, most in ((region.x, left, width), (region.y, top, height))
    )
    pixels = frame.glance((slice(top, bottom), slice(left, right)))
    reading = read_both(pixels, region._replace(x=region.x - left, y=region.y - top))
    return Sight(reading.points + np.array((left, top, 0)), reading.presence, pixels, (left, top), frame)


def _same_place(one: Sight, other: Sight) -> bool:
    """Say whether two sights are of one face."""
    here, there = face_region(one.points), face_region(other.points)
    return float(np.hypot(here.x - there.x, here.y - there.y)) < ONE_FACE * max(here.side, there.side)


def _faces_us(sight: Sight) -> bool:
    """Say whether a face is turned to the camera, so that nobody is taken for somebody else."""
    return abs(head_pose(sight.points).yaw) <= NEWCOMER


def _look_of(sight: Sight) -> Look:
    """Tell how a person looks: (rows, columns, 3) in Lab."""
    region = face_region(sight.points - np.array((*sight.origin, 0)))
    small = cv2.resize(cut(sight.pixels, region, SIDE * FINE), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(np.divide(small, np.float32(255), dtype=np.float32), cv2.COLOR_RGB2Lab)
    return np.asarray(lab[UPPER, INNER], np.float32)


def _differ(one: Look, other: Look) -> float:
    """Measure how differently two people look, in Lab units."""
    gain = np.clip(one[..., 0].mean() / max(float(other[..., 0].mean()), 1.0), DIMMEST, BRIGHTEST)
    return float(np.linalg.norm(one - other * np.array((gain, 1, 1), np.float32), axis=-1).mean())
