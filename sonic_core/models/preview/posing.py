"""Puts together what mouth, head and eyes do: the puppet's pose in every frame."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ...curves import soft_limited
from ...media.pixels import as_bytes
from ...settings import Settings
from ...speech import Speech
from ...speech.channels import SILENT
from ...speech.motion import Motion
from ...types import Audio, Portrait
from .gestures import Gestures, gesture_curves
from .puppet.pose import Pose

WIDEST = 0.29
"""Gap between the lips, in eye distances, when speech asks for an opening of 1 at dynamic_scale 1."""

_GROWTH = 1.15  # power by which the gap follows the opening: real mouths are oftener nearly shut and seldom wide open
_MOST = 0.36  # eye distances: a wider gap tears the lips' corners
_NARROWER, _WIDER = 0.2, 0.12  # eye distances by which "oo" narrows a mouth and "ee" widens it
_STEADY = 0.8  # of the head's turn is what eyes take back to stay on what they look at
_EYES = (14.0, 9.0)  # degrees right and down that eyes turn in the head at most
_BEGINNING = 1.0  # s of sound, from where it can be heard, that decide with the portrait on the gestures
_SAMPLED = 64  # pixels across and down that stand for a picture

Bounded = Callable[[float, float, float], tuple[float, float, float]]
"""Brings yaw, pitch and roll within what a portrait bears."""


def poses(
    speech: Speech, settings: Settings, length: int, fps: Fraction, *, seed: int, bounded: Bounded | None = None
) -> list[Pose]:
    """Say how the portrait is posed in each of ``length`` frames.

    Args:
        speech: What was found in the sound.
        settings: ``dynamic_scale`` scales the mouth, ``motion_scale`` all else: at 0 all else is exactly 0.
        length: Frames.
        fps: Frames per second.
        seed: As of ``mixed_seed``.
        bounded: What the drawing will make of the head's angles, which the eyes make up for; the poses' own angles are
            not limited by it.
    """
    times = np.arange(length) / float(fps)
    fields = mouth_fields(speech.motion.at(times), settings.dynamic_scale)
    if settings.motion_scale > 0:
        gestures = gesture_curves(speech.prosody, seed).at(times)
        fields |= gesture_fields(gestures, settings.motion_scale, bounded)
    return poses_of(fields)


def poses_of(fields: dict[str, np.ndarray]) -> list[Pose]:
    """Make a pose of each moment of ``fields``, (m,) each, named as ``Pose``'s own."""
    rows = zip(*(np.asarray(curve, np.float64).tolist() for curve in fields.values()), strict=True)
    return [Pose(**dict(zip(fields, row, strict=True))) for row in rows]


def mouth_fields(mouth: Motion, lively: float) -> dict[str, np.ndarray]:
    """Express the mouth's motion at m moments in the pose's units, (m,) each."""
    gap = WIDEST * lively * np.maximum(mouth.opening, 0).astype(np.float64) ** _GROWTH
    return {
        "gap": soft_limited(gap, -_MOST, _MOST),
        "width": np.clip(mouth.width * lively, -1.2, 1.2) * np.where(mouth.width < 0, _NARROWER, _WIDER),
        "rounding": np.clip(mouth.rounding * lively, 0, 1),
        "upper": np.clip(mouth.upper, 0, 1),
        "lower": np.clip(mouth.lower, -1, 1),
        "jaw": np.clip(mouth.jaw * lively, 0, 1),
        "closure": np.clip(mouth.closure, 0, 1),
        "rest": np.clip(1 - mouth.speaking, 0, 1),
    }


def gesture_fields(gestures: Gestures, scale: float, bounded: Bounded | None) -> dict[str, np.ndarray]:
    """Express gestures at m moments in the pose's units, (m,) each.

    Lids fall and eyes wander as far at any ``scale`` above 0, only smaller below 1.
    """
    names = ("brows", "yaw", "pitch", "roll", "sway_x", "sway_y")
    found = {name: scale * getattr(gestures, name).astype(np.float64) for name in names}
    angles = (found["yaw"], found["pitch"], found["roll"])
    shown = [bounded(*one) for one in zip(*(angle.tolist() for angle in angles), strict=True)] if bounded else None
    yaw, pitch = (np.array([one[index] for one in shown]) for index in (0, 1)) if shown else angles[:2]
    eyes = min(scale, 1.0)
    across, down = (
        soft_limited(eyes * looked + _STEADY * turned, -most, most)
        for looked, turned, most in zip((gestures.gaze_x, gestures.gaze_y), (yaw, -pitch), _EYES, strict=True)
    )
    return found | {"gaze_x": across, "gaze_y": down, "blink": gestures.blink}


def mixed_seed(seed: int, portrait: Portrait, audio: Audio | None) -> int:
    """Mix the user's seed with picture and sound, so that no two people of a batch blink in unison.

    Of the sound its first audible second counts, so that a sound cut shorter begins alike, and nothing of one that is
    None, since it is still coming; of the picture the whole as it came and the face's place in it, so that any working
    size moves alike.
    """
    digest = hashlib.blake2b(repr((seed, portrait.placement.box)).encode(), digest_size=8)
    source = portrait.placement.source
    steps = [max(1, side // _SAMPLED) for side in source.shape[1:]]
    digest.update(as_bytes(source[:, :: steps[0], :: steps[1]]).transpose(2, 0, 1).tobytes())
    if audio is not None:
        digest.update((_beginning(audio) * 4096).round().astype("<i2").tobytes())
    return int.from_bytes(digest.digest(), "little")


def _beginning(audio: Audio) -> np.ndarray:
    """Take a sound's first second from where it can be heard, all channels one after another: (n,) within ±1."""
    window = round(_BEGINNING * audio.rate)
    for start in range(0, audio.samples.shape[1], window):
        loud = audio.samples[:, start : start + window].abs().amax(0) > SILENT
        if loud.any():
            first = start + int(loud.int().argmax())
            found = audio.samples[:, first : first + window].clamp(-1, 1)
            return found.reshape(-1).numpy()
    return np.zeros(0, np.float32)
