"""sonic-preview: a portrait speaks by warping; nothing is downloaded and any CPU is fast enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

from ...clip import Clip, frame_count
from ...settings import Settings
from ...types import Audio, Frames, Portrait, Progress, ignore_progress
from .anatomy import Anatomy, measure_anatomy
from .drawing import Drawing
from .gestures import gesture_curves
from .motion import MOTION_RATE, Motion, read_motion
from .pose import Pose
from .speech import CURVE_RATE, speech_curves

WIDEST = 0.26
"""Gap between the lips, in face units, when speech asks for an opening of 1 at dynamic_scale 1."""
_BATCH = 16 << 20
"""Bytes of frames drawn at a time; larger pieces of memory are taken from the system and given back each time, which
costs more than drawing."""


@dataclass(frozen=True, eq=False)
class PreviewConditions:
    """What sonic-preview knows before the first frame."""

    portrait: Portrait
    audio: Audio
    anatomy: Anatomy
    motion: Motion
    """What the mouth does."""
    loudness: np.ndarray
    """0 … 1 at ``speech.CURVE_RATE``, (n,): what head and brows follow."""


class PreviewModel:
    """The embedded model (protocol ``Model``)."""

    name = "sonic-preview"
    exact = True

    def prepare(
        self, portrait: Portrait, audio: Audio, settings: Settings, progress: Progress = ignore_progress
    ) -> PreviewConditions:
        """Measure the face and read the mouth's movement off the sound; ``audio`` is already cut to its duration."""
        del settings, progress
        return PreviewConditions(
            portrait, audio, measure_anatomy(portrait), read_motion(audio), speech_curves(audio).loudness
        )

    def animate(self, conditions: PreviewConditions, settings: Settings, progress: Progress = ignore_progress) -> Clip:
        """Make a clip that draws itself each time it is read, a few frames at a time.

        Nothing is drawn here, so ``progress`` has nothing to hear; drawing is part of encoding.
        """
        del progress
        fps = Fraction(settings.fps)
        length = frame_count(settings.duration or conditions.audio.duration, fps)
        size = (conditions.portrait.image.shape[1], conditions.portrait.image.shape[2])
        poses = frame_poses(conditions, settings, length, fps)
        return Clip(read=lambda: _draw(conditions, poses), fps=fps, length=length, size=size, audio=conditions.audio)


def frame_poses(conditions: PreviewConditions, settings: Settings, length: int, fps: Fraction) -> list[Pose]:
    """Say how the portrait is posed in each of ``length`` frames: speech and gestures at their moments, scaled."""
    times = np.arange(length) / float(fps)
    unit, lively, scale = conditions.anatomy.unit, settings.dynamic_scale, settings.motion_scale
    loudness = conditions.loudness[:: CURVE_RATE // MOTION_RATE]
    gestures = gesture_curves(conditions.motion.speaking, loudness, settings.seed).at(times)
    mouth = conditions.motion.at(times)
    return [
        Pose(
            opening=float(max(mouth.opening[i], 0) * lively * WIDEST * unit),
            width=float(mouth.width[i] * lively),
            rounding=float(np.clip(mouth.rounding[i] * lively, 0, 1.2)),
            upper=float(mouth.upper[i]),
            lower=float(mouth.lower[i]),
            jaw=float(mouth.jaw[i] * lively),
            closure=float(mouth.closure[i]),
            rest=float(np.clip(1 - mouth.speaking[i], 0, 1)),
            blink=float(gestures.blink[i]) if scale > 0 else 0.0,
            brows=float(gestures.brows[i]) * scale,
            yaw=float(gestures.yaw[i]) * scale,
            pitch=float(gestures.pitch[i]) * scale,
            roll=float(gestures.roll[i]) * scale,
            lift=float(gestures.lift[i]) * scale,
        )
        for i in range(length)
    ]


def _draw(conditions: PreviewConditions, poses: list[Pose]) -> Iterator[Frames]:
    """Draw the frames of all ``poses``, some at a time."""
    image = np.ascontiguousarray(conditions.portrait.image.permute(1, 2, 0).numpy())
    drawing = Drawing(image, conditions.anatomy)
    count = max(1, _BATCH // image.nbytes)
    for start in range(0, len(poses), count):
        some = poses[start : start + count]
        frames = np.empty((len(some), *image.shape), np.float32)
        for index, pose in enumerate(some):
            drawing.frame(pose, frames[index])
        yield torch.from_numpy(frames).permute(0, 3, 1, 2)
