"""See where something passes before a mouth: colours of lips, chin and cheeks that are not what they usually are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ....faces.person_track import Sight
from ....media.pixels import shrink

LIPS = (37, 267, 0, 84, 314, 17, 39, 269, 181, 405)
SKIN = (200, 199, 208, 428, 175, 18, 83, 313, 43, 273, 57, 287, 212, 432, 202, 422, 164, 167, 393)
LIGHT = (6, 197, 50, 280, 101, 330, 36, 266)
"""Points on lips, around them, and where light is read that falls on the face."""
COLOURS = (*LIPS, *SKIN, *LIGHT)
SMALL = 20.0
"""Pixels per eye distance at which colours are read."""
STRANGE, TIMES = 20.0, 4.0
"""Lab units from a place's usual colour, and times its median difference from that, from which something else is there;
of two people who speak, .10 of the places were ever so."""
SHARE = 0.22
"""Share of the places that must be strange at once."""
LEAST, AROUND = 2, 3
"""Frames for which that must last, and that are left alone before and after it."""
SAMPLED = 2000
"""Frames at most of which the usual colours are taken."""


def read_colours(sight: Sight, unit: float) -> NDArray[np.float32]:
    """Read the colours of ``COLOURS``, (n, 3) RGB in [0, 1]."""
    scale = min(SMALL / unit, 1.0)
    height, width = sight.pixels.shape[:2]
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = shrink(sight.pixels, size[::-1])
    places = ((sight.points[list(COLOURS), :2] - sight.origin) * scale).astype(int)
    x, y = np.clip(places, 0, np.array(size) - 1).T
    return np.divide(small[y, x], np.float32(255), dtype=np.float32)


def measure_strangeness(colours: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Tell of each frame which share of the places has an unusual colour, (n,)."""
    lab = _relative(colours)
    known = np.flatnonzero(seen)
    usual = np.median(lab[known[:: max(1, len(known) // SAMPLED)]], axis=0)
    apart = np.linalg.norm(lab - usual, axis=-1)
    limits = np.maximum(STRANGE, TIMES * np.median(apart[known], axis=0))
    return (apart > limits).mean(1).astype(np.float32)


def find_covered(colours: NDArray[np.float32], seen: NDArray[np.bool_], scenes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Find the frames in which something is before the mouth.

    Args:
        colours: (n, places, 3) RGB of every frame.
        seen: (n,): whether there is a face at all.
        scenes: (n,): number of the scene.
    """
    covered = np.zeros(len(seen), bool)
    for scene in range(int(scenes.max()) + 1 if len(scenes) else 0):
        here = np.flatnonzero((scenes == scene) & seen)
        if len(here) == 0:
            continue
        strange = measure_strangeness(colours[here], np.ones(len(here), bool)) > SHARE
        lasting = ndimage.binary_opening(strange, iterations=1, structure=np.ones(LEAST)) if len(here) > 1 else strange
        covered[here] = ndimage.binary_dilation(lasting, iterations=AROUND) if lasting.any() else lasting
    return covered


def _relative(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn colours into Lab as they would be in an even light: (n, places but for those of the light, 3)."""
    count = len(COLOURS) - len(LIGHT)
    light = np.median(colours[:, count:].mean(-1), axis=1)[:, None, None]
    level = np.median(light)
    even = np.clip(colours[:, :count] * (level / np.maximum(light, 1 / 255)), 0, 1)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(even, np.float32), cv2.COLOR_RGB2Lab), np.float32)
