"""Pictures in a folder: 16-bit PNG, and the sound beside them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import cv2

from ..errors import MediaError
from .ahead import read_ahead
from .container import opened
from .files import file_errors
from .formats import Format
from .pixels import Words, as_words
from .reel import STAGE, Reel
from .track import SoundTrack

SOUND = "sound.wav"
"""The sound's file in the folder."""

_SIGNATURE_AND_HEADER = 8 + 25
"""Bytes of a PNG before which no other chunk may come."""
_COMPRESSION = 3
_XMP = b"XML:com.adobe.xmp" + bytes(5)
"""What an iTXt chunk with XMP begins with: its name, not compressed, in no language."""


def picture_name(number: int) -> str:
    """Name the file of a picture; they are counted from 1.

    >>> picture_name(1)
    '00001.png'
    """
    return f"{number:05}.png"


def write_sequence(target: Path, folder: Path, file: Format, reel: Reel) -> None:
    """Fill a folder with one picture per frame and the sound as floating-point WAV.

    Args:
        target: The name that messages tell.
        folder: An empty folder.
        file: The sequence's row of the table.
        reel: What to write; its texts go into the first picture, where ComfyUI looks for them, its mark into each.

    Raises:
        MediaError: A file cannot be written, or the chunks hold other frames than announced.

    Source: W3C, PNG (third edition), 11.3.3 (tEXt, iTXt).
    """
    with closing(read_ahead(reel.frames(as_words))) as frames:
        for done, pixels in enumerate(frames, start=1):
            texts = dict(reel.metadata) if done == 1 else {}
            content = _with_texts(_png(pixels), texts, reel.mark.xmp() if reel.mark else None)
            with file_errors(target):
                (folder / picture_name(done)).write_bytes(content)
            reel.progress(STAGE, done, reel.length)
    if reel.audio is not None and file.sound is not None:
        with opened(target, folder / SOUND, "wav", {"rf64": "auto"}) as container, file_errors(target):
            SoundTrack(container, reel.audio, file.sound, reel.samples).finish()
            container.close()


def _png(pixels: Words) -> bytes:
    done, content = cv2.imencode(".png", pixels[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not done:
        raise MediaError("OpenCV could not write a PNG.")
    return content.tobytes()


def _with_texts(content: bytes, texts: Mapping[str, str], xmp: bytes | None) -> bytes:
    chunks = b"".join(_text_chunk(name, text) for name, text in texts.items())
    chunks += b"" if xmp is None else _chunk(b"iTXt", _XMP + xmp)
    return content[:_SIGNATURE_AND_HEADER] + chunks + content[_SIGNATURE_AND_HEADER:]


def _text_chunk(name: str, text: str) -> bytes:
    """Write a text as tEXt, or as iTXt where Latin-1 lacks a character."""
    try:
        kind, content = b"tEXt", name.encode("latin-1") + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        kind, content = b"iTXt", name.encode("latin-1", "replace") + b"\0\0\0\0\0" + text.encode()
    return _chunk(kind, content)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
