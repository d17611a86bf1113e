"""The Fréchet distance of two sets of features, each taken for a Gaussian: what FID and FVD are.

Source: Heusel et al., GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017; Dowson and Landau, 1982.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Features = NDArray[np.float64]
MORE = 8
"""Random vectors beyond the rank, so that none of the directions is nearly missed: what the source advises."""


class FeatureStatistics:
    """Mean and covariance of features that come a few at a time; in memory are one square matrix and two vectors."""

    def __init__(self) -> None:
        self.count = 0
        self._base = self._sum = np.zeros(0)
        self._squares = np.zeros((0, 0))

    def add(self, features: NDArray[np.floating]) -> None:
        """Add features (n, d); all calls have the same d."""
        found = np.asarray(features, np.float64)
        if not self.count:
            self._base = found.mean(0)  # near to the mean, so that no digits are lost
            self._sum, self._squares = np.zeros(found.shape[1]), np.zeros((found.shape[1], found.shape[1]))
        apart = found - self._base
        self.count += len(found)
        self._sum += apart.sum(0)
        self._squares += apart.T @ apart

    @property
    def dimensions(self) -> int:
        """How many numbers a feature has."""
        return len(self._sum)

    @property
    def mean(self) -> Features:
        """(d,)."""
        return self._base + self._sum / self.count

    @property
    def covariance(self) -> Features:
        """(d, d), with n − 1."""
        return (self._squares - np.outer(self._sum, self._sum) / self.count) / max(self.count - 1, 1)


def frechet_distance(one: FeatureStatistics, other: FeatureStatistics) -> float:
    """Return |m − n|² + tr(S + T − 2 (S T)^½) of two sets with means m, n and covariances S, T; never below 0.

    The trace of the root of S T is that of the root of R^t T R with S = R R^t, which is symmetric: so sets with fewer
    samples than dimensions, whose covariances have no inverse, need nothing added to them, and R has no more columns
    than there are samples: a fiftieth of the time where these are few.
    """
    few, many = sorted((one, other), key=lambda statistics: statistics.count)
    rank = min(max(few.count - 1, 1), few.dimensions)
    root = _root(few.covariance, rank)
    both = linalg.eigvalsh(root.T @ many.covariance @ root)
    spread = np.trace(one.covariance) + np.trace(other.covariance) - 2 * np.sqrt(np.maximum(both, 0)).sum()
    return float(max(np.square(one.mean - other.mean).sum() + spread, 0.0))


def _root(covariance: Features, rank: int) -> Features:
    """Return R (d, at least ``rank``) with R R^t the covariance, which has that rank at most.

    Whatever it makes of random vectors lies in the space of its few directions, and spans that, so that only there the
    directions are looked for. Source: Halko, Martinsson and Tropp, Finding Structure with Randomness, SIAM Review 2011.
    """
    size = len(covariance)
    if rank + MORE < size / 2:
        probes = np.random.default_rng(0).normal(size=(size, rank + MORE))
        basis = np.linalg.qr(covariance @ probes)[0]
        values, vectors = linalg.eigh(basis.T @ covariance @ basis)
        vectors = basis @ vectors
    else:
        values, vectors = linalg.eigh(covariance, subset_by_index=(size - rank, size - 1) if rank < size else None)
    return vectors * np.sqrt(np.maximum(values, 0))
