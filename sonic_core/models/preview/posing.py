"""Puts together what mouth, head and eyes do: the puppet's pose in every frame."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from ...curves import soft_limited
from ...direction import EXPRESSIONS, Direction
from ...media.pixels import as_bytes
from ...settings import Settings
from ...speech import Speech
from ...speech.channels import SILENT
from ...speech.motion import Motion
from ...types import Audio, Portrait
from .gestures import STILL, Gestures, gesture_curves
from .nodding import carried
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
_CARRIED = 0.03  # eye distances by which a head is carried along at most where it is turned as directed
_CALMING, _CALMED = ("sad", "surprise", "anger"), 0.6  # expressions that hold the brows, and by how much
_LIDS = 0.1  # motion_scale under which, where it changes over time, lids begin to stay open
_SIGNS = {"yaw": -1.0, "pitch": -1.0, "roll": 1.0, "gaze_x": 1.0, "gaze_y": -1.0, "blink": 1.0}
"""Signs of the pose's own fields for what is directed to the right, up and clockwise."""
_HEAD = ("yaw", "pitch", "roll")

Bounded = Callable[[float, float, float], tuple[float, float, float]]
"""Brings yaw, pitch and roll within what a portrait bears."""


def poses(
    speech: Speech, settings: Settings, length: int, fps: Fraction, *, seed: int, bounded: Bounded | None = None
) -> list[Pose]:
    """Say how the portrait is posed in each of ``length`` frames.

    Args:
        speech: What was found in the sound.
        settings: ``dynamic_scale`` scales the mouth, ``motion_scale`` all else: at 0 all else is exactly 0, but for
            what ``direction`` asks for.
        length: Frames.
        fps: Frames per second.
        seed: As of ``mixed_seed``.
        bounded: What the drawing will make of the head's angles, which the eyes make up for; the poses' own angles are
            not limited by it.
    """
    times = np.arange(length) / float(fps)
    led = settings.direction
    lively, moving = scale_at("dynamic_scale", settings, times), scale_at("motion_scale", settings, times)
    fields = mouth_fields(speech.motion.at(times), lively)
    gestures = gesture_curves(speech.prosody, seed).at(times) if np.any(moving > 0) else None
    if gestures is not None:
        fields |= gesture_fields(gestures, moving, bounded, led_fields(led, times))
    elif led:
        fields |= gesture_fields(STILL.at(times), 0.0, bounded, led_fields(led, times))
    return poses_of(fields)


def scale_at(name: str, settings: Settings, times: np.ndarray) -> np.ndarray | float:
    """Read ``dynamic_scale`` or ``motion_scale`` at moments (m,): (m,) where it is directed, else the setting."""
    led = settings.direction.at(name, times) if settings.direction else None
    return getattr(settings, name) if led is None else led


def led_fields(direction: Direction | None, times: np.ndarray) -> dict[str, np.ndarray]:
    """Read at moments (m,) what is directed beside the scales, in the pose's units, (m,) each, by the pose's names."""
    if direction is None:
        return {}
    asked = {name: f"head_{name}" if name in _HEAD else name for name in (*_SIGNS, *EXPRESSIONS)}
    read = {name: direction.at(channel, times) for name, channel in asked.items()}
    return {name: _SIGNS.get(name, 1.0) * curve for name, curve in read.items() if curve is not None}


def poses_of(fields: dict[str, np.ndarray]) -> list[Pose]:
    """Make a pose of each moment of ``fields``, (m,) each, named as ``Pose``'s own."""
    rows = zip(*(np.asarray(curve, np.float64).tolist() for curve in fields.values()), strict=True)
    return [Pose(**dict(zip(fields, row, strict=True))) for row in rows]


def mouth_fields(mouth: Motion, lively: np.ndarray | float) -> dict[str, np.ndarray]:
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


def gesture_fields(
    gestures: Gestures,
    scale: np.ndarray | float,
    bounded: Bounded | None,
    led: dict[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Express gestures at m moments in the pose's units, (m,) each.

    Lids fall and eyes wander as far at any ``scale`` above 0, only smaller below 1.

    Args:
        gestures: Those at the moments.
        scale: ``motion_scale``, or (m,) of it.
        bounded: As of ``poses``.
        led: What is directed, as of ``led_fields``: angles of the head are added to its own movement, gaze and lids go
            as directed in place of it; ``scale`` is not for them.
    """
    names = ("brows", *_HEAD, "sway_x", "sway_y")
    found = {name: scale * getattr(gestures, name).astype(np.float64) for name in names}
    led = led or {}
    if asked := {name: led[name] for name in _HEAD if name in led}:
        found |= {name: found[name] + curve for name, curve in asked.items()}
        for name, sway in zip(("sway_x", "sway_y"), carried(*(led.get(name, 0.0) for name in _HEAD)), strict=True):
            found[name] = found[name] + soft_limited(np.asarray(sway), -_CARRIED, _CARRIED)
    if frowns := [led[name] for name in _CALMING if name in led]:
        found["brows"] = found["brows"] * (1 - _CALMED * np.max(frowns, axis=0))
    angles = (found["yaw"], found["pitch"], found["roll"])
    shown = [bounded(*one) for one in zip(*(angle.tolist() for angle in angles), strict=True)] if bounded else None
    yaw, pitch = (np.array([one[index] for one in shown]) for index in (0, 1)) if shown else angles[:2]
    eyes = np.minimum(scale, 1.0) if isinstance(scale, np.ndarray) else min(scale, 1.0)
    across, down = (
        soft_limited(led.get(name, eyes * looked) + _STEADY * turned, -most, most)
        for name, looked, turned, most in zip(
            ("gaze_x", "gaze_y"), (gestures.gaze_x, gestures.gaze_y), (yaw, -pitch), _EYES, strict=True
        )
    )
    blink = led.get("blink", gestures.blink)
    if isinstance(scale, np.ndarray) and "blink" not in led:
        blink = blink * np.clip(scale / _LIDS, 0, 1)
    return found | {name: led[name] for name in EXPRESSIONS if name in led} | {
        "gaze_x": across, "gaze_y": down, "blink": blink
    }  # fmt: skip


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
