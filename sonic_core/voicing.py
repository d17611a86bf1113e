"""What the lips follow may be another sound than the one that is heard: its voice made clear, or a track of its own."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch

from .cast.hearing import hear_speakers
from .cast.mixed import check_said, voice_of
from .cast.speakers import Sound, Speaker
from .clip import Clip
from .errors import InputError, SettingsError, SonicWarning, about_face
from .media.arriving import ArrivingAudio, read_arriving, read_whole
from .media.audio import read_audio
from .media.given import as_sound
from .media.mixing import cut, mixdown, pad, shift
from .models.protocol import Conditions, Model
from .post.align import Refinement
from .post.stage import Reports, Staged
from .preparing import DubConditions, draw_dubbed, find_dubbed, trim_audio
from .settings import Settings, amend
from .speech.voice.cleaning import clean_voice
from .speech.voice.denoisers import Denoiser, find_denoiser
from .speech.voice.turns import Voices, hear_voices
from .types import Audio, FaceFinder, Portrait, Progress, ignore_progress

log = logging.getLogger("sonic")

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


def check_given(
    image: object, audio: Sound | None, *, speakers: Mapping[int, Sound | Speaker], lips_from: object, video: object
) -> None:
    """Check that it is clear who shall speak, and what.

    Raises:
        SettingsError: It is not clear who says what.
        InputError: There is neither a picture nor a video, or both.
    """
    check_said(audio, speakers, lips_from=lips_from)
    if (image is None) == (video is None):
        raise InputError(
            "Expected a picture or a video of the person who shall speak, got "
            f"{'neither' if image is None else 'both'}; give image or video."
        )


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


def prepare_dub(
    video: Clip,
    sound: Audio | Mapping[int, Audio],
    settings: Settings,
    finder: FaceFinder,
    progress: Progress = ignore_progress,
    *,
    lips_from: Audio | None = None,
) -> Conditions:
    """Find those people of a video who will say something, for ``TalkingPortrait.animate``.

    Args:
        video: Read up to the first frame in which one of them is seen.
        sound: What the video will carry, cut to its duration, which ``settings.face_index`` says; or what each says,
            as ``hear_speakers`` gives it.
        settings: All settings.
        finder: Finds the faces.
        progress: Called with ("portrait", frames searched, frames in all).
        lips_from: What the lips of one follow instead, from the same moment on.

    Raises:
        FaceNotFoundError: None of them is ever seen.
        InputError: The face is too small to be cut out.
    """
    if not isinstance(sound, Audio):
        return find_dubbed(video, sound, settings, finder, progress)
    heard = choose_heard(sound, settings, lips_from)
    found = find_dubbed(video, {settings.face_index: heard}, settings, finder, progress)
    return found if heard is sound else HeardApart(found, sound)


def draw_dub(conditions: Conditions) -> torch.Tensor:
    """Draw on the first frame that shows the person who is dubbed, and the numbers of the others.

    Args:
        conditions: What ``prepare_dub`` gave.

    Returns:
        (3, h, w) RGB in [0, 1].
    """
    found = conditions.conditions if isinstance(conditions, HeardApart) else conditions
    return draw_dubbed(cast("DubConditions", found))


def hear(
    audio: Sound, settings: Settings, look_ahead: Callable[[Settings], float | None] | None = None
) -> tuple[Audio, Settings]:
    """Read a sound and cut it to its duration.

    Args:
        audio: A file's name, a sound, or a stream of bytes.
        settings: All settings.
        look_ahead: Of a model that may answer a stream while it comes: how many seconds of it the first frame needs.

    Returns:
        The sound, and the settings that are left to be heeded.
    """
    ahead = look_ahead(settings) if look_ahead and hasattr(audio, "read") else None
    if ahead is None:
        return trim_audio(read_given(audio, read_seconds(settings)), settings), settings
    sound = read_arriving(cast("Any", audio), settings.duration)
    log.info("the first frame is made when %.1f s of the sound have come, or its end.", ahead)
    return sound, amend(settings, duration=None)


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


def lips_of(given: Sound | None, settings: Settings) -> Audio | None:
    """Read what the lips follow in place of the sound, if anything."""
    return None if given is None else read_given(given, read_seconds(settings))


def hear_all(
    audio: Sound | None, speakers: Mapping[int, Sound | Speaker], settings: Settings
) -> tuple[dict[int, Audio], Audio | None]:
    """Read what each face says: its own sound, or its voice in one sound, which then comes along."""
    return (hear_speakers(speakers, settings), None) if audio is None else hear_shared(audio, speakers, settings)


def hear_dubbed(
    audio: Sound | None, speakers: Mapping[int, Sound | Speaker], settings: Settings, lips_from: Sound | None
) -> tuple[dict[int, Audio], Audio]:
    """Read what people of a video say.

    Args:
        audio: What ``settings.face_index`` says, or of what several say a voice each; None for nothing.
        speakers: As of ``hear_all``; empty where one speaks.
        settings: All settings.
        lips_from: What the lips of one follow instead.

    Returns:
        What the mouths follow, by the number of the person, all as long; and what the video carries.
    """
    if speakers:
        sounds, mixed = hear_all(audio, speakers, settings)
        return sounds, mixed or mixdown(list(sounds.values()))
    sound = hear(cast("Sound", audio), settings)[0]
    return {settings.face_index: choose_heard(sound, settings, lips_of(lips_from, settings))}, sound


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
