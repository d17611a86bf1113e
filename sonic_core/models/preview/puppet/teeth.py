"""Draw upper teeth as a picture that stands still in the skull: an arch of ten, seen from the front."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ....easing import smooth_fall, smooth_rise
from .cavity import MouthColours
from .light import Light

Array = NDArray[np.float32]

EDGE = 0.015
"""I by which the middle teeth reach below the line on which shut lips meet."""
_WIDTHS = np.array((0.118, 0.088, 0.086, 0.066, 0.054))
"""I from the middle outward: the arch turns away, so each looks narrower than the one before."""
_USUAL, _SMALLEST, _LARGEST = 0.38, 0.80, 1.05  # I: half of a mouth with teeth of that size; bounds of others' sizes
_ARCH, _ARCH_AT, _ARCH_POWER = 0.045, 0.40, 2.2  # I by which the edge rises, at this distance from the middle, and how
_RECEDES = 2.2  # I by which the arch lies farther back at a distance of 1 I from its middle, and with its square
_STRAIGHT, _RIM = 1e-3, 0.05  # bend that is none; what is left of the arch's direction where it turns out of sight
_SHORTER = np.array(((0.003, 0.018, 0.007, 0.014, 0.018), (0.000, 0.015, 0.010, 0.016, 0.018)))
"""I by which each tooth is shorter than the arch says, at picture left and right: nobody's are the same."""
_ROUNDED = np.array(((0.007, 0.010, 0.018, 0.012, 0.012), (0.014, 0.020, 0.022, 0.014, 0.014)))
"""I by which a tooth's corner towards the middle, and its other one, is rounded off: canines are the most pointed."""
_ROUNDING = np.array((4.0, 3.0, 1.6, 2.0, 2.0))  # the power by which that sets in from a tooth's middle
_TONE = np.array(((0.985, 0.955, 0.90, 0.86, 0.82), (1.0, 0.945, 0.89, 0.87, 0.82)))  # brightness of each
_HUE = np.array((0.34, 0.20, 0.49))
"""Share of the skin's red, green and blue cast in the incisors' colour: .2 of its redness and half of its yellowness,
median of 30 open mouths."""
_PAINTED = 0.65
"""Share of the hue of the eyes' white that they have at least: else they look blue in warm paintings. By eye on 65."""
_YELLOWER = np.array((1.0, 1.05, 1.5, 1.4, 1.4))  # how much more of it each tooth has
_GAP, _GAP_WIDTH = 0.20, 0.0055  # how much darker it is between two teeth; deviation of that line in I
_GAP_HIGH, _GAP_ASIDE = 0.5, 0.5  # share of that left at the gums, and lost towards the mouth's corners
_BULGE = 0.05  # how much darker a tooth's sides are than its middle
_EDGE_DARK, _EDGE_BAND = 0.12, 0.028  # a tooth's biting edge lets the dark through; I over which
_NECK, _NECK_FROM, _NECK_OVER = 0.04, 0.05, 0.08  # darker towards the gums; I above the edge where that begins; over
_WHITE, _WHITE_POWER = 1.06, 0.75
"""Brightness of the middle teeth for a skin's brightness: the darker, the more above it; 30 open mouths."""
_AWAY, _AWAY_FROM, _AWAY_OVER = 0.86, 0.32, 0.52  # darkening by share of the mouth's half: how much, from where, over
_CRISP, _FINEST = 1.3, 0.6
"""Pixels of the drawing: an edge's deviation in sharp portraits, which their enlargement gives already, and the
deviation that is always taken."""
_UNDER, _UNDER_OVER, _UNDER_DARK = 0.65, 0.08, 1.0  # cover of the dark under the edge; I over which it goes; its level
_GUM_FROM, _GUM_OVER = 0.130, 0.030  # I above the edge where gums begin, and over which
_GUM = 0.62  # brightness of gums as a share of the skin's


def unroll(x: Array, turned: float) -> Array:
    """Tell where on the arch, in I from its middle, the teeth are that a turned head shows at places x in I.

    The arch recedes from its middle, so of a head that is turned, the nearer side shows more of it than the other.

    Args:
        x: (n,) places across the head, to the picture's right.
        turned: How far what lies 1 I behind them appears to the right of them, in I.
    """
    bend = 2 * _RECEDES * turned
    if abs(bend) < _STRAIGHT:
        return x
    return np.asarray((np.sqrt(np.maximum(1 + 2 * bend * x, _RIM)) - 1) / bend, np.float32)


def draw_teeth(
    x: Array, y: Array, light: Light, palette: MouthColours, *, halves: Array, whitest: float, softness: float
) -> Array:
    """Draw them.

    Args:
        x: (w,) places in I along the arch to the right of its middle (``unroll``).
        y: (h,) places in I below the line on which shut lips meet.
        light: The portrait's light.
        palette: Colours of its mouth.
        halves: (2,) how far the arch is seen to the left and the right, in I from its middle.
        whitest: Brightness in [0, 1] that nothing in this face exceeds.
        softness: I: deviation of the Gaussian that an edge of the portrait has.

    Returns:
        (h, w, 4): RGB times coverage, and coverage.
    """
    size = float(np.clip(np.mean(halves) / _USUAL, _SMALLEST, _LARGEST))
    aside, side = np.abs(x) / size, (x > 0).astype(int)
    outward = np.abs(x) / halves[side]
    bounds = np.concatenate(([0.0], np.cumsum(_WIDTHS)))
    tooth = np.clip(np.searchsorted(bounds, aside, side="right") - 1, 0, len(_WIDTHS) - 1)
    across = np.clip((aside - bounds[tooth]) / _WIDTHS[tooth] * 2 - 1, -1, 1)
    above = _find_edge(aside, side, tooth, across)[None] * size - y[:, None]
    apart = np.abs(aside[:, None] - bounds[None, :]).min(1)
    line = _GAP * np.exp(-0.5 * (apart / _GAP_WIDTH) ** 2) * (1 - _GAP_ASIDE * smooth_rise(outward))
    shade = 1 - line * (1 - (1 - _GAP_HIGH) * smooth_rise(above / _GUM_FROM)) - _BULGE * across**2
    shade *= 1 - _EDGE_DARK * smooth_fall(above / _EDGE_BAND) - _NECK * smooth_rise((above - _NECK_FROM) / _NECK_OVER)
    lit, painted = _HUE * (light.skin / light.level - 1), _PAINTED * (light.white - 1)
    hue = _YELLOWER[tooth][:, None] * light.tint * np.where(np.abs(painted) > np.abs(lit), painted, lit) + 1
    level = min(_WHITE * light.level**_WHITE_POWER, whitest)
    colour = level * (hue * _TONE[side, tooth][:, None])[None] * shade[..., None]
    gum = smooth_rise((above - _GUM_FROM) / _GUM_OVER)[..., None]
    colour = colour + (0.5 * (palette.lip + light.skin) * _GUM - colour) * gum
    away = (_AWAY * smooth_rise((outward - _AWAY_FROM) / _AWAY_OVER))[None, :, None]
    colour = colour + (palette.dark - colour) * away
    within = smooth_fall((aside - bounds[-1]) / 0.03)[None]
    cover = smooth_rise(above / max(softness, 1e-4) / 2.5 + 0.5) * within
    shade_below = (_UNDER * smooth_fall(-above / _UNDER_OVER) * (1 - cover) * within)[..., None]
    cover = cover[..., None]
    drawn = np.concatenate((colour * cover + palette.dark * _UNDER_DARK * shade_below, cover + shade_below), -1)
    soft = np.sqrt(max((softness / float(y[1] - y[0])) ** 2 - _CRISP**2, _FINEST**2))
    return np.ascontiguousarray(cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), float(soft)), np.float32)


def _find_edge(
    aside: NDArray[np.float64], side: NDArray[np.int64], tooth: NDArray[np.int64], across: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find the biting edge (w,) in I below the line on which shut lips meet, for teeth of usual size."""
    rounded = _ROUNDED[(across > 0).astype(int), tooth] * np.abs(across) ** _ROUNDING[tooth]
    return EDGE - _ARCH * (aside / _ARCH_AT) ** _ARCH_POWER - _SHORTER[side, tooth] - rounded
