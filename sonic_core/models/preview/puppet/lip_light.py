"""Take off the lower lip what lay beside it in the portrait: it would be an outline around the mouth's inside.

Shut lips shade each other, and the edge of an open mouth's lip is blurred with the teeth before which it was.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ....easing import smooth_fall, smooth_rise
from .laid_light import LaidLight, Strip
from .light import luma_of, read_at
from .lip_controls import measure_heights
from .lip_shapes import LipShapes
from .parting import STATIONS

Array = NDArray[np.float32]

_ABOVE, _DEEP = 0.02, 0.10  # I above and below the lower lip's edge that the table reaches
_BEYOND = 0.08  # I above the edge that the map reaches: what is drawn of the lip comes from no further
_DEPTHS = 41  # entries of the table across the lip
_LIT = 0.25, 0.75  # share of the lip's height where it has its own light: its lower part lies in its own shadow
_PERCENTILE = 40  # of the brightness there that the edge is lifted to: shine is none of it
_NOTICED = 0.04  # brightness that is missing, or too much, from which it is made up for wholly
_SEAM, _TEETH = (0.028, 0.070), (0.012, 0.045)  # I below the edge up to which it is made up for wholly, and from where
# not at all: the shadow of shut lips, and the light of teeth on an open mouth's
_ALONG = 3.0  # stations: deviation of the Gaussian that keeps the lip's own creases
_PALER, _DARKER = 12.0, 25.0  # Lab units by which teeth are less red than the lip, and may be darker
_STRANGE, _LINKED = 10.0, 0.012  # Lab units from which a place is not like the lip; I in which the edge itself lies
_REACHED, _REACHING = 0.5, 0.2  # share of the lip's height up to which teeth are looked for, and over which that ends
_SIDES_FROM, _SIDES_OVER = 0.68, 0.28  # of the half width: corners stay dark


def light_of_lip(image: Array, shapes: LipShapes) -> LaidLight:
    """Measure what light a portrait's lower lip lacks.

    Args:
        image: (h, w, 3) float32 RGB in [0, 1].
        shapes: The fields of its lips.
    """
    light, edge = _measure(image, shapes)
    strip = Strip(shapes.parting.bite, edge, 1.0, _ABOVE, _DEEP)
    return LaidLight(light, strip, image.shape, beyond=_BEYOND, border=cv2.BORDER_REPLICATE)


def _measure(image: Array, shapes: LipShapes) -> tuple[Array, NDArray[np.float64]]:
    """Measure what light is to be added: RGB, (depth −``_ABOVE`` … ``_DEEP``, from corner to corner, 3).

    With it comes where the lip's edge lies across the mouth at the stations, in I.
    """
    parting = shapes.parting
    edge = parting.bite.locate(parting.lower[:, :2])[:, 1]
    height = np.maximum(measure_heights(shapes.points, parting, STATIONS, upper=False), 1e-3)
    depths = np.linspace(-_ABOVE, _DEEP, _DEPTHS)
    places = parting.bite.place(np.broadcast_to(STATIONS, (_DEPTHS, len(STATIONS))), edge + depths[:, None])
    seen = read_at(image, places.reshape(-1, 2)).reshape(*places.shape[:2], 3)
    seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), sigmaX=_ALONG, sigmaY=0.5), np.float32)
    within = np.linspace(*_LIT, 9)[:, None] * height
    lit = parting.bite.place(np.broadcast_to(STATIONS, within.shape), edge + within)
    own = np.percentile(read_at(image, lit.reshape(-1, 2)).reshape(*within.shape, 3), _PERCENTILE, axis=0)
    own = np.asarray(cv2.GaussianBlur(own[None].astype(np.float32), (0, 0), sigmaX=_ALONG, sigmaY=0.5), np.float32)
    missing = own - seen
    way, (full, gone) = (-1, _TEETH) if parting.shown else (1, _SEAM)
    lift = missing * np.clip(way * luma_of(missing) / _NOTICED, 0, 1)[..., None]
    full, gone = np.minimum(full, 0.3 * height), np.minimum(gone, 0.6 * height)
    lift *= smooth_fall((depths[:, None] - full) / np.maximum(gone - full, 1e-3))[..., None]
    lift *= smooth_fall((np.abs(STATIONS) - _SIDES_FROM) / _SIDES_OVER)[:, None]
    if not parting.shown:
        left = _left_over(seen, own, depths, height)
        lift += left[..., None] * (missing - lift)
    return np.ascontiguousarray(lift, np.float32), edge


def _left_over(seen: Array, own: Array, depths: NDArray[np.float64], height: NDArray[np.float64]) -> Array:
    """Tell where teeth were taken for a shut mouth's lower lip: paler than it, from its edge on, (depths, n) 0 … 1."""
    lab, lip = (
        np.asarray(cv2.cvtColor(np.asarray(part, np.float32), cv2.COLOR_RGB2Lab), np.float64) for part in (seen, own)
    )
    lighter, redder = lab[..., 0] - lip[..., 0], lip[..., 1] - lab[..., 1]
    pale = smooth_rise((redder - _PALER) / _PALER) * (lighter > -_DARKER)
    strange = np.where(depths[:, None] < _LINKED, 1.0, np.linalg.norm(lab - lip, axis=-1) > _STRANGE)
    linked = np.minimum.accumulate(strange, axis=0)
    within = smooth_fall((depths[:, None] - _REACHED * height) / (_REACHING * height))
    soft = cv2.GaussianBlur((pale * linked * within).astype(np.float32), (0, 0), sigmaX=0.8, sigmaY=1.0)
    return np.asarray(soft, np.float32)
