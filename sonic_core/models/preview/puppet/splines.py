"""Thin-plate splines: the smoothest surface through values known at scattered points.

Source: Bookstein, "Principal warps: thin-plate splines and the decomposition of deformations", PAMI 1989.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_NEAREST = 1e-12  # squared: below this two points are one, and log 0 is not asked for


class ThinPlate:
    """A surface through values at scattered points; linear in the values."""

    def __init__(self, points: Matrix, values: Matrix, stiffness: float) -> None:
        """Solve for values (n, c) at ``points`` (n, 2), which should be of the order of 1.

        Args:
            points: Where values are known.
            values: Any number of them at each.
            stiffness: How much the surface prefers bending less to passing through each value; 0 passes through all.
        """
        self._points = points
        count = len(points)
        plane = np.column_stack((np.ones(count), points))
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _bend(points, points) + stiffness * np.eye(count)
        system[:count, count:], system[count:, :count] = plane, plane.T
        known = np.concatenate((values, np.zeros((3, values.shape[1]))))
        self._weights = np.linalg.lstsq(system, known, rcond=None)[0]

    def read(self, places: Matrix) -> Matrix:
        """Read the surface at ``places`` (m, 2): (m, c)."""
        count = len(self._points)
        return _bend(places, self._points) @ self._weights[:count] + (
            self._weights[count] + places @ self._weights[count + 1 :]
        )


def _bend(places: Matrix, points: Matrix) -> Matrix:
    """Evaluate r² log r² between places (m, 2) and points (n, 2): (m, n)."""
    squared = (places**2).sum(1)[:, None] + (points**2).sum(1)[None] - 2 * places @ points.T
    squared = np.maximum(squared, _NEAREST)
    return squared * np.log(squared)
