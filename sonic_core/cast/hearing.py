"""Read what everybody says, all as long as the video."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

from ..errors import SettingsError, about_face
from ..media.arriving import read_whole
from ..media.audio import read_audio
from ..media.given import as_sound
from ..media.mixing import check_duration, cut, delay, pad
from ..settings import Settings
from ..types import Audio
from .speakers import Sound, Speaker

_BEYOND = 1.0
"""Seconds of a sound that are read beyond those that are wanted: what is cut off differs by no sample."""


def hear_speakers(speakers: Mapping[int, Sound | Speaker], settings: Settings) -> dict[int, Audio]:
    """Read what everybody says, each sound as long as the video: the longest decides, silence follows the others.

    Args:
        speakers: By the number of the face: a sound, or a ``Speaker``, whose sound begins later.
        settings: ``duration`` counts.

    Raises:
        SettingsError: There is nobody, a number is none, a beginning is not possible, or a single face is chosen too.
        InputError: A sound cannot be used, or the video would be longer than all of them.
        MediaError: A file cannot be read.
    """
    given = {number: one if isinstance(one, Speaker) else Speaker(one) for number, one in speakers.items()}
    _check_speakers(given, settings)
    sounds = {number: _heard(number, one, settings.duration) for number, one in sorted(given.items())}
    longest = max(sounds.values(), key=lambda one: one.duration)
    if settings.duration is not None:
        check_duration(longest, settings.duration, Fraction(settings.fps))
    seconds = longest.duration if settings.duration is None else min(settings.duration, longest.duration)
    return {number: pad(cut(one, seconds), seconds) for number, one in sounds.items()}


def _check_speakers(given: Mapping[int, Speaker], settings: Settings) -> None:
    if not given:
        raise SettingsError("speakers must name at least one face and what it says, such as {0: 'a.wav'}; got none.")
    if settings.face is not None or settings.face_index:
        raise SettingsError(
            "speakers name their faces by number, and face and face_index choose a single one: leave those out."
        )
    for number, one in given.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise SettingsError(f"speakers are named by the number of their face, 0 the largest; got {number!r}.")
        if not (isinstance(one.begin, (int, float)) and math.isfinite(one.begin) and one.begin >= 0):
            raise SettingsError(f"Face {number} must begin to speak at 0 seconds or later, got {one.begin!r}.")
        if settings.duration is not None and one.begin >= settings.duration:
            raise SettingsError(
                f"Face {number} would begin to speak at {one.begin:g} s, when the video of {settings.duration:g} s is "
                "over: let it begin earlier, or leave it out."
            )


def _heard(number: int, speaker: Speaker, duration: float | None) -> Audio:
    """Read one sound, as far as it is wanted, with the silence before it."""
    most, audio = None if duration is None else duration - speaker.begin + _BEYOND, cast("Any", speaker.audio)
    with about_face(number):
        if isinstance(audio, (str, os.PathLike)):
            sound = read_audio(audio, duration=most)
        else:
            sound = read_whole(audio, most) if hasattr(audio, "read") else as_sound(audio)
    return delay(sound, speaker.begin)
