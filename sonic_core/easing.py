"""The one curve by which everything here begins and ends, and how far the end of a rectangle is."""

from __future__ import annotations

import numpy as np


def smooth_rise(values: np.ndarray | float) -> np.ndarray:
    """Rise smoothly from 0 at 0 to 1 at 1; flat outside.

    >>> smooth_rise(np.array([-1.0, 0.5, 2.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    clipped = np.clip(values, 0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def smooth_fall(values: np.ndarray) -> np.ndarray:
    """Fall smoothly from 1 at 0 to 0 at 1; flat outside."""
    return 1 - smooth_rise(values)


def edge_distance(height: int, width: int) -> np.ndarray:
    """Count the pixels from each pixel of a rectangle to its nearest edge, (h, w)."""
    rows, columns = np.ogrid[0:height, 0:width]
    return np.minimum(np.minimum(rows, height - 1 - rows), np.minimum(columns, width - 1 - columns)).astype(np.float32)
