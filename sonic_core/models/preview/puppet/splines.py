"""Thin-plate splines: the smoothest surface through values known at scattered points.

Source: Bookstein, "Principal warps: thin-plate splines and the decomposition of deformations", PAMI 1989.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_NEAREST = 1e-12  # squared: below this two points are one, and log 0 is not asked for
_SOME = 256  # places that are read at a time at the most, so that what is worked on fits into the fast memory
_PRODUCTS = 1 << 18  # multiplications up to which OpenBLAS wakes no threads, which would wait for each other


class ThinPlate:
    """A surface through values at scattered points; linear in the values."""

    def __init__(self, points: Matrix, values: Matrix, stiffness: float) -> None:
        """Solve for values (n, c) at ``points`` (n, 2), which should be of the order of 1.

        Args:
            points: Where values are known; not all on one line.
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
        self._weights = _solved(system, known) if stiffness else np.linalg.lstsq(system, known, rcond=None)[0]

    def read(self, places: Matrix) -> Matrix:
        """Read the surface at ``places`` (m, 2): (m, c)."""
        count, read = len(self._points), np.empty((len(places), self._weights.shape[1]))
        at_once = min(max(_PRODUCTS // (count * read.shape[1]), 1), _SOME)
        for start in range(0, len(places), at_once):
            some = places[start : start + at_once]
            flat = self._weights[count] + some @ self._weights[count + 1 :]
            np.add(_bend(some, self._points) @ self._weights[:count], flat, out=read[start : start + at_once])
        return read


def _solved(system: Matrix, known: Matrix) -> Matrix:
    """Solve a system that stiffness has made regular, though two points be one.

    Least squares would do it by singular values: 17 ms of the processor for a mouth in place of .5, and 700 ms of wall
    time in place of 1 where other programs keep the cores busy, since its threads wait for each other at every step.
    """
    try:
        return np.asarray(np.linalg.solve(system, known), np.float64)
    except np.linalg.LinAlgError:  # all points are on one line after all
        return np.asarray(np.linalg.lstsq(system, known, rcond=None)[0], np.float64)


def _bend(places: Matrix, points: Matrix) -> Matrix:
    """Evaluate r² log r² between places (m, 2) and points (n, 2): (m, n)."""
    squared = np.square(places[:, :1] - points[None, :, 0])
    squared += np.square(places[:, 1:] - points[None, :, 1])
    np.maximum(squared, _NEAREST, out=squared)
    bent = np.log(squared)
    bent *= squared
    return bent
