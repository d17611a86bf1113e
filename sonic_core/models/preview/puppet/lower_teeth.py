"""Draw lower teeth as a picture that stands still in the jaw: a dim, low row just above the lower lip."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ....easing import smooth_fall, smooth_rise
from .cavity import MouthColours

Array = NDArray[np.float32]

FULL = 0.050
"""I by which the middle ones reach above the lower lip where they are seen the most."""
ASIDE, HIGH = 0.40, 0.12
"""I to both sides of the middle, and above the lip, that the picture reaches."""
DENSE = 250.0
"""Its pixels per I."""
_SHOWN = (0.17, 0.30)
"""Gaps in I at which the first is seen of them, and all."""
_WIDTHS = np.array((0.072, 0.076, 0.086, 0.080, 0.070))
"""I from the middle outward: .62 of the upper incisors', then the usual ones."""
_ARCH, _ARCH_AT = 0.050, 0.30  # I by which the row is lower at this distance from the middle: the lip rises there
_SHORTER = np.array(((0.002, 0.004, 0.000, 0.008, 0.012), (0.000, 0.006, 0.002, 0.008, 0.012)))
"""I by which each is shorter than the arch says, at picture left and right."""
_ROUNDED, _ROUNDING = 0.010, 3.0  # I by which its corners are rounded off; the power by which that sets in
_GAP, _GAP_WIDTH, _BULGE = 0.11, 0.006, 0.04  # darker between two; deviation of that line in I; darker at the sides
_LEVEL = 0.86  # brightness of the middle ones as a share of the upper ones': they stand in the lips' shade
_WARM = 0.45  # share of the palette's dark red in their colour, which comes off lip and tongue
_LOW, _LOW_OVER = 0.40, 0.050  # how much darker they are at the lip, and over how many I
_AWAY, _AWAY_FROM, _AWAY_OVER = 0.80, 0.10, 0.22  # darkening aside: how much; I from the middle; over
_BEHIND, _BEHIND_OVER = 0.55, 0.040  # cover of the dark behind their edge; I over which it goes
_COVER, _ENDS_FROM, _ENDS_OVER = 0.92, 0.12, 0.18  # how much they hide; I aside where the row fades, and over


def shown_at(gap: float) -> float:
    """Say by how many I they reach above the lower lip at a gap in I."""
    begins, whole = _SHOWN
    return FULL * float(smooth_rise((gap - begins) / (whole - begins)))


def draw_lower_teeth(white: Array, palette: MouthColours, softness: float) -> Array:
    """Draw them.

    Args:
        white: (3,) RGB of the upper middle teeth.
        palette: Colours of the mouth.
        softness: I: deviation of the Gaussian that an edge of the portrait has.

    Returns:
        (h, w, 4): RGB times coverage, and coverage; row 0 is ``HIGH`` above the lip, where they are seen the most.
    """
    x = np.arange(-round(ASIDE * DENSE), round(ASIDE * DENSE) + 1) / DENSE
    above = HIGH - np.arange(round(HIGH * DENSE) + 1) / DENSE
    aside, side = np.abs(x), (x > 0).astype(int)
    bounds = np.concatenate(([0.0], np.cumsum(_WIDTHS)))
    tooth = np.clip(np.searchsorted(bounds, aside, side="right") - 1, 0, len(_WIDTHS) - 1)
    across = np.clip((aside - bounds[tooth]) / _WIDTHS[tooth] * 2 - 1, -1, 1)
    edge = FULL - _ARCH * (aside / _ARCH_AT) ** 2 - _SHORTER[side, tooth] - _ROUNDED * np.abs(across) ** _ROUNDING
    apart = np.abs(aside[:, None] - bounds).min(1)
    shade = 1 - _GAP * np.exp(-0.5 * (apart / _GAP_WIDTH) ** 2) - _BULGE * across**2
    shade = shade[None] * (1 - _LOW * smooth_fall(above / _LOW_OVER))[:, None]
    warm = _LEVEL * (white * (1 - _WARM) + palette.dark / palette.dark.max() * white.max() * _WARM)
    colour = warm * shade[..., None]
    away = (_AWAY * smooth_rise((aside - _AWAY_FROM) / _AWAY_OVER))[None, :, None]
    colour = colour + (palette.dark - colour) * away
    cover = _COVER * smooth_rise((edge - above[:, None]) / max(softness, 2 / DENSE) / 2.5 + 0.5)
    ends = smooth_fall((aside - _ENDS_FROM) / _ENDS_OVER)
    behind = _BEHIND * smooth_fall((above[:, None] - edge) / _BEHIND_OVER) * (1 - cover)
    cover, behind = (cover * ends)[..., None], (behind * ends)[..., None]
    drawn = np.concatenate((colour * cover + palette.dark * behind, cover + behind), -1).astype(np.float32)
    return np.ascontiguousarray(cv2.GaussianBlur(drawn, (0, 0), max(0.5 * softness * DENSE, 0.6)), np.float32)
