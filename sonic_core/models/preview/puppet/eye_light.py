"""What a portrait shows around an eye: its skin, what is not skin, its lashes, and where the eye really ends."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ....easing import smooth_rise
from ....faces.geometry import CHEEKS, eye_distance
from ....types import Landmarks
from .eye_frame import STATIONS, EyeFrame, EyePixels, grid_around
from .light import luma_of

_BEYOND, _ABOVE, _BELOW = 0.30, 0.42, 0.40  # I: what is looked at around an eye
_HOLE_UP, _HOLE_DOWN, _HOLE_SIDE = 0.09, 0.08, 0.15  # I beyond the lids: eye, lashes and liner, never taken as skin
_SOFT = 0.03  # I: over which such zones fade
_BLACK = 0.18  # of the cheek's brightness: darker is hair or a frame, not a shaded socket
_STRANGE = 0.15  # of the skin's brightness: scale of what is not skin any more
_LOWER_REACH, _UPPER_REACH = 0.07, 0.07  # I: how far an eye may go on beyond the mesh's lids …
_OUTER_REACH, _INNER_REACH = 0.13, 0.06  # … and its corners
_EYE_LIKE = 0.12  # of the skin's brightness: difference from skin at which an eye goes on
_SHADOW, _IRIS_DARK = -0.06, -0.45  # of the skin's brightness: what is darker is shadow, and an iris again below
_IRIS_HUE = 0.22  # of the skin's brightness: difference in hue that only an iris shows
_NEUTRAL, _WHITE_SHADE = 0.55, -0.3  # of the skin's colourfulness and brightness: bounds of a shaded eye's white


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by a Gaussian of ``sigma`` pixels, 0 or more."""
    return cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE) if sigma > 0.3 else picture


def fill(picture: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Fill a picture (h, w, 3) smoothly where its weight (h, w) is low, from where it is high, fine to coarse."""
    weight = np.maximum(weight.astype(np.float32), 1e-6)
    levels = [(picture * weight[..., None], weight)]
    while min(levels[-1][1].shape) > 4:
        levels.append((cv2.pyrDown(levels[-1][0]), cv2.pyrDown(levels[-1][1])))
    colours, weights = levels[-1]
    filled = colours / weights[..., None]
    for colours, weights in reversed(levels[:-1]):
        rough = cv2.pyrUp(filled, dstsize=weights.shape[::-1])
        sure = np.minimum(weights * 4, 1)[..., None]
        filled = rough + sure * (colours / weights[..., None] - rough)
    return filled


def closeness(grid: EyePixels, frame: EyeFrame, wider: tuple[float, float, float], soft: float = _SOFT) -> np.ndarray:
    """Tell how far the grid's samples lie in the eye made ``wider`` up, down and aside (I), (h, w) in [0, 1]."""
    up, down, side = wider
    unit = np.float32(frame.unit)
    above = (frame.at(frame.top, grid.along) - grid.down) / unit - np.float32(up)
    below = (grid.down - frame.at(frame.bottom, grid.along)) / unit - np.float32(down)
    beside = (np.abs(grid.along) - np.float32(frame.half)) / unit - np.float32(side)
    beyond = np.maximum(np.maximum(above, below), beside)
    return smooth_rise(1 - beyond / np.float32(soft))


def face_brightness(landmarks: Landmarks, texture: np.ndarray) -> float:
    """Measure the brightness of a face's skin: median of small patches on its cheeks and beside its mouth."""
    unit = eye_distance(landmarks.points)
    reach = max(1, round(0.03 * unit))
    height, width = texture.shape[:2]
    places = np.rint(landmarks.points[list(CHEEKS), :2]).astype(int)
    found = []
    for x, y in places:
        column, row = (int(np.clip(place, reach, size - reach - 1)) for place, size in ((x, width), (y, height)))
        patch = texture[row - reach : row + reach + 1, column - reach : column + reach + 1]
        found.append(float(luma_of(patch.mean((0, 1)))))
    return max(float(np.median(found)), 0.02)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What lies around an eye, on a grid; (h, w, 3) or (h, w) float32."""

    frame: EyeFrame
    grid: EyePixels
    picture: np.ndarray
    skin: np.ndarray
    """The skin as if there were no eye."""
    weight: np.ndarray
    """How sure a sample is skin, in [0, 1]."""
    strange: np.ndarray
    """Difference from the skin, of the skin's brightness; hues count double."""
    brightness: float
    """The skin's."""


def look_around(frame: EyeFrame, texture: np.ndarray, wide: float = 0.0) -> Surroundings:
    """Read an eye's surroundings; ``wide`` (I) leaves more out around the eye."""
    grid = grid_around(frame, _BEYOND, _ABOVE, _BELOW)
    picture = grid.sample(frame, texture)
    soft = blurred(picture, 0.008 * frame.unit / grid.step)
    hole = closeness(grid, frame, (_HOLE_UP + 0.7 * wide, _HOLE_DOWN + wide, min(_HOLE_SIDE + wide, 0.24)))
    under_brow = smooth_rise((grid.down - frame.at(frame.brow, grid.along)) / np.float32(_SOFT * frame.unit) - 0.3)
    luma = luma_of(soft)
    below = min(frame.bottom.max() + _HOLE_DOWN * frame.unit, grid.down[-4, 0])
    cheek = float(np.percentile(luma[grid.down[:, 0] >= below], 70))
    under_brow = under_brow * smooth_rise((luma / max(cheek, 0.02) - _BLACK) / _BLACK)
    allowed = (1 - hole) * (0.02 + 0.98 * under_brow) + 1e-4
    weight, brightness = allowed, 1.0
    skin = fill(soft, weight)
    for _ in range(3):
        brightness = max(float(np.median(luma_of(skin))), 0.06)
        weight = allowed * np.exp(-((difference(soft, skin) / (_STRANGE * brightness)) ** 2))
        skin = fill(soft, weight)
    return Surroundings(frame, grid, picture, skin, weight, difference(soft, skin) / brightness, brightness)


def difference(picture: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Measure how two pictures (h, w, 3) differ, in brightness and, doubly, in hue, (h, w)."""
    apart = picture - other
    luma = luma_of(apart)
    hue = np.maximum.reduce([np.abs(apart[..., channel] - luma) for channel in range(3)])
    return np.abs(luma) + hue


def fit_frame(around: Surroundings) -> EyeFrame:
    """Let an eye end where the portrait's does: the mesh's lids are those of an average face."""
    frame = around.frame
    white, dark = eye_like_parts(around)
    lower = _reach(around, frame.bottom, white | dark, _LOWER_REACH)
    upper = _reach(around, frame.top, white, -_UPPER_REACH)
    fitted = frame.top - upper, frame.bottom + lower
    left, right = (_corner(around, side) for side in (-1, 1))
    if left > 0 or right > 0:
        stretched = np.where(STATIONS < 0, 1 + left / frame.half, 1 + right / frame.half)
        top, bottom = (np.interp(STATIONS / stretched, STATIONS, curve) for curve in (frame.top, frame.bottom))
        fitted = np.minimum(top, fitted[0]), np.maximum(bottom, fitted[1])
    top, bottom = (curve.astype(np.float32) for curve in fitted)
    return frame.fitted(-frame.half - left, frame.half + right, top, bottom)


def _reach(around: Surroundings, curve: np.ndarray, eye_like: np.ndarray, most: float) -> np.ndarray:
    """Follow what is like an eye beyond a lid: pixels at the stations, (81,); ``most`` (I) is negative upward."""
    grid, frame = around.grid, around.frame
    soft = blurred(eye_like.astype(np.float32), 0.01 * frame.unit / grid.step)
    steps = np.linspace(0, most, 15, dtype=np.float32)[None] * np.float32(frame.unit)
    along = np.broadcast_to(frame.half * STATIONS[:, None], (81, 15))
    reach = np.cumprod(grid.spread(soft, along, curve[:, None] + steps) > 0.5, axis=1).mean(1)
    reach = reach.astype(np.float32) * np.float32(abs(most) * frame.unit) * smooth_rise((1.15 - np.abs(STATIONS)) / 0.3)
    narrow, wide = (3, 3.5) if most < 0 else (5, 6.0)  # a lower lid's bumps would be seen when the edges meet
    return blurred(cv2.erode(reach[None], np.ones((1, narrow), np.uint8)), wide)[0]


def eye_like_parts(around: Surroundings) -> tuple[np.ndarray, np.ndarray]:
    """Tell what may be an eye's white or coloured iris, and what may be a dark iris, (h, w) bool each; shade is not."""
    apart = (around.picture - around.skin) / np.float32(around.brightness)
    lighter = luma_of(apart)
    hue = np.maximum.reduce([np.abs(apart[..., channel] - lighter) for channel in range(3)])
    colourful, usual = (part.max(2) - part.min(2) for part in (around.picture, around.skin))
    neutral = (colourful < _NEUTRAL * usual) & (lighter > _WHITE_SHADE)
    strange = around.strange > _EYE_LIKE
    return strange & ((lighter > _SHADOW) | neutral | (hue > _IRIS_HUE)), strange & (lighter < _IRIS_DARK)


def _corner(around: Surroundings, side: int) -> float:
    """Follow the white beyond a corner: pixels by which the eye goes on there. Darker things are lashes and liner.

    What does not end within reach is no white but skin in another light: a nose's, mostly.
    """
    frame = around.frame
    reach = _OUTER_REACH if side == frame.outer else _INNER_REACH
    steps = np.linspace(0.01, reach, 13, dtype=np.float32) * np.float32(frame.unit)
    rows = np.linspace(-0.03, 0.03, 5, dtype=np.float32)[:, None] * np.float32(frame.unit)
    along = np.broadcast_to(side * (np.float32(frame.half) + steps), (5, 13))
    rows = np.broadcast_to(rows, (5, 13))
    white = around.grid.spread(eye_like_parts(around)[0].astype(np.float32), along, rows) > 0.5
    goes_on = (white.sum(0) >= 2).cumprod()
    return 0.0 if goes_on.all() else float(goes_on.mean() * reach * frame.unit)


def skin_grain(around: Surroundings) -> np.ndarray:
    """Mirror the grain of the skin below the eye upward, laid out as the surroundings, (h, w, 3)."""
    frame, grid, unit = around.frame, around.grid, np.float32(around.frame.unit)
    rough = around.picture - blurred(around.picture, 0.018 * frame.unit / grid.step)
    bottom = frame.at(frame.bottom, grid.along) + np.float32(0.05) * unit
    height = np.maximum(bottom - grid.down, 0)
    period = 0.26 * unit
    height = period - np.abs(height % (2 * period) - period)
    along = np.broadcast_to(grid.along, height.shape)
    grain = grid.spread(rough, along, bottom + height)
    size = np.abs(luma_of(grain))
    usual = 2.5 * float(np.median(size)) + 1e-4
    wide = 2 * max(1, round(0.015 * frame.unit / grid.step)) + 1
    feature = blurred(cv2.dilate(size, np.ones((wide, wide), np.uint8)), wide / 2)
    return grain * smooth_rise(3.0 - feature / np.float32(usual))[..., None]  # lines are no grain
