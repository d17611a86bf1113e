"""Sounds: files to samples.

A sound is the one thing that is held whole, so nothing here makes a second copy of it without need: files are decoded
into one buffer.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import av
import numpy as np
import torch
from av.container import InputContainer
from av.error import FFmpegError

from ..errors import InputError, MediaError, SonicWarning
from ..memory import memory_errors
from ..types import Audio
from .chained import chain_of, opened_part
from .files import check_readable, in_a_file
from .mixing import BLOCK, mix
from .seen.pace import LONGEST_PAUSE
from .source import UNREADABLE, open_source, packets, sound_track, tell_tracks
from .spool import Samples, room

SHORTEST = 0.1
"""Seconds below which a sound cannot be animated."""

_WANTED = "a sound (WAV, MP3, M4A, FLAC, OGG, Opus or a video's sound track)"
_GAP = 0.05
"""Seconds of missing sound from which silence is filled in; less is a rounded time stamp."""
_BACK = 1.0
"""Seconds by which time stamps go back where another sound was joined; less is disorder."""
_LONGEST_EXPECTED = 3600.0
"""Seconds for which space is set aside on the header's word; a longer sound makes the space grow."""
_ENDLESS = 1 << 62
_SCALES = {"uint8": (128.0, 2.0**7), "int16": (0.0, 2.0**15), "int32": (0.0, 2.0**31), "int64": (0.0, 2.0**63)}
"""Silence and full scale of each integer type."""
_OPUS_RATE = 48000
"""Samples per second that Opus counts, whatever its own rate (RFC 7845, section 4)."""
_LONGEST_PADDING = 4096
"""Samples that an AAC encoder may append to fill its last frame."""


def read_audio(path: str | os.PathLike[str], start: float = 0.0, duration: float | None = None) -> Audio:
    """Read a sound, or a part of it, at its own rate and with its own channels.

    What an encoder put before the first sample (MP3, AAC, Opus) is left out, as FFmpeg does it. Floating-point files
    may exceed ±1; they are kept as they are, and clipped only when encoded.

    Args:
        path: Anything with a sound track that FFmpeg decodes, a video too, or a pipe from which it comes; of several,
            the default track is taken, and a warning says so.
        start: Seconds to leave out at the beginning.
        duration: Seconds to read at most; None reads to the end.

    Returns:
        Samples (channels, n) float32, finite, at least ``SHORTEST`` long.

    Raises:
        MediaError: The file is missing or cannot be decoded.
        InputError: There is no sound track, the sound or the part is too short, or a sample is not a finite number.
    """
    if not (math.isfinite(start) and start >= 0):
        raise InputError(f"Expected a start of 0 seconds or more, got {start}.")
    if duration is not None and not (math.isfinite(duration) and duration > 0):
        raise InputError(f"Expected a duration above 0 seconds, got {duration}; leave it out for the whole sound.")
    with memory_errors(), in_a_file(path, _WANTED) as file:
        audio = _read(file, None, start, duration)
    if audio is None:
        raise InputError(f"Expected {_WANTED}, got no sound track in {path}; choose a file with sound.")
    if audio.duration < SHORTEST:
        part = f" from {start:g} s on" if start else ""
        raise InputError(
            f"Expected at least {SHORTEST:g} s of sound{part}, got {audio.duration:.3g} s in {path}; use a longer one."
        )
    return audio


def read_track(path: str | os.PathLike[str], origin: float) -> Audio | None:
    """Read a video's sound such that its first sample sounds ``origin`` seconds after the file's zero.

    A sound that begins earlier loses its beginning, one that begins later is preceded by silence, so that picture and
    sound stay together when the first frame is shown at ``origin``. Samples that are not numbers become silence,
    with a warning.

    Args:
        path: A video.
        origin: The time stamp of the first frame in seconds.

    Returns:
        The sound, or None when there is no sound track or nothing on it.

    Raises:
        MediaError: The file is missing or cannot be decoded.
    """
    audio = _read(check_readable(path, _WANTED), origin, 0.0, None)
    return audio if audio is not None and audio.samples.shape[1] else None


class SoundBuffer:
    """Samples that grow at the end, in one piece."""

    def __init__(self, channels: int, expected: int) -> None:
        self.samples, self.mapped = room(channels, max(expected, BLOCK))
        self.count = 0

    def append(self, block: Samples) -> None:
        """Add samples (channels, n)."""
        end = self.count + block.shape[1]
        if end > self.samples.shape[1]:
            grown, mapped = room(len(self.samples), end + end // 2)
            grown[:, : self.count] = self.samples[:, : self.count]
            self.samples, self.mapped = grown, mapped
        self.samples[:, self.count : end] = block
        self.count = end


def _read(path: Path, origin: float | None, start: float, duration: float | None) -> Audio | None:
    """Decode ``duration`` seconds from ``start`` seconds after ``origin``; None without a sound track.

    Args:
        path: An existing file.
        origin: The container's time that counts as 0; None for the first sample's.
        start: Seconds to leave out.
        duration: Seconds to keep, None for all.
    """
    try:
        with open_source(path) as container:
            track = sound_track(container)
            if track is None:
                return None
            tell_tracks(container, track, path)
            frames = sound_frames(container, path, None if duration is None else start + duration)
            first = next(frames, None)
            if first is None:
                return Audio(torch.zeros(1, 0), track.rate or 1)
            rate, surround = first.sample_rate, is_surround(first.layout, container)
            lead = -round(start * rate)
            if origin is not None:
                lead += round(_late((first.time or 0.0) - origin, path) * rate)
            most = round(duration * rate) if duration is not None else _ENDLESS
            buffer = SoundBuffer(first.layout.nb_channels, min(most, _expected(container, rate)))
            _collect(continuous(chain([first], frames), path, strict=origin is None), buffer, lead, most)
            buffer.count = max(0, buffer.count - padding(container, buffer.count - lead, rate))
    except (FFmpegError, UnicodeDecodeError) as error:
        raise MediaError(f"Expected {_WANTED} in {path}, which cannot be decoded ({error}).") from error
    samples = torch.from_numpy(buffer.samples[:, : buffer.count])
    audio = Audio(samples, rate, buffer.mapped, surround=surround)
    audio.rest()
    return audio


def _late(seconds: float, path: Path) -> float:
    """Return by how much a sound begins after the picture; where it cannot be meant, 0, with a word."""
    if abs(seconds) <= LONGEST_PAUSE:
        return seconds
    _tell_jump(seconds, path)
    return 0.0


def _tell_jump(seconds: float, path: Path) -> None:
    warnings.warn(
        f"The time stamps of the sound in {path} jump by {seconds:.0f} s, which cannot be meant; it goes on at once.",
        SonicWarning,
        stacklevel=3,
    )


def is_surround(layout: av.AudioLayout, container: InputContainer | None = None) -> bool:
    """Tell whether six or eight channels are loudspeakers around a listener, and not microphones.

    Args:
        layout: What the file says of them.
        container: The file; Matroska cannot say it of plain samples, and is believed.
    """
    untold = container is not None and "matroska" in container.format.name
    return layout.name.startswith(("5.1", "7.1")) or (untold and layout.name.endswith("channels"))


def _collect(blocks: Iterator[Samples], buffer: SoundBuffer, lead: int, most: int) -> None:
    """Fill ``buffer`` with at most ``most`` samples: silence for a positive ``lead``, a late start for a negative."""
    skip = max(0, -lead)
    for block in chain(_silence(len(buffer.samples), min(lead, most)), blocks):
        buffer.append(block[:, skip:][:, : most - buffer.count])
        skip = max(0, skip - block.shape[1])
        if buffer.count >= most:
            return


def _silence(channels: int, count: int) -> Iterator[Samples]:
    """Make ``count`` samples of silence, block by block; none for a negative number."""
    for first in range(0, count, BLOCK):
        yield np.zeros((channels, min(BLOCK, count - first)), np.float32)


def padding(container: InputContainer, count: int, rate: int) -> int:
    """Count, of ``count`` samples, those that fill the last AAC frame of an MP4: its header knows the true length."""
    stream = sound_track(container)
    if "mp4" not in container.format.name or stream is None or not stream.duration or not stream.time_base:
        return 0
    excess = count - round(stream.duration * stream.time_base * rate)
    return excess if 0 < excess < _LONGEST_PADDING else 0


def sound_frames(container: InputContainer, path: Path, seconds: float | None = None) -> Iterator[av.AudioFrame]:
    """Decode the sound track that is meant, all of it with the rate and channels of its beginning.

    Packets that cannot be decoded are left out, and said so at the end.

    Args:
        container: The file, opened.
        path: The file.
        seconds: Nobody will ask for more than these; None: for all.
    """
    alike, damaged = _Alike(), [0]
    parts = chain_of(path, _granules(container, seconds)) if container.format.name == "ogg" and path.is_file() else []
    if parts[1:]:
        for begin, end in parts:
            with opened_part(path, begin, end) as part:
                for frame in _track_frames(part, damaged):
                    yield from alike.made(frame)
    else:
        for frame in _track_frames(container, damaged):
            yield from alike.made(frame)
    yield from alike.rest()
    if damaged[0]:
        warnings.warn(f"{damaged[0]} damaged packets of the sound in {path} were left out.", SonicWarning, stacklevel=2)


def _granules(container: InputContainer, seconds: float | None) -> int | None:
    """Tell what the pages of an Ogg file count up to in so many seconds; None where that cannot be said."""
    track = sound_track(container)
    if seconds is None or track is None or len(container.streams) > 1:
        return None
    return math.ceil(min(seconds, _ENDLESS) * max(track.rate or 0, _OPUS_RATE))


def _track_frames(container: InputContainer, damaged: list[int]) -> Iterator[av.AudioFrame]:
    """Decode the sound track that is meant, and count in ``damaged`` what cannot be."""
    track = sound_track(container)
    for packet in () if track is None else packets(container, track):
        try:
            frames = packet.decode()
        except UNREADABLE:
            damaged[0] += 1
            continue
        yield from (frame for frame in frames if isinstance(frame, av.AudioFrame))


class _Alike:
    """Brings sounds that were joined to the rate and the channels of the first."""

    def __init__(self) -> None:
        self._first: av.AudioFrame | None = None
        self._given: tuple[int, str] | None = None
        self._resampler: av.AudioResampler | None = None

    def made(self, frame: av.AudioFrame) -> Iterator[av.AudioFrame]:
        """Take a frame, and yield what is ready."""
        self._first = first = self._first or frame
        kind = frame.sample_rate, frame.layout.name
        if kind != self._given:
            yield from self.rest()
            self._given = kind
            if kind != (first.sample_rate, first.layout.name):
                self._resampler = av.AudioResampler("flt", frame.layout, first.sample_rate)
        yield from [frame] if self._resampler is None else map(self._mixed, self._resampler.resample(frame))

    def rest(self) -> Iterator[av.AudioFrame]:
        """Yield what is still on its way."""
        if self._resampler is not None:
            yield from map(self._mixed, self._resampler.resample(None))
        self._resampler = None

    def _mixed(self, frame: av.AudioFrame) -> av.AudioFrame:
        """Mix to as many channels as the first frame has, as ``mono`` and ``stereo`` do it."""
        wanted = frame.layout if self._first is None else self._first.layout
        have, channels = frame.layout.nb_channels, wanted.nb_channels
        if have == channels:
            return frame
        samples = frame.to_ndarray().reshape(-1, have).T
        fewer = min(channels, 2 if have > 1 else 1)
        samples = mix(have, fewer, surround=is_surround(frame.layout)).numpy() @ samples if fewer < have else samples
        if fewer < channels:
            samples = np.repeat(samples.mean(0, keepdims=True), channels, 0)
        made = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.T.reshape(1, -1), np.float32), "flt", wanted.name
        )
        made.sample_rate, made.pts, made.time_base = frame.sample_rate, frame.pts, frame.time_base
        return made


def continuous(frames: Iterable[av.AudioFrame], path: Path, *, strict: bool) -> Iterator[Samples]:
    """Turn frames of one rate to float blocks (channels, n), silence where the time stamps leave a gap.

    Samples that are not numbers are refused where ``strict``, else they become silence.
    """
    rate, channels, begins, count = 0, 0, 0.0, 0
    mend = _Mending(path, strict=strict)
    for frame in frames:
        if not rate:
            rate, channels, begins = frame.sample_rate, frame.layout.nb_channels, frame.time or 0.0
        missing = 0 if frame.time is None else round((frame.time - begins) * rate) - count
        if missing > LONGEST_PAUSE * rate:
            _tell_jump(missing / rate, path)
        if not -_BACK * rate <= missing <= LONGEST_PAUSE * rate:
            begins += missing / rate
        elif missing > _GAP * rate:
            yield from _silence(channels, missing)
            count += missing
        block = mend(_floats(frame))
        yield block
        count += block.shape[1]
    mend.tell()


class _Mending:
    """Looks for samples that are not numbers, and refuses them or puts silence in their place."""

    def __init__(self, path: Path, *, strict: bool) -> None:
        self.path, self.strict, self.count = path, strict, 0

    def __call__(self, block: Samples) -> Samples:
        good = np.isfinite(block)
        if good.all():
            return block
        if self.strict:
            raise InputError(
                f"The sound in {self.path} has samples that are not numbers (NaN or infinite); export it again."
            )
        self.count += int((~good).sum())
        return np.where(good, block, np.float32(0))

    def tell(self) -> None:
        if self.count:
            warnings.warn(
                f"{self.count} samples of the sound in {self.path} are not numbers (NaN or infinite); "
                "they were taken as silence.",
                SonicWarning,
                stacklevel=2,
            )


def _floats(frame: av.AudioFrame) -> Samples:
    """Turn a frame of any sample format to (channels, n) float32 with full scale ±1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    centre, full = _SCALES.get(samples.dtype.name, (0.0, 1.0))
    if full == 1.0:
        return samples.astype(np.float32, copy=False)
    return ((samples - np.float64(centre)) / full).astype(np.float32)


def _expected(container: InputContainer, rate: int) -> int:
    """Estimate the samples per channel from the header, a second more than it says."""
    return round((min(_promised(container), _LONGEST_EXPECTED) + 1) * rate)


def _promised(container: InputContainer) -> float:
    """Tell how many seconds the header promises; 0 where it says nothing."""
    stream = sound_track(container)
    if stream is not None and stream.duration and stream.time_base:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0.0, (container.duration or 0) / av.time_base)


def guess_duration(path: str | os.PathLike[str]) -> float:
    """Tell how many seconds of sound a file's header promises, without decoding it; 0 where it promises none.

    Raises:
        MediaError: The file is missing or cannot be opened.
    """
    with open_source(check_readable(path, _WANTED)) as container:
        return _promised(container)
