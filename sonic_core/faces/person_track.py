"""Read one person's mesh in every frame of a video, and find the same person again after a cut.

Who it is, is told by how the upper face looks: a few colours of brows, eyes, nose, hair and skin, their brightness on
the whole left out.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import FaceNotFoundError
from ..media.pixels import as_bytes
from ..types import FaceFinder, largest_first
from .embedded import LEAST_SCORE
from .finder import face_finder
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
WIDER = 1.3
"""Side of what is cut out of a frame, over that of the square in which the mesh looks."""


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


class PersonTracker:
    """Follows one person through the frames of a video, in order; only frames that are past are used."""

    def __init__(self, finder: FaceFinder | None = None, index: int = 0) -> None:
        """Begin before the first frame.

        Args:
            finder: Finds faces at the beginning, after cuts and where the person was lost; None takes the best one.
            index: Which of the first faces that are seen together: 0 is the largest.
        """
        self.finder = finder or face_finder()
        self.most = 0
        """Faces that were seen together at most, until the person was found."""
        self._index = index
        self._looks: list[NDArray[np.float32]] = []
        self._region: Region | None = None
        self._wait, self._patience = 0, PATIENCE[0]

    def follow(self, frame: torch.Tensor) -> Sight | None:
        """Return the person in the next frame (3, h, w), RGB in [0, 1]; None where he or she is not seen."""
        if self._region is not None:
            sight = _look(frame, self._region)
            if sight.presence >= FOUND_PRESENCE:
                self._region = face_region(sight.points)
                return sight
            self.forget()
        return self._found(frame)

    def forget(self) -> None:
        """Look for the person anew in the next frame: another scene begins."""
        self._region, self._wait, self._patience = None, 0, PATIENCE[0]

    def check(self) -> None:
        """Raise when the person was never seen.

        Raises:
            FaceNotFoundError: There were no faces, or fewer together than asked for.
        """
        if not self._looks:
            found = f"{self.most} at most were seen together" if self.most else "none was found in any frame"
            raise FaceNotFoundError(
                f"Expected face {self._index} in the video, counted from 0, the largest; {found} (finder: "
                f"{self.finder.name}); use a video with one larger, front-facing face, or another face_index."
            )

    def _found(self, frame: torch.Tensor) -> Sight | None:
        """Look for the person, unless that was in vain a moment ago."""
        if self._wait > 0:
            self._wait -= 1
            return None
        faces = [
            face.landmarks
            for face in largest_first(self.finder.find(frame))
            if face.landmarks is not None and face.landmarks.score >= LEAST_SCORE
        ]
        sights = [_look(frame, face_region(face.points.astype(np.float64))) for face in faces]
        sight = self._known([sight for sight in sights if sight.presence >= FOUND_PRESENCE])
        if sight is None:
            self._wait, self._patience = self._patience, min(2 * self._patience, PATIENCE[1])
            return None
        self._region = face_region(sight.points)
        return sight

    def _known(self, sights: list[Sight]) -> Sight | None:
        """Choose the person among those who are seen, and remember the look."""
        if not self._looks:
            self.most = max(self.most, len(sights))
            if len(sights) <= self._index:
                return None
            self._looks.append(_look_of(sights[self._index]))
            return sights[self._index]
        looks = [_look_of(sight) for sight in sights]
        apart = [min(_differ(look, known) for known in self._looks) for look in looks]
        if not apart or min(apart) >= STRANGER:
            return None
        chosen = int(np.argmin(apart))
        self._looks[1:] = [*self._looks[1:], looks[chosen]][1 - LOOKS :]
        return sights[chosen]


def _look(frame: torch.Tensor, region: Region) -> Sight:
    """Read the face in a region of a frame."""
    half, (height, width) = WIDER * region.side / 2, frame.shape[-2:]
    left, top = (int(np.clip(middle - half, 0, most - 1)) for middle, most in ((region.x, width), (region.y, height)))
    right, bottom = (
        int(np.clip(middle + half, least + 1, most))
        for middle, least, most in ((region.x, left, width), (region.y, top, height))
    )
    pixels = as_bytes(frame[:, top:bottom, left:right])
    reading = read_both(pixels, region._replace(x=region.x - left, y=region.y - top))
    return Sight(reading.points + np.array((left, top, 0)), reading.presence, pixels, (left, top))


def _look_of(sight: Sight) -> NDArray[np.float32]:
    """Tell how a person looks: (rows, columns, 3) in Lab."""
    region = face_region(sight.points - np.array((*sight.origin, 0)))
    small = cv2.resize(cut(sight.pixels, region, SIDE * FINE), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(np.divide(small, np.float32(255), dtype=np.float32), cv2.COLOR_RGB2Lab)
    return np.asarray(lab[UPPER, INNER], np.float32)


def _differ(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Measure how differently two people look, in Lab units."""
    gain = np.clip(one[..., 0].mean() / max(float(other[..., 0].mean()), 1.0), DIMMEST, BRIGHTEST)
    return float(np.linalg.norm(one - other * np.array((gain, 1, 1), np.float32), axis=-1).mean())
