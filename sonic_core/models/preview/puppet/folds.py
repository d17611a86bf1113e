"""How far a field of displacements may go before it folds: beyond, inverting it by iteration does not settle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STRAYING = 3  # nodes of a grid of about 129 × 129 that may exceed a measure: from four on, jags show at the lips


def measure_fold(field: NDArray[np.float32], nodes: NDArray[np.float32], seen: NDArray[np.bool_]) -> float:
    """Measure by what an inversion's error is multiplied in each round: below 1 it settles.

    Args:
        field: (gh, gw, 3) displacements in pixels.
        nodes: (gh, gw, 2) the nodes' places in pixels, a grid of even steps.
        seen: (gh, gw) where the field is ever looked at.

    Returns:
        The spectral radius of the field's derivative, the largest but for a few nodes.
    """
    across, down = nodes[0, 1, 0] - nodes[0, 0, 0], nodes[1, 0, 1] - nodes[0, 0, 1]
    (xy, xx), (yy, yx) = (np.gradient(field[..., axis].astype(np.float64), down, across) for axis in (0, 1))
    half, determinant = (xx + yy) / 2, xx * yy - xy * yx
    root = np.sqrt((half**2 - determinant).astype(np.complex128))
    radius = np.maximum(np.abs(half + root), np.abs(half - root))[seen]
    share = nodes.shape[0] * nodes.shape[1] / 129**2
    straying = min(round(_STRAYING * share), radius.size - 1) if radius.size else 0
    return float(np.partition(radius, -1 - straying)[-1 - straying]) if radius.size else 0.0
