"""Sync-C and Sync-D: how sure SyncNet is of lips and sound, and how far apart it places them.

A point of the face is compared with those of the sound up to 15 frames before and behind it; the mean distance at each
shift, over all frames, is least where both fit best. Sync-D is that least distance, Sync-C how far it lies below the
median.

Source: Chung and Zisserman, Out of Time, ACCV Workshops 2016; Prajwal et al., Wav2Lip, MM 2020 (LSE-D and LSE-C).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ...clip import Clip
from ...faces.geometry import face_box
from ...media.mixing import resample
from ...media.pixels import Bytes
from ...types import Box, Landmarks
from ..portrait import Still
from .mfcc import COLUMN_RATE, SAMPLE_RATE, mfcc
from .protocol import Value
from .syncnet import COLUMNS, POINT, SIZE, WINDOW, SyncNet

NAMES = ("sync_c", "sync_d")
FRAME_RATE = 25
SHIFTS = 15
"""Frames to either side at which sound and face are compared: published."""
LEAST_POINTS = 25
"""Points of the face, a second of it, below which nothing is told."""
STEADY = 6
"""Frames to either side whose boxes the middle one is taken from, so that a trembling box moves no mouth: published."""
SCALE = 0.4
"""How much is added to a face's box, as a share of half its longer side, left and right, and twice that below."""
GREY = 110
"""What lies outside the picture."""
CHUNK = 20
"""Frames that go through the network at a time, the four they share with the last ones included."""


class LipSyncScorer:
    """SyncNet, ready."""

    def __init__(self, network: SyncNet, device: torch.device) -> None:
        self.network, self.device = network, device

    def meter(self, clip: Clip, still: Still | None, *, paired: bool) -> LipSyncMeter:
        """Begin with a video."""
        return LipSyncMeter(self, clip)


@dataclass
class _Waiting:
    """A frame whose neighbours are still to come."""

    picture: Bytes
    box: Box | None
    times: int
    """How often it is shown at 25 frames a second."""


@dataclass
class _Run:
    """Faces that follow one another, those that the network has not seen with all their neighbours."""

    faces: list[Bytes] = field(default_factory=list)
    first: int = 0
    """Number of the first one, at 25 frames a second."""


class LipSyncMeter:
    """Compares the face with the sound while the video is shown; keeps 31 sums, and 13 frames."""

    def __init__(self, scorer: LipSyncScorer, clip: Clip) -> None:
        self._scorer, self._fps = scorer, Fraction(clip.fps)
        self._waiting: deque[_Waiting] = deque()
        self._first = self._next = self._passed = self._shown = 0
        self._run, self._sums, self.points = _Run(), torch.zeros(2 * SHIFTS + 1, dtype=torch.float64), 0
        self._columns: NDArray[np.float32] | None = None
        self._heard = 0, torch.zeros(0, POINT, device=scorer.device)
        self._sounds = 0
        if clip.audio is not None:
            samples = resample(clip.audio, SAMPLE_RATE, channels=1).samples[0].numpy()
            frames = int((clip.length - 1) * FRAME_RATE / self._fps + Fraction(1, 2)) + 1
            self._sounds = max(min(frames, len(samples) * FRAME_RATE // SAMPLE_RATE) - WINDOW, 0)
            self._columns = mfcc(samples)

    def see(self, picture: Bytes, landmarks: Landmarks | None, other: Bytes | None) -> None:
        """Take the next frame (h, w, 3)."""
        if self._columns is None:
            return
        times = 0
        while int((self._shown + times) * self._fps / FRAME_RATE + Fraction(1, 2)) == self._passed:
            times += 1
        self._shown, self._passed = self._shown + times, self._passed + 1
        self._waiting.append(_Waiting(picture, None if landmarks is None else face_box(landmarks.points), times))
        if self._passed - self._next > STEADY:
            self._place()
        if len(self._waiting) > 2 * STEADY:
            self._waiting.popleft()
            self._first += 1

    def values(self) -> dict[str, Value]:
        """Sum up."""
        apart = self.distances()
        if apart is None:
            why = "the video has no sound" if self._columns is None else "a face is seen and heard too shortly"
            return dict.fromkeys(NAMES, why)
        least = float(apart.min())
        return {"sync_c": float(np.median(apart)) - least, "sync_d": least}

    def distances(self) -> NDArray[np.float64] | None:
        """End, and return the mean distance (31,) of the face from the sound that comes −15 … 15 frames later."""
        while self._next < self._passed:
            self._place()
        self._compare(whole=True)
        return (self._sums / self.points).numpy() if self.points >= LEAST_POINTS else None

    def _place(self) -> None:
        """Cut the face out of the next frame, at the middle of its neighbours' boxes."""
        number = self._next - self._first
        one = self._waiting[number]
        near = list(self._waiting)[max(number - STEADY, 0) : number + STEADY + 1]
        boxes = [each.box for each in near if each.box is not None]
        self._next += 1
        if boxes:
            left, top, right, bottom = np.median(boxes, axis=0)
            self._run.faces += [cut_face(one.picture, (left, top, right, bottom))] * one.times
            self._compare()
        else:
            self._compare(whole=True)
            self._run = _Run([], self._run.first + len(self._run.faces) + one.times)

    def _compare(self, *, whole: bool = False) -> None:
        """Compare what the network can see by now; ``whole``: also where less than ``CHUNK`` frames wait."""
        while len(self._run.faces) >= (WINDOW if whole else CHUNK):
            count = min(len(self._run.faces), CHUNK)
            faces = np.stack(self._run.faces[:count])[..., ::-1].transpose(0, 3, 1, 2)
            with torch.inference_mode():
                network, device = self._scorer.network, self._scorer.device
                seen = network.see(torch.from_numpy(np.ascontiguousarray(faces)).to(device).float())
                self._add(seen[: max(self._sounds - self._run.first, 0)])
            done = count - WINDOW + 1
            self._run = _Run(self._run.faces[done:], self._run.first + done)

    def _add(self, seen: torch.Tensor) -> None:
        """Add the distances of points of the face (n, 1024) from the sounds around them."""
        if not len(seen):
            return
        first, count = self._run.first, len(seen)
        heard = torch.zeros(count + 2 * SHIFTS, POINT, device=seen.device)
        begin, end = max(first - SHIFTS, 0), max(min(first + count + SHIFTS, self._sounds), 0)
        heard[begin - first + SHIFTS : end - first + SHIFTS] = self._hear(begin, end)
        around = heard.unfold(0, count, 1)  # (31, 1024, n)
        apart = functional.pairwise_distance(seen[None], around.transpose(1, 2))
        self._sums += apart.sum(1).double().cpu()
        self.points += count

    def _hear(self, begin: int, end: int) -> torch.Tensor:
        """Place the sounds of frames ``begin`` to ``end``: (n, 1024); what the last call placed is not placed again."""
        start, placed = self._heard
        if not start <= begin <= start + len(placed):
            start, placed = begin, placed[:0]
        kept = placed[begin - start :]
        missing = begin + len(kept), max(end, begin + len(kept))
        self._heard = begin, torch.cat([kept, self._newly(*missing)])
        return self._heard[1][: max(end - begin, 0)]

    def _newly(self, begin: int, end: int) -> torch.Tensor:
        if self._columns is None or begin >= end:
            return torch.zeros(0, POINT, device=self._scorer.device)
        step = COLUMN_RATE // FRAME_RATE
        parts = np.lib.stride_tricks.sliding_window_view(self._columns, COLUMNS, axis=0)[begin * step :: step]
        heard = torch.from_numpy(np.ascontiguousarray(parts[: end - begin].transpose(0, 2, 1)))
        return self._scorer.network.hear(heard.to(self._scorer.device))


def cut_face(picture: Bytes, box: Box) -> Bytes:
    """Cut a face out as SyncNet knows faces.

    With s half the longer side of the box, the square reaches 1.4 s to the left and right of the box's middle, s above
    it and 1.8 s below.

    Args:
        picture: (h, w, 3).
        box: The face, pixels: middle of the forehead to the chin, cheek to cheek.

    Returns:
        (224, 224, 3); grey where the picture ends.
    """
    left, top, right, bottom = box
    half = max(right - left, bottom - top) / 2
    across, down = (left + right) / 2, (top + bottom) / 2
    side = 2 * half * (1 + SCALE)
    scale = SIZE / side
    corner = across - half * (1 + SCALE), down - half
    move = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    return np.asarray(cv2.warpAffine(picture, move, (SIZE, SIZE), borderValue=(GREY, GREY, GREY)), np.uint8)
