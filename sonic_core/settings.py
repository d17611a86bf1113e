"""Every setting of the main job, with its default, its possible range and its advised range.

Nodes, the command line and the SDK all read this table, so that a default lives once.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeGuard

from .errors import SettingsError, SonicWarning
from .types import Box

OFFICIAL_SEED = 72589
"""The seed of the published demonstration (Sonic, arXiv 2411.16331)."""


@dataclass(frozen=True)
class Range:
    """Possible and advised values of one number, and what lies beyond the advice."""

    least: float
    most: float
    advised_least: float
    advised_most: float
    below: str = ""
    above: str = ""


RANGES = {
    "min_resolution": Range(128, 4096, 384, 1024, "the face loses detail", "time and memory grow with the square"),
    "expand_ratio": Range(
        0.0, 3.0, 0.1, 0.3, "hair and chin touch the edge of the crop", "pixels are spent on the surroundings"
    ),
    "inference_steps": Range(1, 1000, 10, 50, "the picture stays blurred", "more steps stop helping"),
    "dynamic_scale": Range(0.0, 4.0, 0.5, 1.2, "the mouth hardly opens", "the mouth opens wider than people do"),
    "motion_scale": Range(0.0, 4.0, 0.0, 1.2, "", "the head moves more than people do"),
    "appearance_guidance": Range(0.0, 20.0, 1.0, 4.0, "the portrait is forgotten", "colours and contrast grow hard"),
    "audio_guidance": Range(0.0, 30.0, 2.0, 10.0, "the mouth does not follow the sound", "the mouth twitches"),
    "window": Range(2, 128, 14, 25, "movement falls apart", "the model never saw so many frames at once"),
    "window_overlap": Range(0, 127, 0, 12, "", "time is spent on frames that are done already"),
    "window_shift": Range(0, 128, 1, 25, "seams between windows stay in one place", ""),
    "deepcache": Range(1, 10, 1, 3, "", "movement stutters and detail swims"),
    "fps": Range(1, 240, 12, 60, "speech looks like a slide show", "lips cannot be told apart that fast"),
}

QUALITIES = {
    "exact": "every branch at every one of inference_steps steps, as published",
    "fast": "ten steps, guidance renewed every second one: about a quarter of the work",
    "live": "as few steps as the weights that are there allow, decoded by the tiny VAE where it is there",
}
"""How much of a diffusion model's denoising is computed, by name."""

WHOLE = (
    "min_resolution", "inference_steps", "window", "window_overlap", "window_shift", "deepcache", "seed", "face_index",
)  # fmt: skip
"""Settings that count something."""


@dataclass(frozen=True)
class DiffusionOptions:
    """What sonic-base alone heeds: how its video is denoised and decoded."""

    inference_steps: int = 25
    """Denoising steps of a diffusion model; sonic-preview has none, and ignores what is said of them."""
    appearance_guidance: float = 2.0
    """How closely a diffusion model follows the portrait (published: 2.0)."""
    audio_guidance: float = 7.5
    """How closely a diffusion model follows the sound (published: 7.5)."""
    window: int = 25
    """Frames, at 12.5 per second, that a diffusion model sees at once (published: 25)."""
    window_overlap: int = 0
    """Frames that neighbouring windows share (published: 0)."""
    window_shift: int = 7
    """Frames by which the windows move from step to step (published: 7)."""
    quality: str = "exact"
    """How much of a diffusion model's denoising is computed: one of ``QUALITIES``."""
    deepcache: int = 1
    """Steps of a diffusion model from one computation of its deeper levels to the next; 1: at every step."""
    stream: bool = False
    """Let a diffusion model give the first frames while the last are still noise; the published schedule, which joins
    the clip's end to its beginning, is given up for that."""
    published: bool = False
    """Let sonic-base do as its release does: decode in chunks of 8 that show, drop what is left of the sound after the
    last pair of 1/25 s, and end one frame early."""


@dataclass(frozen=True)
class Settings(DiffusionOptions):
    """Settings of one talking clip; those of one model alone are named beside all others, and ignored by other models.

    Raises:
        SettingsError: A value is not possible.

    Warns:
        SonicWarning: A value is possible but outside the advised range.
    """

    duration: float | None = None
    """Seconds of video; None takes the sound's whole length."""
    min_resolution: int = 512
    """Shorter side of the animated crop in pixels; the crop's sides are rounded to multiples of 64."""
    expand_ratio: float = 0.2
    """How much is kept around the face, as a share of the face box on each side."""
    dynamic_scale: float = 1.0
    """Strength of the mouth's movement; for sonic-base of all movement, as published."""
    motion_scale: float = 1.0
    """Strength of head, gaze and brows: at 1 sonic-preview's head moves by about 2 degrees; 0 keeps all but the mouth
    still, lids too."""
    lip_sync_refinement: bool = True
    """Measure and correct a constant offset between sound and picture, where the model can leave one."""
    temporal_smoothing: bool = True
    """Remove jitter between frames, where the model can leave any."""
    seed: int = OFFICIAL_SEED
    """Same seed, same clip of the same picture and sound; every number from 0 to 2^64 − 1 is honoured."""
    fps: Fraction | float = Fraction(25)
    """Frames per second of the finished clip."""
    paste_back: bool = False
    """Put the animated crop back into the full picture."""
    face: Box | None = None
    """Where the face is, (left, top, right, bottom) in pixels, when the finder should not decide."""
    face_index: int = 0
    """Which of several faces, counted from the largest."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fps", exact_fps(self.fps))
        if self.duration is not None and not (_is_number(self.duration) and self.duration > 0):
            raise SettingsError(
                f"duration must be above 0 seconds, got {self.duration}; leave it out for the sound's own length."
            )
        check_possible(**vars(self))
        for name, limits in RANGES.items():
            _advise(name, getattr(self, name), limits)
        if not 0 <= self.seed < 2**64:
            raise SettingsError(f"seed must be a whole number from 0 to 2^64 − 1, got {self.seed}.")
        if self.quality not in QUALITIES:
            raise SettingsError(f"quality must be one of {', '.join(QUALITIES)}; got {self.quality!r}.")
        if self.stream and self.published:
            raise SettingsError(
                "stream gives the first frames before the last are begun, which the published schedule cannot: its "
                "windows join the clip's end to its beginning. Leave out stream or published."
            )
        if self.face_index < 0:
            raise SettingsError(f"face_index counts from 0, the largest face; got {self.face_index}.")
        if self.face is not None:
            _check_box(self.face)


def exact_fps(fps: Fraction | float) -> Fraction:
    """Turn a frame rate into the fraction that is meant: 29.97 is 30000/1001.

    Raises:
        SettingsError: ``fps`` is not a positive number.

    >>> exact_fps(29.97), exact_fps(25)
    (Fraction(30000, 1001), Fraction(25, 1))
    """
    if not _is_number(fps) or fps <= 0:
        raise SettingsError(f"fps must be a number above 0, got {fps}.")
    ntsc = Fraction(round(float(fps) * 1.001) * 1000, 1001)
    near = isinstance(fps, float) and ntsc > 0 and abs(float(ntsc) - fps) < 0.005 and fps != round(fps)
    return ntsc if near else Fraction(fps).limit_denominator(1001)


def check_possible(**values: Any) -> None:  # noqa: ANN401
    """Raise where ``Settings`` of these numbers would, but say nothing of what is advised.

    Args:
        values: Settings by name; those that are no numbers are not looked at.

    Raises:
        SettingsError: A value is none of the possible ones.
    """
    for name in WHOLE:
        if name in values:
            _check_whole(name, values[name])
    for name, limits in RANGES.items():
        value = values.get(name, limits.least)
        if not _is_number(value) or not limits.least <= value <= limits.most:
            raise SettingsError(
                f"{name} must be between {limits.least:g} and {limits.most:g}, got {value}; "
                f"{limits.advised_least:g} to {limits.advised_most:g} is advised."
            )
    window, overlap = values.get("window"), values.get("window_overlap")
    if window is not None and overlap is not None and overlap >= window:
        raise SettingsError(f"window_overlap must be below window, {window}; got {overlap}.")


def _advise(name: str, value: float, limits: Range) -> None:
    """Warn when ``value`` is not advised."""
    reason = limits.below if value < limits.advised_least else limits.above if value > limits.advised_most else ""
    if reason:
        advice = f"{limits.advised_least:g} to {limits.advised_most:g} is advised"
        warnings.warn(f"{name} is {float(value):g}: {reason} ({advice}).", SonicWarning, stacklevel=4)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float, Fraction)) and not isinstance(value, bool) and math.isfinite(value)


def _check_whole(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise SettingsError(f"{name} must be a whole number, got {value!r}.")


def _check_box(box: Box) -> None:
    if len(box) != 4 or not all(_is_number(side) for side in box) or box[2] <= box[0] or box[3] <= box[1]:
        raise SettingsError(
            f"face must be left,top,right,bottom in pixels with right > left and bottom > top, got {box}."
        )
