"""sonic-preview: a portrait speaks by warping; nothing is downloaded and any CPU is fast enough."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import numpy as np
import torch

from ...clip import Clip, frame_count
from ...direction import CHANNELS, Direction
from ...errors import SonicWarning
from ...faces.doubts import examine
from ...faces.landmarks import read_landmarks
from ...media.arriving import ArrivingAudio
from ...media.threads import single_threaded
from ...post.stage import Report, Staged
from ...settings import Settings
from ...speech import Speech
from ...speech.live import AHEAD, STEP
from ...types import Audio, FaceFinder, Frames, Landmarks, Portrait, Progress, ignore_progress
from .dub.dubbing import dub
from .live import live_poses
from .posing import WIDEST, mixed_seed, poses
from .puppet.canvas import lay_canvas, lay_wide_canvas
from .puppet.drawing import Puppet
from .puppet.head import TurnLimits
from .puppet.lip_curves import CLOSABLE
from .puppet.pose import Pose

__all__ = ["WIDEST", "PreviewConditions", "PreviewModel", "frame_poses"]

_GAPING = (
    "The portrait's mouth is wide open: its lips are {gap:.2f} eye distances apart, up to {most:.2f} can be "
    "shut; it moves, but closes only partly; use a picture with the mouth nearly shut."
)
_TURNED = (
    "{name} asks for {asked:.0f} degrees to one side, and this portrait's head bears {limit:.0f}: there it stays; ask "
    "for less, or use a picture in which the head is turned already."
)
_UNCLEAR = (
    "Where the portrait's open mouth ends is not to be seen, as with a tongue put out or a mouth drawn in the skin's "
    "colour: its lower lip may be drawn in the wrong place; use a picture with the mouth nearly shut."
)
_LIDLESS = (
    "Shut lids would look wrong on these eyes, which are painted or sketched, or hardly to be made out: they do not "
    "blink; use another picture if they should."
)
_BATCH = 16 << 20
"""Bytes of frames drawn at a time; larger pieces of memory are taken from the system and given back each time, which
costs more than drawing."""


@dataclass(frozen=True, eq=False)
class PreviewConditions:
    """What sonic-preview knows before the first frame."""

    portrait: Portrait
    audio: Audio
    puppet: Puppet
    """Draws the portrait."""
    speech: Speech | None
    """What mouth, head and brows follow; None where the sound is still coming."""


class PreviewModel:
    """The embedded model (protocol ``Model``)."""

    name = "sonic-preview"
    exact = True
    directs = tuple(CHANNELS)

    def prepare(
        self, portrait: Portrait, audio: Audio, settings: Settings, progress: Progress = ignore_progress
    ) -> PreviewConditions:
        """Measure the face and read the mouth's movement off the sound; ``audio`` is already cut to its duration.

        Warns:
            SonicWarning: Nobody speaks in the sound, its channels are damaged, the mouth cannot be shut or made out, or
                the eyes do not blink.
        """
        del progress
        speech = None if isinstance(audio, ArrivingAudio) else Speech.of(audio)
        for reason in speech.remarks if speech else ():
            warnings.warn(reason, SonicWarning, stacklevel=2)
        with single_threaded():
            puppet = make_puppet(portrait, put_back=settings.paste_back)
        if not (puppet.lips.closable or puppet.mouth_hidden):
            warnings.warn(_GAPING.format(gap=puppet.lips.own_gap, most=CLOSABLE), SonicWarning, stacklevel=2)
        elif not (puppet.interior.clear or puppet.mouth_hidden):
            warnings.warn(_UNCLEAR, SonicWarning, stacklevel=2)
        if puppet.eyes.lidless:
            warnings.warn(_LIDLESS, SonicWarning, stacklevel=2)
        return PreviewConditions(portrait, audio, puppet, speech)

    def animate(self, conditions: PreviewConditions, settings: Settings, progress: Progress = ignore_progress) -> Clip:
        """Make a clip that draws itself each time it is read, a few frames at a time.

        Nothing is drawn here, so ``progress`` has nothing to hear; drawing is part of encoding.

        Warns:
            SonicWarning: The head is directed further than this portrait's can be turned.
        """
        del progress
        if settings.direction is not None:
            _warn_of_turns(settings.direction, conditions.puppet.head.limits)
        fps = Fraction(settings.fps)
        length = frame_count(settings.duration or conditions.audio.duration, fps)
        puppet = conditions.puppet
        size = puppet.image.shape[0], puppet.image.shape[1]
        if conditions.speech is None:
            read = partial(_draw_live, conditions, settings, length, fps)
        else:
            read = _Drawn(puppet, frame_poses(conditions, settings, length, fps))
        return Clip(
            read=read,
            fps=fps,
            length=length,
            size=size,
            audio=conditions.audio,
            placement=puppet.placement if settings.paste_back else None,
        )

    def look_ahead(self, settings: Settings) -> float:
        """Tell how many seconds of sound the first frame needs (protocol ``LooksAhead``), whatever the settings."""
        del settings
        return STEP + AHEAD

    def dub(
        self,
        video: Clip,
        sounds: Mapping[int, Audio],
        settings: Settings,
        finder: FaceFinder,
        progress: Progress = ignore_progress,
    ) -> Staged[Report]:
        """Let people of a video say what is already cut to its duration (protocol ``Dubs``)."""
        return dub(video, sounds, settings, finder, progress)


def make_puppet(portrait: Portrait, *, put_back: bool = False) -> Puppet:
    """Measure a portrait, so that it can be drawn in any pose.

    Args:
        portrait: The crop; where its face was not read point by point, it is now.
        put_back: Frames will be put back into the picture: they show hair and shoulders too, and their border stays.
    """
    face = portrait.face
    landmarks = face.landmarks or read_landmarks(portrait.image, face.box)
    doubts = examine(portrait.placement.source, _in_picture(landmarks, portrait))
    canvas = (lay_wide_canvas if put_back else lay_canvas)(portrait, landmarks)
    return Puppet(canvas, eyes_hidden=any(doubts.eyes_hidden), mouth_hidden=doubts.mouth_hidden)


def _warn_of_turns(direction: Direction, limits: TurnLimits) -> None:
    """Tell what of the head's angles goes beyond what the portrait bears."""
    sides = {
        "head_yaw": (limits.left, limits.right),
        "head_pitch": (limits.down, limits.up),
        "head_roll": (limits.roll, limits.roll),
    }
    for name, (least, most) in sides.items():
        curve = direction.curve(name)
        for asked, limit in ((-min(curve.values), least), (max(curve.values), most)) if curve else ():
            if asked > limit:
                warnings.warn(_TURNED.format(name=name, asked=asked, limit=limit), SonicWarning, stacklevel=3)


def _in_picture(landmarks: Landmarks, portrait: Portrait) -> Landmarks:
    """Say where a crop's landmarks lie in its picture, where whoever warned about the face looked at it."""
    left, top, right, bottom = portrait.placement.box
    height, width = portrait.image.shape[1:]
    across, down = width / (right - left), height / (bottom - top)
    return landmarks.moved((-left * across, -top * down), (1 / across, 1 / down))


def frame_poses(conditions: PreviewConditions, settings: Settings, length: int, fps: Fraction) -> list[Pose]:
    """Say how the portrait is posed in each of ``length`` frames.

    Raises:
        ValueError: The sound is still coming.
    """
    if conditions.speech is None:
        raise ValueError("expected a sound that is there, got one that is still coming")
    seed = mixed_seed(settings.seed, conditions.portrait, conditions.audio)
    bounded = conditions.puppet.head.limits.bounded
    return poses(conditions.speech, settings, length, fps, seed=seed, bounded=bounded)


def _draw_live(conditions: PreviewConditions, settings: Settings, length: int, fps: Fraction) -> Iterator[Frames]:
    """Draw what is said while it is being said."""
    puppet = conditions.puppet
    seed = mixed_seed(settings.seed, conditions.portrait, None)
    for posed in live_poses(conditions.audio, settings, length, fps, seed=seed, bounded=puppet.head.limits.bounded):
        yield from _draw(puppet, posed)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Draws a portrait in all its poses; each frame depends on its own alone (a ``ReadsParts``)."""

    puppet: Puppet
    posed: list[Pose]

    def __call__(self) -> Iterator[Frames]:
        return _draw(self.puppet, self.posed)

    def part(self, first: int, end: int) -> _Drawn:
        return _Drawn(self.puppet, self.posed[first:end])


def _draw(puppet: Puppet, posed: list[Pose]) -> Iterator[Frames]:
    """Draw the frames of all ``posed``, some at a time."""
    count = max(1, _BATCH // puppet.image.nbytes)
    for start in range(0, len(posed), count):
        some = posed[start : start + count]
        frames = np.empty((len(some), *puppet.image.shape), np.float32)
        with single_threaded():
            for index, pose in enumerate(some):
                puppet.frame(pose, frames[index])
        yield torch.from_numpy(frames).permute(0, 3, 1, 2)
