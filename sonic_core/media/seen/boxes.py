"""The boxes of AVIF and HEIC: which colours the picture has that is meant to be seen.

A file may hold several: beside the picture its thumbnail, its opacity, or a gain map and what an HDR screen makes of
both, each with colours of its own. Those of the primary item count.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

Codes = tuple[int, int]
"""Primaries and transfer, as of ITU-T H.273."""
_NCLX = b"colrnclx"
_HEADER, _LONG_HEADER, _FULL = 8, 16, 4
"""Bytes before a box's content: size and kind, with a long size, and version and flags where it has them."""
_TO_THE_END, _LONG = 0, 1
"""Sizes that mean something else."""


@dataclass(frozen=True)
class _Box:
    kind: bytes
    body: bytes

    @property
    def version(self) -> int:
        return self.body[0]

    @property
    def content(self) -> bytes:
        """What is behind version and flags."""
        return self.body[_FULL:]


def box_codes(head: bytes) -> Codes | None:
    """Read what an AVIF or HEIC file tells of its picture's colours; None where it tells nothing.

    Args:
        head: The file's beginning, with the boxes that describe it.

    Source: ISO/IEC 23008-12, 9.3 (properties of items), ISO/IEC 14496-12, 8.11.4 (primary item) and 12.1.5 (colour).
    """
    try:
        meta = next((box for box in _boxes(head) if box.kind == b"meta"), None)
        told = None if meta is None else list(_boxes(meta.content))
        primary = None if told is None else next((box for box in told if box.kind == b"pitm"), None)
        if told is None or primary is None:  # a sequence, whose one track tells them
            place = head.find(_NCLX)
            return None if place < 0 else _codes(head[place + len(_NCLX) :])
        number = int.from_bytes(primary.content[: 4 if primary.version else 2], "big")
        properties = [one for box in told if box.kind == b"iprp" for one in _boxes(box.body)]
        every = [one for box in properties if box.kind == b"ipco" for one in _boxes(box.body)]
        places = [place for box in properties if box.kind == b"ipma" for place in _places(box, number)]
        own = [every[place - 1] for place in places if 0 < place <= len(every)]
        return next((_codes(box.body[4:]) for box in own if box.kind + box.body[:4] == _NCLX), None)
    except (struct.error, IndexError):
        return None


def _codes(content: bytes) -> Codes | None:
    primaries, transfer = struct.unpack_from(">HH", content)
    return primaries, transfer


def _boxes(content: bytes) -> Iterator[_Box]:
    """List boxes that follow one another, the last of which may be cut off."""
    place = 0
    while place + _HEADER <= len(content):
        size, kind = struct.unpack_from(">I4s", content, place)
        header = _HEADER
        if size == _LONG:
            (size,), header = struct.unpack_from(">Q", content, place + _HEADER), _LONG_HEADER
        elif size == _TO_THE_END:
            size = len(content) - place
        if size < header:
            return
        yield _Box(kind, content[place + header : place + size])
        place += size


def _places(box: _Box, number: int) -> Iterator[int]:
    """List the places, from 1, of an item's properties among all."""
    wide, content, place = box.body[3] & 1, box.content, 4
    item, entry = (">I", 4) if box.version else (">H", 2), (">H", 2, 0x7FFF) if wide else (">B", 1, 0x7F)
    for _ in range(int.from_bytes(content[:4], "big")):
        (found,) = struct.unpack_from(item[0], content, place)
        count = content[place + item[1]]
        place += item[1] + 1
        for _ in range(count):
            if found == number:
                yield struct.unpack_from(entry[0], content, place)[0] & entry[2]
            place += entry[1]
