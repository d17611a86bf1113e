"""What the lips follow may be another sound than the one that is heard: its voice made clear, or a track of its own."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from .cast.mixed import check_said, voice_of
from .cast.speakers import Sound, Speaker, about_face
from .clip import Clip
from .errors import SettingsError, SonicWarning
from .media.arriving import ArrivingAudio, read_whole
from .media.audio import read_audio
from .media.given import as_sound
from .media.mixing import cut, pad, shift
from .models.protocol import Conditions, Model
from .post.align import Refinement
from .post.stage import Reports, Staged
from .preparing import trim_audio
from .settings import Settings
from .speech.voice.cleaning import clean_voice
from .speech.voice.denoisers import Denoiser, find_denoiser
from .speech.voice.turns import Voices, hear_voices
from .types import Audio, Portrait, Progress, ignore_progress

BEYOND = 1.0
"""Seconds of a sound that are read beyond those that are wanted: what is cut off differs by no sample."""
_UNHEARD = (
    "No voice was heard in the sound, so the mouth stays shut: choose a sound in which somebody speaks, or give the "
    "voice alone (lips_from, --lips-from)."
)


@dataclass(frozen=True, eq=False)
class HeardApart:
    """What a model prepared for a sound that the lips follow, and the sound that is heard (protocol ``Conditions``)."""

    conditions: Conditions
    sound: Audio = field(repr=False)
    """What the video carries."""

    @property
    def portrait(self) -> Portrait:
        """Whom the model will animate."""
        return self.conditions.portrait

    @property
    def audio(self) -> Audio:
        """What the lips follow."""
        return self.conditions.audio

    @property
    def speech(self) -> Any:  # noqa: ANN401 - a model may have it, or not
        """What is known of that, if the model measured it."""
        return getattr(self.conditions, "speech", None)

    def with_sound(self, made: Staged[Reports]) -> Staged[Reports]:
        """Let a clip be heard with the sound, moved as the other one was, and as long."""
        found = [one.moved for one in made.report.flat() if isinstance(one, Refinement)]
        return Staged(carry(made.clip, self.sound, found[0] if len(found) == 1 else 0.0), made.report)


def carry(clip: Clip, sound: Audio, moved: float = 0.0) -> Clip:
    """Let a clip be heard with another sound than its own, no longer than that and ``moved`` seconds earlier."""
    if clip.audio is not None:
        sound = cut(sound, clip.audio.duration)
    return replace(clip, audio=shift(sound, -moved) if moved else sound)


def prepare_heard(
    model: Model,
    portrait: Portrait,
    sound: Audio,
    settings: Settings,
    progress: Progress = ignore_progress,
    *,
    lips_from: Audio | None = None,
) -> Conditions:
    """Let a model prepare a portrait for what its lips shall follow.

    Args:
        model: The model.
        portrait: The portrait.
        sound: What the video carries, cut to its duration.
        settings: All settings; ``voice`` and ``speaker_voice`` tell what the lips follow.
        progress: Hears (stage, done, total).
        lips_from: What the lips follow instead, from the same moment on.
    """
    heard = choose_heard(sound, settings, lips_from)
    conditions = model.prepare(portrait, heard, settings, progress)
    return conditions if heard is sound else HeardApart(conditions, sound)


def choose_heard(sound: Audio, settings: Settings, lips_from: Audio | None = None) -> Audio:
    """Make what the lips follow: as long as the sound, and the sound itself where nothing else is asked for.

    Raises:
        SettingsError: Noise shall be taken out, and nothing that does is installed.
        InputError: There is no such voice.

    Warns:
        SonicWarning: Nobody speaks, or most of the sound is no voice.
    """
    heard = sound if lips_from is None else pad(cut(lips_from, sound.duration), sound.duration)
    if not wants_voice(settings):
        return heard
    if isinstance(heard, ArrivingAudio):
        raise SettingsError("A voice is told apart in a whole sound, and this one is still coming; give it as a file.")
    denoiser = denoiser_for(settings)
    return pick_voice(heard, hear_voices(heard), settings.speaker_voice, denoiser)


def wants_voice(settings: Settings) -> bool:
    """Tell whether the lips shall follow less than the whole sound."""
    return settings.voice == "clean" or settings.speaker_voice > 0


def denoiser_for(settings: Settings) -> Denoiser | None:
    """Find what takes noise out where that is asked for, before anything is computed.

    Raises:
        SettingsError: It is not installed.
    """
    return find_denoiser() if settings.voice == "clean" else None


def pick_voice(sound: Audio, voices: Voices, voice: int, denoiser: Denoiser | None) -> Audio:
    """Leave of a sound what somebody says, as ``clean_voice`` does, and warn where that is little."""
    made = clean_voice(sound, voices, denoiser=denoiser, voice=voice)
    remark = made.remark if voices.turns else _UNHEARD
    if remark:
        warnings.warn(remark, SonicWarning, stacklevel=3)
    return made.audio


def read_seconds(settings: Settings) -> float | None:
    """Tell how many seconds of a sound are read; None for all."""
    return None if settings.duration is None else settings.duration + BEYOND


def read_given(audio: Sound, most: float | None = None) -> Audio:
    """Read a sound file, a sound or a stream of bytes, at most so many seconds."""
    given = cast("Any", audio)
    if isinstance(given, (str, os.PathLike)):
        return read_audio(given, duration=most)
    return read_whole(given, most) if hasattr(given, "read") else as_sound(given)


def hear_shared(
    audio: Sound, speakers: Mapping[int, Sound | Speaker], settings: Settings
) -> tuple[dict[int, Audio], Audio]:
    """Share out one sound among the faces of a picture, by its voices.

    Args:
        audio: The sound in which several speak.
        speakers: Which voice each face says, as ``voice:1``, by the number of the face.
        settings: ``duration`` and ``voice`` count.

    Returns:
        What each face says, all as long as the sound, and the sound itself, cut to its duration.

    Raises:
        SettingsError: It is not clear who says what, or noise shall be taken out and nothing that does is installed.
        InputError: The sound cannot be used, or has no such voice.
        MediaError: It cannot be read.
    """
    check_said(audio, speakers)
    denoiser = denoiser_for(settings)
    sound = trim_audio(read_given(audio, read_seconds(settings)), settings)
    voices = hear_voices(sound)
    shared: dict[int, Audio] = {}
    for face, speaker in sorted(speakers.items()):
        with about_face(face):
            shared[face] = pick_voice(sound, voices, voice_of(speaker) or 0, denoiser)
    return shared, sound
