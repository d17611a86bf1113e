"""PNG files, chunk by chunk: what they say of their colours, and the file without what is no part of the picture.

Pillow refuses a picture for a long text, a long profile or a damaged chunk that nobody needs.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from .hdr import Chromaticities

START = b"\x89PNG\r\n\x1a\n"
_HEAD, _CHECK = 8, 4
"""Bytes before a chunk's content, and behind it."""
_DEPTH = 24
"""Where the header says how many bits a value has."""
_DEEP = 16
_LONGEST_PROFILE = 1 << 24
"""Bytes; printers' profiles have 3 MB at most."""
_LEAST_GAMMA = 0.1
_WHOLE = 100_000
"""What gAMA and cHRM count as 1."""
_KEPT = {b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf"}
_ANCILLARY = 0x20
"""The bit of a chunk's first letter that tells that the picture can be shown without it."""


@dataclass(frozen=True)
class Png:
    """A PNG file."""

    plain: bytes
    """The same picture without anything else: no texts, no profile, no animation."""
    told: dict[str, bytes] = field(default_factory=dict)
    """Content of the chunks that tell about colours and orientation, by name, undamaged."""

    @property
    def deep(self) -> bool:
        """Whether values have 16 bits."""
        return self.plain[_DEPTH : _DEPTH + 1] == bytes([_DEEP])

    @property
    def codes(self) -> tuple[int, int] | None:
        """Primaries and transfer, codes of ITU-T H.273, where it tells them."""
        given = self.told.get("cICP", b"")
        return (given[0], given[1]) if len(given) == _CHECK else None

    @property
    def profile(self) -> bytes | None:
        """The colour profile, where there is one."""
        _, _, packed = self.told.get("iCCP", b"").partition(b"\0")
        try:
            return zlib.decompressobj().decompress(packed[1:], _LONGEST_PROFILE) or None
        except zlib.error:
            return None

    @property
    def gamma(self) -> float | None:
        """The power by which light became values, where it tells one that can be."""
        given = self._numbers("gAMA", 1)
        return given[0] if given and _LEAST_GAMMA < given[0] < 1 / _LEAST_GAMMA and "sRGB" not in self.told else None

    @property
    def chromaticities(self) -> Chromaticities | None:
        """Where red, green, blue and white lie, where it tells so."""
        given = self._numbers("cHRM", 8)
        if not given or "sRGB" in self.told or not all(given):
            return None
        white, red, green, blue = zip(given[::2], given[1::2], strict=True)
        return red, green, blue, white

    def _numbers(self, name: str, count: int) -> list[float]:
        content = self.told.get(name, b"")
        return [one / _WHOLE for one in struct.unpack(f">{count}I", content)] if len(content) == 4 * count else []


def read_png(content: bytes) -> Png:
    """Take a PNG file apart.

    Source: W3C, PNG (third edition), 5 (chunks) and 11.3 (ancillary ones).
    """
    parts, told, place = [START], {}, len(START)
    while place + _HEAD <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        end = place + _HEAD + length + _CHECK
        kind, chunk = content[place + 4 : place + _HEAD], content[place:end]
        if not kind[0] & _ANCILLARY or kind == b"tRNS":
            parts.append(chunk)
        elif kind in _KEPT and zlib.crc32(chunk[4:-_CHECK]) == int.from_bytes(chunk[-_CHECK:], "big"):
            told[kind.decode()] = chunk[_HEAD:-_CHECK]
        place = end
        if kind == b"IEND":
            break
    return Png(b"".join(parts), told)
