"""Give a reference's lips the light that they usually have in a scene: pressed ones are darker than speaking ones."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ....faces.geometry import LIPS_LOWER_INNER, LIPS_LOWER_OUTER, LIPS_UPPER_INNER, LIPS_UPPER_OUTER, eye_distance
from ....faces.person_track import Sight
from ....faces.regions import Pixels
from ....types import Landmarks
from ..puppet.grid import Floats
from ..puppet.light import luma_of

MOST = 1.35
"""By how much lips are multiplied at most: beyond, something else is seen than pressure. They are never darkened: of
two filmed people, two scenes in which that was tried came out too dark."""
SOFT = 0.02
"""I: deviation of the Gaussian by which the lips' outline is softened, to the inside."""
LIGHT = (6, 197, 50, 280, 101, 330, 36, 266)
"""Points at which light is read that falls on the face."""
SAMPLED = 2000
"""Frames at most that a reference is compared with."""
_EDGES = (LIPS_UPPER_OUTER, LIPS_UPPER_INNER), (LIPS_LOWER_OUTER, LIPS_LOWER_INNER)
_DEPTHS = 0.35, 0.50, 0.65  # shares of a lip's height at which it is read: neither skin nor seam
_COLUMNS = slice(2, -2)  # of the mesh's lines: corners lie in the dark
_FLOOR = 1 / 255  # brightness that keeps black from being divided by
_FINE = 4  # bits after the point with which the outline is drawn


def read_light(small: Pixels, points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Read the colours of ``LIGHT``, (n, 3) RGB in [0, 1], in a small picture in whose pixels the mesh is known."""
    x, y = np.clip(points[list(LIGHT), :2].astype(int), 0, (small.shape[1] - 1, small.shape[0] - 1)).T
    return np.divide(small[y, x], np.float32(255), dtype=np.float32)


def read_lips(sight: Sight) -> NDArray[np.float32]:
    """Read the colours of both lips, (2, 3) RGB in [0, 1]: the upper one's and the lower one's."""
    points = sight.points[:, :2] - sight.origin
    height, width = sight.pixels.shape[:2]
    read = np.empty((2, 3), np.float32)
    for lip, (rim, seam) in enumerate(_EDGES):
        outer, inner = points[list(rim)][_COLUMNS], points[list(seam)][_COLUMNS]
        places = np.concatenate([outer + share * (inner - outer) for share in _DEPTHS]).round().astype(int)
        x, y = np.clip(places, 0, (width - 1, height - 1)).T
        read[lip] = np.median(sight.pixels[y, x], axis=0) / 255
    return read


def measure_tint(lips: NDArray[np.float32], light: NDArray[np.float32], reference: int) -> NDArray[np.float64]:
    """Measure by what a reference's lips are multiplied to be as light as they usually are: (2,), upper and lower.

    Args:
        lips: (n, 2, 3) RGB of a scene's frames and the reference, as ``read_lips`` has them.
        light: (n, m, 3) RGB where light is read that falls on the face.
        reference: Number of the reference among them.
    """
    level = np.maximum(np.median(light.mean(-1), axis=1), _FLOOR)[:, None]
    even = np.maximum(luma_of(lips) / level, _FLOOR).astype(np.float64)
    return np.clip(np.median(even, axis=0) / even[reference], 1, MOST)


def tint_lips(image: Floats, landmarks: Landmarks, tint: NDArray[np.floating]) -> Floats:
    """Multiply the lips of a face by what ``measure_tint`` gave.

    Args:
        image: (h, w, 3) RGB in [0, 1].
        landmarks: The face in its pixels.
        tint: (2,).

    Returns:
        Another picture of the same size.
    """
    soft, tinted = SOFT * eye_distance(landmarks.points), image.astype(np.float32)
    for (rim, seam), gain in zip(_EDGES, tint, strict=True):
        outline = np.concatenate((landmarks.points[list(rim), :2], landmarks.points[list(seam), :2][::-1]))
        mask = np.zeros(image.shape[:2], np.float32)
        cv2.fillPoly(mask, [np.round(outline * (1 << _FINE)).astype(np.int32)], (1.0,), cv2.LINE_AA, _FINE)
        mask = np.maximum(2 * cv2.GaussianBlur(mask, (0, 0), soft) - 1, 0)
        tinted *= 1 + mask[..., None] * np.float32(gain - 1)
    return np.clip(tinted, 0, 1, out=tinted)
