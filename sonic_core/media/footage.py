"""Videos that exist: what they hold, and their frames in order, chunk by chunk."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from ..errors import InputError, MediaError, SonicWarning
from ..types import Frames
from .bounds import FRAME_BYTES, check_memory
from .files import check_readable
from .lazy import ByteFrame, LazyFrame
from .mark import Mark, read_mark
from .pixels import Bytes, as_frames
from .seen.display import Display, whole_pictures
from .seen.hdr import is_strange, name_of
from .seen.pace import BACK, FrameTimes, choose_rate, is_steady, on_one_line
from .seen.planar import PartReader, PlanarFrame, find_siting
from .source import UNREADABLE, open_source, packets, picture_track

MOST_CHUNK = 16
"""Frames in a chunk at most."""
CHUNK_PIXELS = 1 << 21
"""Pixels in a chunk at most, so that large frames come in smaller chunks: 25 MB as float."""

_WANTED = "a video (MP4, MOV, MKV, WebM or AVI)"
_NOT_VIDEOS = {"tty", "image2"}
_IN_CODING_ORDER = {"avi"}
"""Containers that tell when a frame is decoded, and nothing of when it is shown."""
_DECODER_THREADS = 2
Seen = TypeVar("Seen")
_Shows: TypeAlias = tuple[Display, Callable[[av.VideoFrame], Seen]]
"""How a video's frames are shown, and what makes of a decoded one what is handed on."""
_TRANSPARENT = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that heed the transparency of WebM, which FFmpeg's own do not."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video file holds."""

    size: tuple[int, int]
    """(h, w) of the frames as they are seen: upright, with square pixels."""
    fps: Fraction
    """Frames per second: what the file says, where its frames keep to it; else the rate under which none is lost."""
    length: int
    """Number of frames that ``read_video`` yields from the start."""
    duration: float
    """Seconds: length / fps."""
    has_audio: bool
    """Whether there is a sound track."""
    start: float
    """The first frame's time stamp in seconds; not 0 where an encoder or a cut left an offset."""
    steady: bool
    """Whether every frame lies on its own place of the grid of ``fps``; if not, ``read_video`` holds frames."""
    stamped: bool = True
    """Whether each frame has its own time stamp; if not, they are counted."""
    mark: Mark | None = None
    """What the file says of itself, where a program of this kind wrote it."""
    siting: int | None = None
    """Where its chroma lies, ``lazy.LEFT`` or ``CENTRE``, if an encoder may have its frames as they came."""


@dataclass(frozen=True)
class _Times:
    """When a video's frames are shown, in seconds."""

    stamps: list[Fraction]
    """Sorted."""
    last: Fraction
    """How long the last one is shown, 0 if nobody says."""
    told: bool
    """Whether each frame says so; if not, the first frame has the first stamp, and so on."""


def probe_video(path: str | os.PathLike[str]) -> VideoInfo:
    """Look at a video: its frames are counted, not believed from the header.

    Where its colours will be converted, which nobody may expect, a warning says so.

    Args:
        path: A video file.

    Raises:
        MediaError: The file is missing or is not a video that can be decoded.
        InputError: There is no picture track, or the frames are too large.
    """
    path = check_readable(path, _WANTED)
    with _opened(path) as (container, stream):
        times = _times(container, stream)
        announced = (stream.average_rate, stream.guessed_rate, stream.base_rate)
        has_audio, mark = bool(container.streams.audio), read_mark(container.metadata)
    if not times.stamps:
        raise MediaError(f"Expected {_WANTED} in {path}, got one without a single frame.")
    with _opened(path) as (container, stream), closing(_decoded(container, stream, path)) as frames:
        frame = next(frames, None)
        if frame is None:
            raise MediaError(f"Expected {_WANTED} in {path}, got one of which no frame can be decoded.")
        display = Display(stream)
        size, colours = display.seen_size(frame), display.colours(frame)
        siting = find_siting(display, frame)
    check_memory(path, size, FRAME_BYTES, "film")
    if is_strange(*colours):
        warnings.warn(
            f"{path} is {name_of(*colours)}; it was converted to ordinary colours.", SonicWarning, stacklevel=2
        )
    stamps = times.stamps
    fps = choose_rate(stamps, announced)
    steady, length = is_steady(stamps, fps), len(stamps)
    if not steady:
        grid = FrameTimes(fps, stamps[0])
        length = max(grid.place(stamp) for stamp in stamps) + max(1, round(times.last * fps))
    start = float(stamps[0])
    return VideoInfo(size, fps, length, float(length / fps), has_audio, start, steady, times.told, mark, siting)


@dataclass(frozen=True)
class Footage:
    """The frames of a video file, from the beginning at each call."""

    path: Path
    info: VideoInfo

    def __call__(self) -> Iterator[Frames]:
        """Read them as they are meant to be seen."""
        return read_video(self.path, info=self.info)

    def reduced(self, reduction: int) -> Iterator[Frames]:
        """Read them so many times smaller, for machines that only look, in a third of the time."""
        return read_video(self.path, info=self.info, reduction=reduction)

    @property
    def siting(self) -> int | None:
        """Where the frames have their chroma if most can be encoded as they came."""
        return self.info.siting

    def lazy(self) -> Iterator[LazyFrame]:
        """Read them without converting any, unless they must be turned, put together or brought to other colours."""
        return _paced(self.path, self.info, _lazily)


def read_video(
    path: str | os.PathLike[str], start: float = 0, info: VideoInfo | None = None, reduction: int = 1
) -> Iterator[Frames]:
    """Read a video's frames in order as they are meant to be seen.

    They are turned and mirrored as the file says, have square pixels and the first one's size, and show a light grey
    where they are transparent; fields become whole pictures. Colours are what the tags mean: HDR and wide gamuts are
    converted to ordinary ones, untagged videos are taken as BT.709 from 720 lines on, else as BT.601; limited range
    unless tagged full. Where frames come at varying times, they are held to an even ``fps``, so that the sound still
    fits.

    Args:
        path: A video file.
        start: Seconds from the first frame to leave out.
        info: What ``probe_video`` found, where the file has not changed since; it takes as long as some ten frames.
        reduction: How many times smaller they shall be, for who only looks at them: colours are a little rougher.

    Yields:
        (n, 3, h, w) RGB float32 in [0, 1], n at most ``MOST_CHUNK``.

    Raises:
        MediaError: The file is missing or is not a video that can be decoded.
        InputError: There is no picture track, or the frames are too large.
    """
    info = info or probe_video(path)
    skip = round(start * info.fps)
    most = max(1, min(MOST_CHUNK, CHUNK_PIXELS // (info.size[0] * info.size[1])))
    chunk: list[Bytes] = []
    for index, pixels in enumerate(_paced(Path(path), info, partial(_at_once, reduction))):
        if index >= skip:
            chunk.append(pixels)
        if len(chunk) == most:
            yield as_frames(chunk)
            chunk = []
    if chunk:
        yield as_frames(chunk)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open ``path`` and find its picture track."""
    try:
        with open_source(path) as container:
            if container.format.name.endswith("_pipe") or container.format.name in _NOT_VIDEOS:
                raise MediaError(f"Expected {_WANTED}, got a picture or a text in {path}.")
            stream = picture_track(container)
            if stream is None:
                raise InputError(f"Expected {_WANTED}, got no picture track in {path}; choose a video.")
            context = stream.codec_context
            check_memory(path, (context.height, context.width), FRAME_BYTES, "film")
            context.thread_count = _DECODER_THREADS
            stream.thread_type = "AUTO"
            yield container, stream
    except (FFmpegError, UnicodeDecodeError) as error:
        raise MediaError(f"Expected {_WANTED} in {path}, which cannot be decoded ({error}).") from error


def _times(container: InputContainer, stream: VideoStream) -> _Times:
    """Collect the time stamps of all frames that are shown; without stamps, by count."""
    codec, unit = stream.codec_context.name, stream.time_base or Fraction(1)
    runs: list[list[int]] = [[]]
    count, coded, last = 0, None, 0
    for packet in packets(container, stream):
        if not packet.size or packet.is_discard or not _is_shown(packet, codec):
            continue
        count += 1
        if packet.dts is not None:
            if coded is not None and (packet.dts - coded) * unit < -BACK:
                runs.append([])
            coded = packet.dts
        if packet.pts is not None:
            runs[-1].append(packet.pts)
        last = (
            packet.duration or 0
        )  # where frames are reordered, the last one coded tells how long the last one is shown
    if sum(map(len, runs)) < count:
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        return _Times([index / rate for index in range(count)], Fraction(0), told=False)
    stamps = on_one_line([stamp * unit for stamp in sorted(run)] for run in runs)
    return _Times(stamps, last * unit, told=container.format.name not in _IN_CODING_ORDER)


def _is_shown(packet: Packet, codec: str) -> bool:
    """Tell whether a packet's frame is seen, and not only used by others.

    Source: RFC 6386, 9.1; VP9 Bitstream & Decoding Process Specification 0.6, 6.2, and annex B for several in one.
    """
    if codec not in _TRANSPARENT:
        return True
    content = memoryview(cast("Any", packet))
    first = content[0]
    if codec == "vp8":
        return bool(first & 0x10)
    if content[-1] & 0xE0 == 0xC0:
        return True
    first = first << 1 if first & 0x30 == 0x30 else first
    return bool(first & 0x08 or first & 0x02)


def _decoded(container: InputContainer, stream: VideoStream, path: Path) -> Generator[av.VideoFrame, None, None]:
    """Decode a track; packets that cannot be are left out, and said so at the end."""
    decoder, damaged = _decoder(stream), 0
    for packet in packets(container, stream):
        if not packet.size and packet.pts is not None:
            continue  # nothing new is shown
        try:
            yield from decoder.decode(packet)
        except UNREADABLE:
            damaged += 1
    if damaged:
        warnings.warn(f"{damaged} damaged packets of the picture in {path} were left out.", SonicWarning, stacklevel=2)


def _decoder(stream: VideoStream) -> VideoCodecContext:
    """Return the track's decoder, or for a transparent one another that heeds it."""
    own = stream.codec_context
    marked = {name.lower(): value for name, value in stream.metadata.items()}.get("alpha_mode") == "1"
    name = _TRANSPARENT.get(own.name)
    if not marked or name is None or name not in av.codecs_available:
        return own
    return cast("VideoCodecContext", av.CodecContext.create(name, "r"))


def _at_once(reduction: int, stream: VideoStream) -> _Shows[Bytes]:
    """Convert each frame when it is decoded."""
    display = Display(stream, reduction)
    return display, display.show


def _lazily(stream: VideoStream) -> _Shows[LazyFrame]:
    """Convert of a frame what somebody looks at, in whatever thread that is done."""
    display, reader, looker = Display(stream), PartReader(Display(stream)), PartReader(Display(stream, reduction=2))

    def show(frame: av.VideoFrame) -> LazyFrame:
        if not display.is_plain(frame):
            return ByteFrame(display.show(frame))
        display.size = frame.height, frame.width
        return PlanarFrame(frame, reader.read, looker.read)

    return display, show


def _paced(path: Path, info: VideoInfo, begin: Callable[[VideoStream], _Shows[Seen]]) -> Iterator[Seen]:
    """Yield exactly ``info.length`` frames, the n-th being what is seen at n / fps."""
    shown, pixels = 0, None
    with _opened(path) as (container, stream):
        display, show = begin(stream)
        frames = whole_pictures(_decoded(container, stream, path))
        for due, frame in _placed(frames, path, info):
            check_memory(path, (frame.height, frame.width), FRAME_BYTES, "film")
            while pixels is not None and shown < min(due, info.length):
                yield pixels
                shown += 1
            pixels = show(frame)
    while pixels is not None and shown < info.length:  # a damaged end is filled with the last frame
        yield pixels
        shown += 1
    if display.changed:
        warnings.warn(
            f"The picture in {path} changes its size half-way; it was fitted into the first one.",
            SonicWarning,
            stacklevel=2,
        )


def _placed(frames: Iterator[av.VideoFrame], path: Path, info: VideoInfo) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield each frame with its place on the grid, and none that has no place of its own."""
    stamps: list[Fraction] = []
    if not info.stamped and not info.steady:
        with _opened(path) as (container, stream):
            stamps = _times(container, stream).stamps
    grid = FrameTimes(info.fps, info.start)
    for count, frame in enumerate(frames):
        time = frame.time if info.stamped else stamps[count] if count < len(stamps) else None
        before = grid.last
        place = count if time is None else grid.place(time)
        if time is None or place > before:
            yield place, frame
