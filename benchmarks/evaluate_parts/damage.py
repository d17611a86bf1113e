"""Clips of sonic-preview with known damage, and which measures of ``evaluate`` it should move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import torch

from sonic_core import Audio, Clip
from sonic_core.evaluate.posing.sitter import Sitter
from sonic_core.media.mixing import shift
from sonic_core.media.pixels import as_frames
from sonic_core.models.preview.puppet.pose import Pose
from sonic_core.types import Frames

MOUTH = ("gap", "width", "rounding", "upper", "lower", "jaw", "closure", "rest")
HEAD = ("yaw", "pitch", "roll", "sway_x", "sway_y")
GAIN, BLUR, WIDER = 0.02, 1.0, 1.12
"""Flicker as a share of the light, blur in pixels, and how much wider a face is made."""
SILENCE = 1.5
"""Seconds of silence at the end of every clip."""
PARTED = 0.08
"""Gap in I below which lips that never shut do not go."""
GAPING = 0.3
"""Gap in I of a mouth that does not rest: wider than a smiling portrait's own."""
CHUNK = 25


@dataclass(frozen=True, eq=False)
class Take:
    """A clip before anything is done to it."""

    sitter: Sitter
    clip: Clip
    poses: list[Pose]
    other: Audio
    """A sound that is not the clip's."""

    @classmethod
    def of(cls, sitter: Sitter, other: Audio) -> Take:
        """Let a portrait speak."""
        clip, poses = sitter.speak()
        return cls(sitter, clip, poses, other)

    def posed(self, change: Callable[[Pose], Pose]) -> Clip:
        """Draw the same clip, every pose changed."""

        def read() -> Iterator[Frames]:
            for start in range(0, len(self.poses), CHUNK):
                yield as_frames(self.sitter.draw([change(pose) for pose in self.poses[start : start + CHUNK]]))

        return replace(self.clip, read=read)

    def posed_at(self, change: Callable[[Pose, float], Pose]) -> Clip:
        """Draw the same clip, every pose changed by what its moment in seconds asks for."""
        changed = [change(pose, number / float(self.clip.fps)) for number, pose in enumerate(self.poses)]
        return replace(self, poses=changed).posed(lambda pose: pose)

    def lessened(self, names: tuple[str, ...], share: float) -> Clip:
        """Draw the same clip with ``share`` of some movements, around where they are on the whole."""
        usual = {name: float(np.mean([getattr(pose, name) for pose in self.poses])) for name in names}

        def less(pose: Pose) -> Pose:
            return replace(pose, **{name: at + share * (getattr(pose, name) - at) for name, at in usual.items()})

        return self.posed(less)

    def seen(self, change: Callable[[np.ndarray, int], np.ndarray]) -> Clip:
        """Change every frame: (h, w, 3) float32 in [0, 1] and its number."""

        def read() -> Iterator[Frames]:
            for number, frame in enumerate(self.clip.frames()):
                pixels = change(np.ascontiguousarray(frame.permute(1, 2, 0).numpy()), number)
                yield torch.from_numpy(np.clip(pixels, 0, 1).astype(np.float32)).permute(2, 0, 1)[None]

        return replace(self.clip, read=read)

    def heard(self, audio: Audio) -> Clip:
        """Put another sound under it."""
        return replace(self.clip, audio=audio)

    def late(self, seconds: float) -> Clip:
        """Move the sound back."""
        assert self.clip.audio is not None  # noqa: S101 - sonic-preview's clips have one
        return self.heard(shift(self.clip.audio, seconds))


@dataclass(frozen=True)
class Damage:
    """What is done to a clip, and what that should move."""

    name: str
    make: Callable[[Take], Clip]
    own: tuple[str, ...]
    """Measures that must move by five spreads and more."""
    also: tuple[str, ...] = ()
    """Measures that see the same thing by their nature."""
    heard: bool = False
    """The picture stays as it is."""


def flickering(take: Take) -> Clip:
    """Let the light of every frame be a little off, by white noise."""
    gains = 1 + GAIN * np.random.default_rng(0).standard_normal(take.clip.length)
    return take.seen(lambda pixels, number: pixels * gains[number])


def blurred(take: Take) -> Clip:
    """Blur every frame."""
    return take.seen(lambda pixels, _: np.asarray(cv2.GaussianBlur(pixels, (0, 0), BLUR)))


def widened(take: Take) -> Clip:
    """Make every face wider: another person's."""

    def wider(pixels: np.ndarray, _: int) -> np.ndarray:
        height, width = pixels.shape[:2]
        large = np.asarray(cv2.resize(pixels, (round(width * WIDER), height), interpolation=cv2.INTER_CUBIC))
        left = (large.shape[1] - width) // 2
        return large[:, left : left + width]

    return take.seen(wider)


def gaping(take: Take) -> Clip:
    """Leave the mouth open where there is silence at the end."""
    begins = take.clip.duration - SILENCE + 0.2

    def open_late(pose: Pose, moment: float) -> Pose:
        return pose if moment < begins else replace(pose, gap=GAPING, jaw=0.8, closure=0.0, rest=0.0)

    return take.posed_at(open_late)


SYNC = ("offset", "confidence", "correlation", "closures", "closures_kept", "silent_opening")
"""What needs picture and sound together."""
PIXELS = ("flicker", "warping", "mouth_sharpness", "changed")
DAMAGES = (
    *(
        Damage(f"sound {by} ms late", lambda take, by=by: take.late(by / 1000), ("offset",), heard=True)
        for by in (20, 40, 80, 160)
    ),
    Damage("wrong sound", lambda take: take.heard(take.other), ("correlation", "confidence"), SYNC, heard=True),
    Damage(
        "mouth frozen",
        lambda take: take.lessened(MOUTH, 0.0),
        ("mouth", "mouth_ratio", "correlation", "confidence"),
        (*SYNC, "warping", "mouth_sharpness"),
    ),
    Damage(
        "half the mouth",
        lambda take: take.lessened(MOUTH, 0.5),
        ("mouth", "mouth_ratio"),
        (*SYNC, "warping", "mouth_sharpness"),
    ),
    Damage(
        "lips never shut",
        lambda take: take.posed(lambda pose: replace(pose, closure=0.0, gap=max(pose.gap, PARTED))),
        ("closures_kept",),
        ("mouth", "mouth_ratio", "correlation"),
    ),
    Damage("open in silence", gaping, ("silent_opening",), ("mouth", "mouth_ratio", "mouth_sharpness")),
    Damage(
        "head still",
        lambda take: take.lessened(HEAD, 0.0),
        ("head_ratio",),
        ("yaw", "pitch", "roll", "changed", "flicker", "warping"),
    ),
    Damage("brows still", lambda take: take.lessened(("brows",), 0.0), ("brows_ratio", "brows")),
    Damage("no blinks", lambda take: take.posed(lambda pose: replace(pose, blink=0.0)), ("blinks",)),
    Damage("eyes still", lambda take: take.lessened(("gaze_x", "gaze_y"), 0.0), ("gaze",)),
    Damage("flicker", flickering, ("flicker",), ("warping", "changed")),
    Damage("blur", blurred, ("sharpness",), PIXELS),
    Damage("another face", widened, ("identity",), ("sharpness", "mouth_sharpness", "changed")),
)
"""Known damage."""
assert {*MOUTH, *HEAD} <= {one.name for one in fields(Pose)}  # noqa: S101
