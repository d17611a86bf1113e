"""Cut out what a portrait's own open mouth shows, as a picture that stands still in the skull."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ....easing import smooth_fall
from .cavity import MouthColours
from .light import Light, luma_of, read_at
from .lip_curves import CLOSABLE
from .lip_shapes import LipShapes
from .parting import STATIONS, Parting
from .teeth import EDGE

Array = NDArray[np.float32]

_EROSION, _EROSION_SHARE = 0.030, 0.32  # I taken off at both lips, whose blur would come along; at most of the gap
_FEATHER = 0.012  # I over which its lower end is faded
_SIDES = 0.93  # share of the half width in which it is read; beyond, its colours are carried on
_LIKE = 9.0  # Lab units from the lower lip's colour up to which a place in the lower half is it; beyond twice that not
_PAINTED, _RED_FROM, _RED_OVER = (
    40.0,
    0.45,
    0.20,
)  # Lab redness from which a lip is painted, glossy or not: then shares of
# that tell it from teeth (to .3); bare lips have to 36
_LIP_FROM, _LIP_OVER = (
    3.5,
    0.02,
)  # from so many times _LIP_OVER I above the lower edge, not where a tongue is above teeth
_UNDER, _UNDER_OVER = 0.85, 0.10  # cover of the dark below it; I over which that goes
_HALF = 0.5  # cover from which a place is covered
_UNDER_SIDES = 0.75  # share of the half width beyond which it fades
_SPREAD = 0.010  # I: deviation of the Gaussian that softens the carried colours
_GAPES, _MIDDLE = 0.20, 0.35  # I from which a mouth is looked at for that; |station| up to which
_LAST, _FIRST = 0.035, 0.030  # I above and below its lower edge
_DEPTHS = 21  # places from lip to lip at which two rows are looked for
_BETWEEN, _AS_LIGHT, _AS_PALE = 0.12, 0.85, 4.0  # of the skin's brightness by which the line between rows is darker;
# share of the upper teeth's brightness, and Lab units more of redness, that the lower ones have at least and at most
_ALIKE = 4.0  # Lab units between the two that are one thing: a tongue 2, a drawn lip 3, 30 mouths that gape so 8 … 50


def cut_own_mouth(
    image: Array, shapes: LipShapes, palette: MouthColours, origin: Array, *, x: Array, y: Array
) -> Array:
    """Cut it out; above the upper lip's edge its uppermost colours go on, for when that lip is raised.

    Below it is dark, as it is below teeth.

    Args:
        image: (h, w, 3) RGB.
        shapes: The lips' fields.
        palette: Colours of the mouth.
        origin: (2,) pixels where x and y are 0.
        x: (w,) places in I to the right of it along the head's axes.
        y: (h,) places in I below it.

    Returns:
        (h, w, 4): RGB times coverage, and coverage.
    """
    dark = palette.dark
    parting = shapes.parting
    axes = shapes.axes[:2, :2] * parting.unit
    places = origin + x[None, :, None] * axes[0] + y[:, None, None] * axes[1]
    along, across = np.moveaxis(parting.bite.locate(places.reshape(-1, 2)).reshape(*places.shape), -1, 0)
    inside = np.clip(along, -_SIDES, _SIDES)
    upper, lower = (
        np.interp(inside, STATIONS, parting.bite.locate(edge[:, :2])[:, 1]) for edge in (parting.upper, parting.lower)
    )
    taken = np.minimum(_EROSION, _EROSION_SHARE * (lower - upper))
    top, bottom = upper + taken, lower - taken
    read = parting.bite.place(inside, np.clip(across, top, bottom)).astype(np.float32)
    colour = cv2.remap(image, read[..., 0], read[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    soft = np.asarray(cv2.GaussianBlur(colour, (0, 0), _SPREAD / float(x[1] - x[0])), np.float32)
    beyond = np.clip(np.maximum(top - across, across - bottom) / _SPREAD, 0, 1)[..., None]
    colour = colour + (soft - colour) * beyond
    end = np.maximum(bottom, upper + 0.28 * (lower - upper) + EDGE * (1 - np.minimum(along**2, 1)))
    cover = np.clip((end - across) / _FEATHER + 0.5, 0, 1) * np.clip((1.05 - np.abs(along)) / 0.1, 0, 1)
    low = np.clip((across - (upper + lower) / 2) / np.maximum((lower - upper) / 4, 1e-3), 0, 1)
    lips = np.maximum.accumulate(
        _lip_share(soft, palette.lip) * low, axis=0
    )  # below a lip there is nothing of the mouth
    cover = cover * (1 - lips)
    sides = smooth_fall((np.abs(along) - _UNDER_SIDES) / (1 - _UNDER_SIDES))
    gapes = parting.gap > CLOSABLE  # its tongue, red as a lip, is not where it ends
    below = across - (end if gapes else _ends(cover, across, end, float(x[1] - x[0])))
    under = (_UNDER * smooth_fall(below / _UNDER_OVER) * (1 - cover) * sides)[..., None]
    cover = cover[..., None]
    dark = _darker(dark, _last(image, parting, inside, bottom))
    drawn = np.concatenate((colour * cover + dark * under, cover + under), -1)
    return drawn.astype(np.float32)


def ends_in_lip(image: Array, parting: Parting) -> bool:
    """Tell whether below an open mouth something else begins: neither where a tongue is out, nor where lips are skin.

    Args:
        image: (h, w, 3) RGB.
        parting: Where the lips part.
    """
    if not parting.shown or parting.gap < _GAPES:
        return True
    middle = np.abs(STATIONS) < _MIDDLE
    upper, lower = (parting.bite.locate(edge[middle, :2])[:, 1] for edge in (parting.upper, parting.lower))
    rows = (upper + lower) / 2, lower - _LAST, lower + _FIRST
    colours = [read_at(image, parting.bite.place(STATIONS[middle], row))[None] for row in rows]
    centre, last, below = (cv2.cvtColor(each, cv2.COLOR_RGB2Lab)[0].mean(0) for each in colours)
    return bool(min(np.linalg.norm(centre - below), np.linalg.norm(last - below)) > _ALIKE)


def shows_all(image: Array, light: Light, parting: Parting) -> bool:
    """Tell whether an open mouth shows all that one can, so that nothing is drawn before it.

    That is a tongue in one that gapes, or lower teeth under the upper ones: as light and pale, below a dark line.

    Args:
        image: (h, w, 3) RGB.
        light: The portrait's light.
        parting: Where the lips part.
    """
    if not parting.shown or parting.gap > CLOSABLE:
        return parting.shown
    middle = np.abs(STATIONS) < _MIDDLE
    upper, lower = (line[middle, None, :2] for line in (parting.upper, parting.lower))
    places = upper + (lower - upper) * np.linspace(0, 1, _DEPTHS)[None, :, None]
    inside = read_at(image, places.reshape(-1, 2)).reshape(*places.shape[:2], 3)
    colours = np.median(inside, axis=0).astype(np.float32)
    bright, red = luma_of(colours) / light.level, cv2.cvtColor(colours[None], cv2.COLOR_RGB2Lab)[0, :, 1]
    for line in range(1, _DEPTHS - 1):
        first, second = int(bright[:line].argmax()), line + int(bright[line:].argmax())
        dips = min(bright[first], bright[second]) - bright[line] > _BETWEEN
        if dips and bright[second] > _AS_LIGHT * bright[first] and red[second] < red[first] + _AS_PALE:
            return True
    return False


def _ends(cover: Array, across: Array, end: Array, step: float) -> Array:
    """Find where what is covered (h, w) ends in each column (w,), in I; where nothing is, it ends at ``end``."""
    covered = cover > _HALF
    lowest = np.where(covered, across, -np.inf).max(0)
    lowest = np.where(covered.any(0), lowest, end.mean(0)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(lowest[None], (0, 0), _SPREAD / step)[0], np.float32)


def _last(image: Array, parting: Parting, along: Array, bottom: Array) -> Array:
    """Read the colours (h, w, 3) with which it ends in each column."""
    read = parting.bite.place(along, bottom).astype(np.float32)
    seen = cv2.remap(image, read[..., 0], read[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.GaussianBlur(seen, (0, 0), _SPREAD * parting.unit), np.float32)


def _darker(dark: Array, seen: Array) -> Array:
    """Take what is seen (h, w, 3) where it is darker: below a dark part of a mouth nothing lighter begins at once."""
    share = np.clip(luma_of(seen) / max(float(luma_of(dark)), 1e-3), 0, 1)[..., None]
    return np.asarray(seen + (dark - seen) * share, np.float32)


def _lip_share(colour: Array, lip: Array) -> Array:
    """Tell how much colours (h, w, 3) are the lower lip's: a reading too low would leave a piece of it in the mouth."""
    lab, own = (cv2.cvtColor(np.asarray(each, np.float32), cv2.COLOR_RGB2Lab) for each in (colour, lip[None, None]))
    like = np.clip(2 - np.linalg.norm(lab - own, axis=-1) / _LIKE, 0, 1)
    red = float(own[0, 0, 1])
    return np.maximum(like, np.clip((lab[..., 1] / red - _RED_FROM) / _RED_OVER, 0, 1)) if red > _PAINTED else like
