"""Videos that exist: what they hold, and their frames in order, chunk by chunk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from ..errors import InputError, MediaError
from ..types import Frames
from .colour import BT709, FULL_RANGE, LIMITED_RANGE
from .files import check_readable
from .pixels import Bytes, as_frames
from .source import open_source

MOST_CHUNK = 16
"""Frames in a chunk at most."""
CHUNK_PIXELS = 1 << 21
"""Pixels in a chunk at most, so that large frames come in smaller chunks: 25 MB as float."""

_WANTED = "a video (MP4, MOV, MKV, WebM or AVI)"
_NOT_VIDEOS = {"tty", "image2"}
_ATTACHED_PICTURE = 0x400
_UNSPECIFIED = {2}
_BT601 = 5
_BT2020_CONSTANT, _BT2020 = 10, 9
_HD_HEIGHT = 720
_SWS_FLAGS = 0x4 | 0x2000 | 0x40000
"""swscale's bicubic, full chroma interpolation and accurate rounding: without them chroma is taken from the nearest."""
_DECODER_THREADS = 2


@dataclass(frozen=True)
class VideoInfo:
    """What a video file holds."""

    size: tuple[int, int]
    """(h, w) of the frames as they are seen, after rotation."""
    fps: Fraction
    """Frames per second; of a video with varying times the mean."""
    length: int
    """Number of frames that ``read_video`` yields from the start."""
    duration: float
    """Seconds: length / fps."""
    has_audio: bool
    """Whether there is a sound track."""
    start: float
    """The first frame's time stamp in seconds; not 0 where an encoder or a cut left an offset."""
    steady: bool
    """Whether every frame lies on the grid of ``fps``; if not, ``read_video`` repeats and drops frames."""


def probe_video(path: str | os.PathLike[str]) -> VideoInfo:
    """Look at a video: its frames are counted, not believed from the header.

    Args:
        path: A video file.

    Raises:
        MediaError: The file is missing or is not a video that can be decoded.
        InputError: There is no picture track.
    """
    path = check_readable(path, _WANTED)
    with _opened(path) as (container, stream):
        times = sorted(_times(container, stream))
        rate = stream.average_rate or stream.guessed_rate
        has_audio = bool(container.streams.audio)
    if not times:
        raise MediaError(f"Expected {_WANTED} in {path}, got one without a single frame.")
    with _opened(path) as (container, stream):
        frame = next(container.decode(stream), None)
        if frame is None:
            raise MediaError(f"Expected {_WANTED} in {path}, got one of which no frame can be decoded.")
        height, width = _upright(np.empty((frame.height, frame.width)), frame).shape
    fps = _rate(times, rate)
    steady = all(abs((time - times[0]) * fps - index) < 0.5 for index, time in enumerate(times))
    length = len(times) if steady else round((times[-1] - times[0]) * fps) + 1
    return VideoInfo((height, width), fps, length, float(length / fps), has_audio, float(times[0]), steady)


def read_video(path: str | os.PathLike[str], start: float = 0, info: VideoInfo | None = None) -> Iterator[Frames]:
    """Read a video's frames in order, upright, in the colours that its tags mean.

    Untagged videos are taken as BT.709 from 720 lines on, else as BT.601; limited range unless tagged full. Where
    frames come at varying times, they are repeated or dropped to an even ``fps``, so that the sound still fits.

    Args:
        path: A video file.
        start: Seconds from the first frame to leave out.
        info: What ``probe_video`` found, where the file has not changed since; it takes as long as some ten frames.

    Yields:
        (n, 3, h, w) RGB float32 in [0, 1], n at most ``MOST_CHUNK``.

    Raises:
        MediaError: The file is missing or is not a video that can be decoded.
        InputError: There is no picture track.
    """
    info = info or probe_video(path)
    skip = round(start * info.fps)
    most = max(1, min(MOST_CHUNK, CHUNK_PIXELS // (info.size[0] * info.size[1])))
    chunk: list[Bytes] = []
    for index, pixels in enumerate(_paced(Path(path), info)):
        if index >= skip:
            chunk.append(pixels)
        if len(chunk) == most:
            yield as_frames(chunk)
            chunk = []
    if chunk:
        yield as_frames(chunk)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open ``path`` and find its picture track; cover art is none."""
    try:
        with open_source(path) as container:
            streams = [s for s in container.streams.video if not s.disposition.value & _ATTACHED_PICTURE]
            if container.format.name.endswith("_pipe") or container.format.name in _NOT_VIDEOS:
                raise MediaError(f"Expected {_WANTED}, got a picture or a text in {path}.")
            if not streams:
                raise InputError(f"Expected {_WANTED}, got no picture track in {path}; choose a video.")
            streams[0].codec_context.thread_count = _DECODER_THREADS
            streams[0].thread_type = "AUTO"
            yield container, streams[0]
    except (FFmpegError, UnicodeDecodeError) as error:
        raise MediaError(f"Expected {_WANTED} in {path}, which cannot be decoded ({error}).") from error


def _times(container: InputContainer, stream: VideoStream) -> list[Fraction]:
    """Collect the time stamps of all frames that are shown, in coding order; without stamps, by count."""
    stamps = [packet.pts for packet in container.demux(stream) if packet.size and not packet.is_discard]
    unit = stream.time_base or Fraction(1)
    if any(stamp is None for stamp in stamps):
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        return [index / rate for index in range(len(stamps))]
    return [stamp * unit for stamp in stamps if stamp is not None]


def _rate(times: list[Fraction], announced: Fraction | None) -> Fraction:
    """Choose the frame rate: the header's where the frames keep it, else what the frames say."""
    span = times[-1] - times[0]
    if announced and (span == 0 or abs(announced * span - (len(times) - 1)) < 0.5):
        return Fraction(announced)
    return ((len(times) - 1) / span).limit_denominator(1001) if span else Fraction(25)


def _paced(path: Path, info: VideoInfo) -> Iterator[Bytes]:
    """Yield exactly ``info.length`` frames (h, w, 3) uint8, the n-th being what is seen at n / fps."""
    shown, pixels = 0, None
    with _opened(path) as (container, stream):
        reformatter = VideoReformatter()
        for count, frame in enumerate(container.decode(stream)):
            due = count if info.steady or frame.time is None else round((frame.time - info.start) * info.fps)
            while pixels is not None and shown < min(due, info.length):
                yield pixels
                shown += 1
            pixels = _rgb(frame, reformatter)
    while pixels is not None and shown < info.length:  # a damaged end is filled with the last frame
        yield pixels
        shown += 1


def _rgb(frame: av.VideoFrame, reformatter: VideoReformatter) -> Bytes:
    """Convert to (h, w, 3) uint8, upright."""
    if frame.format.name == "gbrp":
        return np.asarray(_upright(_planes(frame).transpose(1, 2, 0), frame), np.uint8)
    if not frame.format.is_rgb:
        full = frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")
        matrix = _matrix(frame)
        frame = reformatter.reformat(
            frame,
            format="rgb24",
            src_colorspace=matrix,
            dst_colorspace=BT709 if matrix == _BT601 else _BT601,  # RGB has none, but equal ones skip src_colorspace
            src_color_range=FULL_RANGE if full else LIMITED_RANGE,
            dst_color_range=FULL_RANGE,
            interpolation=_SWS_FLAGS,
        )
    elif frame.format.name != "rgb24":
        frame = reformatter.reformat(frame, format="rgb24", interpolation=_SWS_FLAGS)
    return np.ascontiguousarray(_upright(frame.to_ndarray(), frame), np.uint8)


def _planes(frame: av.VideoFrame) -> Bytes:
    """Copy the planes of a frame of green, blue and red: (3, h, w), red first."""
    planes = np.empty((3, frame.height, frame.width), np.uint8)
    for plane, into in zip(frame.planes, (planes[1], planes[2], planes[0]), strict=True):
        rows = np.frombuffer(cast("Any", plane), np.uint8).reshape(-1, plane.line_size)
        into[:] = rows[: frame.height, : frame.width]
    return planes


def _matrix(frame: av.VideoFrame) -> int:
    """Return swscale's code of the frame's matrix, which are those of ITU-T H.273."""
    if frame.colorspace == _BT2020_CONSTANT:
        return _BT2020
    if frame.colorspace in _UNSPECIFIED:
        return BT709 if frame.height >= _HD_HEIGHT else _BT601
    return frame.colorspace


def _upright(pixels: npt.NDArray[np.generic], frame: av.VideoFrame) -> npt.NDArray[np.generic]:
    return np.rot90(pixels, round(frame.rotation / 90) % 4)
