"""What can be told of an eye before anything is drawn: whether it is there to be seen, open, and read rightly."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from ....easing import smooth_rise
from ....faces.geometry import LEFT_LID_UPPER, RIGHT_LID_UPPER, eye_distance
from ....types import Landmarks
from .eye_frame import STATIONS, EyeFrame
from .eye_light import Surroundings, blurred, closeness, look_around
from .light import luma_of

_MIDDLE = 0.8  # of the half width: part of the eye whose lower surroundings are judged
_BELOW_EYE = (0.035, 0.09)  # I below the lower lid: where that is
_STRANGE = 0.2  # of the skin's brightness: difference from which something is no skin
_LASH_HEIGHT = 0.14  # I: shut eyes (two) show dark lashes of .115 and .125, open ones .135 and more
_NO_WHITE, _DARK = 1.0, 0.4  # of the skin's brightness: in shut eyes the 90th percentile is below, the 25th too
_RING = (0.13, 0.10, 0.05), (0.04, 0.05, 0.03)  # I up, down and aside: from where to where skin is around an eye
_DETAIL = 0.025  # I: what is finer counts as roughness
_LIT = 0.15  # of the skin's brightness: what is darker shows no hue
_FEW = 6  # samples, less than which are not judged
_BRIDGE = 0.1, (-0.3, 0.22)  # I aside, and down from the inner corners' line: where glasses rest on a nose
_BRIDGE_STEP, _BRIDGE_WIDE = 0.01, 7  # I from sample to sample; samples: deviation of the blur a line stands out of
_CROSSED = 75  # percentile across the nose: a line crosses it, a spot or a furrow does not
_WORN = 0.17  # of the skin's brightness that the line is darker: 15 with glasses .17–.49, of 147 others one fringe .18
_BIG_REACH = 0.32  # I: how far a drawn eye may go below the mesh's
_BIG_LEAST, _WIDE, _ROUND = (
    0.03,
    0.22,
    0.12,
)  # I: how far at least; what is left out of its skin; half widths: its corners
_LENS = (0.10, 0.09, 0.06), (0.03, 0.03, 0.02)  # I up, down and aside: from where to where lenses would darken skin
_COUNTED = (-0.06, 0.30, 0.005)  # I down from the upper lid, and the step, in which dark lashes are counted
_LOWER_LASHES, _BELOW_BROW = 0.03, 0.02  # I: below the lower lid, and below a brow, nothing is judged so far
_BLACK = 0.02  # of full scale: what is darker is not told apart
_OPENING = 0.02  # I: things thinner than this do not belong to a drawn eye


def contrast(around: Surroundings) -> float:
    """Measure how far an eye's light and dark lie apart, of the skin's brightness; behind dark lenses it is little."""
    inside = closeness(around.grid, around.frame, (-0.01, -0.01, -0.02), 1e-3) > 0.5
    if inside.sum() < 8:
        return 0.0
    low, high = np.percentile(luma_of(around.picture[inside]), (5, 95))
    return float(high - low) / around.brightness


def ring_brightness(around: Surroundings) -> float:
    """Measure the light skin around an eye, 75th percentile of a ring: behind dark glasses it is dark."""
    frame, grid = around.frame, around.grid
    outer, inner = (closeness(grid, frame, reach, 1e-3) > 0.5 for reach in _LENS)
    ring = outer & ~inner
    return float(np.percentile(luma_of(around.picture[ring]), 75)) if ring.any() else 0.0


def unrest_below(around: Surroundings) -> float:
    """Measure how the brightness changes along the eye just below it, of the skin's: much where an eye goes on."""
    frame, grid, unit = around.frame, around.grid, np.float32(around.frame.unit)
    middle = np.abs(STATIONS) <= _MIDDLE
    rows = np.linspace(*_BELOW_EYE, 12, dtype=np.float32)[None] * unit
    luma = blurred(luma_of(around.picture), 0.01 * frame.unit / grid.step) / np.float32(around.brightness)
    along = np.broadcast_to(np.float32(frame.half) * STATIONS[middle, None], (int(middle.sum()), 12))
    band = grid.spread(luma, along, frame.bottom[middle, None] + rows)
    slope = np.stack([np.ones_like(STATIONS[middle]), STATIONS[middle]], 1)
    band = band - slope @ np.linalg.lstsq(slope, band, rcond=None)[0]
    low, high = np.percentile(band, (5, 95), axis=0)
    return float(np.median(high - low))


def roughness(around: Surroundings) -> float:
    """Measure how rough the skin around an eye is, of its brightness: hatching and frames are, brows are left out."""
    ring, luma = _skin_ring(around), luma_of(around.picture) / np.float32(around.brightness)
    fine = np.abs(luma - blurred(luma, _DETAIL * around.frame.unit / around.grid.step))
    return float(np.median(fine[ring])) if ring.sum() >= _FEW else 0.0


def hue_difference(around: Surroundings) -> float:
    """Measure how the hue above an eye differs from that below, of the brightness; 0 where either is too dark."""
    frame, grid, ring = around.frame, around.grid, _skin_ring(around)
    parts = (
        ring & (grid.down < frame.at(frame.top, grid.along)),
        ring & (grid.down > frame.at(frame.bottom, grid.along)),
    )
    if min(int(part.sum()) for part in parts) < _FEW:
        return 0.0
    colours = np.stack([np.median(around.picture[part], 0) for part in parts])
    lumas = luma_of(colours)
    if float(lumas.min()) < _LIT * around.brightness:
        return 0.0
    return float(np.abs(np.subtract(*(colours / lumas[:, None]))).max())


def wears_glasses(landmarks: Landmarks, picture: np.ndarray) -> bool:
    """Tell whether the bridge of glasses, or a mask's edge, crosses the nose, in a picture (h, w, 3)."""
    unit = eye_distance(landmarks.points)
    eyes = [landmarks.points[list(lids), :2] for lids in (LEFT_LID_UPPER, RIGHT_LID_UPPER)]
    across = eyes[1].mean(0) - eyes[0].mean(0)
    along = across / max(float(np.hypot(*across)), 1e-6)
    middle = (eyes[0][-1] + eyes[1][0]) / 2
    aside = np.arange(-_BRIDGE[0], _BRIDGE[0] + _BRIDGE_STEP, _BRIDGE_STEP) * unit
    down = np.arange(*_BRIDGE[1], _BRIDGE_STEP)[:, None] * unit
    x, y = (middle[0] + aside * along[0] - down * along[1], middle[1] + aside * along[1] + down * along[0])
    places = x.astype(np.float32), y.astype(np.float32)
    nose = cv2.remap(luma_of(picture), *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    usual = ndimage.gaussian_filter1d(nose, _BRIDGE_WIDE, axis=0, mode="nearest")
    line = np.percentile(nose - usual, _CROSSED, axis=1)
    return bool(-line.min() > _WORN * max(float(np.median(nose)), _BLACK))


def _skin_ring(around: Surroundings) -> np.ndarray:
    """Tell where the skin around an eye is, (h, w) bool on the grid."""
    frame, grid = around.frame, around.grid
    outer, inner = (closeness(grid, frame, reach, 1e-3) > 0.5 for reach in _RING)
    return (
        outer
        & ~inner
        & (grid.down > frame.at(frame.brow, grid.along) + np.float32(_BELOW_BROW) * np.float32(frame.unit))
    )


def is_shut(around: Surroundings) -> bool:
    """Tell whether the portrait's own eye is shut: a mere line of lashes, which the mesh takes for an opening."""
    frame, grid, unit = around.frame, around.grid, np.float32(around.frame.unit)
    middle = np.abs(STATIONS) <= 0.5
    steps = np.arange(*_COUNTED, dtype=np.float32)[None]
    rows = frame.top[middle, None] + steps * unit
    along = np.broadcast_to(np.float32(frame.half) * STATIONS[middle, None], rows.shape)
    strange = grid.spread(around.strange, along, rows) > _STRANGE
    strange &= rows < frame.bottom[middle, None] + np.float32(_LOWER_LASHES) * unit
    inside = closeness(grid, frame, (-0.01, 0.0, -_LOWER_LASHES), 1e-3) > 0.5
    if float(np.median(strange.sum(1))) * _COUNTED[2] >= _LASH_HEIGHT or inside.sum() < 8:
        return False
    share = luma_of(around.picture)[inside] / np.maximum(luma_of(around.skin)[inside], _BLACK)
    dark, light = np.percentile(share, (25, 90))
    return bool(light < _NO_WHITE and dark < _DARK)


def difference_of_lids(one: EyeFrame, other: EyeFrame) -> float:
    """Measure the most by which one eye's upper edge differs from the other's in a mirror, of their height."""
    middle = np.abs(STATIONS) <= _MIDDLE
    return float(np.abs(one.top - other.top[::-1])[middle].max()) / max((one.gap + other.gap) / 2, 1.0)


def fit_big(frame: EyeFrame, texture: np.ndarray) -> EyeFrame | None:
    """Find a drawn eye that is far bigger than the mesh believes: a patch that is not skin, whole within reach."""
    around = look_around(frame, texture, wide=_WIDE)
    grid, unit = around.grid, frame.unit
    wide = max(2, round(_OPENING * unit / grid.step))
    mask = cv2.morphologyEx(
        (around.strange > _STRANGE).astype(np.uint8), cv2.MORPH_OPEN, np.ones((wide, wide), np.uint8)
    )
    middle = closeness(grid, frame, (0, 0.05, 0), 1e-3) > 0.5
    _, labels = cv2.connectedComponents(np.maximum(mask, middle.astype(np.uint8)), connectivity=4)
    patch = labels == np.bincount(labels[middle]).argmax() if middle.any() else middle
    columns = np.flatnonzero(patch.any(0))
    if len(columns) < 8:
        return None
    along, down = grid.along[0, columns], grid.down[:, 0]
    ends = np.array([np.flatnonzero(patch[:, column])[[0, -1]] for column in columns])
    top, bottom = down[ends[:, 0]], down[ends[:, 1]]
    reach = float(bottom.max() - frame.bottom.max())
    if not _BIG_LEAST * unit < reach < _BIG_REACH * unit:
        return None
    left, right = float(along[0]), float(along[-1])
    level = float(np.interp(0.5, [0, 1], [top.max(), bottom.min()])) if top.max() < bottom.min() else 0.0
    moved = frame.fitted(left, right, frame.top, frame.bottom)
    here = (left + right) / 2 + STATIONS * np.float32(moved.half)
    round_off = smooth_rise((1 - np.abs(STATIONS)) / _ROUND)
    upper, lower = (
        blurred((level + (np.interp(here, along, curve) - level) * round_off).astype(np.float32)[None], 1.5)[0]
        for curve in (top, bottom)
    )
    return moved.lowered(level, upper, lower)
