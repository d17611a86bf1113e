"""What a file says of itself: that it is synthetic, and with what it was made.

The words are those of the field: IPTC's digital source type, in an XMP packet where a format has a place for one, and
plain texts beside it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""Where IPTC's digital source types are defined."""
MADE, COMPOSED = "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"
"""The type of what was made of a picture, and of a video of which a part is new."""
_NAME = "Sonic"
_SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""The identifier under which XMP lies in a box of MP4."""
_GIF_HEAD = b"\x21\xff\x0bXMP DataXMP"
_GIF_TAIL = bytes([1, *range(255, -1, -1), 0])
"""What lets readers that know nothing of XMP in GIF find its end."""


@dataclass(frozen=True)
class Mark:
    """Whose work a clip is."""

    model: str
    """Name of the model that made it."""
    dubbed: bool = False
    """Whether it is a video of which a part is new."""

    @property
    def source_type(self) -> str:
        """IPTC's term for it, an address."""
        return SOURCE_TYPES + (COMPOSED if self.dubbed else MADE)

    def texts(self) -> dict[str, str]:
        """Say it in texts by name, for formats that hold those."""
        what = "the mouth of this video's person is" if self.dubbed else "the person's movements are"
        software = " ".join(filter(None, (_NAME, known_version(), f"({self.model})")))
        return {
            "comment": f"Synthetic video: {what} generated, with {software}.",
            "software": software,
            "digital_source_type": self.source_type,
        }

    def xmp(self) -> bytes:
        """Say it in an XMP packet.

        Source: ISO 16684-1 (XMP); IPTC Photo Metadata Standard 2025.1 and Video Metadata Hub 1.6.
        """
        from xml.sax.saxutils import quoteattr  # noqa: PLC0415 - it loads the whole of HTTP

        told = {
            "xmp:CreatorTool": self.texts()["software"],
            "Iptc4xmpExt:DigitalSourceType": self.source_type,
            "Iptc4xmpExt:AISystemUsed": f"{_NAME} ({self.model})",
        }
        if version := known_version():
            told["Iptc4xmpExt:AISystemVersionUsed"] = version
        spaces = " ".join(f"xmlns:{name}={quoteattr(place)}" for name, place in _SPACES.items())
        words = " ".join(f"{name}={quoteattr(value)}" for name, value in told.items())
        return (
            '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
            f'<rdf:RDF {spaces}><rdf:Description rdf:about="" {words}/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
        ).encode()


def marked(metadata: Mapping[str, str], mark: Mark | None) -> dict[str, str]:
    """Put a mark's texts behind others, which stay as they are."""
    return {**metadata, **{name: text for name, text in (mark.texts() if mark else {}).items() if name not in metadata}}


def read_mark(metadata: Mapping[str, str]) -> Mark | None:
    """Read a mark off a file's texts, whatever the case of their names; None where there is none."""
    told = {name.lower(): text for name, text in metadata.items()}
    software = re.fullmatch(rf"{_NAME}(?: \S+)? \((.+)\)", told.get("software", ""))
    kind = told.get("digital_source_type", "").removeprefix(SOURCE_TYPES)
    return Mark(software[1], kind == COMPOSED) if software and kind in {MADE, COMPOSED} else None


def xmp_box(mark: Mark) -> bytes:
    """Make the box that goes behind all others of an MP4 or MOV (ISO 16684-3)."""
    packet = mark.xmp()
    return struct.pack(">I4s", 8 + len(_XMP_BOX) + len(packet), b"uuid") + _XMP_BOX + packet


def xmp_extension(mark: Mark) -> bytes:
    """Make the extension that holds XMP in a GIF (ISO 16684-3)."""
    return _GIF_HEAD + mark.xmp() + _GIF_TAIL


def known_version() -> str:
    """Read the version; empty where the engine lies alone in a folder, which says none."""
    from importlib.metadata import PackageNotFoundError  # noqa: PLC0415 - takes longer to import than all else here

    try:
        return read_version()
    except PackageNotFoundError:
        return ""


def read_version() -> str:
    """Read the version where it is declared: in a checkout's ``pyproject.toml``, else by the installed package."""
    declared = Path(__file__).resolve().parents[2] / "pyproject.toml"
    found = re.search(r'^version = "(.+)"', declared.read_text("utf-8"), re.MULTILINE) if declared.is_file() else None
    if found:
        return found[1]
    from importlib import metadata  # noqa: PLC0415 - takes longer to import than all else here

    return metadata.version("sonic-portrait")
