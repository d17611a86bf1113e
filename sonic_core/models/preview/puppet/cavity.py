"""The colours of a mouth's inside, and a table of them over the place between the lips.

Brightness follows profiles measured in six filmed clips; the clips differ from each other by about ±0.3 of the skin's
brightness, so what is drawn need only lie among them: dark behind the upper teeth, a tongue before it. A lighter and
redder throat was held for paint by who saw it (``benchmarks/portraits.py --rate``, 65 portraits).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ....easing import smooth_rise
from .light import LUMA, Light, luma_of, read_at
from .lip_controls import measure_heights
from .lip_shapes import LipShapes
from .parting import STATIONS, Parting

Array = NDArray[np.float32]

_SIDE = 65  # entries of the table each way
_THROAT_SMALL, _THROAT = 0.50, 0.27  # brightness of the throat for a small and a wide gap, as a share of the skin's
_TONGUE = 0.66  # the tongue's
_THROAT_HUE, _TONGUE_HUE = (1.30, 0.70, 0.70), (1.14, 0.85, 0.91)  # RGB against the skin's; the brightness is set after
_TONGUE_LIP = 0.25  # share of the lip's colour in the tongue's
_TONGUE_FROM, _TONGUE_CURVE, _TONGUE_OVER = (
    0.38,
    0.50,
    0.42,
)  # depth where it begins, lower aside; and over which it rises
_TONGUE_ASIDE, _ASIDE_FROM, _ASIDE_OVER = 0.75, 0.35, 0.50  # how much of it is lost aside; share of the half width
_CREST, _CREST_AT, _CREST_WIDE = 0.20, 0.74, (0.16, 0.45)  # how much lighter its crest is; depth; deep, and aside
_BEHIND_LIP, _BEHIND_FROM = 0.10, 0.86  # how much darker it is behind the lip; from which depth on
_GROOVE, _GROOVE_WIDE, _GROOVE_AT = 0.09, 0.09, (0.40, 0.70, 0.80, 0.95)
# how much darker its middle line is in a wide mouth; half width; depths where it begins, is whole, fades and has ended
_SIDES, _SIDES_FROM, _SIDES_OVER = 0.35, 0.25, 0.60  # how much darker the throat is aside
_CORNER, _CORNER_OVER = 0.33, 0.16  # share of the lip's colour in the corners; of the half width over which it comes
_SHOWING = 0.35  # share of the skin's brightness that a quarter of an open mouth has where teeth or a tongue show
_TOOTHED = (0.12, 0.20), (0.85, 0.0)
"""Own gaps in I, and the share of columns in which teeth must show to be kept: single ones, or a piece of lip, in a
narrow opening would be torn apart by a wider one. By eye on 70 open mouths."""
_INTO_LIP = 0.030  # I beyond an edge where a lip's colour is read
_UNLIKE = 10.0  # Lab units from both lips' colours from which a place is none of theirs
_LIT = 0.5  # of the lighter lip's lightness: darker is no tooth
_PALER, _RED, _LIGHTER = 0.8, 0.12, 4.0  # share of the lips' redness per lightness that teeth have at most
# … less redness than that is none, as in grey pictures: there teeth are lighter by so many units
_DARK_RED = (0.47, 0.27, 0.24)  # RGB of the darkest as a share of the skin's brightness
_SEAM_DARKEST = 0.22  # a seam is no darker than this share of the skin
_SEAM_OPEN = (0.53, 0.39, 0.38)  # RGB of the seam, of the lip's, where the portrait's lips are not shut


@dataclass(frozen=True, eq=False)
class MouthColours:
    """Colours of one portrait's mouth, (3,) RGB each."""

    lip: Array
    """The lower lip's."""
    seam: Array
    """What is between lips that are nearly shut."""
    dark: Array
    """What is darkest in an open mouth: just under the teeth, and far aside."""


def measure_palette(image: Array, light: Light, shapes: LipShapes) -> MouthColours:
    """Read a portrait's lip and seam."""
    parting = shapes.parting
    wide = np.abs(STATIONS) < 0.6
    along = STATIONS[wide]
    edge = parting.bite.locate(parting.lower[wide, :2])[:, 1]
    heights = measure_heights(shapes.points, parting, along, upper=False)
    lip = np.median(read_at(image, parting.bite.place(along, edge + 0.5 * heights)), axis=0)
    if parting.shown:
        seam = lip * _tinted(_SEAM_OPEN, light)
    else:
        middle = (parting.upper[wide, :2] + parting.lower[wide, :2]) / 2
        seam = np.minimum(np.median(read_at(image, middle), axis=0), 0.8 * lip)
    floor = _SEAM_DARKEST * light.level / max(float(seam @ LUMA), 1e-3)
    dark = _tinted(_DARK_RED, light) * light.level * (1 + light.tint * (light.white - 1))
    return MouthColours(lip.astype(np.float32), (seam * max(floor, 1.0)).astype(np.float32), dark.astype(np.float32))


def shows_teeth(image: Array, light: Light, parting: Parting) -> bool:
    """Tell whether an open mouth shows teeth or a tongue along most of its width: else it is better painted anew.

    A black hole, single teeth, and pieces of lip that the lips' lines left in the mouth look torn where it opens wide.
    """
    if not parting.shown:
        return False
    wide = np.abs(STATIONS) < 0.6
    upper, lower = (line[wide, None, :2] for line in (parting.upper, parting.lower))
    places = upper + (lower - upper) * np.linspace(0.1, 0.9, 9)[None, :, None]
    inside = read_at(image, places.reshape(-1, 2)).reshape(*places.shape[:2], 3)
    if float(np.percentile(luma_of(inside), 75)) <= _SHOWING * light.level:
        return False
    across = parting.bite.across
    lips = np.stack(
        [
            read_at(image, (edge[wide, :2] + way * _INTO_LIP * across))
            for edge, way in ((parting.upper, -1), (parting.lower, 1))
        ]
    )
    return _toothed(inside, np.median(lips, axis=1), light) >= float(np.interp(parting.gap, *_TOOTHED))


def _toothed(inside: Array, lips: Array, light: Light) -> float:
    """Measure the share of columns (n, m, 3) in which something is like teeth and unlike the lips (2, 3): 0 … 1."""
    lab, own = (
        np.asarray(cv2.cvtColor(np.asarray(each, np.float32), cv2.COLOR_RGB2Lab), np.float64)
        for each in (inside, lips[None])
    )
    apart = np.linalg.norm(lab[..., None, :] - own, axis=-1).min(-1)
    brightest = float(own[..., 0].max())
    red, lip_red = lab[..., 1] / np.maximum(lab[..., 0], 1), float((own[..., 1] / np.maximum(own[..., 0], 1)).min())
    pale = red < _PALER * lip_red if lip_red > _RED else lab[..., 0] > brightest + _LIGHTER
    teeth = (apart > _UNLIKE) & (lab[..., 0] > _LIT * brightest) & pale
    return float(teeth.any(1).mean())


def draw_cavity(light: Light, palette: MouthColours, wide: float) -> Array:
    """Draw the table (depth, aside, 3): upper to lower lip, middle to corner.

    Args:
        light: The portrait's light.
        palette: Its mouth's colours.
        wide: 0 for a small gap … 1 for a wide one.
    """
    depth, aside = np.linspace(0, 1, _SIDE)[:, None], np.linspace(0, 1, _SIDE)[None]
    throat = _coloured(light, _THROAT_HUE) * (_THROAT_SMALL + (_THROAT - _THROAT_SMALL) * wide)
    lip = palette.lip / max(float(palette.lip @ LUMA), 1e-3) * light.level
    tongue = (_coloured(light, _TONGUE_HUE) * (1 - _TONGUE_LIP) + lip * _TONGUE_LIP) * _TONGUE
    tongue = tongue * _tongue_shading(depth, aside, wide)[..., None]
    share = smooth_rise((depth - _TONGUE_FROM - _TONGUE_CURVE * aside**2) / _TONGUE_OVER)
    share = share * (1 - _TONGUE_ASIDE * smooth_rise((aside - _ASIDE_FROM) / _ASIDE_OVER))
    dark = (1 - _SIDES * smooth_rise((aside - _SIDES_FROM) / _SIDES_OVER))[..., None] * throat
    colour = dark + (tongue - dark) * share[..., None]
    corner = smooth_rise((aside - 1 + _CORNER_OVER) / _CORNER_OVER)[..., None]
    return np.ascontiguousarray(colour + (_CORNER * palette.lip - colour) * corner, np.float32)


def _tongue_shading(depth: NDArray[np.float64], aside: NDArray[np.float64], wide: float) -> NDArray[np.float64]:
    """Say how light a tongue is over the table, (depth, aside): round, with a line along its middle."""
    deep, across = _CREST_WIDE
    crest = np.exp(-(((depth - _CREST_AT) / deep) ** 2) - (aside / across) ** 2)
    behind = smooth_rise((depth - _BEHIND_FROM) / (1 - _BEHIND_FROM))
    begins, whole, fades, ended = _GROOVE_AT
    along = smooth_rise((depth - begins) / (whole - begins)) * (1 - smooth_rise((depth - fades) / (ended - fades)))
    groove = wide * _GROOVE * np.exp(-((aside / _GROOVE_WIDE) ** 2)) * along
    return (1 + _CREST * crest - _BEHIND_LIP * behind) * (1 - groove)


def _tinted(colour: tuple[float, float, float], light: Light) -> NDArray[np.float64]:
    """Take as much colour out of an RGB as the picture lacks."""
    grey = float(np.mean(colour))
    return grey + (np.array(colour) - grey) * light.tint


def _coloured(light: Light, hue: tuple[float, float, float]) -> NDArray[np.float64]:
    """Shift the skin's colour by a hue as far as the picture is coloured, at the skin's brightness."""
    colour = light.skin * (1 + (np.array(hue) - 1) * light.tint)
    return colour / max(float(colour @ LUMA), 1e-3) * light.level
