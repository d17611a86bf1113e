"""Keep what is before a mouth in front of the new one: its cells become a soft mask that follows its edges."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..puppet.grid import Floats, Window, places_of
from .lattice import COLUMNS, HALF, Lattice

ROUND = 0.6
"""Cells: deviation of the Gaussian that rounds the outline of a mask."""
NEAR = 1.6
"""Cells: radius within which a mask follows the picture's own edges."""
CONTRAST = 0.02
"""Of brightness: deviation from which a part of the picture has an edge to follow."""
LOW, HIGH = 0.15, 0.55
"""Shares of a mask that become nothing and all: an object is rather a little larger than a little smaller."""


def draw_front(mask: NDArray[np.bool_], lattice: Lattice, window: Window, own: Floats) -> Floats:
    """Draw where something is in front.

    Args:
        mask: (rows, columns) of the lattice.
        lattice: Where its cells lie in the frame.
        window: Rows and columns of the frame.
        own: (h, w, 3) RGB in [0, 1]: what it shows there.

    Returns:
        (h, w) in [0, 1].
    """
    places = places_of(*own.shape[:2]) + np.array((window[1].start, window[0].start), np.float32)
    wide = cv2.copyMakeBorder(mask.astype(np.float32), 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    soft = np.asarray(cv2.GaussianBlur(wide, (0, 0), ROUND), np.float32)
    nothing = cast("Floats", None)  # the maps are one array
    where = lattice.cells(places) + 2
    drawn = np.asarray(cv2.remap(soft, where, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32)
    guided = _guided(drawn, own, NEAR * 2 * HALF * lattice.unit / COLUMNS)
    return np.asarray(np.clip((guided - LOW) / (HIGH - LOW), 0, 1), np.float32)


def _guided(mask: Floats, own: Floats, radius: float) -> Floats:
    """Let a mask (h, w) follow the edges of a picture (h, w, 3).

    Source: He, Sun and Tang, Guided Image Filtering, ECCV 2010.
    """
    guide = np.asarray(cv2.cvtColor(own, cv2.COLOR_RGB2GRAY), np.float32)
    size = (2 * max(round(radius), 1) + 1,) * 2

    def mean(values: Floats) -> Floats:
        return np.asarray(cv2.blur(values, size), np.float32)

    light, level = mean(guide), mean(mask)
    spread = mean(np.square(guide)) - np.square(light) + np.float32(CONTRAST**2)
    slope = np.divide(mean(np.multiply(guide, mask)) - light * level, spread, dtype=np.float32)
    return np.asarray(mean(slope) * guide + mean(np.subtract(level, slope * light)), np.float32)


def behind(made: Floats, own: Floats, front: Floats, field: Floats) -> None:
    """Put what was painted behind what is in front, in place.

    Args:
        made: (h, w, 3): what was painted.
        own: What the frame shows.
        front: (h, w) in [0, 1].
        field: (h, w, 2): from where in the frame each pixel was taken, relative to it; nothing that is in front is
            brought to another place.
    """
    nothing = cast("Floats", None)  # the maps are one array
    brought = cv2.remap(front, field + places_of(*front.shape), nothing, cv2.INTER_LINEAR)
    share = np.maximum(front, brought)
    kept = cv2.merge([share] * 3)
    np.add(made * (1 - kept), own * kept, out=made)
    cv2.copyTo(own, cv2.inRange(share, (1.0,), (1.0,)), made)
