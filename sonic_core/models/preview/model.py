"""sonic-preview: a portrait speaks by warping; nothing is downloaded and any CPU is fast enough."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

from ...clip import Clip, frame_count
from ...errors import SonicWarning
from ...settings import Settings
from ...types import Audio, Frames, Portrait, Progress, ignore_progress
from .anatomy import Anatomy, measure_anatomy
from .drawing import Drawing
from .listening import Heard, listen
from .pose import Pose
from .posing import WIDEST, mixed_seed, poses

__all__ = ["WIDEST", "PreviewConditions", "PreviewModel", "frame_poses"]

_BATCH = 16 << 20
"""Bytes of frames drawn at a time; larger pieces of memory are taken from the system and given back each time, which
costs more than drawing."""


@dataclass(frozen=True, eq=False)
class PreviewConditions:
    """What sonic-preview knows before the first frame."""

    portrait: Portrait
    audio: Audio
    anatomy: Anatomy
    heard: Heard
    """What mouth, head and brows follow."""


class PreviewModel:
    """The embedded model (protocol ``Model``)."""

    name = "sonic-preview"
    exact = True

    def prepare(
        self, portrait: Portrait, audio: Audio, settings: Settings, progress: Progress = ignore_progress
    ) -> PreviewConditions:
        """Measure the face and read the mouth's movement off the sound; ``audio`` is already cut to its duration.

        Warns:
            SonicWarning: Nobody speaks in the sound, or its channels are damaged.
        """
        del settings, progress
        heard = listen(audio)
        for reason in heard.remarks:
            warnings.warn(reason, SonicWarning, stacklevel=2)
        return PreviewConditions(portrait, audio, measure_anatomy(portrait), heard)

    def animate(self, conditions: PreviewConditions, settings: Settings, progress: Progress = ignore_progress) -> Clip:
        """Make a clip that draws itself each time it is read, a few frames at a time.

        Nothing is drawn here, so ``progress`` has nothing to hear; drawing is part of encoding.
        """
        del progress
        fps = Fraction(settings.fps)
        length = frame_count(settings.duration or conditions.audio.duration, fps)
        size = (conditions.portrait.image.shape[1], conditions.portrait.image.shape[2])
        posed = frame_poses(conditions, settings, length, fps)
        return Clip(read=lambda: _draw(conditions, posed), fps=fps, length=length, size=size, audio=conditions.audio)


def frame_poses(conditions: PreviewConditions, settings: Settings, length: int, fps: Fraction) -> list[Pose]:
    """Say how the portrait is posed in each of ``length`` frames: ``posing.poses`` in the units of this drawing."""
    seed = mixed_seed(settings.seed, conditions.portrait, conditions.audio)
    return [
        Pose(
            opening=pose.gap * conditions.anatomy.unit,
            width=pose.width / (0.2 if pose.width < 0 else 0.12),
            rounding=pose.rounding,
            upper=pose.upper,
            lower=pose.lower,
            jaw=pose.jaw,
            closure=pose.closure,
            rest=pose.rest,
            blink=pose.blink,
            brows=pose.brows,
            yaw=-pose.yaw / 4,
            pitch=pose.pitch / 4,
            roll=pose.roll / 2,
            lift=-pose.sway_y * 100,
        )
        for pose in poses(conditions.heard, settings, length, fps, seed=seed)
    ]


def _draw(conditions: PreviewConditions, posed: list[Pose]) -> Iterator[Frames]:
    """Draw the frames of all ``posed``, some at a time."""
    image = np.ascontiguousarray(conditions.portrait.image.permute(1, 2, 0).numpy())
    drawing = Drawing(image, conditions.anatomy)
    count = max(1, _BATCH // image.nbytes)
    for start in range(0, len(posed), count):
        some = posed[start : start + count]
        frames = np.empty((len(some), *image.shape), np.float32)
        for index, pose in enumerate(some):
            drawing.frame(pose, frames[index])
        yield torch.from_numpy(frames).permute(0, 3, 1, 2)
