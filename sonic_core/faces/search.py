"""Find the most plausible shape: draw many, keep the best, draw again around them.

Source: Rubinstein, The Cross-Entropy Method for Combinatorial and Continuous Optimization, 1999.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DRAWN, KEPT, ROUNDS = 160, 24, 10
"""Shapes drawn in each round, how many of the best the next round is drawn around, and rounds."""
LEAST_SPREAD = 0.02
"""Share of its expected spread that a number keeps being varied by at least."""


class Evidence:
    """What a patch of the picture says, ready to be asked at many places at once."""

    def __init__(self, areas: list[Array], lines: list[Array], pixels: float, origin: tuple[float, float]) -> None:
        """Put maps, (h, w) each, side by side.

        Args:
            areas: Maps that count by area: they are added up down each column, in units, so that what lies between two
                edges is a difference.
            lines: Maps that count along a line.
            pixels: Pixels per unit.
            origin: Where the unit's origin lies in the patch, x and y in units.
        """
        sums = [np.cumsum(area, 0) / pixels for area in areas]
        self._table = np.stack([*sums, *lines], -1).astype(np.float32)
        self._pixels = pixels
        self._origin = origin

    def at(self, x: Array, y: Array) -> NDArray[np.float32]:
        """Read all maps at places in units, arrays of any shape; the maps come first in the result."""
        height, width, _ = self._table.shape
        columns = np.clip(np.rint((x + self._origin[0]) * self._pixels), 0, width - 1).astype(np.int32)
        rows = np.clip(np.rint((y + self._origin[1]) * self._pixels), 0, height - 1).astype(np.int32)
        return np.moveaxis(self._table[rows, columns], -1, 0)


def search(
    score: Callable[[Array], Array], expected: Array, spread: Array, start: Array | None = None
) -> tuple[Array, float]:
    """Return the numbers, near what is expected of them, that score highest.

    The same question always gets the same answer: the drawing is seeded.

    Args:
        score: Turns (n, k) numbers into (n,) scores, in logarithms of a likelihood.
        expected: What is expected, (k,).
        spread: By how much each may differ, as a standard deviation, (k,).
        start: Where to begin, if not at what is expected; half as widely then.

    Returns:
        The numbers, (k,), and their score.
    """
    generator = np.random.default_rng(20)
    middle, width = (expected, spread) if start is None else (start, 0.5 * spread)
    best, best_score = middle, -np.inf
    for _ in range(ROUNDS):
        drawn = middle + width * generator.standard_normal((DRAWN, len(middle)))
        drawn[0] = middle
        scores = score(drawn) - 0.5 * (((drawn - expected) / spread) ** 2).sum(1)
        order = np.argsort(-scores)[:KEPT]
        if scores[order[0]] > best_score:
            best, best_score = drawn[order[0]], scores[order[0]]
        middle = drawn[order].mean(0)
        width = np.maximum(0.3 * width + 0.7 * drawn[order].std(0), LEAST_SPREAD * spread)
    return best, float(best_score)
