"""Draw upper teeth as a picture that stands still in the skull: an arch of ten, seen from the front."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ....easing import smooth_fall, smooth_rise
from .light import Light

Array = NDArray[np.float32]

EDGE = 0.020
"""I by which the middle teeth reach below the line on which shut lips meet."""
_WIDTHS = (0.135, 0.100, 0.075, 0.060, 0.050)
"""I from the middle outward: the arch turns away, so each looks narrower than the one before."""
_ARCH, _ARCH_AT, _ARCH_POWER = 0.045, 0.40, 2.2  # I by which the edge rises, at this distance from the middle, and how
_SHORTER = (0.0, 0.010, 0.002, 0.006, 0.008)  # I by which each tooth is shorter than the arch says
_ROUNDED = 0.008  # I by which a tooth's corners are rounded off
_GAP, _GAP_WIDTH = 0.10, 0.006  # how much darker it is between two teeth; deviation of that line in I
_BULGE = 0.05  # how much darker a tooth's sides are than its middle
_EDGE_DARK, _EDGE_BAND = 0.14, 0.03  # a tooth's biting edge lets the dark through; I over which
_WHITE, _WHITE_POWER = (
    1.03,
    0.80,
)  # brightness of the middle teeth for a skin's brightness: the darker, the more above it
_HUE = 0.55  # share of the skin's hue in their colour
_AWAY, _AWAY_FROM, _AWAY_OVER = (
    0.80,
    0.28,
    0.55,
)  # darkening by distance from the middle: how much, from where, over what
_DARK_RED = (0.42, 0.22, 0.19)  # what the last teeth darken to; RGB as a share of the skin's brightness
_CRISP, _FINEST = (
    1.3,
    0.6,
)  # pixels of the drawing: an edge's deviation in sharp portraits, which their enlargement gives
# already; deviation that is always taken
_UNDER, _UNDER_OVER, _UNDER_DARK = 0.70, 0.09, 0.75  # cover of the dark under the edge; I over which it goes; its level
_GUM_FROM, _GUM_OVER = 0.130, 0.030  # I above the edge where gums begin, and over which
_GUM = 0.62  # brightness of gums as a share of the skin's


def draw_teeth(x: Array, y: Array, light: Light, *, lip: Array, half: float, whitest: float, softness: float) -> Array:
    """Draw them.

    Args:
        x: (w,) places in I to the right of the arch's middle.
        y: (h,) places in I below the line on which shut lips meet.
        light: The portrait's light.
        lip: (3,) colour of the lips.
        half: Half the mouth's width in I.
        whitest: Brightness in [0, 1] that nothing in this face exceeds.
        softness: I: deviation of the Gaussian that an edge of the portrait has.

    Returns:
        (h, w, 4): RGB times coverage, and coverage.
    """
    aside = np.abs(x)
    bounds = np.concatenate(([0.0], np.cumsum(_WIDTHS)))
    tooth = np.clip(np.searchsorted(bounds, aside, side="right") - 1, 0, len(_WIDTHS) - 1)
    across = (aside - bounds[tooth]) / np.array(_WIDTHS)[tooth] * 2 - 1  # −1 … 1 in its tooth
    edge = EDGE - _ARCH * (aside / _ARCH_AT) ** _ARCH_POWER - np.array(_SHORTER)[tooth] - _ROUNDED * across**4
    apart = np.abs(aside[:, None] - bounds[None, :]).min(1)
    shade = 1 - _GAP * np.exp(-0.5 * (apart / _GAP_WIDTH) ** 2) - _BULGE * across**2
    above = edge[None] - y[:, None]
    shade = shade[None] * (1 - _EDGE_DARK * smooth_fall(above / _EDGE_BAND))
    level = min(_WHITE * light.level**_WHITE_POWER, whitest)
    hue = _HUE * light.tint * (light.skin / light.level - 1) + 1
    colour = level * hue * shade[..., None]
    gum = smooth_rise((above - _GUM_FROM) / _GUM_OVER)[..., None]
    colour = colour + (0.5 * (lip + light.skin) * _GUM - colour) * gum
    away = (_AWAY * smooth_rise((aside / half - _AWAY_FROM) / _AWAY_OVER))[None, :, None]
    dark = _tinted(np.array(_DARK_RED), light.tint) * light.level
    colour = colour + (dark - colour) * away
    within = smooth_fall((aside - bounds[-1]) / 0.03)[None]
    cover = smooth_rise(above / max(softness, 1e-4) / 2.5 + 0.5) * within
    shade_below = (_UNDER * smooth_fall(-above / _UNDER_OVER) * (1 - cover) * within)[..., None]
    cover = cover[..., None]
    drawn = np.concatenate((colour * cover + dark * _UNDER_DARK * shade_below, cover + shade_below), -1)
    soft = np.sqrt(max((softness / float(x[1] - x[0])) ** 2 - _CRISP**2, _FINEST**2))
    return np.ascontiguousarray(cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), float(soft)), np.float32)


def _tinted(colour: NDArray[np.float64], tint: float) -> NDArray[np.float64]:
    """Take as much colour out of an RGB as the picture lacks."""
    return colour.mean() + (colour - colour.mean()) * tint
