"""A mesh of evenly spaced knots over a rectangle of the picture; between them everything is linear."""

from __future__ import annotations

import cv2
import numpy as np

Area = tuple[slice, slice]
"""Rows and columns."""


class Mesh:
    """Knots at every ``step``-th pixel of an area; the first and the last row and column of it are knots."""

    def __init__(self, area: Area, step: int) -> None:
        """Cut ``area`` down to whole cells of ``step`` pixels."""
        self.step = step
        rows, columns = (slice(part.start, part.stop - (part.stop - part.start - 1) % step) for part in area)
        self.area: Area = rows, columns
        self.knots: Area = slice(rows.start, rows.stop, step), slice(columns.start, columns.stop, step)
        self._slots: dict[int, np.ndarray] = {}
        self.shape = 1 + (rows.stop - rows.start - 1) // step, 1 + (columns.stop - columns.start - 1) // step

    def pixels(self, part: Area) -> Area:
        """Name the picture's pixels from a part's first knots up to, not including, those after its last."""
        rows, columns = (
            slice(outer.start + inner.start * self.step, min(outer.start + inner.stop * self.step, outer.stop))
            for outer, inner in zip(self.area, part, strict=True)
        )
        return rows, columns

    def filled(self, values: np.ndarray, part: Area, slot: int = 0) -> np.ndarray:
        """Read values known at all knots, (rows, columns, 2 or 4), at every pixel of a part of the mesh.

        The result lies in memory that the next call with the same ``slot`` uses again: fresh memory of this size would
        cost more than filling it.
        """
        rows, columns = (piece.stop - piece.start for piece in self.pixels(part))
        needed = rows * columns * values.shape[2]
        if self._slots.get(slot, np.empty(0)).size < needed:
            self._slots[slot] = np.empty(needed, np.float32)
        out = self._slots[slot][:needed].reshape(rows, columns, values.shape[2])
        shift = np.array([[1 / self.step, 0, part[1].start], [0, 1 / self.step, part[0].start]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(values, shift, (columns, rows), dst=out, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return out
