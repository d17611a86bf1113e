"""How large pictures and films may be: one bound, in bytes of memory, said where something is larger."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError

MOST_BYTES = 1 << 30
"""Bytes of memory that a picture, or the frames of a film that are in work at a time, may take while they are read."""
FRAME_BYTES = 32
"""Bytes per pixel of a film's frame: as float and as integers, and the frames that a decoder holds: 8K just passes."""


def check_memory(path: Path, size: tuple[int, int], per_pixel: float, what: str) -> None:
    """Raise where something would take more memory than there may be.

    Args:
        path: The file, for the message.
        size: (h, w) as they are stored.
        per_pixel: Bytes that a pixel takes while it is read.
        what: "picture" or "film".

    Raises:
        InputError: It would.
    """
    height, width = size
    needed = height * width * per_pixel
    if needed <= MOST_BYTES:
        return
    raise InputError(too_large(path, what, f"{width}×{height}", needed))


def too_large(path: Path, what: str, got: str, needed: float) -> str:
    """Say that something would take ``needed`` bytes."""
    return (
        f"Expected a {what} that takes at most {MOST_BYTES >> 20} MB of memory, got {got} in {path}, which would take "
        f"{needed / (1 << 20):.0f} MB; scale it down first."
    )
