"""A mesh of evenly spaced knots over a rectangle of the picture; between them everything is linear."""

from __future__ import annotations

import cv2
import numpy as np

Area = tuple[slice, slice]
"""Rows and columns."""


class Mesh:
    """Square cells with a knot in the middle of each; beyond the outermost knots all stays as it is there."""

    def __init__(self, area: Area, step: int) -> None:
        """Cut ``area`` down to whole cells of ``step`` pixels, an odd number."""
        self.step = step
        rows, columns = (slice(part.start, part.stop - (part.stop - part.start) % step) for part in area)
        self.area: Area = rows, columns
        middle = step // 2
        self.knots: Area = (
            slice(rows.start + middle, rows.stop, step),
            slice(columns.start + middle, columns.stop, step),
        )
        self._slots: dict[int, np.ndarray] = {}
        self.shape = (rows.stop - rows.start) // step, (columns.stop - columns.start) // step

    def pixels(self, part: Area) -> Area:
        """Name the picture's pixels that a part's cells cover."""
        rows, columns = (
            slice(outer.start + inner.start * self.step, outer.start + inner.stop * self.step)
            for outer, inner in zip(self.area, part, strict=True)
        )
        return rows, columns

    def filled(self, values: np.ndarray, part: Area, slot: int = 0) -> np.ndarray:
        """Read values known at all knots, (rows, columns, 2 or 4), at every pixel of a part of the mesh.

        The result lies in memory that the next call with the same ``slot`` uses again: fresh memory of this size would
        cost more than filling it.
        """
        around = tuple(slice(max(inner.start - 1, 0), inner.stop + 1) for inner in part)
        known = np.ascontiguousarray(values[around])
        height, width, depth = known.shape[0] * self.step, known.shape[1] * self.step, known.shape[2]
        needed = height * width * depth
        if self._slots.get(slot, np.empty(0)).size < needed:
            self._slots[slot] = np.empty(needed, np.float32)
        out = self._slots[slot][:needed].reshape(height, width, depth)
        cv2.resize(known, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
        rows, columns = (
            slice((inner.start - outer.start) * self.step, (inner.stop - outer.start) * self.step)
            for inner, outer in zip(part, around, strict=True)
        )
        return out[rows, columns]
