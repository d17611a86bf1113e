"""Animated WebP, written picture by picture, so that no more than one waits in memory.

FFmpeg's own encoder of animations keeps the whole of it, and writes no EXIF, in which ComfyUI looks for the workflow.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import closing
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from ..errors import MediaError
from .ahead import read_ahead
from .colour import yuv420_601
from .files import file_errors
from .formats import Encoder, Format
from .pixels import Bytes
from .reel import STAGE, Reel

MOST_SIDE = 16383
"""Pixels that VP8 has at most on a side."""

_TICKS = 1000
"""WebP tells durations in thousandths of a second."""
_HAS_EXIF, _HAS_XMP, _MOVES = 0x08, 0x04, 0x02
_REPLACES = 0x02
"""The picture covers what was there instead of being blended with it."""
_PROMPT_TAG, _FIRST_TAG = 0x0110, 0x010F
"""EXIF's tags in which ComfyUI keeps the prompt, and from which it counts down for the other texts."""
_LONGEST = (1 << 24) - 1
_LARGEST = (1 << 32) - 2


def write_webp(target: Path, part: Path, file: Format, reel: Reel, crf: float) -> None:
    """Write an animated WebP that repeats for ever, or as often as is asked for.

    Of each frame only the rectangle that changed is stored. Frame i begins at round(1000 · i / fps) thousandths of a
    second, and the last ends with the clip. A frame equal to the one before prolongs it.

    Args:
        target: The name that messages tell.
        part: The file to write.
        file: WebP's row of the table.
        reel: What to write; its texts go into EXIF as ComfyUI writes them.
        crf: 100 minus WebP's quality.

    Raises:
        MediaError: The file cannot be written, is too large for a WebP, or the chunks hold other frames than announced.

    Source: WebP container specification (VP8X, ANIM, ANMF); RFC 9649; Exif 2.32 with TIFF 6.0's directories.
    """
    size = reel.cropped((2, 2))
    if max(size) > MOST_SIDE:
        raise MediaError(f"WebP pictures are at most {MOST_SIDE} pixels wide and high, got {size[1]}x{size[0]}.")
    with part.open("wb", buffering=0) as output, closing(read_ahead(reel.frames(yuv420_601, (2, 2)))) as frames:
        with file_errors(target):
            _write_head(output, size, reel)
        animation = _Animation(reel.fps, file.encoder, 100 - crf)
        for done, coded in enumerate(frames, start=1):
            with file_errors(target):
                _put(output, animation.add(coded))
            if output.tell() > _LARGEST:
                raise MediaError(f"{target} would be larger than a WebP can be; choose another format or a worse crf.")
            reel.progress(STAGE, done, reel.length)
        with file_errors(target):
            _put(output, animation.finish())
            if reel.metadata:
                _put(output, _chunk(b"EXIF", _exif(reel.metadata)))
            if reel.mark is not None:
                _put(output, _chunk(b"XMP ", reel.mark.xmp()))
            end = output.tell()
            output.seek(4)
            _put(output, struct.pack("<I", end - 8))


class _Animation:
    """Turns frames into chunks; the last picture waits until it is known how long it is shown."""

    def __init__(self, fps: Fraction, encoder: Encoder, quality: float) -> None:
        self.fps, self.encoder, self.quality = fps, encoder, quality
        self.count, self.begun = 0, 0
        self.before: Bytes | None = None
        self.waiting = b""

    def add(self, coded: Bytes) -> bytes:
        """Take a frame; return the chunk of the picture before it, or nothing while that is still shown."""
        chunk, box = b"", _changed(self.before, coded)
        if box is not None:
            chunk = self.finish()
            self.waiting = _picture(coded, box, self.encoder, self.quality)
            self.begun = self._now()
        self.before, self.count = coded, self.count + 1
        return chunk

    def finish(self) -> bytes:
        """Return the chunk of the picture that waits, if any, shown until now."""
        return _animation_chunk(self.waiting, self._now() - self.begun) if self.waiting else b""

    def _now(self) -> int:
        return round(_TICKS * self.count / self.fps)


def _changed(before: Bytes | None, coded: Bytes) -> tuple[int, int, int, int] | None:
    """Find the rectangle (left, top, right, bottom), even numbers, outside which nothing changed; None for nothing."""
    rows, width = coded.shape
    height = rows * 2 // 3
    if before is None:
        return 0, 0, width, height
    other = coded != before
    changed = other[:height].reshape(height // 2, 2, width // 2, 2).any((1, 3))
    changed |= other[height:].reshape(2, height // 2, width // 2).any(0)
    tall, wide = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    if not len(tall):
        return None
    return 2 * int(wide[0]), 2 * int(tall[0]), 2 * int(wide[-1]) + 2, 2 * int(tall[-1]) + 2


def _picture(coded: Bytes, box: tuple[int, int, int, int], encoder: Encoder, quality: float) -> bytes:
    """Encode the rectangle: where it lies, as in ANMF, an empty place for the duration, and the picture's chunk."""
    left, top, right, bottom = box
    rows, width = coded.shape
    height = rows * 2 // 3
    chroma = coded[height:].reshape(2, height // 2, width // 2)[:, top // 2 : bottom // 2, left // 2 : right // 2]
    part = np.concatenate([coded[top:bottom, left:right].reshape(-1), chroma.reshape(-1)])
    context = cast("VideoCodecContext", av.CodecContext.create(encoder.name, "w"))
    context.width, context.height, context.pix_fmt = right - left, bottom - top, "yuv420p"
    context.time_base = Fraction(1, _TICKS)
    context.options = {**encoder.options, encoder.quality: str(quality)}
    frame = av.VideoFrame.from_ndarray(part.reshape(-1, right - left), "yuv420p")
    frame.pts, frame.time_base = 0, Fraction(1, _TICKS)
    content = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    place = b"".join(_three(number) for number in (left // 2, top // 2, right - left - 1, bottom - top - 1))
    return place + content[content.index(b"VP8") :]


def _animation_chunk(picture: bytes, duration: int) -> bytes:
    place, content = picture[:12], picture[12:]
    return _chunk(b"ANMF", place + _three(min(duration, _LONGEST)) + bytes([_REPLACES]) + content)


def _write_head(output: FileIO, size: tuple[int, int], reel: Reel) -> None:
    height, width = size
    flags = _MOVES | (_HAS_EXIF if reel.metadata else 0) | (_HAS_XMP if reel.mark is not None else 0)
    _put(output, b"RIFF\0\0\0\0WEBP")
    _put(output, _chunk(b"VP8X", bytes([flags, 0, 0, 0]) + _three(width - 1) + _three(height - 1)))
    _put(output, _chunk(b"ANIM", struct.pack("<IH", 0, reel.plays)))  # no backdrop


def _put(output: FileIO, content: bytes) -> None:
    """Write all of it at once: what a buffer holds back is tried again, and fails again, when the file is closed."""
    rest = memoryview(content)
    while rest:
        rest = rest[output.write(rest) :]


def _exif(texts: Mapping[str, str]) -> bytes:
    """Write texts as ComfyUI does: "prompt:…" in one tag, the others in those below it."""
    rest = (name for name in texts if name != "prompt")
    tags = {_FIRST_TAG - number: name for number, name in enumerate(rest)}
    if "prompt" in texts:
        tags[_PROMPT_TAG] = "prompt"
    entries, strings = [], b""
    begin = 8 + 2 + 12 * len(tags) + 4
    for tag, name in sorted(tags.items()):
        said = f"{name}:{texts[name]}".encode() + b"\0"
        entries.append(struct.pack("<HHII", tag, 2, len(said), begin + len(strings)))  # longer than 4 by its name
        strings += said + b"\0" * (len(said) % 2)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4) + strings


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")
