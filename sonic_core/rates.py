"""Frame rates as people write them, and the fractions that they mean."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import TypeGuard

from .errors import SettingsError

_FASTEST = 1e6
"""Frames per second beyond which no rate is one of television's."""
NTSC_TOLERANCE = 0.005
"""Frames per second; half the last digit of rates as people write them, such as 23.98."""


def exact_fps(fps: Fraction | float) -> Fraction:
    """Turn a frame rate into the fraction that is meant: 29.97 is 30000/1001.

    Raises:
        SettingsError: ``fps`` is not a positive number.

    >>> exact_fps(29.97), exact_fps(25)
    (Fraction(30000, 1001), Fraction(25, 1))
    """
    if not is_number(fps) or fps <= 0:
        raise SettingsError(f"fps must be a number above 0, got {fps}.")
    ntsc = Fraction(round(float(min(fps, _FASTEST)) * 1.001) * 1000, 1001)
    near = isinstance(fps, float) and ntsc > 0 and abs(float(ntsc) - fps) < NTSC_TOLERANCE and fps != round(fps)
    return ntsc if near else Fraction(fps).limit_denominator(1001)


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether something is a number that a float can hold."""
    if not isinstance(value, (int, float, Fraction)) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max  # a whole number may have more digits than there are floats
