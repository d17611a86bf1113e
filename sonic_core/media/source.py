"""Media files opened for reading, and which of their tracks is meant."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import InvalidDataError, PatchWelcomeError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from ..errors import MediaError, SonicWarning

_LENIENT_BY_ITSELF = 19
"""Version of PyAV from which on texts that are no UTF-8 are read without being told to, and telling it is an error."""
_FILE = "file:"
"""What names are preceded by, so that FFmpeg takes none for an address."""
_DEFAULT, _COMMENT, _FOR_THE_DEAF, _FOR_THE_BLIND = 0x1, 0x8, 0x80, 0x100
_ATTACHED_PICTURE, _DEPENDENT = 0x400, 0x80000
"""FFmpeg's marks of tracks."""
UNREADABLE = (InvalidDataError, PatchWelcomeError)
"""What decoders raise for a packet that is damaged, or of a kind that they do not know, as AMR's comfort noise is."""

Track = TypeVar("Track", bound=Stream)


def open_source(path: Path) -> InputContainer:
    """Open a video or a sound; texts in it that are no UTF-8 do no harm.

    Raises:
        FFmpegError: FFmpeg cannot read it.
        MediaError: Its name is not UTF-8.
    """
    told: dict[str, Any] = (
        {} if int(av.__version__.split(".")[0]) >= _LENIENT_BY_ITSELF else {"metadata_errors": "ignore"}
    )
    return cast(InputContainer, av.open(ffmpeg_name(path), **told))


def ffmpeg_name(path: Path) -> str:
    """Return what FFmpeg knows a file by.

    Raises:
        MediaError: It cannot know it: the name is not UTF-8.
    """
    try:
        f"{path}".encode()
    except UnicodeEncodeError as error:
        shown = f"{path}".encode(errors="backslashreplace").decode()
        raise MediaError(f"{shown} has a name that is not UTF-8, by which FFmpeg opens nothing; rename it.") from error
    return f"{_FILE}{path}"


def picture_track(container: InputContainer) -> VideoStream | None:
    """Choose the picture track: the one marked as default, else the first; cover art is none. None without any.

    Raises:
        MediaError: It is coded in a way that FFmpeg does not know.
    """
    unmeant = _ATTACHED_PICTURE | _DEPENDENT
    return _chosen(
        [one for one in container.streams.video if not one.disposition.value & unmeant], container, "picture"
    )


def sound_track(container: InputContainer) -> AudioStream | None:
    """Choose the sound track: the one marked as default, else the first that is no commentary. None without any.

    Raises:
        MediaError: It is coded in a way that FFmpeg does not know.
    """
    unmeant = _COMMENT | _FOR_THE_DEAF | _FOR_THE_BLIND
    tracks = sorted(container.streams.audio, key=lambda one: bool(one.disposition.value & unmeant))
    return _chosen(tracks, container, "sound")


def tell_tracks(container: InputContainer, chosen: AudioStream, path: Path) -> None:
    """Say which sound track was taken, where there are several."""
    tracks = list(container.streams.audio)
    if not tracks[1:]:
        return
    language = chosen.language if chosen.language not in {None, "und"} else ""
    default = "the default one" if chosen.disposition.value & _DEFAULT else "no other is the default one"
    said = ", ".join(filter(None, [language, default]))
    warnings.warn(
        f"{path} has {len(tracks)} sound tracks; number {tracks.index(chosen) + 1} was taken ({said}).",
        SonicWarning,
        stacklevel=2,
    )


def packets(container: InputContainer, stream: Stream) -> Iterator[Packet]:
    """Read a track's packets as far as the file goes: one that was cut off ends where it was cut."""
    begun = False
    try:
        for packet in container.demux(stream):
            begun = True
            yield packet
    except InvalidDataError:
        if not begun:
            raise


def _chosen(tracks: Sequence[Track], container: InputContainer, what: str) -> Track | None:
    known = [one for one in tracks if one.codec_context is not None]
    if tracks and not known:
        path = container.name.removeprefix(_FILE)
        raise MediaError(
            f"The {what} in {path} is coded in a way that this FFmpeg does not know; convert it elsewhere."
        )
    marked = [one for one in known if one.disposition.value & _DEFAULT]
    return next(iter([*marked, *known]), None)
