"""Videos in FFmpeg's containers: MP4, MOV, WebM, Matroska."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from .ahead import read_ahead
from .colour import BT709, LAYOUTS, Layout
from .files import file_errors
from .formats import BRIEF, CENTRED, Encoder, Format
from .pixels import Pixels
from .reel import STAGE, Reel
from .source import ffmpeg_name
from .threads import usual_priority
from .track import SoundTrack

_PLANES = {"yuv422p10le": 2, "gbrp": 3}
"""Formats that are filled by hand, as older PyAVs do not take them or take them slowly, and how many times as high as
the frame their planes are, one below the other."""
_WITH_TEXTS = {"mp4", "mov"}
"""Containers that keep texts of any name only when told so."""


def write_container(
    target: Path, part: Path | BinaryIO, file: Format, reel: Reel, *, crf: float | None, preset: str | None = None
) -> None:
    """Write picture and sound side by side, both from zero.

    Args:
        target: The name that messages tell.
        part: The file to write, or a stream that takes bytes and need not be rewound.
        file: A format with a container and an encoder.
        reel: What to write.
        crf: The encoder's quality, where it has one.
        preset: The encoder's preset in place of the format's: "faster" takes two thirds of x264's time at "medium" for
            0.3 dB less at the same size.

    Raises:
        MediaError: The file cannot be written, or the chunks hold other frames than announced.
    """
    encoder, layout = file.encoder, LAYOUTS[file.pixels]
    with opened(target, part, file.container, _container_options(file, reel)) as container:
        container.metadata.update(reel.metadata)
        with file_errors(target):
            stream = picture_stream(container, file, reel, _options(encoder, crf, preset, reel))
            sound = None
            if reel.audio is not None and file.sound is not None:
                sound = SoundTrack(container, reel.audio, file.sound, reel.samples)
        done = 0
        with closing(read_ahead(reel.frames(layout.convert, layout.steps))) as frames:
            for done, pixels in enumerate(frames, start=1):
                with file_errors(target):
                    frame = coded_frame(pixels, layout)
                    frame.pts, frame.time_base = done - 1, 1 / reel.fps
                    container.mux(stream.encode(frame))
                    if sound is not None:
                        sound.advance(done / reel.fps)
                reel.progress(STAGE, done, 0 if reel.open_ended else reel.length)
        with file_errors(target):
            container.mux(stream.encode(None))
            if sound is not None:
                sound.finish(done / reel.fps if reel.open_ended else None)
            container.close()


@contextmanager
def opened(
    target: Path, part: Path | BinaryIO, container: str, options: Mapping[str, str]
) -> Iterator[OutputContainer]:
    """Open ``part`` for writing; close it whatever happens, so that it can be renamed or removed."""
    pipe = None if isinstance(part, Path) else _Pipe(part)
    with file_errors(target):
        where: Any = ffmpeg_name(part) if isinstance(part, Path) else pipe
        output = av.open(where, "w", format=container, options=dict(options))
    try:
        yield output
    except BaseException:
        if pipe is not None and pipe.interrupted is not None:
            raise pipe.interrupted from None
        raise
    finally:
        with suppress(OSError, ValueError, FFmpegError):  # closed on success; else what was raised before counts
            output.close()


class _Pipe:
    """A stream as FFmpeg gets it: bytes go in at the end and are on their way at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.interrupted: KeyboardInterrupt | None = None
        """What was raised while FFmpeg waited: it passes on errors, and would lose this."""

    def write(self, data: bytes) -> int:
        """Take bytes.

        Raises:
            OSError: They cannot be written, or somebody interrupts.
        """
        try:
            written = self.stream.write(data)
            self.stream.flush()
        except KeyboardInterrupt as asked:
            self.interrupted = asked
            raise InterruptedError(errno.EINTR, "interrupted") from asked
        return written


def _container_options(file: Format, reel: Reel) -> dict[str, str]:
    options = dict(file.container_options)
    if reel.metadata and file.container in _WITH_TEXTS:
        options["movflags"] = options.get("movflags", "") + "+use_metadata_tags"
    return options


def _options(encoder: Encoder, crf: float | None, preset: str | None, reel: Reel) -> dict[str, str]:
    options = {**encoder.options, **(encoder.brief if reel.length < BRIEF else {})}
    if reel.siting is not None:
        told = f"{CENTRED[:-1]}{reel.siting}"
        options = {name: value.replace(CENTRED, told) for name, value in options.items()}
    if encoder.quality and crf is not None:
        options[encoder.quality] = str(crf)
    if preset is not None and "preset" in options:
        options["preset"] = preset
    return options


def picture_stream(container: OutputContainer, file: Format, reel: Reel, options: Mapping[str, str]) -> VideoStream:
    """Add the picture's track to a container."""
    encoder, layout = file.encoder, LAYOUTS[file.pixels]
    if encoder.name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "0")  # it writes to standard error, past FFmpeg's log; what fails is raised
    stream = cast("VideoStream", container.add_stream(encoder.name, rate=reel.fps, options=dict(options)))
    stream.height, stream.width = reel.cropped(layout.steps)
    stream.pix_fmt = file.pixels
    context = stream.codec_context
    context.bit_rate = 0  # else some encoders keep to PyAV's default instead of the quality
    context.time_base = 1 / reel.fps
    context.thread_count = min(encoder.threads, os.cpu_count() or 1)
    context.colorspace, context.color_range = layout.colour
    context.color_primaries = context.color_trc = BT709
    if file.codec_tag:
        context.codec_tag = file.codec_tag
    if encoder.name == "libsvtav1":
        with usual_priority():
            context.open()
    return stream


def coded_frame(pixels: Pixels, layout: Layout) -> av.VideoFrame:
    """Make FFmpeg's frame of what ``layout`` converted, its colours told."""
    by_hand = layout.made in _PLANES
    frame = _planar_frame(pixels, layout) if by_hand else av.VideoFrame.from_ndarray(pixels, layout.made)
    frame.colorspace, frame.color_range = layout.colour
    if hasattr(frame, "color_trc"):  # older PyAVs lack it, and only ProRes looks for it here
        frame.color_primaries = frame.color_trc = BT709
    return frame


def _planar_frame(pixels: Pixels, layout: Layout) -> av.VideoFrame:
    """Fill planes by hand."""
    rows, width = pixels.shape
    frame = av.VideoFrame(width, rows // _PLANES[layout.made], layout.made)
    flat: Any = pixels.reshape(-1)
    for plane in frame.planes:
        count = plane.width * plane.height
        room = np.frombuffer(cast("Any", plane), pixels.dtype).reshape(-1, plane.line_size // pixels.itemsize)
        room[: plane.height, : plane.width] = flat[:count].reshape(plane.height, plane.width)
        flat = flat[count:]
    return frame
