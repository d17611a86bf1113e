"""Look through a video for pieces to learn from: one face without a cut, in one square, in step with its sound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from ...clip import Clip
from ...errors import FaceNotFoundError, InputError
from ...faces.crop import crop_box
from ...faces.geometry import LIPS_LOWER_INNER, LIPS_UPPER_INNER, eye_distance, face_box
from ...faces.mesh_track import MeshTracker
from ...media.ahead import closable, read_ahead
from ...media.mixing import shift
from ...media.threads import single_threaded
from ...models.base.config import MODEL_FPS
from ...speech import Speech
from ...sync.compare import compare
from ...sync.mouth import MouthMeter
from ...types import FaceFinder, Progress, ignore_progress
from .plan import LearningPlan

STAGE = "watch"
"""The name under which progress is reported."""
FPS = Fraction(25)
"""Frames a second at which videos are looked at; the model sees every second one."""
STRIDE = int(FPS / Fraction(MODEL_FPS))
"""Frames looked at from one of the model's to the next."""
SMALLEST = 0.5
"""Side of the square in the video, as a share of the plan's size, below which a face is too small to learn from."""
OUTSIDE = 0.05
"""Share of a piece's frames in which the face may leave the square."""
LEAST_MOVEMENT = 0.008
"""Deviation of the gap between the lips, in distances between the eyes, below which a mouth does not speak. Clips of
sonic-preview have 0.015 to 0.039 (``benchmarks/tune.py --lips VIDEO``), a still picture has 0."""
SILENT = 1e-4
"""Root mean square of a sound, full scale 1, below which nothing is said: −80 dB."""


@dataclass(frozen=True, eq=False)
class Take:
    """Frames of a video to learn from."""

    first: int
    """Number of the first frame, of ``FPS`` a second; the others follow at every ``STRIDE``."""
    square: tuple[int, int, int, int]
    """What is cut out, in the video's pixels."""
    points: NDArray[np.float32]
    """(n, 468, 2) the face's points in each frame, in the video's pixels."""

    @property
    def length(self) -> int:
        """Frames of the model."""
        return len(self.points)


@dataclass
class Watched:
    """What was found in a video."""

    clip: Clip
    """The video at ``FPS``, its sound brought in step."""
    pieces: list[Take] = field(default_factory=list)
    dropped: dict[str, float] = field(default_factory=dict)
    """Seconds that are not used, by reason."""
    offset: float = 0.0
    """Seconds by which the sound came late, and was moved."""
    sure: bool = False
    """Whether that could be told; if not, the sound was left as it is."""

    def drop(self, reason: str, seconds: float) -> None:
        """Count seconds that are not used."""
        self.dropped[reason] = self.dropped.get(reason, 0.0) + seconds


def at_rate(clip: Clip, fps: Fraction) -> Clip:
    """Show a clip at another rate by choosing the nearest frames: none is mixed, since none of them would be real."""
    length = max(1, int(clip.length / clip.fps * fps))
    chosen = [
        min(clip.length - 1, int(Fraction(number, 1) / fps * clip.fps + Fraction(1, 2))) for number in range(length)
    ]

    def read() -> Iterator[torch.Tensor]:
        wanted = 0
        with closing(closable(clip.frames())) as frames:
            for number, frame in enumerate(frames):
                while wanted < length and chosen[wanted] == number:
                    yield frame[None]
                    wanted += 1
                if wanted == length:
                    return

    return replace(clip, read=read, fps=fps, length=length)


def watch(
    clip: Clip,
    plan: LearningPlan,
    finder: FaceFinder | None = None,
    progress: Progress = ignore_progress,
    *,
    in_step: bool = False,
) -> Watched:
    """Look through a video once.

    Args:
        clip: A video with sound; its largest face is followed.
        plan: ``size``, ``expand_ratio`` and the pieces' lengths count.
        finder: Finds the face; None takes the best finder that is there.
        progress: Called with ("watch", frames done, frames in all).
        in_step: Picture and sound are known to be: nothing is measured.
    """
    if clip.audio is None:
        return Watched(clip, dropped={"no sound": clip.duration})
    if clip.fps < Fraction(MODEL_FPS):
        return Watched(clip, dropped={f"fewer than {MODEL_FPS:g} frames a second": clip.duration})
    clip = at_rate(clip, FPS)
    meter, points, cuts = _follow(clip, finder, progress)
    found = Watched(clip, sure=in_step)
    if not (in_step or _bring_in_step(found, meter)):
        return found
    lost = len(points)
    for first, end in _runs(points, cuts, plan):
        piece = _cropped(clip, np.stack([one for one in points[first:end] if one is not None]), first, plan)
        lost -= piece.length
        reason = _objection(found.clip, piece, plan)
        if reason:
            found.drop(reason, piece.length / MODEL_FPS)
        else:
            found.pieces.append(piece)
    if lost:
        found.drop("no face, or too short between two cuts", lost / MODEL_FPS)
    return found


def _follow(
    clip: Clip, finder: FaceFinder | None, progress: Progress
) -> tuple[MouthMeter, list[NDArray[np.float32] | None], set[int]]:
    """Follow the face: how the mouth moves, the points of every frame of the model, and those that begin a scene."""
    meter, mesh = MouthMeter(clip.fps, clip.length, finder), MeshTracker(finder)
    points: list[NDArray[np.float32] | None] = []
    scenes, cuts = set(), 0
    with single_threaded(), closing(read_ahead(closable(clip.frames()))) as frames:
        for number, frame in enumerate(frames):
            meter.see(frame)
            if meter.cuts != cuts:
                cuts = meter.cuts
                scenes.add(-(-number // STRIDE))
                mesh.forget()
            if number % STRIDE == 0:
                read = mesh.follow(frame)
                points.append(None if read is None else read.points[:, :2].astype(np.float32))
            progress(STAGE, number + 1, clip.length)
    return meter, points, scenes


def _bring_in_step(found: Watched, meter: MouthMeter) -> bool:
    """Measure by how much the sound is late and move it; say whether the video can be used."""
    clip = found.clip
    if clip.audio is None:
        return False
    try:
        measured = compare(meter.motion(), Speech.of(clip.audio))
    except FaceNotFoundError:
        found.drop("no face", clip.duration)
        return False
    except InputError:  # too short to tell
        return True
    if measured.verdict == "drift":
        found.drop("the sound drifts away from the picture", clip.duration)
        return False
    if measured.confident:
        found.sure, found.offset = True, measured.offset
        found.clip = replace(clip, audio=shift(clip.audio, -measured.offset))
    return True


def _runs(points: list[NDArray[np.float32] | None], scenes: set[int], plan: LearningPlan) -> Iterator[tuple[int, int]]:
    """List where the face is there without a cut, in parts of nearly equal length that are long enough."""
    least = max(plan.window, round(plan.least_seconds * MODEL_FPS))
    most = max(least, round(plan.most_seconds * MODEL_FPS))
    begin = 0
    for number in range(len(points) + 1):
        if number < len(points) and points[number] is not None and number not in scenes:
            continue
        if number - begin >= least:
            parts = -(-(number - begin) // most)
            while parts > 1 and (number - begin) // parts < least:
                parts -= 1
            ends = [begin + (number - begin) * part // parts for part in range(parts + 1)]
            yield from pairwise(ends)
        begin = number if number in scenes and number < len(points) and points[number] is not None else number + 1


def _cropped(clip: Clip, points: NDArray[np.float32], first: int, plan: LearningPlan) -> Take:
    """Make a piece of a face's points from the model's frame ``first`` on, its square around where the face is."""
    boxes = np.array([face_box(one) for one in points])
    middle = (boxes[:, :2].min(0) + boxes[:, 2:].max(0)) / 2
    half = np.median(boxes[:, 2:] - boxes[:, :2], axis=0) / 2
    left, top, right, bottom = (float(side) for side in (*(middle - half), *(middle + half)))
    square = crop_box(clip.size, (left, top, right, bottom), plan.expand_ratio)
    return Take(first * STRIDE, square, points)


def _objection(clip: Clip, piece: Take, plan: LearningPlan) -> str:
    """Say why a piece is not used; empty: it is."""
    left, top, right, bottom = piece.square
    if right - left < SMALLEST * plan.size:
        return f"the face is too small for {plan.size} pixels"
    boxes = np.array([face_box(one) for one in piece.points])
    inside = (boxes[:, :2] >= (left, top)).all(1) & (boxes[:, 2:] <= (right, bottom)).all(1)
    if 1 - inside.mean() > OUTSIDE:
        return "the face leaves its square"
    if lip_movement(piece.points) < LEAST_MOVEMENT:
        return "the mouth hardly moves"
    if _loudness(clip, piece) < SILENT:
        return "silence"
    return ""


def lip_movement(points: NDArray[np.float32]) -> float:
    """Measure the deviation of the gap between the lips, (n, 468, 2) points, in distances between the eyes."""
    upper, lower = (points[:, edge[len(edge) // 2]] for edge in (LIPS_UPPER_INNER, LIPS_LOWER_INNER))
    gap = np.linalg.norm(upper - lower, axis=1)
    return float(np.std(gap / np.array([eye_distance(one) for one in points])))


def _loudness(clip: Clip, piece: Take) -> float:
    if clip.audio is None:
        return 0.0
    begin, end = (
        round(float(one / FPS) * clip.audio.rate) for one in (piece.first, piece.first + STRIDE * piece.length)
    )
    samples = clip.audio.samples[:, begin:end]
    return float(samples.square().mean().sqrt()) if samples.numel() else 0.0
