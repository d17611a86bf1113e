"""Lids that close: skin that stretches and smooths, lashes that come down with the edge, a lower lid that rises."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ....easing import smooth_rise
from .eye_frame import STATIONS, EyeFrame, EyePart, EyePixels
from .eye_light import (
    Surroundings,
    blurred,
    closeness,
    eye_like_parts,
    fill,
    skin_grain,
)
from .gaze import GazeField
from .lashes import Ink, below_brow, find_lashes, make_ink
from .light import luma_of

_LOWER_SHARE = 0.2  # of the gap: how far the lower lid rises (measured on real blinks: a fifth)
_SHUT_BELOW = 0.025  # I: how far below the corners' line a shut line lies in its middle (real: .01–.04)
_LOWER_MOST = 0.05  # I: the lower lid rises no further
_CORNERS = 5.0  # stations over which a shut line bends where it leaves the eye's corners
_LINE_CALM = 4.0  # stations over which the brightness of the skin along it is blurred
_SKEW = 0.55  # of the bow in its middle: how much a shut line leans to one corner; from 1 on it is a wave
_OVERLAP = 0.02  # I: how far the lid's edge goes beyond the lower one's, so that no rim of the eye stays
_LOWER_FADE = 0.20  # I below the lower lid over which the cheek goes along
_SPAN, _SPAN_LEAST = 0.28, 0.06  # I above the lid: where the skin that stretches begins at the highest, at the lowest
_BRIGHT_POWER = 1.5  # how much brighter skin around the eye counts for more: a lid is not the socket's shade
_BRIGHTEST = 1.2  # times the brightness of the skin around: a lid in the shade is not lit
_LIFT = 1.05  # times the brightness of what lies next to the eye, make-up and shade: the same for those
_BELOW_PAINT = 0.02  # weight of what lies below the upper lid's edge for a lid's paint, beside 1
_PAINT, _PAINT_KEPT = 0.13, 0.85  # difference of hues (colour over brightness) from which it is paint; share kept
_SHADED = 0.4  # of the brightness of what lies next to the eye: brighter skin around by this much lends no hue
_FRESH = 0.85  # share of made skin in a shut lid; the rest is stretched
_BULGE = 0.05  # how much brighter the middle of a shut lid is: the ball beneath
_UNDER_BROW = 0.05  # I below a brow within which its hairs are no lashes
_TIPS = 0.16  # I: how far from the eye tips of lashes are looked for on the lid …
_NARROW = 0.06  # … I across, at the most …
_STRAY = 0.04  # … and darker than this, of the skin's brightness
_FRESH_FROM = 0.75  # share of the way by which that is so
_BALL = 0.35, 0.5  # of the eye's height below the upper lid: where the ball is brightest, and how far that reaches
_FOLD, _FOLD_AT, _FOLD_WIDE = 0.09, 0.02, (0.016, 0.055)  # how much darker a shut lid's fold is; I above where the open
# lid ended; I over which that goes, upward and down
_PORES, _EVEN, _FINE = 0.012, 0.025, 0.007  # I: blurs that take out pores, that even skin out, that soften masks
_SOFT = 0.02  # I over which places end
_LIGHTS = 0.2, 1.6  # of the skin's brightness: bounds within which it counts
_SHADE = 0.4, 0.3  # of the brightness around: darker paint is shade, and over how much
_BLACK = 0.02  # of full scale: what is darker is not told apart
_MARKED = 0.13  # of the skin's brightness that a lash is darker
_OPENING, _FILLED, _CLEARED = (-0.005, 0.0, 0.02), (0.012, 0.02, 0.03), (0.0, 0.015, 0.02)  # I up, down and aside
# of the lids: what is taken out, what is filled, and where nothing stays
_WHITES = 0.0, 0.05, 0.04  # I up, down and aside of them: where white may be left over
_REGION, _REGION_SOFT = (
    (0.11, 0.04, 0.09),
    0.11,
)  # I up, down and aside: where a lid is drawn, and over how much it ends
_MIDDLE = 1.2, 0.35  # half widths from the middle at which skin is no longer made, and over how much
_CORNER, _CORNER_SOFT = (0.9, 0.4), 0.14  # half widths from which edges get soft, over how much; I: how soft
_NEAR = (0.08, 0.04, 0.06), (0.12, 0.04, 0.14)  # I up, down and aside: where lashes are no things; the same outward
_OUTWARD = 0.3  # half widths from where outward is
_RIM, _BEFORE = 0.015, 1.5  # I by which things are widened and softened; times that what is soft counts
_THING = 0.3  # of the skin's brightness: difference from which something may be a thing in front
_STRETCH_MOST = 0.6  # of the span: the skin stretches no further
_CLEAR_FROM, _CLEAR_BY = (
    0.06,
    0.015,
)  # I between the edges from which what is left of the eye goes, and by which it is gone
_CROSS = 0.14  # share of the way over which the drawn lid replaces the portrait's


@dataclass(frozen=True, eq=False)
class Lid:
    """One eye's lids over its window; arrays are (h, w) float32 unless they say otherwise."""

    window: EyePart
    grid: EyePixels
    picture: np.ndarray
    """What the window shows, (h, w, 3)."""
    bare: np.ndarray
    """The same without eye and lashes, (h, w, 3)."""
    fresh: np.ndarray
    """The shut lid's skin, (h, w, 3)."""
    top: np.ndarray
    """Upper lid's edge in the portrait, in the frame's down."""
    shut: np.ndarray
    """Where both edges meet, shut."""
    rise: np.ndarray
    """How far each place is carried up when the eye is shut: lower lid and cheek."""
    stretch: np.ndarray
    """Where the skin that stretches begins."""
    middle: np.ndarray
    """1 between the corners, 0 beyond: there skin is only what lies nearest."""
    region: np.ndarray
    """Where lid and lashes may be drawn, in [0, 1]."""
    cleared: np.ndarray
    """Where the eye lies, in [0, 1]: nothing of it stays when it is shut."""
    ink: Ink
    """Its lashes."""
    softness: np.ndarray
    """Pixels over which the lid's edge spreads."""

    def draw(self, look: GazeField, blink: float) -> np.ndarray:
        """Draw the window, (h, w, 3), with a gaze and with lids at ``blink``, above 0 (open) up to 1 (shut)."""
        way, started = np.float32(blink), np.float32(smooth_rise(blink / _CROSS))
        eye = self.picture
        gap = self.window.frame.gap / self.window.frame.unit * (1 - blink)
        if gap < _CLEAR_FROM:
            clear = np.float32(smooth_rise((_CLEAR_FROM - gap) / (_CLEAR_FROM - _CLEAR_BY))) * self.cleared
            eye = eye + clear[..., None] * (self.bare - eye)
        drawn = self.window.fetch(eye, look.along, look.down + self.rise * way)
        edge = self.top + look.lid
        edge = edge + way * (self.shut - edge)
        height = edge - self.window.down
        cover = smooth_rise(0.5 + height / self.softness) * (self.region * started)
        drawn += cover[..., None] * (self._skin(blink, edge) - drawn)
        drawn *= self.ink.draw(blink, height)
        return drawn

    def _skin(self, blink: float, edge: np.ndarray) -> np.ndarray:
        """Stretch the skin without lashes down to the edge and mix it with fresh skin, (h, w, 3)."""
        span = np.maximum(edge - self.stretch, 1)
        moved = np.minimum(edge - self.top, np.float32(_STRETCH_MOST) * span)
        part = np.clip((self.window.down - self.stretch) / span, 0, 1)
        skin = self.window.fetch(self.bare, None, moved * part * (-0.5 - 0.5 * part))
        fresh = np.float32(_FRESH * smooth_rise(blink / _FRESH_FROM)) * smooth_rise(2 * part) * self.middle
        skin += fresh[..., None] * (self.fresh - skin)
        return skin


def make_lid(window: EyePart, around: Surroundings, picture: np.ndarray, softness: float) -> Lid:
    """Prepare the lids of one eye.

    Args:
        window: Where they are drawn.
        around: What lies around the eye.
        picture: What the window shows, (h, w, 3).
        softness: Pixels of the texture over which an edge of the portrait spreads.
    """
    frame, grid, along, down = window.frame, around.grid, window.along, window.down
    unit = np.float32(frame.unit)
    top, bottom = frame.at(frame.top, along), frame.at(frame.bottom, along)
    line = _shut_line(frame)
    shut = frame.at(line, along)
    lift = bottom - shut
    below = smooth_rise(1 - (down - bottom) / (np.float32(_LOWER_FADE) * unit))
    within = smooth_rise((down - top) / np.maximum(bottom - top, _SOFT * unit))
    free = _not_things(around)
    lashes, left = find_lashes(around), _leftover(around) * free
    hole, region = (
        grid.spread(part * free, along, down) for part in (_hole(around, lashes.marks, left), _region(around))
    )
    filled = _bare(around, lashes.marks, left)
    made = _fresh(around, filled)
    bare, fresh = (grid.spread(part, along, down) for part in (filled, made))
    brow = frame.at(frame.brow, along) + np.float32(_SOFT) * unit
    share = np.abs(along) / np.float32(frame.half)
    return Lid(
        window=window,
        grid=grid,
        picture=picture,
        bare=picture + hole[..., None] * (bare - picture),
        fresh=picture + region[..., None] * (fresh - picture),
        top=top,
        shut=shut + np.float32(_OVERLAP) * unit,
        rise=lift * below * within,
        stretch=np.clip(brow, top - np.float32(_SPAN) * unit, top - np.float32(_SPAN_LEAST) * unit),
        middle=smooth_rise((_MIDDLE[0] - share) / _MIDDLE[1]),
        region=region,
        cleared=grid.spread(np.maximum(closeness(grid, frame, _CLEARED, _SOFT), left), along, down),
        ink=make_ink(window, around, lashes, _level_at(around, made, line), region=region, softness=softness),
        softness=np.float32(softness)
        + np.float32(_CORNER_SOFT) * unit * np.clip((share - _CORNER[0]) / _CORNER[1], 0, 1),
    )


def _leftover(around: Surroundings) -> np.ndarray:
    """Find what is like an eye's white just outside the lids as they were read, (h, w) in [0, 1] on the grid."""
    grid, unit = around.grid, around.frame.unit
    white = eye_like_parts(around)[0] * closeness(grid, around.frame, _WHITES, _SOFT)
    white = np.maximum(white, _strays(around))
    wide = 2 * max(1, round(_FINE * unit / grid.step)) + 1
    return blurred(cv2.dilate(white.astype(np.float32), np.ones((wide, wide), np.uint8)), _FINE * unit / grid.step)


def _strays(around: Surroundings) -> np.ndarray:
    """Find lash tips on the lid: what is dark and narrow across, as a fold is not, (h, w) in [0, 1] on the grid."""
    frame, grid = around.frame, around.grid
    luma = blurred(luma_of(around.picture), 0.5)
    across = np.ones((1, 2 * max(2, round(_NARROW / 2 * frame.unit / grid.step)) + 1), np.uint8)
    dark = (cv2.morphologyEx(luma, cv2.MORPH_CLOSE, across) - luma) / np.maximum(luma_of(around.skin), _BLACK)
    noise = float(np.median(dark))
    near = closeness(grid, frame, (_TIPS, -_SOFT, _TIPS), 2 * _SOFT) * (grid.down < frame.at(frame.top, grid.along))
    under_brow = smooth_rise((grid.down - frame.at(frame.brow, grid.along)) / np.float32(_UNDER_BROW * frame.unit))
    return smooth_rise((dark - 2 * noise - _STRAY) / _STRAY) * near * under_brow


def _hole(around: Surroundings, marks: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Tell where eye and lashes are taken out, (h, w) in [0, 1] on the grid."""
    frame, grid = around.frame, around.grid
    hole = closeness(grid, frame, _OPENING, _SOFT)
    lashes = smooth_rise((1 - marks.min(2)) / _MARKED) * (grid.down < frame.at(frame.bottom, grid.along))
    hole = cv2.dilate(np.maximum.reduce([hole, lashes, left]), np.ones((5, 5), np.uint8))
    return blurred(hole, _FINE * frame.unit / grid.step)


def _region(around: Surroundings) -> np.ndarray:
    """Tell where a lid may be drawn, (h, w) in [0, 1] on the grid; it ends early towards the nose."""
    frame, grid = around.frame, around.grid
    inward = (-frame.outer * grid.along - np.float32(frame.half)) / np.float32(frame.unit)
    aside = (
        frame.foreshortening**2 * (_REGION[2] + _REGION_SOFT) - _REGION_SOFT
    )  # a far eye's lid would reach over the face's edge
    region = closeness(grid, frame, (*_REGION[:2], aside), _REGION_SOFT) * smooth_rise(1 - inward / _REGION[2])
    return region * below_brow(frame, grid)


def _shut_line(frame: EyeFrame) -> np.ndarray:
    """Tell where the edges meet, (81,): a little below the corners' line, along a flatter curve of the lower lid."""
    gap = frame.bottom - frame.top
    lowest = max(float(frame.bottom.max()), 1e-3)
    flat = frame.bottom * min(1.0, _SHUT_BELOW * frame.unit / lowest)
    rise = np.clip(frame.bottom - flat, _LOWER_SHARE * 0.8 * gap, _LOWER_MOST * frame.unit)
    meeting = np.maximum(frame.bottom - rise, frame.top)
    inside = np.abs(STATIONS) <= 1
    arc = (1 - STATIONS**2)[:, None] * np.stack([np.ones_like(STATIONS), STATIONS], 1)
    bow, skew = np.linalg.lstsq(arc[inside], meeting[inside], rcond=None)[0]
    skew = np.clip(skew, -_SKEW * abs(bow), _SKEW * abs(bow))
    line = np.where(inside, arc @ (bow, skew), 0).astype(np.float32)
    return np.asarray(blurred(line[None], _CORNERS)[0], np.float32)


def _level_at(around: Surroundings, made: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Read how bright a shut lid's skin (h, w, 3) on the grid is along its line (81,), in its frame's down: (81,)."""
    along = around.frame.half * STATIONS[None]
    level = around.grid.spread(luma_of(made), along, line[None])
    return np.asarray(blurred(level, _LINE_CALM)[0], np.float32)


def _bare(around: Surroundings, marks: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Fill eye and lashes from the nearest skin, shade and make-up kept, (h, w, 3) on the grid."""
    hole = closeness(around.grid, around.frame, _FILLED, _SOFT)
    lash = smooth_rise((1 - marks.min(2)) / _MARKED)
    lash = cv2.dilate(lash, np.ones((3, 3), np.uint8))
    return fill(around.picture, (1 - hole) * (1 - lash) * (1 - left).clip(0, 1) + 1e-4)


def _fresh(around: Surroundings, bare: np.ndarray) -> np.ndarray:
    """Make the skin of a shut lid, (h, w, 3) on the grid: what is bright around the eye counts for more.

    It is never much brighter than what lies next to it, and takes over its hue where that is painted.
    """
    frame, grid = around.frame, around.grid
    soft = blurred(around.picture, _PORES * frame.unit / grid.step)
    light = soft.mean(2) / np.float32(max(around.brightness, _BLACK))
    bright = fill(soft, around.weight * np.clip(light, *_LIGHTS) ** np.float32(_BRIGHT_POWER) + 1e-6)
    bright = blurred(bright, _EVEN * frame.unit / grid.step)
    near = blurred(bare, _EVEN * frame.unit / grid.step)
    above = smooth_rise((frame.at(frame.top, grid.along) - grid.down) / np.float32(_EVEN * frame.unit))
    paint = blurred(fill(bare, above + np.float32(_BELOW_PAINT)), _EVEN * frame.unit / grid.step)
    luma, near_luma = (np.maximum(luma_of(part), _BLACK) for part in (bright, near))
    limit = np.minimum(np.float32(_BRIGHTEST) * np.maximum(luma_of(around.skin), _BLACK), np.float32(_LIFT) * near_luma)
    level = np.minimum(luma, limit)
    hue, near_hue = bright / luma[..., None], paint / np.maximum(luma_of(paint), _BLACK)[..., None]
    painted = smooth_rise((np.abs(near_hue - hue).max(2) - _PAINT) / _PAINT)
    painted *= smooth_rise((near_luma / luma - _SHADE[0]) / _SHADE[1]) * np.float32(_PAINT_KEPT)
    shaded = smooth_rise((luma / limit - 1) / np.float32(_SHADED))
    hue += np.maximum(painted, shaded)[..., None] * (near_hue - hue)
    share = np.clip(np.abs(grid.along) / np.float32(frame.half), 0, 1)
    top, bottom = frame.at(frame.top, grid.along), frame.at(frame.bottom, grid.along)
    height = (grid.down - top) / np.maximum(bottom - top, 1)
    ball = np.float32(_BULGE) * (1 - share**2) * np.exp(-np.square((height - _BALL[0]) / _BALL[1]))
    above = (top - grid.down) / np.float32(frame.unit) - _FOLD_AT
    ball -= np.float32(_FOLD) * (1 - share**4) * np.exp(-np.square(above / np.where(above > 0, *_FOLD_WIDE)))
    return np.clip(hue * (level * (1 + ball))[..., None] + skin_grain(around), 0, 1)


def _not_things(around: Surroundings) -> np.ndarray:
    """Tell where nothing stands in front of the lids, (h, w) in [0, 1]: frames of glasses, hair and backdrop stay."""
    frame, grid = around.frame, around.grid
    strange = (around.strange > _THING).astype(np.uint8)
    seen = frame.foreshortening**2  # beside a far eye the face ends soon
    near, outer = (closeness(grid, frame, (up, down, side * seen), 1e-3) > 0.5 for up, down, side in _NEAR)
    near |= outer & (frame.outer * grid.along > _OUTWARD * frame.half)
    things = _from_outside((strange > 0) & ~near)
    wide = max(3, int(_RIM * frame.unit / grid.step) * 2 + 1)
    things = cv2.dilate(things.astype(np.uint8), np.ones((wide, wide), np.uint8)).astype(np.float32)
    return 1 - smooth_rise(_BEFORE * blurred(things, _RIM * frame.unit / grid.step))


def _from_outside(mask: np.ndarray) -> np.ndarray:
    """Keep the patches of a mask that reach its border."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8))
    outer = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return np.isin(labels, outer[outer > 0])
