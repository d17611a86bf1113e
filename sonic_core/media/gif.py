"""GIF with a palette made for the clip.

The frames come once, and the palette is known only when all have been seen: they wait in a lossless file meanwhile.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.error import BlockingIOError as NotYetError
from av.error import EOFError as EndError
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.stream import VideoStream

from ..errors import SonicWarning
from ..types import Frames
from .ahead import closable, read_ahead
from .container import opened, write_container
from .files import file_errors, scratch_folder
from .footage import read_video
from .formats import Format
from .lossless import lossless_format
from .mark import xmp_extension
from .palette import Palette
from .pixels import Bytes, as_bytes
from .reel import STAGE, ReadyPixels, Reel

PALETTE_STAGE = "palette"
"""The name under which the first pass is reported."""

_TICKS = 100
"""GIF tells times in hundredths of a second."""
_SHORTEST = 2
"""Ticks; viewers show what is shorter five times as long."""
_COLOURS = 255
_DITHER = "dither=bayer:bayer_scale=5"
"""A fixed pattern: what does not move does not shimmer, and the file is a seventh smaller than with diffused errors."""
_HEAD, _LOOP, _TEXT_BLOCK = 13, 19, 255
"""Bytes of the header, of the block that makes it repeat, and of a piece of a comment at most."""
_HAS_COLOURS = 0x80
_EXTENSION = b"\x21\xff"
"""How the block begins that makes it repeat."""


def write_gif(target: Path, part: Path, file: Format, reel: Reel) -> None:
    """Write a GIF that repeats for ever, or as often as is asked for.

    Frame i begins at round(100 · i / fps) hundredths of a second, so that 25 frames per second are exact and at any
    rate the whole is as long as the clip; beyond 50 frames per second some are left out, as viewers show them slowly.

    Args:
        target: The name that messages tell.
        part: The file to write.
        file: The GIF's row of the table.
        reel: What to write; its texts become comments.

    Raises:
        MediaError: The file cannot be written, or the chunks hold other frames than announced.

    Source: CompuServe, Graphics Interchange Format 89a; FFmpeg's paletteuse.
    """
    if reel.fps > _TICKS // _SHORTEST:
        warnings.warn(
            f"GIF shows {_TICKS // _SHORTEST} frames per second at most: of {float(reel.fps):g} some are left out.",
            SonicWarning,
            stacklevel=3,
        )
    with scratch_folder(target) as folder:
        waiting = folder / "frames.mkv"
        palette = Palette(reel.size, reel.length)

        def report(_stage: str, done: int, total: int) -> None:
            reel.progress(PALETTE_STAGE, done, total)

        seen = replace(reel, chunks=_seen(reel.chunks, palette), audio=None, metadata={}, mark=None, progress=report)
        write_container(target, waiting, lossless_format(), seen, crf=None)
        painted = folder / "painted.gif" if reel.metadata else part
        with closing(closable(read_video(waiting))) as chunks:
            _encode(target, painted, file, replace(reel, chunks=chunks), _palette_frame(palette))
        if reel.metadata:
            with file_errors(target):
                _copied_with_comments(painted, part, reel.metadata, xmp_extension(reel.mark) if reel.mark else b"")


def show_times(fps: Fraction, length: int) -> list[int | None]:
    """Tell when each frame is shown, in hundredths of a second; None for those that would be shown too briefly.

    >>> show_times(Fraction(30), 4), show_times(Fraction(100), 4)
    ([0, 3, 7, 10], [0, None, 2, None])
    """
    times: list[int | None] = []
    last = -_SHORTEST
    for index in range(length):
        time = round(_TICKS * index / fps)
        shown = time - last >= _SHORTEST
        times.append(time if shown else None)
        last = time if shown else last
    return times


def _encode(target: Path, part: Path, file: Format, reel: Reel, palette: av.VideoFrame) -> None:
    times = show_times(reel.fps, reel.length)
    last = max(time for time in times if time is not None)
    held = max(_SHORTEST, round(_TICKS * reel.length / reel.fps) - last)
    again = (reel.plays - 1 or -1) if reel.plays else 0  # FFmpeg counts what follows the first time; -1 is nothing
    with opened(target, part, file.container, {"loop": str(again), "final_delay": str(held)}) as container:
        with file_errors(target):
            stream = cast("VideoStream", container.add_stream(file.encoder.name, rate=_TICKS))
            (stream.height, stream.width), stream.pix_fmt = reel.size, file.pixels
            stream.codec_context.time_base = Fraction(1, _TICKS)
            painter = _Painter(reel.size, palette)
        with closing(read_ahead(reel.frames(as_bytes))) as frames:
            for done, (pixels, time) in enumerate(zip(frames, times, strict=True), start=1):
                if time is not None:
                    with file_errors(target):
                        for painted in painter.paint(pixels, time):
                            container.mux(stream.encode(painted))
                reel.progress(STAGE, done, reel.length)
        with file_errors(target):
            for painted in painter.paint(None, 0):
                container.mux(stream.encode(painted))
            container.mux(stream.encode(None))
            container.close()


def _seen(chunks: Iterable[Frames | ReadyPixels], palette: Palette) -> Iterator[Frames]:
    """Pass the chunks on and show them to the palette."""
    for chunk in chunks:
        if isinstance(chunk, ReadyPixels):
            raise TypeError("expected frames, got the pixels of a format that has no palette")
        for frame in chunk:
            palette.see(as_bytes(frame))
        yield chunk


def _palette_frame(palette: Palette) -> av.VideoFrame:
    """Make the 16×16 pixels that FFmpeg takes as a palette; the last is transparent, for what does not change."""
    pixels = np.zeros((_COLOURS + 1, 4), np.uint8)
    pixels[:_COLOURS, :3] = palette.choose(_COLOURS)[:, ::-1]
    pixels[:_COLOURS, 3] = 255
    return av.VideoFrame.from_ndarray(pixels.reshape(16, 16, 4), "bgra")


class _Painter:
    """Draws frames in the colours of a palette."""

    def __init__(self, size: tuple[int, int], palette: av.VideoFrame) -> None:
        graph = Graph()
        self.source = _source(graph, *size)
        colours = graph.add_buffer(
            width=palette.width,
            height=palette.height,
            format=palette.format,
            time_base=Fraction(1, _TICKS),
            name="palette",
        )
        painter, self.sink = graph.add("paletteuse", _DITHER), graph.add("buffersink")
        self.source.link_to(painter, 0, 0)
        colours.link_to(painter, 0, 1)
        painter.link_to(self.sink)
        graph.configure()
        self.graph = graph
        palette.pts, palette.time_base = 0, Fraction(1, _TICKS)
        colours.push(palette)
        colours.push(None)

    def paint(self, pixels: Bytes | None, time: int) -> Iterator[av.VideoFrame]:
        """Give a frame (h, w, 3), or None at the end, and yield what is ready: the one before, as a rule."""
        frame = None
        if pixels is not None:
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, _TICKS)
        self.source.push(frame)
        with suppress(NotYetError, EndError):
            while True:
                yield cast("av.VideoFrame", self.sink.pull())


def _source(graph: Graph, height: int, width: int) -> FilterContext:
    return graph.add_buffer(
        width=width, height=height, format=av.VideoFormat("rgb24"), time_base=Fraction(1, _TICKS), name="frames"
    )


def _copied_with_comments(source: Path, part: Path, texts: Mapping[str, str], extension: bytes = b"") -> None:
    """Copy a GIF and put each text as a comment "name:text" before its first picture: FFmpeg takes later ones for one.

    Args:
        source: A GIF as FFmpeg writes it, with a block that makes it repeat, or without.
        part: The copy.
        texts: What to put in.
        extension: Another block, in front of these.
    """
    with source.open("rb") as before, part.open("wb") as after:
        head = before.read(_HEAD)
        colours = 3 << ((head[-3] & 7) + 1) if head[-3] & _HAS_COLOURS else 0
        after.write(head + before.read(colours))
        following = before.read(_LOOP)
        repeats = following.startswith(_EXTENSION)
        after.write(following if repeats else b"")
        after.write(extension)
        for name, text in texts.items():
            said = f"{name}:{text}".encode()
            after.write(b"\x21\xfe")
            for begin in range(0, len(said), _TEXT_BLOCK):
                block = said[begin : begin + _TEXT_BLOCK]
                after.write(bytes([len(block)]) + block)
            after.write(b"\0")
        after.write(b"" if repeats else following)
        shutil.copyfileobj(before, after)
