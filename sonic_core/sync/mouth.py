"""Measure how a mouth moves in a video.

The face is followed as a stiff whole; a mesh is read where it lies, which so cannot follow the jaw, and the lengths of
the mouth are taken from that. Nothing is read of the head's pose, which moves with the voice too.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import FaceNotFoundError
from ..faces.finder import RememberingFinder, face_finder
from ..faces.track import FaceTracker
from ..media.ahead import closable, read_ahead
from ..media.threads import single_threaded
from ..types import FaceFinder, Progress, ignore_progress, largest_first
from .lip_shape import LIP_CURVES as SIGNALS
from .lip_shape import look_at_lips, looked_side

if TYPE_CHECKING:
    from ..clip import Clip

STAGE = "mouth"
"""The name under which progress is reported."""
LEAST_SEEN = 0.25
"""Share of the frames in which there must be a face."""
LEAST_SIDE = 160
"""Pixels of the square around a face that the mesh looks at which are enough; it makes 192 of them."""


@dataclass(frozen=True, eq=False)
class MouthMotion:
    """How a mouth moves, frame by frame."""

    signals: NDArray[np.float32]
    """(8, n): ``SIGNALS`` in eye distances, not a number where there is no face."""
    seen: NDArray[np.bool_]
    """(n,): a face was there."""
    fps: Fraction
    """Frames per second."""
    cuts: int
    """Times that the picture was suddenly another."""


class MouthMeter:
    """Measures a mouth as frames pass by, in order, so that a clip that is read anyway need not be read once more."""

    def __init__(self, fps: Fraction, length: int, finder: FaceFinder | None = None) -> None:
        """Begin before the first frame.

        Args:
            fps: Frames per second.
            length: Frames that will pass at most.
            finder: Finds the face at the beginning and after cuts; None takes the best one that is there.
        """
        self.fps, self.passed = fps, 0
        self._tracker = FaceTracker(finder)
        self._signals = np.full((len(SIGNALS), length), np.nan, np.float32)
        self.points = np.full((length, 5, 2), np.nan, np.float32)
        """(n, 5, 2) the face's points in each frame's pixels, not a number where there is none."""

    @property
    def cuts(self) -> int:
        """Times so far that the picture was suddenly another."""
        return self._tracker.cuts

    def see(self, frame: torch.Tensor) -> None:
        """Look at the next frame (3, h, w), RGB in [0, 1]."""
        face = self._tracker.follow(frame)
        lips = None if face is None else look_at_lips(frame, face)
        if face is not None:
            self.points[self.passed] = face.points
        if lips is not None:
            self._signals[:, self.passed] = lips
        self.passed += 1

    def motion(self, least: float = LEAST_SEEN) -> MouthMotion:
        """Sum up.

        Args:
            least: Share of the frames in which there must be a face.

        Raises:
            FaceNotFoundError: There was one in fewer.
        """
        seen = np.asarray(np.isfinite(self._signals).all(0))
        if seen.mean() < least:
            raise FaceNotFoundError(
                f"Expected a face in the video, found one in {seen.sum()} of {len(seen)} frames (finder: "
                f"{self._tracker.finder.name}); use a video with one larger, front-facing face."
            )
        return MouthMotion(self._signals, seen, self.fps, self._tracker.cuts)


def mouth_motion(clip: Clip, finder: FaceFinder | None = None, progress: Progress = ignore_progress) -> MouthMotion:
    """Follow the largest face through a clip and measure its mouth.

    Args:
        clip: Read once.
        finder: Finds the face at the beginning and after cuts; None takes the best one that is there.
        progress: Called with ("mouth", frames done, frames in all).

    Raises:
        FaceNotFoundError: There is a face in fewer than a quarter of the frames.
    """
    finder = RememberingFinder(finder or face_finder())
    clip = clip.reduced(_reduction(clip, finder))
    meter = MouthMeter(clip.fps, clip.length, finder)
    with single_threaded(), closing(read_ahead(closable(clip.frames()))) as frames:
        for frame in frames:
            meter.see(frame)
            progress(STAGE, meter.passed, clip.length)
    return meter.motion()


def _reduction(clip: Clip, finder: FaceFinder) -> int:
    """Say how many times smaller a clip's first frame still shows its face large enough; 1 where there is none."""
    if min(clip.size) <= LEAST_SIDE or clip.reduced(2) is clip:
        return 1
    with closing(closable(clip.frames())) as frames:
        faces = largest_first(finder.find(next(frames)))
    return max(1, int(looked_side(faces[0]) / LEAST_SIDE)) if faces else 1
