"""Thin-plate splines: the smoothest surface through values known at scattered points.

Source: Bookstein, "Principal warps: thin-plate splines and the decomposition of deformations", PAMI 1989.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_NEAREST = 1e-12  # squared: below this two points are one, and log 0 is not asked for


class ThinPlate:
    """Carries values from scattered points to any others; linear in the values, so they may be given later."""

    def __init__(self, points: Matrix, stiffness: float) -> None:
        """Prepare for values at ``points`` (n, 2), which should be of the order of 1.

        Args:
            points: Where values will be known.
            stiffness: How much the surface prefers bending less to passing through each value; 0 passes through all.
        """
        self._points = points
        count = len(points)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _bend(points, points) + stiffness * np.eye(count)
        plane = np.column_stack((np.ones(count), points))
        system[:count, count:], system[count:, :count] = plane, plane.T
        self._solved = np.linalg.pinv(system)[:, :count]

    def carry(self, places: Matrix) -> Matrix:
        """Give the weights (m, n) that every known value has at each of ``places`` (m, 2)."""
        basis = np.concatenate((_bend(places, self._points), np.ones((len(places), 1)), places), axis=1)
        return basis @ self._solved


def _bend(places: Matrix, points: Matrix) -> Matrix:
    """Evaluate r² log r² between places (m, 2) and points (n, 2): (m, n)."""
    squared = ((places[:, None] - points[None]) ** 2).sum(-1)
    return squared * np.log(np.maximum(squared, _NEAREST))
