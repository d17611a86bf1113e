"""One sound in which several speak, shared out among the faces of a picture by their voices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import SettingsError
from .speakers import Sound, Speaker

VOICE = "voice:"
"""What stands before a voice's number where a sound is named."""


def voice_of(speaker: Sound | Speaker, folder: Path = Path()) -> int | None:
    """Tell which voice of a mixed sound is meant, as in ``voice:1``; None where it is a sound of its own.

    Args:
        speaker: What somebody says.
        folder: Where files lie: one of that very name is a sound of its own.
    """
    sound = speaker.audio if isinstance(speaker, Speaker) else speaker
    if not (isinstance(sound, str) and sound.startswith(VOICE)) or (folder / sound).exists():
        return None
    return int(sound[len(VOICE) :]) if sound[len(VOICE) :].isdecimal() else None


def check_said(
    audio: object,
    speakers: Mapping[int, Sound | Speaker],
    *,
    lips_from: object = None,
    folder: Path = Path(),
) -> None:
    """Raise where it is not clear who says what.

    Args:
        audio: What one says, or of what several say a voice each; None for nothing.
        speakers: Who says what else, by the number of the face.
        lips_from: What the lips of one follow instead; None for nothing.
        folder: As of ``voice_of``.

    Raises:
        SettingsError: It is not.
    """
    if not speakers:
        return
    if lips_from is not None:
        raise SettingsError("lips_from is for one who speaks, and speakers are several; leave one of them out.")
    voices = [voice_of(one, folder) for one in speakers.values()]
    if audio is None and any(voice is not None for voice in voices):
        raise SettingsError("voice:1 is a voice of a sound in which several speak: give that sound as audio.")
    if audio is not None and None in voices:
        raise SettingsError(
            "give either audio, said by one, or speakers, who each have a sound; got both. Of one sound in which "
            "several speak each can say a voice, as voice:1."
        )
    for number, one in speakers.items() if audio is not None else ():
        if isinstance(one, Speaker) and one.begin:
            raise SettingsError(f"Face {number} says a voice of a mixed sound, and begins when that does: leave out @.")
