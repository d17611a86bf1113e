"""Ogg files that were joined, as recordings of radio are: FFmpeg follows their first part only, or refuses the rest."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

_HEAD = 27
"""Bytes of a page before the table of its segments."""
_FLAGS, _GRANULES, _SEGMENTS = 5, slice(6, 14), 26
_BEGINS = 0x02
"""The flag of a page that begins a stream."""


class _Part(io.RawIOBase):
    """A part of a file, as FFmpeg reads it."""

    def __init__(self, path: Path, begin: int, end: int) -> None:
        self._file, self._begin, self._end, self._place = path.open("rb"), begin, end, 0

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes."""
        left = self._end - self._begin - self._place
        self._file.seek(self._begin + self._place)
        content = self._file.read(left if size < 0 else min(size, left))
        self._place += len(content)
        return content

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end - self._begin}[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        """Tell the place."""
        return self._place

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


@contextmanager
def opened_part(path: Path, begin: int, end: int) -> Iterator[InputContainer]:
    """Open the bytes from ``begin`` to ``end`` of a file as a file of their own."""
    with _Part(path, begin, end) as part:
        given: Any = part
        with av.open(given, "r", format="ogg") as container:
            yield container


def chain_of(path: Path, granules: int | None = None) -> list[tuple[int, int]]:
    """Find where each part of an Ogg file begins and ends, in bytes: pages that begin streams come first in each.

    Args:
        path: The file.
        granules: Once a page of the first part counts up to these, the rest is not looked at; None looks at all.

    Source: RFC 3533, 4 (chained streams) and 6 (pages).
    """
    begins, place, opening = [0], 0, True
    with path.open("rb") as file:
        while (head := file.read(_HEAD)).startswith(b"OggS") and len(head) == _HEAD:
            first = bool(head[_FLAGS] & _BEGINS)
            if first and not opening:
                begins.append(place)
            opening = first
            count = int.from_bytes(head[_GRANULES], "little", signed=True)
            if granules is not None and len(begins) == 1 and count >= granules:
                break
            place += _HEAD + head[_SEGMENTS] + sum(file.read(head[_SEGMENTS]))
            file.seek(place)
        end = file.seek(0, os.SEEK_END)
    return list(zip(begins, [*begins[1:], end], strict=True))
