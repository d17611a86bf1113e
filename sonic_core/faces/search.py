"""Find the most plausible shape: draw many, keep the best, draw again around them.

Source: Rubinstein, The Cross-Entropy Method for Combinatorial and Continuous Optimization, 1999.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DRAWN, KEPT, ROUNDS = 320, 32, 12
"""Shapes drawn in each round, how many of the best the next round is drawn around, and rounds."""
LEAST_SPREAD = 0.02
"""Share of its expected spread that a number keeps being varied by at least."""


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
