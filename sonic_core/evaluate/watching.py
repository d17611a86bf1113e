"""One pass over a video: everything that looks at its frames looks at once, and keeps numbers, not frames."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from itertools import count, repeat

import cv2
import numpy as np
import torch

from ..clip import Clip
from ..errors import FaceNotFoundError
from ..faces.finder import RememberingFinder, face_finder
from ..faces.mesh_track import MeshTracker
from ..media.ahead import closable, read_ahead
from ..media.pixels import Bytes, as_bytes
from ..media.threads import single_threaded
from ..post.flow import Gray, as_gray, as_pixels, fitted, resized, thumbnail
from ..post.paths import WORK_SIDE
from ..sync.mouth import MouthMeter, MouthMotion
from ..types import FaceFinder, Landmarks, Progress
from .face import FaceRecorder
from .fidelity import psnr, ssim
from .portrait import EYES, LIPS, ChangeMeter, SharpnessMeter, Still, lay_over
from .report import Moment
from .scores.finding import SCORED, UNASKED, Scores
from .steadiness import SteadinessMeter

STAGE = "evaluate"
"""The name under which progress is reported."""
MOMENTS, MOMENT_SIDE, MOMENT_QUALITY = 6, 320, 82
"""Frames that are kept for a page, their longer side in pixels, and their quality as JPEG."""


class Watch:
    """All that watches a video: ``read`` shows it, then each part has its figures."""

    def __init__(
        self,
        clip: Clip,
        still: Still | None,
        reference: Clip | None,
        finder: FaceFinder | None,
        scores: Scores | None = None,
    ) -> None:
        """Begin before the first frame.

        Args:
            clip: The video.
            still: The portrait that it was made of.
            reference: What it should look like.
            finder: Finds the face; None takes the best one that is there.
            scores: Networks of others that look too.
        """
        finder = RememberingFinder(finder or face_finder())
        self.still, self._clip, self._reference = still, clip, reference
        self._tracker, self._mouth = MeshTracker(finder), MouthMeter(clip.fps, clip.length, finder)
        self.face, self.steadiness = FaceRecorder(clip.length), SteadinessMeter(clip.length)
        self.sharpness = () if still is None else (SharpnessMeter(still, EYES), SharpnessMeter(still, LIPS))
        """Around the eyes and around the mouth, if there is a portrait."""
        self.scores = Scores(missing=dict.fromkeys(SCORED, UNASKED)) if scores is None else scores
        self.meters = self.scores.meters(clip, still, paired=reference is not None)
        self.changes = ChangeMeter()
        self.fits = True
        """Whether the portrait could be laid over the video."""
        self._laid: tuple[Gray, np.ndarray] | None = None
        self.psnr: list[float] = []
        self.ssim: list[float] = []
        self.moments: list[Moment] = []

    def read(self, progress: Progress) -> None:
        """Look at every frame, a few in memory at a time."""
        wanted = {int((part + 0.5) * self._clip.length / MOMENTS) for part in range(MOMENTS)}
        with (
            single_threaded(),
            closing(read_ahead(closable(self._clip.frames()))) as frames,
            closing(frames_at(self._reference, self._clip.fps)) as others,
        ):
            for number, frame in enumerate(frames):
                self._see(frame, next(others, None))
                if number in wanted:
                    self.moments.append(Moment(float(number / self._clip.fps), as_jpeg(frame)))
                progress(STAGE, number + 1, self._clip.length)

    def _see(self, frame: torch.Tensor, other: torch.Tensor | None) -> None:
        self._mouth.see(frame)
        points = self._mouth.points[self._mouth.passed - 1]
        pixels = as_pixels(frame)
        small = fitted(pixels, WORK_SIDE)
        gray = as_gray(small)
        known = points if np.isfinite(points).all() else None
        if self.steadiness.see(gray, thumbnail(small), known, self._clip.size):
            self._tracker.forget()
        landmarks = self._tracker.follow(frame)
        self.face.see(landmarks)
        if other is None and landmarks is None and not self.meters:
            return
        picture = as_bytes(frame)
        theirs = None if other is None else _sized(as_bytes(other), picture)
        for one in self.meters:
            one.see(picture, landmarks, theirs)
        if landmarks is not None:
            for meter in self.sharpness:
                meter.see(picture, landmarks)
        self._compare(picture, gray, theirs, landmarks)

    def _compare(self, picture: Bytes, gray: Gray, theirs: Bytes | None, landmarks: Landmarks | None) -> None:
        """Put a frame beside the reference's, or beside the portrait where there is none."""
        scale = gray.shape[1] / picture.shape[1]
        if theirs is not None:
            self.psnr.append(psnr(picture, theirs))
            self.ssim.append(ssim(picture, theirs))
            if landmarks is not None:
                luma = np.asarray(cv2.cvtColor(theirs, cv2.COLOR_RGB2GRAY), np.float32)
                there = resized(luma, gray.shape[:2]).round().astype(np.uint8)
                self.changes.see(gray, there, np.ones(gray.shape, bool), landmarks, scale)
        elif landmarks is not None and self.still is not None and self._reference is None and self.fits:
            self._laid = self._laid or lay_over(self.still, gray, landmarks, scale)
            self.fits = self._laid is not None
            if self._laid is not None:
                self.changes.see(gray, *self._laid, landmarks, scale)

    @property
    def motion(self) -> MouthMotion | None:
        """How the mouth moves, as ``sync`` sees it; None where there is no face in most of the video."""
        try:
            return self._mouth.motion()
        except FaceNotFoundError:
            return None


def _sized(theirs: Bytes, picture: Bytes) -> Bytes:
    """Bring a picture (h, w, 3) to another's size."""
    if theirs.shape == picture.shape:
        return theirs
    size = picture.shape[1], picture.shape[0]
    return np.asarray(cv2.resize(theirs, size, interpolation=cv2.INTER_AREA), np.uint8)


def frames_at(clip: Clip | None, fps: Fraction) -> Generator[torch.Tensor | None, None, None]:
    """Read a clip at another clip's moments: of each the frame (3, h, w) that is nearest, until it ends.

    Args:
        clip: None gives None for ever.
        fps: Frames per second of the other.
    """
    if clip is None:
        yield from repeat(None)
        return
    with closing(closable(clip.frames())) as frames:
        passed, frame = -1, None
        for number in count():
            while passed < int(number * clip.fps / fps + Fraction(1, 2)):
                frame, passed = next(frames, None), passed + 1
                if frame is None:
                    return
            yield frame


def as_jpeg(frame: torch.Tensor) -> bytes:
    """Write a frame (3, h, w) as a small picture."""
    small = np.ascontiguousarray(fitted(as_pixels(frame), MOMENT_SIDE)[..., ::-1])
    done, written = cv2.imencode(
        ".jpg", cv2.convertScaleAbs(small, alpha=255), [cv2.IMWRITE_JPEG_QUALITY, MOMENT_QUALITY]
    )
    return written.tobytes() if done else b""
