"""The upper lid of a closing eye: skin, lashes and the path on which they come down.

A portrait with open eyes hides most of the lid, and what lies above it (crease, brow, glasses) makes an ugly blind when
it is stretched. So the lid is made: its colours come from the clean skin above and below the eye, its grain from the
cheek, its lashes from the edge of the open lid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .anatomy import EYE_STATIONS, Eye
from .easing import smooth_fall, smooth_rise

_FURTHER = 0.07  # face units: how far below its measured edge an eye may end
_MIDDLE = 0.85  # share of an eye's width in which its surroundings are judged


@dataclass(frozen=True, eq=False)
class Lid:
    """One portrait's upper lid, over a rectangle of the crop; arrays are (h, w) float32 unless they say otherwise."""

    area: tuple[slice, slice]
    skin: np.ndarray
    """The lid's skin where it would be, shut, (h, w, 3) in [0, 1]."""
    ink: np.ndarray
    """Colour of the lashes, (3,)."""
    down: np.ndarray
    """Pixels below the eye's centre."""
    open_edge: np.ndarray
    """Where the lid's edge is at rest, as ``down``."""
    height: np.ndarray
    """How far the edge comes down to shut the eye."""
    width: np.ndarray
    """1 along the eye, 0 beyond its corners."""
    fold: np.ndarray
    """1 from the fold of the open lid downward, since a closing lid smooths it; 0 above and beyond the corners."""
    thickness: float
    """Height of the line of lashes in pixels."""
    softness: float
    """Pixels over which an edge of the portrait spreads."""
    top: float
    """Highest point of the open eye, as ``down``."""
    depth: float
    """How far this eye can be closed so that it looks right, 0 … 1."""

    def draw(self, blink: float) -> tuple[np.ndarray, np.ndarray]:
        """Draw the lid as it is at ``blink`` (0 open … 1 shut): how much it covers, (h, w), and colours times that."""
        below = self.down - self.open_edge - np.float32(blink) * self.height
        started = smooth_rise(np.array([4 * blink], np.float32))
        cover = np.clip(0.5 - below / np.float32(self.softness), 0, 1) * (self.fold * started)
        above = np.float32(0.6 * self.thickness + 0.3 * self.softness)
        beneath = np.float32(1.1 * self.thickness + 0.3 * self.softness)
        line = np.exp(-((below / np.where(below < 0, above, beneath)) ** 2)) * (self.width * (0.9 * started))
        cover *= 1 - line
        colour = self.skin * cv2.cvtColor(cover, cv2.COLOR_GRAY2RGB)
        colour += cv2.merge([line * part for part in self.ink])
        return cover + line, colour


def measure_lid(eye: Eye, image: np.ndarray, inside: np.ndarray, unit: float) -> Lid:
    """Make the lid of one eye from the portrait.

    Args:
        eye: Where the eye is.
        image: The portrait's crop, (h, w, 3) in [0, 1].
        inside: How far inside the person's outline each pixel lies, (h, w) in face units, 0 outside.
        unit: The face's unit in pixels.
    """
    eye = replace(eye, lower_lid=_shut_edge(eye, image, unit))
    area = _area(eye, image.shape[:2], unit)
    y, x = np.mgrid[area].astype(np.float32)
    along, down = eye.frame.local(x, y)
    share = along / np.float32(eye.half_width)
    open_edge = np.interp(share, EYE_STATIONS, eye.upper_lid).astype(np.float32)
    lower = np.interp(share, EYE_STATIONS, eye.lower_lid).astype(np.float32)
    bands = _bands(eye, image, unit)
    skin = _skin(bands, share, down, eye, unit) + _grain(eye, image, unit, share, down)
    ink, thickness = _lashes(eye, image, unit)
    fold_height = np.float32(np.clip(0.55 * (eye.brow + eye.upper_lid.min()), 0.03 * unit, 0.09 * unit))
    width = smooth_fall((np.abs(share) - 0.88) / 0.2) * smooth_rise(inside[area] / 0.04).astype(np.float32)
    return Lid(
        area=area,
        skin=np.clip(skin, 0, 1),
        ink=ink,
        down=down,
        open_edge=open_edge,
        height=lower - open_edge,
        width=width,
        fold=width * smooth_rise((down - open_edge + fold_height) / (0.8 * fold_height)),
        thickness=thickness,
        softness=_softness(image[area]),
        top=float(eye.upper_lid.min()),
        depth=_depth(eye, image, unit, bands),
    )


def _area(eye: Eye, size: tuple[int, int], unit: float) -> tuple[slice, slice]:
    half = 1.15 * eye.half_width
    above, below = 0.16 * unit - float(eye.upper_lid.min()), float(eye.lower_lid.max()) + 0.08 * unit
    slope = half * abs(eye.frame.along[1])
    x, y = eye.frame.centre
    left, right = max(int(x - half), 0), min(int(x + half) + 2, size[1])
    top, bottom = max(int(y - above - slope), 0), min(int(y + below + slope) + 2, size[0])
    return slice(top, bottom), slice(left, right)


def _sample(
    eye: Eye, image: np.ndarray, along: np.ndarray, down: np.ndarray, corner: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """Read a part of the portrait, cut at ``corner`` (x, y), at positions of the eye's frame, (h, w) → (h, w, 3)."""
    moved = zip(eye.frame.turned(along, down), eye.frame.centre, corner, strict=True)
    x, y = (np.asarray(part + centre - start, np.float32) for part, centre, start in moved)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _clean(band: np.ndarray) -> np.ndarray:
    """Take each column's colour where it is free of lashes and folds (darker) and of glare (brighter).

    Args:
        band: Rows by stations, (r, n, 3).

    Returns:
        Colours, (n, 3), smooth along the stations.
    """
    order = np.argsort(band.mean(2), axis=0)
    ranked = np.take_along_axis(band, order[..., None], axis=0)
    count = len(band)
    colours = ranked[round(0.4 * count) : round(0.8 * count)].mean(0)
    colours = cv2.GaussianBlur(colours.astype(np.float32), (1, 0), 0.01, sigmaY=2.5, borderType=cv2.BORDER_REPLICATE)
    return colours


def _bands(eye: Eye, image: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Read the skin above the eye, up to the brow, and below it: rows by stations, (14, n, 3) each."""
    along = EYE_STATIONS * np.float32(eye.half_width)
    rows = np.linspace(0, 1, 14, dtype=np.float32)[:, None]
    near, far = np.float32(0.02 * unit), np.clip(eye.brow + eye.upper_lid, 0.04 * unit, 0.14 * unit)
    above = (eye.upper_lid - near - rows * (far - near)).astype(np.float32)
    below = eye.lower_lid + (np.float32(0.05) + rows * np.float32(0.1)) * np.float32(unit)
    across = np.broadcast_to(along, above.shape)
    return _sample(eye, image, across, above), _sample(eye, image, across, below)


def _strangeness(eye: Eye, image: np.ndarray, down: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """Tell how far the portrait at ``down`` (r, n), at each station, is from the skin's colours (n, 3): (r, n)."""
    along = np.broadcast_to(EYE_STATIONS * np.float32(eye.half_width), down.shape)
    return np.abs(_sample(eye, image, along, down.astype(np.float32)) - skin).mean(2)


def _shut_edge(eye: Eye, image: np.ndarray, unit: float) -> np.ndarray:
    """Follow the eye down to where it ends, (n,): below the measured lower lid where the eye goes on beneath it.

    A lid that does not reach the end of the eye leaves a sliver of white, which is worse than one that goes too far.
    """
    skin = _clean(_bands(eye, image, unit)[1])
    inside = eye.upper_lid + np.linspace(0.15, 0.9, 8)[:, None] * (eye.lower_lid - eye.upper_lid)
    limit = 0.45 * np.median(_strangeness(eye, image, inside, skin))
    steps = np.linspace(0, 1, 15)[:, None] * _FURTHER * unit
    beyond = _strangeness(eye, image, eye.lower_lid + steps, skin) > limit
    further = np.cumprod(beyond, axis=0).mean(0)[np.abs(EYE_STATIONS) < _MIDDLE]
    return (eye.lower_lid + np.percentile(further, 65) * _FURTHER * unit * (1 - EYE_STATIONS**4)).astype(np.float32)


def _depth(eye: Eye, image: np.ndarray, unit: float, bands: tuple[np.ndarray, np.ndarray]) -> float:
    """Tell how far an eye can be closed so that it looks right: 1 wholly, 0.2 hardly.

    The skin beside an eye is smooth, and more like itself than the eye is. Where that is not so, hair or glasses cross
    it, or the eye is elsewhere.
    """
    middle = np.abs(EYE_STATIONS) < _MIDDLE
    skin = _clean(bands[1])
    rough = np.mean([np.abs(band - _clean(band))[:, middle].mean() for band in bands])
    inside = eye.upper_lid + np.linspace(0.1, 0.9, 9)[:, None] * (eye.lower_lid - eye.upper_lid)
    beneath = eye.lower_lid + np.linspace(0, 0.12, 10)[:, None] * unit
    ball, rest = (_strangeness(eye, image, down, skin)[:, middle].mean() for down in (inside, beneath))
    doubt = max((rough - 0.11) / 0.08, (rest / max(float(ball), 1e-3) - 0.45) / 0.2)
    return float(1 - 0.8 * smooth_rise(np.array(doubt)))


def _skin(
    bands: tuple[np.ndarray, np.ndarray], share: np.ndarray, down: np.ndarray, eye: Eye, unit: float
) -> np.ndarray:
    """Spread clean colours from above and below the eye over the lid, shaded by the ball beneath, (h, w, 3)."""
    upper, lower = (_spread(_clean(band), share) for band in bands)
    top = np.interp(share, EYE_STATIONS, eye.upper_lid).astype(np.float32) - np.float32(0.05 * unit)
    bottom = np.interp(share, EYE_STATIONS, eye.lower_lid).astype(np.float32)
    level = np.clip((down - top) / np.maximum(bottom - top, 1), 0, 1)
    weight = (0.55 * smooth_rise(level))[..., None]
    ball = (0.06 * (1 - ((level - 0.4) / 0.6) ** 2) - 0.02) * (1 - share**2).clip(0, 1)
    return ((upper * (1 - weight) + lower * weight) * (1 + ball[..., None])).astype(np.float32)


def _spread(colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Spread colours at the stations (n, 3) over all pixels (h, w, 3)."""
    return np.stack([np.interp(share, EYE_STATIONS, colours[:, c]) for c in range(3)], -1).astype(np.float32)


def _grain(eye: Eye, image: np.ndarray, unit: float, share: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Mirror the grain of the skin below the eye into the lid, (h, w, 3)."""
    left, top = (max(int(place - 0.7 * unit), 0) for place in eye.frame.centre)
    patch = image[top : top + int(1.4 * unit), left : left + int(1.4 * unit)]
    texture = patch - cv2.GaussianBlur(patch, (0, 0), 0.025 * unit)
    bottom = np.interp(share, EYE_STATIONS, eye.lower_lid).astype(np.float32)
    mirrored = 2 * bottom - down + np.float32(0.05 * unit)
    grain = _sample(eye, texture, share * np.float32(eye.half_width), mirrored, (left, top))
    limit = 3 * np.median(np.abs(grain)) + 1e-3
    return np.clip(grain, -limit, limit)


def _lashes(eye: Eye, image: np.ndarray, unit: float) -> tuple[np.ndarray, float]:
    """Measure colour (3,) and thickness in pixels of the line of lashes, beside the iris."""
    beside = (np.abs(EYE_STATIONS) > 0.3) & (np.abs(EYE_STATIONS) < 0.9)
    rows = np.linspace(-0.06, 0.03, 19, dtype=np.float32)[:, None] * np.float32(unit)
    down = (eye.upper_lid[beside] + rows).astype(np.float32)
    band = _sample(eye, image, np.broadcast_to(EYE_STATIONS[beside] * np.float32(eye.half_width), down.shape), down)
    light = band.mean(2)
    darkest = np.take_along_axis(band, light.argmin(0)[None, :, None], axis=0)[0]
    ink = np.median(darkest, axis=0)
    skin = float(np.percentile(light, 75))
    dark = (light < (skin + float(ink.mean())) / 2).sum(0) * (0.09 * unit / 18)
    return ink.astype(np.float32), float(np.clip(np.median(dark), 0.014 * unit, 0.035 * unit))


def _softness(patch: np.ndarray) -> float:
    """Measure over how many pixels the sharpest edges of ``patch`` (h, w, 3) spread."""
    grey = patch.mean(2)
    gradient = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8))
    low, high = np.percentile(grey, (2, 98))
    return float(np.clip((high - low) / max(float(np.percentile(gradient, 99)), 1e-3) * 0.6, 1.0, 6.0))
