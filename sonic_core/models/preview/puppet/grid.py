"""The coarse grid on which movement is computed: its nodes, the inverse of a movement, and its way to every pixel."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

CELLS = 128
"""Nodes, about, along the longer side: 4 pixels apart at 512."""
ROUNDS, MOUTH_ROUNDS = 3, 6
"""Steps of the fixed point that inverts a head's movement, and that of a mouth, which is steeper: with 3, a second seam
appears at the corners of a mouth that is .3 I open."""
MARGIN = 8
"""Nodes around a window from which something can have moved into it."""

Floats = NDArray[np.float32]
Window = tuple[slice, slice]
"""Rows and columns."""
WHOLE: Window = slice(None), slice(None)


def read_at(values: Floats, places: Floats, out: Floats | None = None) -> Floats:
    """Read values (h, w, c) between pixels, bilinearly, at places (m, n, 2).

    Args:
        values: What is read; beyond its border the border goes on.
        places: x and y.
        out: Where to, (m, n, c): what lies beyond the border of ``values`` is left there as it was.
    """
    nothing = cast("Floats", None)  # the maps are one array
    if out is None:
        found = cv2.remap(values, places, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    else:
        found = cv2.remap(values, places, nothing, cv2.INTER_LINEAR, dst=out, borderMode=cv2.BORDER_TRANSPARENT)
    return cast("Floats", found)


_PIECE = 256
"""Pixels to whose multiples tables of places are made, so that few are."""


def places_of(height: int, width: int) -> Floats:
    """Tell each pixel's own place, (h, w, 2): x and y; it is read only."""
    return _table(-(-height // _PIECE), -(-width // _PIECE))[:height, :width]


@lru_cache(maxsize=2)
def _table(rows: int, columns: int) -> Floats:
    """Make places for so many pieces."""
    down, across = np.indices((rows * _PIECE, columns * _PIECE), np.float32)
    table = np.stack((across, down), -1)
    table.flags.writeable = False
    return table


class Grid:
    """Nodes over a picture, each in the middle of a square cell of whole pixels."""

    def __init__(self, height: int, width: int) -> None:
        """Lay the nodes over a picture of this size in pixels."""
        self.size = height, width
        self.step = int(2 ** np.clip(round(np.log2(max(height, width) / CELLS)), 1, 6))
        """Pixels from node to node."""
        rows, columns = (-(-side // self.step) for side in self.size)
        y, x = np.mgrid[:rows, :columns].astype(np.float32)
        self._index = np.stack([x, y], -1)
        y, x = np.mgrid[-1 : rows + 1, -1 : columns + 1].astype(np.float32)
        self._beyond = (np.stack([x, y], -1) + np.float32(0.5)) * np.float32(self.step) - np.float32(0.5)
        self.nodes: Floats = np.ascontiguousarray(self._beyond[1:-1, 1:-1])
        """(rows, columns, 2): where the nodes lie in the picture, in pixels."""

    def invert(self, movement: Floats, rounds: int = ROUNDS, *, within: Window = WHOLE) -> Floats:
        """Say for each node of the grid, or of a window of it, from where something came to it, relative to it.

        Each node's answer depends on the movement alone, not on other nodes' answers.

        Args:
            movement: (rows, columns, 2) pixels: where what lies at a node goes, relative to it. Neighbouring nodes
                must keep their order, or there is no inverse.
            rounds: Steps of the fixed point.
            within: Those of its rows and columns for which it is asked; the others are only what moves in there.

        Returns:
            (rows, columns, 2) pixels.
        """
        index = np.ascontiguousarray(self._index[: movement.shape[0], : movement.shape[1]][within])
        scale, back = np.float32(-1 / self.step), np.ascontiguousarray(movement[within])
        for _ in range(rounds):
            back = read_at(movement, cast("Floats", cv2.scaleAdd(back, float(scale), index)))
        return -back

    def places(self, back: Floats, window: Window = WHOLE, enlarged: int = 1) -> tuple[Window, Floats]:
        """Say for each pixel of a window of nodes where in the picture it comes from.

        Nodes that lie one beyond the window move as those at its border; so the way between nodes is read together
        with how they move, exactly, since their distance is a power of two.

        Args:
            back: (rows, columns, 2) pixels, of the window's nodes, as ``invert`` returns it.
            window: Rows and columns of nodes.
            enlarged: How many times the picture that is read is larger.

        Returns:
            The window in pixels, and (h, w, 2) pixels of the enlarged picture, the rows not one after another.
        """
        pixels, step = self.pixels(window), self.step
        top, left = (span.indices(count)[0] for span, count in zip(window, self.nodes.shape, strict=False))
        rows, columns = back.shape[:2]
        moved = cast("Floats", cv2.copyMakeBorder(back, 1, 1, 1, 1, cv2.BORDER_REPLICATE))
        moved += self._beyond[top : top + rows + 2, left : left + columns + 2]
        if enlarged != 1:
            moved *= np.float32(enlarged)
        size = (columns + 2) * step, (rows + 2) * step
        places = cast("Floats", cv2.resize(moved, size, interpolation=cv2.INTER_LINEAR))
        height, width = (span.stop - span.start for span in pixels)
        return pixels, places[step : step + height, step : step + width]

    def pixels(self, window: Window) -> Window:
        """Return the rows and columns of pixels in a window of nodes."""
        spans = []
        for span, side, count in zip(window, self.size, self.nodes.shape, strict=False):
            first, last, _ = span.indices(count)
            spans.append(slice(first * self.step, min(last * self.step, side)))
        return spans[0], spans[1]

    def cells(self, pixels: Window) -> Window:
        """Return the nodes' rows and columns whose cells hold a window of pixels."""
        rows, columns = (slice(span.start // self.step, -(-span.stop // self.step)) for span in pixels)
        return rows, columns

    def window(self, left: float, top: float, right: float, bottom: float) -> Window:
        """Return the rows and columns of nodes that cover a box of the picture and what can move into it."""
        spans = []
        for least, most, count in ((top, bottom, len(self.nodes)), (left, right, self.nodes.shape[1])):
            first = int(np.clip(np.floor(least / self.step) - MARGIN, 0, count - 1))
            spans.append(slice(first, int(np.clip(np.ceil(most / self.step) + 1 + MARGIN, first + 1, count))))
        return spans[0], spans[1]
