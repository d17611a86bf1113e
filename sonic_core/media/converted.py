"""Frames that were brought to a format's pixels where they were drawn, and are encoded elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..types import Frames, ignore_progress
from .colour import LAYOUTS, yuv420
from .files import file_errors, written_beside
from .formats import Format
from .lazy import LEFT, ReadsLazily, lazy_frames, siting_of
from .reel import ReadyPixels, Reel
from .threads import single_threaded

SUFFIX = ".frames"
"""How files of such frames end."""


def is_convertible(file: Format) -> bool:
    """Say whether a format's frames can be converted one by one, each by itself."""
    return bool(file.container) and file.pixels in LAYOUTS


def write_converted(path: Path, chunks: Iterable[Frames], file: Format, length: int, size: tuple[int, int]) -> Path:
    """Write frames as a format's encoder takes them, uncompressed: 1.5 bytes a pixel for H.264.

    Args:
        path: A new file; it appears when it is finished.
        chunks: Frames (n, 3, h, w) of any n, RGB float in [0, 1].
        file: The format, one that ``is_convertible``.
        length: Number of frames in all chunks together.
        size: (h, w) of the frames.

    Raises:
        MediaError: The file cannot be written, or the chunks hold other frames than announced.
    """
    layout = LAYOUTS[file.pixels]
    reel = Reel(chunks, Fraction(1), length, size, None, 0, {}, ignore_progress)  # frames have no time yet
    with (
        written_beside(path) as part, single_threaded(), part.open("wb") as written,
        closing(reel.frames(layout.convert, layout.steps)) as frames,
    ):  # fmt: skip
        for pixels in frames:
            with file_errors(path):
                np.save(written, pixels, allow_pickle=False)
    return path


def passed_on(read: object, file: Format) -> int | None:
    """Say where chroma lies of frames that a format's encoder can have as they came; None where all are converted."""
    return siting_of(read) if file.pixels == "yuv420p" and file.container and file.encoder.tells_siting else None


def read_coded(read: ReadsLazily, siting: int) -> Iterator[ReadyPixels]:
    """Read frames as they came, or what was painted into them; what is not stored like most is converted.

    Args:
        read: Reads the frames.
        siting: What ``passed_on`` said of them.
    """
    for frame in lazy_frames(read):
        coded = frame.coded(siting)
        yield ReadyPixels((yuv420(frame.whole(), left=siting == LEFT) if coded is None else coded,))


def read_converted(paths: Sequence[Path]) -> Iterator[ReadyPixels]:
    """Read the frames of several files, one after the other, for a writer of the same format."""
    for path in paths:
        size = path.stat().st_size
        with path.open("rb") as file:
            while file.tell() < size:
                yield ReadyPixels((np.load(file, allow_pickle=False),))
