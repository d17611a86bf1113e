"""The formats in which frames wait between two steps: nothing is lost, and no player is asked."""

from __future__ import annotations

from .formats import FLOATS, Encoder, Format

LOSSLESS = (
    Format(
        name="lossless",
        about="8-bit RGB, fast",
        suffix=".mkv",
        container="matroska",
        encoders=(Encoder("libx264rgb", {"qp": "0", "preset": "ultrafast", "g": "50"}, quality=""),),
        pixels="rgb24",
        sounds=(FLOATS,),
    ),
    Format(
        name="lossless-ffv1",
        about="8-bit RGB",
        suffix=".mkv",
        container="matroska",
        encoders=(Encoder("ffv1", quality=""),),
        pixels="bgr0",
        sounds=(FLOATS,),
    ),
)
"""For what lies between two steps; the first one that can be written is taken. Not for players."""

KEPT = (
    Format(
        name="kept",
        about="8-bit RGB, for ourselves, fastest",
        suffix=".nut",
        container="nut",
        encoders=(Encoder("utvideo", {"pred": "median"}, quality=""),),
        pixels="gbrp",
        sounds=(FLOATS,),
    ),
    *LOSSLESS,
)
"""Likewise, for files that nobody else will read. Ut Video takes half of H.264's time to write and to read, and the
same room."""

LOSSLESS_16 = Format(
    name="lossless-16",
    about="16-bit RGB, slow",
    suffix=".mkv",
    container="matroska",
    encoders=(Encoder("ffv1", {"level": "3", "slices": "4"}, quality="", threads=8),),
    pixels="gbrp16le",
    bits=16,
)
"""Likewise, for frames that shall keep more than 8 bits."""


def lossless_format(bits: int = 8) -> Format:
    """Choose the format in which frames of so many bits wait between two steps."""
    return LOSSLESS_16 if bits > LOSSLESS[0].bits else next((one for one in LOSSLESS if not one.missing), LOSSLESS[-1])


def kept_format() -> Format:
    """Choose the format in which frames wait for ourselves."""
    return next((one for one in KEPT if not one.missing), KEPT[-1])
