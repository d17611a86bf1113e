"""What is seen between open lips: teeth, tongue and shade in the portrait's own light, colours, sharpness and grain.

The upper teeth hang in the skull and stay where they are while the lips move over them; the lower teeth and the tongue
go down with the jaw. Where the portrait itself shows its teeth, those are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .anatomy import MOUTH_STATIONS, Anatomy
from .easing import smooth_rise
from .lips import Gap

SHOWN = 0.036
"""How far the upper front teeth reach below a resting upper lip, in face units (2 to 3 mm of 63)."""
BITE = 0.012
"""How far, in face units, the lower teeth's edge lies above that of the upper ones in a shut mouth."""
_TOOTH_EDGES = np.array([-0.455, -0.345, -0.235, -0.13, 0.0, 0.13, 0.235, 0.345, 0.455], np.float32)
"""Borders of the upper front teeth in face units (8.5, 6.5, 7.5 and 7 mm wide; the eyes are 63 mm apart)."""
_LOWER_EDGES = np.array([-0.39, -0.28, -0.17, -0.085, 0.0, 0.085, 0.17, 0.28, 0.39], np.float32)
"""Borders of the lower front teeth, likewise (5.4, 5.6 and 7 mm)."""
TEETH_BEHIND, TONGUE_BEHIND, THROAT_BEHIND = 0.03, 0.12, 0.5
"""How far they lie behind the lips in face units (2, 8 and 30 mm): the narrower the gap, the less light gets there."""
_BRIGHTEST = 0.6
"""The brightest that a tongue's flesh is, as a share of the skin: a statue's lips and pale ones are no model for it."""


@dataclass(frozen=True, eq=False)
class Palette:
    """Colours of a mouth's inside, (3,) each, and how soft its edges are."""

    tooth: np.ndarray
    tongue: np.ndarray
    shade: np.ndarray
    softness: float
    """Pixels over which an edge of the portrait spreads."""


class Interior:
    """Paints what is seen between one portrait's lips."""

    def __init__(self, image: np.ndarray, anatomy: Anatomy) -> None:
        """Take light, colours, sharpness and grain from the portrait, (h, w, 3) in [0, 1]."""
        self.image = image
        self.unit = np.float32(anatomy.unit)
        self.half_width = anatomy.mouth.half_width
        self.palette = mix_palette(image, anatomy)
        self._grain = _grain(image, anatomy)

    def paint(self, frame: np.ndarray, gap: Gap) -> None:
        """Paint into ``frame`` (h, w, 3), in place, where the lips have parted."""
        if gap.height.size == 0 or gap.parted == 0:
            return
        soft = np.float32(self.palette.softness)
        cover = smooth_rise(gap.below / soft + 0.5) * smooth_rise((gap.height - gap.below) / soft + 0.5)
        cover *= smooth_rise(gap.height / (1.5 * soft)) * gap.parted
        seen = np.flatnonzero(cover)
        grain = cv2.remap(self._grain, gap.x, gap.y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        shown = gap.at(seen)
        inside = self._cavity(shown)
        self._lower_teeth(inside, shown)
        self._tongue(inside, shown)
        self._upper_teeth(inside, shown)
        inside *= self._lip_shadow(shown)[..., None]
        inside += grain.reshape(-1, 3)[seen] * np.minimum(0.25 + 1.2 * inside.mean(-1, keepdims=True), 1)
        if shown.own.any():
            own = cv2.remap(self.image, gap.x, gap.y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            inside += shown.own[..., None] * (own.reshape(-1, 3)[seen] - inside)
        area = frame[gap.rows, gap.columns]
        at = np.divmod(seen, area.shape[1])
        before = area[at]
        area[at] = before + cover.ravel()[seen, None] * (np.clip(inside, 0, 1) - before)

    def _cavity(self, gap: Gap) -> np.ndarray:
        """Fill the gap with the dark of the throat, a little lighter in the middle."""
        vault = np.clip(1 - 0.75 * gap.along**2, 0, 1)
        return self.palette.shade * ((0.55 + 0.45 * vault) * self._let_in(gap, THROAT_BEHIND))[..., None]

    def _let_in(self, gap: Gap, behind: float) -> np.ndarray:
        """Say what share of the light comes through the gap to a place so far behind the lips, in face units.

        A long slot lights a place behind it by the sine of half the angle under which it is seen from there.
        """
        return gap.height / np.hypot(gap.height, np.float32(2 * behind) * self.unit)

    def _tongue(self, inside: np.ndarray, gap: Gap) -> None:
        """Lay the tongue behind the lower teeth, rounded toward its tip and its sides.

        It darkens twice as the gap narrows: less light comes in, and what it sends back is hidden by lips and teeth.
        """
        dome = np.clip(1 - (gap.across / np.float32(0.27)) ** 2, 0, 1)
        top = gap.jaw / self.unit - np.float32(0.03) + np.float32(0.1) * dome
        body = smooth_rise(top * 28) * smooth_rise(dome * 4)
        light = (0.3 + 0.45 * smooth_rise(top / 0.12)) * (0.5 + 0.5 * dome) * self._let_in(gap, TONGUE_BEHIND) ** 2
        inside += body[..., None] * (self.palette.tongue * light[..., None] - inside)

    def _upper_teeth(self, inside: np.ndarray, gap: Gap) -> None:
        """Hang the upper teeth in the skull: a lip that rises shows more of them."""
        across = gap.across
        nearest = _nearest(across, _TOOTH_EDGES)
        row = np.float32(SHOWN) * (1 - np.clip(across / 0.5, -1, 1) ** 2 * 0.55)
        notch = np.float32(0.009) * np.exp(-((nearest / 0.016) ** 2))
        edge = (row - notch) * self.unit - gap.skull
        light = _arch_light(across, 0.43) * (0.88 + 0.12 * smooth_rise(nearest / 0.02))
        light = light * (0.86 + 0.14 * smooth_rise(edge / np.float32(0.02 * self.unit)))
        light = light * self._let_in(gap, TEETH_BEHIND)
        cover = smooth_rise(edge / self.palette.softness + 0.5) * smooth_rise((0.47 - np.abs(across)) * 14)
        inside += cover[..., None] * (self.palette.tooth * light[..., None] - inside)

    def _lower_teeth(self, inside: np.ndarray, gap: Gap) -> None:
        """Stand the lower teeth on the jaw: mostly behind the lower lip, seen when that is drawn down."""
        nearest = _nearest(gap.across, _LOWER_EDGES)
        notch = np.float32(0.006) * np.exp(-((nearest / 0.014) ** 2))
        edge = gap.jaw - (notch + np.float32(SHOWN - BITE)) * self.unit
        light = 0.66 * _arch_light(gap.across, 0.42) * (0.88 + 0.12 * smooth_rise(nearest / 0.018))
        light = light * self._let_in(gap, TEETH_BEHIND)
        cover = smooth_rise(edge / self.palette.softness + 0.5) * smooth_rise((0.3 - np.abs(gap.across)) * 14)
        inside += cover[..., None] * (self.palette.tooth * light[..., None] - inside)

    def _lip_shadow(self, gap: Gap) -> np.ndarray:
        """Darken what lies right under the upper lip, and a little above the lower one."""
        above = smooth_rise(gap.below / np.float32(0.04 * self.unit))
        beneath = smooth_rise((gap.height - gap.below) / np.float32(0.03 * self.unit))
        return (0.78 + 0.22 * above) * (0.8 + 0.2 * beneath)


def mix_palette(image: np.ndarray, anatomy: Anatomy) -> Palette:
    """Take the inside's colours from the portrait.

    Args:
        image: The crop, (h, w, 3) in [0, 1].
        anatomy: Where lips and cheeks are.
    """
    unit = anatomy.unit
    lip = np.median(_lower_lip(image, anatomy).reshape(-1, 3), axis=0)
    face = _patch(image, anatomy.head.centre, 0.6 * unit, 0.7 * unit)
    pixels = face.reshape(-1, 3)
    brightness = pixels.mean(1)
    skin = np.median(pixels[brightness >= np.median(brightness)], axis=0)
    light = float(np.clip(0.72 * np.percentile(brightness, 96) + 0.48 * skin.mean(), 0.24, 0.96))
    tint = skin / max(float(skin.mean()), 1e-3)
    redder = lip * lip / max(float(lip.max()), 1e-3)
    flesh = redder * min(_BRIGHTEST * float(skin.mean()) / max(float(redder.mean()), 1e-3), 1.0)
    return Palette(
        tooth=np.clip(light * (0.66 + 0.34 * tint), 0, 1).astype(np.float32),
        tongue=(0.62 * flesh + 0.1 * skin).astype(np.float32),
        shade=(0.12 * redder).astype(np.float32),
        softness=_softness(face, unit),
    )


def _nearest(across: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Measure the distance from each place to the nearest of some edges, all (…) in face units."""
    table = np.abs(np.linspace(edges[0], edges[-1], 1024, dtype=np.float32)[:, None] - edges).min(1)
    index = (across - edges[0]) * np.float32(1023 / (edges[-1] - edges[0]))
    return table[np.clip(index, 0, 1023).astype(np.int16)]


def _arch_light(across: np.ndarray, end: float) -> np.ndarray:
    """How much light falls on a row of teeth that curves back into the mouth, 0 … 1."""
    return 0.25 + 0.75 * np.clip(1 - (across / np.float32(end)) ** 2, 0, 1)


def _softness(face: np.ndarray, unit: float) -> float:
    """Measure over how many pixels the sharpest edges of a face spread."""
    grey = cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY)
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.125))
    low, high = np.percentile(grey, (2, 98))
    return float(np.clip(0.7 * (high - low) / max(float(np.percentile(slope, 99.5)), 1e-3), 1.2, max(0.03 * unit, 1.3)))


def _grain(image: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """Spread the finest structure of a cheek over the whole crop, mirrored from tile to tile: (h, w, 3), mean 0."""
    unit, mouth = anatomy.unit, anatomy.mouth
    wider = int(np.argmax(mouth.sides))
    dx, dy = mouth.frame.turned((wider * 2 - 1) * 1.25 * mouth.half_width, -0.28 * unit)
    patch = _patch(
        image, (mouth.frame.centre[0] + float(dx), mouth.frame.centre[1] + float(dy)), 0.13 * unit, 0.13 * unit
    )
    if min(patch.shape[:2]) < 4:
        return np.zeros_like(image)
    fine = patch - cv2.GaussianBlur(patch, (0, 0), 0.02 * unit + 1, borderType=cv2.BORDER_REFLECT_101)
    limit = min(2.5 * float(fine.std()), 0.05) + 1e-6
    fine = np.clip(fine, -limit, limit)
    tile = np.concatenate([fine, fine[::-1]])
    tile = np.concatenate([tile, tile[:, ::-1]], 1)
    height, width = image.shape[:2]
    repeats = -(-height // tile.shape[0]), -(-width // tile.shape[1]), 1
    return np.ascontiguousarray(np.tile(tile, repeats)[:height, :width], np.float32)


def _lower_lip(image: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """Sample the middle of the lower lip: (6, 15, 3)."""
    mouth = anatomy.mouth
    stations = np.linspace(-0.45, 0.45, 15)
    top = np.interp(stations, MOUTH_STATIONS, mouth.lower_inner)
    end = np.interp(stations, MOUTH_STATIONS, mouth.lower_outer)
    depth = top + np.linspace(0.25, 0.75, 6)[:, None] * (end - top)
    dx, dy = mouth.frame.turned(stations[None] * mouth.half_width + 0 * depth, depth)
    x = np.asarray(dx + mouth.frame.centre[0], np.float32)
    y = np.asarray(dy + mouth.frame.centre[1], np.float32)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _patch(image: np.ndarray, centre: tuple[float, float], wide: float, high: float) -> np.ndarray:
    height, width = image.shape[:2]
    left, right = max(int(centre[0] - wide), 0), min(int(centre[0] + wide) + 1, width)
    top, bottom = max(int(centre[1] - high), 0), min(int(centre[1] + high) + 1, height)
    return image[top:bottom, left:right]
