"""Lashes: what darkens an upper lid's edge, and how it is seen while the lid comes down."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ....easing import smooth_rise
from .eye_frame import STATIONS, EyeFrame, EyePart, EyePixels
from .eye_light import Surroundings, blurred
from .light import luma_of

_BROW_SOFT, _LID_LEAST = 0.05, 0.05  # I over which a brow ends below; above an open lid's edge that is lid in any case
_THICK = 0.095  # I: dark things thicker than this are shade, not lashes
_REACH = 0.095, 0.13  # I above the lid's edge that lashes reach, and at the outer corner
_DARK = (0.08, 0.12)  # of the skin's brightness: what is darker by the first is no skin any more, by both a lash
_LINE_SHADE = 0.25, 0.55  # of the skin's brightness: the darkest and the faintest line of lashes
_BLACK, _INKY = 0.02, 0.08  # of full scale, and of the skin's brightness: darker is not told apart
_CALM, _TIP = 0.01, 0.03  # I: over how much the skin beneath lashes is blurred; within which their tips end
_LINKED = 0.006, 0.004  # I: gaps that do not part a lash; height from which it must be linked with the edge
_SIDE = 0.20, 0.05  # I beyond the corners that lashes reach at most, and over how much they end
_INNER = 1.02, 0.2  # half widths towards the nose at which lashes begin, and over how much
_ROOTS = 0.05, -0.006  # I above the mesh's edge: where their line is looked for
_STEADY = 4.0, 3.0  # stations over which the line's height and its colour are blurred
_ENDS, _BEGINS = (1.26, 0.45), (1.08, 0.45)  # half widths outward and towards the nose: the line's ends; over how much
_FARTHEST = 0.2  # half widths by which it ends farther out where the portrait's own lashes or liner go on there
_WING_ASIDE, _WING_DOWN = (1.02, 1.5, 11), (-0.06, 0.06, 13)  # half widths, and I down, in which they are looked for …
_WING_DARK = 0.22  # … and how much darker than the skin they are
_PALER, _PALER_OUTSIDE = 0.35, 0.0  # of its darkness is lost at the inner and the outer corner
_THINNER, _THINNER_OUTSIDE = 0.5, 0.15  # of its width is lost at the inner and the outer corner
_USUAL, _UNEVEN = 15, 0.45  # percentile of the line's shade that is most of it; what is kept of how each place differs
_MEASURED = (
    0.95,
    0.3,
)  # half widths up to which the line's shade is measured, and over how much that ends: lashes spread
_LINE = 0.0105  # I: standard deviation of the line across itself (real lines are .02–.04 thick)
_HANGS = 1.3  # times as far as upward the line's shade goes down
_LINE_FROM = 0.3  # share of the way by which the line is whole
_LINE_SOFT = 0.16  # of the width of the portrait's edges is added to the line's
_WARMTH = 0.6  # power by which what darkens skin is of its hue: shaded skin is redder …
_WARMEST = 0.6, 1.4  # … and bounds of that
_STARTED = 0.14  # share of the way over which drawn lashes replace the portrait's
_UP_TO = 0.6  # share of the way by which lashes that point up are gone
_DOWN_FROM = 0.4  # share of the way from which they are seen to point down …
_DOWNWARD = 0.95  # … this much as dark …
_SHORTER = 0.7  # … this much as long …
_FALL = 0.06  # I: … and fading within this
_ROOTED = 0.01, 0.5  # I, and share of the width of the portrait's edges: over how much a lash begins
_WITH_LID = (1.06, 0.2)  # half widths from the middle at which lashes do not go along any more, and over how much
_BESIDE = (0.06, 0.05)  # I above the corners' line by which lashes beside the outer corner end, and over how much
_SOFTENED = 0.6  # share of the way by which these are soft
_SOFT = 0.015  # I: how soft
_ASIDE = 0.3  # of them is what is seen then


@dataclass(frozen=True, eq=False)
class Lashes:
    """What darkens the upper lid's edge."""

    marks: np.ndarray
    """Colour of lashes and liner over that of skin, laid out as the surroundings, (h, w, 3) in [0, 1]."""
    line: np.ndarray
    """Colour of the line at the lid's edge over that of skin, at the stations, (81, 3)."""
    black: np.ndarray
    """Its brightness in the portrait, (81,)."""
    root: np.ndarray
    """How far above the mesh's edge that line lies, at the stations, (81,), pixels of the texture."""


def find_lashes(around: Surroundings) -> Lashes:
    """Find what is dark without a gap from the upper lid's edge upward; a fold above the lid is not."""
    frame, grid, unit = around.frame, around.grid, np.float32(around.frame.unit)
    height = (frame.at(frame.top, grid.along) - grid.down) / unit
    lid = np.where((height > 0)[..., None], around.picture, around.skin)
    wide = max(3, round(_THICK * frame.unit / grid.step))
    smooth = cv2.morphologyEx(
        blurred(lid, 0.5), cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide))
    )
    smooth = blurred(smooth, _CALM * frame.unit / grid.step)
    ratio = np.clip(around.picture / np.maximum(smooth, _BLACK), _INKY, 1)
    dark = 1 - luma_of(ratio)
    thick = cv2.dilate(blurred(dark, _LINKED[0] * frame.unit / grid.step), np.ones((3, 5), np.uint8))
    linked = np.where(height > _LINKED[1], thick, 1.0)[::-1]
    linked = np.minimum.accumulate(linked, axis=0)[::-1]
    outward = frame.outer * grid.along / np.float32(frame.half)
    reach = np.float32(_REACH[0]) + np.float32(_REACH[1] - _REACH[0]) * smooth_rise((outward - 0.5) / 0.5)
    weight = smooth_rise((linked - _DARK[0]) / _DARK[1]) * smooth_rise((reach - height) / _TIP)
    weight *= smooth_rise((np.float32(frame.half) + _SIDE[0] * unit - np.abs(grid.along)) / (_SIDE[1] * unit))
    weight *= smooth_rise((outward + _INNER[0]) / _INNER[1]) * below_brow(frame, grid)
    marks = (1 - (1 - ratio) * weight[..., None]).astype(np.float32)
    line, black, root = _lash_line(around, ratio, dark * weight)
    return Lashes(marks, line, black, root)


def below_brow(frame: EyeFrame, grid: EyePixels) -> np.ndarray:
    """Tell what belongs to the eye, not to a brow that lies low over it, (h, w) in [0, 1] on the grid."""
    unit = np.float32(frame.unit)
    brow, top = frame.at(frame.brow, grid.along), frame.at(frame.top, grid.along)
    free = smooth_rise((grid.down - brow) / (np.float32(_BROW_SOFT) * unit) + 0.5)
    return np.maximum(free, smooth_rise((grid.down - top) / (np.float32(_LID_LEAST) * unit) + 1))


def _lash_line(around: Surroundings, ratio: np.ndarray, dark: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure the line of lashes.

    Returns:
        Its colour over the skin's, (81, 3), its brightness, (81,), and its height above the mesh's edge, (81,).
    """
    frame, grid = around.frame, around.grid
    rows = np.linspace(*_ROOTS, 29, dtype=np.float32)[None] * np.float32(frame.unit)
    along = np.broadcast_to(np.float32(frame.half) * STATIONS[:, None], (81, 29))
    places = along, frame.top[:, None] - rows
    sharp = grid.spread(dark, *places) ** 3 + 1e-6
    root = (sharp * rows).sum(1) / sharp.sum(1)
    colours = grid.spread(ratio, *places)
    line = (colours * sharp[..., None]).sum(1) / sharp.sum(1)[:, None]
    black = (grid.spread(luma_of(around.picture), *places) * sharp).sum(1) / sharp.sum(1)
    root = blurred(np.median(root[20:61]) * 0.5 + 0.5 * root[None], _STEADY[0])[0]
    line = np.repeat(_evened(luma_of(blurred(line[None], _STEADY[1])[0]))[:, None], 3, axis=1)
    black = _evened(blurred(black[None], _STEADY[1])[0])
    return np.clip(line, *_LINE_SHADE).astype(np.float32), black.astype(np.float32), root.astype(np.float32)


def _evened(line: np.ndarray) -> np.ndarray:
    """Bring what was measured along a line, (81,), nearer to its usual darker part; at its ends it is that."""
    usual = np.percentile(line[np.abs(STATIONS) <= 1], _USUAL)
    within = smooth_rise((_MEASURED[0] - np.abs(STATIONS)) / _MEASURED[1])
    return usual + _UNEVEN * within * (line - usual)


@dataclass(frozen=True, eq=False)
class Ink:
    """One eye's lashes over its window; arrays are (h, w) float32 unless they say otherwise."""

    window: EyePart
    grid: EyePixels
    marks: np.ndarray
    """Lashes on the grid, (h, w, 3)."""
    top: np.ndarray
    """Upper lid's edge in the portrait, in the frame's down."""
    root: np.ndarray
    """How far above it the line of lashes lies."""
    with_lid: np.ndarray
    """Where lashes go along with the lid, in [0, 1]: between the corners."""
    aside: np.ndarray
    """Lashes beside the outer corner, which stay there, (h, w, 3)."""
    aside_shut: np.ndarray
    """What is seen of them when the eye is shut, (h, w, 3)."""
    line: np.ndarray
    """Colour of the line at the lid's edge over the skin's, (h, w, 3)."""
    line_within: np.ndarray
    """Where that line may be drawn, in [0, 1]."""
    spread: np.ndarray
    """Standard deviation of the line across itself in pixels."""
    downward: np.ndarray
    """How much is seen of lashes that point down, in [0, 1]."""
    rooted: np.float32
    """Pixels over which a lash begins."""

    def draw(self, blink: float, height: np.ndarray) -> np.ndarray:
        """Draw lashes and their line as factors, (h, w, 3).

        Lashes that point up shorten and fade as the lid comes down, and grow downward from there; those beside the
        outer corner stay where they are and soften.

        Args:
            blink: Above 0 (open) up to 1 (shut).
            height: How far each place lies above the lid's edge where it is now, pixels of the texture.
        """
        above = height - self.root * np.float32(1 - blink)
        started = np.float32(smooth_rise(blink / _STARTED))
        aside = np.float32(smooth_rise(blink / _SOFTENED))
        ink = 1 - started * (1 - self.aside - aside * (self.aside_shut - self.aside))
        up, down = smooth_rise(1 - blink / _UP_TO), smooth_rise((blink - _DOWN_FROM) / (1 - _DOWN_FROM))
        if up > 0:
            ink *= self._lashes(above * np.float32(1 + blink / _UP_TO), self.with_lid * np.float32(up * started))
        if down > 0:
            reach = above * np.float32(-1 / _SHORTER)
            fall = np.exp(np.maximum(reach, 0) * np.float32(-1 / (_FALL * self.window.frame.unit)))
            ink *= self._lashes(reach, self.with_lid * self.downward * fall * np.float32(down))
        across = np.maximum(above, above * np.float32(-1 / _HANGS)) / self.spread
        line = np.exp(np.square(across) * np.float32(-0.5)) * self.line_within
        line *= np.float32(smooth_rise(blink / _LINE_FROM))
        return np.minimum(ink, 1 - line[..., None] * (1 - self.line))

    def _lashes(self, reach: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Draw ``share`` (h, w) of the portrait's lashes, each place ``reach`` (h, w) pixels from their roots."""
        marks = self.grid.spread(self.marks, self.window.along, self.top - self.root - np.maximum(reach, 0))
        own = share * smooth_rise(1 + reach / self.rooted)
        return 1 - own[..., None] * (1 - marks)


def make_ink(
    window: EyePart, around: Surroundings, lashes: Lashes, skin: np.ndarray, *, region: np.ndarray, softness: float
) -> Ink:
    """Prepare one eye's lashes.

    Args:
        window: Where they are drawn.
        around: What lies around the eye.
        lashes: What was found of them.
        skin: Brightness of a shut lid where its line lies, at the stations, (81,).
        region: Where something may be drawn, laid out as the window, (h, w) in [0, 1].
        softness: Pixels of the texture over which an edge of the portrait spreads.
    """
    frame, grid, along, down = window.frame, around.grid, window.along, window.down
    unit, half = np.float32(frame.unit), np.float32(frame.half)
    share, outward = np.abs(along) / half, frame.outer * along / half
    fade = smooth_rise((_ENDS[0] + _FARTHEST * _wing(around) - share) / _ENDS[1]) * smooth_rise(
        (_BEGINS[0] + outward) / _BEGINS[1]
    )
    fade *= 1 - np.where(outward > 0, np.float32(_PALER_OUTSIDE), np.float32(_PALER)) * share**2
    thinner = np.where(outward > 0, np.float32(_THINNER_OUTSIDE), np.float32(_THINNER))
    with_lid = smooth_rise((_WITH_LID[0] - share) / _WITH_LID[1])
    beside = (1 - with_lid) * (outward > 0) * smooth_rise((_BESIDE[0] * unit + down) / (_BESIDE[1] * unit)) * region
    soft = blurred(lashes.marks, _SOFT * frame.unit / grid.step)
    own, calm = (1 - grid.spread(part, along, down) for part in (lashes.marks, soft))
    usual = around.skin.mean((0, 1))
    warmth = np.clip(1 + _WARMTH * (1 - usual / max(float(luma_of(usual)), _BLACK)), *_WARMEST).astype(np.float32)
    shade = np.minimum(lashes.line, np.maximum(lashes.black / np.maximum(skin, _BLACK), _LINE_SHADE[0])[:, None])
    line = np.stack([frame.at(part, along) for part in (shade**warmth).T], -1)
    return Ink(
        window=window,
        grid=grid,
        marks=lashes.marks,
        top=frame.at(frame.top, along),
        root=frame.at(lashes.root, along),
        with_lid=region * with_lid,
        aside=1 - beside[..., None] * own,
        aside_shut=1 - np.float32(_ASIDE) * beside[..., None] * calm,
        line=line,
        line_within=region * fade,
        spread=np.float32(_LINE) * unit * (1 - thinner * np.minimum(share, _BEGINS[0]) ** 2)
        + np.float32(_LINE_SOFT * softness),
        downward=np.float32(_DOWNWARD) * fade,
        rooted=np.float32(max(_ROOTED[0] * frame.unit, _ROOTED[1] * softness)),
    )


def _wing(around: Surroundings) -> float:
    """Tell how far lashes or liner go on beyond the outer corner, 0 … 1."""
    frame = around.frame
    along = np.float32(frame.outer * frame.half) * np.linspace(*_WING_ASIDE, dtype=np.float32)[None]
    rows = np.float32(frame.unit) * np.linspace(*_WING_DOWN, dtype=np.float32)[:, None]
    places = np.broadcast_arrays(along, rows)
    seen, skin = (around.grid.spread(luma_of(part), *places) for part in (around.picture, around.skin))
    darkest = (1 - seen / np.maximum(skin, _BLACK)).max(0)
    return float((darkest > _WING_DARK).cumprod().mean())
