"""Who says what, as people write it down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from ..errors import SettingsError
from ..types import Audio

Sound: TypeAlias = str | Path | Audio | Mapping[str, Any] | BinaryIO
"""A sound file, a sound, or a stream of a file's bytes."""


class Speaker(NamedTuple):
    """What one person of a picture says, and from when on."""

    audio: Sound
    begin: float = 0.0
    """Seconds of the video before the sound begins; the speaker listens until then."""


def read_speaker(text: str, folder: Path = Path()) -> tuple[int, Speaker]:
    """Read who says what: ``N=SOUND`` or ``N=SOUND@SECONDS``, such as ``1=b.wav@2.5``.

    Args:
        text: The face's number, a sound file, and when it begins; what is a file's whole name has no beginning.
        folder: Where files lie.

    Raises:
        SettingsError: It is written otherwise.
    """
    number, equals, sound = text.partition("=")
    if not (equals and number.strip().isdecimal() and sound.strip()):
        raise SettingsError(
            "expected N=SOUND or N=SOUND@SECONDS, N being a face's number, such as 0=a.wav or 1=b.wav@2.5; "
            f"got {text!r}"
        )
    sound = sound.strip()
    name, at, seconds = sound.rpartition("@")
    if at and name and not (folder / sound).exists():
        try:
            return int(number), Speaker(name, float(seconds))
        except ValueError:
            pass
    return int(number), Speaker(sound)
