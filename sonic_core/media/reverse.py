"""Frames forward, then backward: they are kept in a lossless file that is read from its end, group by group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av

from ..types import Frames, ignore_progress
from .colour import LAYOUTS
from .container import coded_frame, opened, picture_stream
from .files import file_errors, scratch_folder
from .formats import Format
from .lossless import lossless_format
from .pixels import Pixels, as_frames
from .reel import Reel

_GROUP = 8
"""Frames that can be decoded only together: as many are in memory, as integers, while they are turned round."""
_FPS = Fraction(25)
"""The rate that the file has; any would do whose times are whole milliseconds, as Matroska tells them."""


def there_and_back(chunks: Iterable[Frames], length: int, size: tuple[int, int], bits: int = 8) -> Iterator[Frames]:
    """Pass the chunks on, then yield their frames in reverse order without the last and the first.

    Closing the iterator removes the file.

    Args:
        chunks: Frames (n, 3, h, w) of any n, RGB float in [0, 1], read once.
        length: Number of frames in all chunks together.
        size: (h, w) of the frames.
        bits: 8, or 16 for what is to be written more finely: that takes six times as long.

    Yields:
        2 · length − 2 frames in all, but at least 1.

    Raises:
        MediaError: The file cannot be written.
    """
    file = lossless_format(bits)
    encoder = file.encoder
    file = replace(file, encoders=(replace(encoder, options={**encoder.options, "g": str(_GROUP)}),))
    with scratch_folder() as folder:
        path = folder / "frames.mkv"
        yield from _kept(chunks, path, file, Reel(chunks, _FPS, length, size, None, 0, {}, ignore_progress))
        yield from _backward(path, length, file.pixels)


def _kept(chunks: Iterable[Frames], path: Path, file: Format, reel: Reel) -> Iterator[Frames]:
    """Pass the chunks on and write them to ``path``."""
    layout, done = LAYOUTS[file.pixels], 0
    with opened(path, path, file.container, {}) as container:
        with file_errors(path):
            stream = picture_stream(container, file, reel, file.encoder.options)
        for chunk in chunks:
            for one in chunk:
                pixels = layout.convert(one)
                with file_errors(path):
                    frame = coded_frame(pixels, layout)
                    frame.pts, frame.time_base = done, 1 / _FPS
                    container.mux(stream.encode(frame))
                done += 1
            yield chunk
        with file_errors(path):
            container.mux(stream.encode(None))
            container.close()


def _backward(path: Path, length: int, pixels: str) -> Iterator[Frames]:
    """Yield frames ``length`` − 2 to 1, one by one."""
    made = LAYOUTS[pixels].made
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        unit = stream.time_base or Fraction(1, 1000)
        for begin in reversed(range(0, length - 1, _GROUP)):
            container.seek(int(begin / _FPS / unit), stream=stream)
            group: dict[int, Pixels] = {}
            for frame in container.decode(stream):
                number = round(Fraction(frame.pts or 0) * unit * _FPS)
                if number >= min(begin + _GROUP, length - 1):
                    break
                group[number] = frame.to_ndarray(format=made)
            for number in sorted(set(group) - {0}, reverse=True):
                yield as_frames([group.pop(number)])
