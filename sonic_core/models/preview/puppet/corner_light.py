"""Lighten the dark lines in which a shut mouth ends: where it opens or is rounded, they would lie on bare skin.

Painters, and light from above, draw the line between the lips on beyond them. An open mouth ends in its own corners,
and rounded lips draw the skin beside them smooth.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ....easing import smooth_fall, smooth_rise
from .laid_light import LaidLight, Strip
from .light import luma_of, read_at
from .lip_shapes import LipShapes

Array = NDArray[np.float32]

AROUND = 0.19
"""I around a corner in which they are."""
_OUTER, _FADES = 1.12, 0.20  # |station| up to which lines are lightened; over which that goes
_FROM, _RISES = 0.84, 0.14  # |station| from which they are at the earliest; over which that comes
_HIGH, _SOFT = 0.06, 0.05  # I above and below the line in which it is lightened; over which that goes
_THICK = 0.09  # I: a dark line is less thick than that
_ON, _OFF = 0.03, (0.05, 0.11)  # I from the line: where it is, and where its surroundings are
_HAIRY = 0.25, 0.30  # share of a line's own darkness that there is around it too, from which it is left; up to none
_BLUR = 0.012  # I: deviation of the Gaussian over what is put in its place
_STEP = 0.008  # I between the places at which it is measured
_SPEECH, _SPOKEN, _ROUNDED = (
    0.16,
    0.60,
    0.90,
)  # I of gap from which an open mouth, and share that it and a round one lose


def light_of_corners(image: Array, shapes: LipShapes) -> LaidLight:
    """Measure what light a portrait's corners lack.

    Args:
        image: (h, w, 3) float32 RGB in [0, 1].
        shapes: The fields of its lips.
    """
    parting = shapes.parting
    half = float(np.hypot(*parting.bite.along)) / parting.unit
    upper, lower = (parting.bite.locate(line[:, :2])[:, 1] for line in (parting.upper, parting.lower))
    high = _HIGH + _SOFT + _THICK
    strip = Strip(parting.bite, (upper + lower) / 2, _OUTER + _FADES, high, high)
    along = np.linspace(-strip.far, strip.far, round(2 * strip.far * half / _STEP) + 1)
    deep = np.linspace(-high, high, round(2 * high / _STEP) + 1)
    places = strip.places(along, deep)
    lift = _missing(read_at(image, places.reshape(-1, 2)).reshape(*places.shape[:2], 3))
    reach = np.where(along < 0, *shapes.reach)
    share = smooth_rise((np.abs(along) - np.maximum(reach - _RISES / 2, _FROM)) / _RISES)
    share = share * smooth_fall((np.abs(along) - _OUTER) / _FADES)
    for side in (-1, 1):
        lift[:, side * along > 0] *= _plain(lift[:, (side * along > reach) & (side * along < _OUTER)], deep)
    lift *= (share[None] * smooth_fall((np.abs(deep[:, None]) - _HIGH) / _SOFT))[..., None]
    return LaidLight(np.asarray(lift, np.float32), strip, image.shape)


def share_for(gap: float, rounding: float) -> float:
    """Say how much of its corners' lines a mouth loses that is so far open, in I, and so round."""
    return max(_SPOKEN * float(smooth_rise(gap / _SPEECH)), _ROUNDED * rounding)


def _plain(lift: Array, deep: NDArray[np.float64]) -> float:
    """Tell a line on plain skin (1) from a dark hair among others (0) by what is missing (depth, along, 3)."""
    missing = luma_of(lift).mean(1) if lift.size else np.zeros(len(deep))
    here, around = (
        missing[np.abs(deep) < _ON].max(),
        missing[(np.abs(deep) > _OFF[0]) & (np.abs(deep) < _OFF[1])].mean(),
    )
    return float(smooth_fall((around / max(here, 1e-6) - _HAIRY[0]) / _HAIRY[1]))


def _missing(seen: Array) -> Array:
    """Measure what dark lines along a strip (depth, along, 3) are darker than what is above and below them."""
    tall = max(3, 2 * round(_THICK / _STEP / 2) + 1)
    bar = np.ones((tall, 1), np.uint8)
    closed = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, bar, borderType=cv2.BORDER_REPLICATE)
    smooth = cv2.GaussianBlur(closed, (0, 0), _BLUR / _STEP, borderType=cv2.BORDER_REPLICATE)
    return np.maximum(np.asarray(smooth, np.float32) - seen, 0)
