"""The distance of two Gaussians, known in closed form, and of sets with fewer samples than dimensions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm

from sonic_core.evaluate.scores.frechet import FeatureStatistics, frechet_distance


def statistics(samples, portion=7):
    found = FeatureStatistics()
    for first in range(0, len(samples), portion):
        found.add(samples[first : first + portion])
    return found


def exactly(mean, covariance, count=400, seed=0):
    """Draw samples whose mean and covariance are these to the last digit."""
    drawn = np.random.default_rng(seed).normal(size=(count, len(mean)))
    drawn -= drawn.mean(0)
    drawn = drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn, rowvar=False)).T)
    return drawn @ np.linalg.cholesky(covariance).T + mean


def test_mean_and_covariance_of_portions_are_those_of_the_whole():
    samples = np.random.default_rng(0).normal(1e4, 2, (50, 6)).astype(np.float32)
    found = statistics(samples)
    assert found.count == 50 and found.dimensions == 6
    assert found.mean == pytest.approx(samples.astype(np.float64).mean(0), rel=1e-12)
    assert found.covariance == pytest.approx(np.cov(samples.astype(np.float64), rowvar=False), rel=1e-9)


def test_gaussians_along_the_same_axes_have_a_closed_form():
    means, spreads = (np.array([0.0, 1, 2]), np.array([3.0, -1, 2])), (np.array([1.0, 4, 9]), np.array([4.0, 1, 9]))
    one, other = (statistics(exactly(mean, np.diag(spread))) for mean, spread in zip(means, spreads, strict=True))
    wanted = 9 + 4 + ((np.sqrt(spreads[0]) - np.sqrt(spreads[1])) ** 2).sum()
    assert frechet_distance(one, other) == pytest.approx(wanted, rel=1e-9)
    assert frechet_distance(other, one) == pytest.approx(wanted, rel=1e-9)


def test_gaussians_at_an_angle_are_as_with_the_root_of_the_product():
    stream = np.random.default_rng(5)
    parts = [stream.normal(size=(8, 8)) for _ in range(2)]
    covariances = [part @ part.T + np.eye(8) for part in parts]
    one, other = (
        statistics(exactly(np.full(8, mean), covariance))
        for mean, covariance in zip((0.0, 0.5), covariances, strict=True)
    )
    root = np.trace(np.real(sqrtm(covariances[0] @ covariances[1])))
    wanted = 8 * 0.25 + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * root
    assert frechet_distance(one, other) == pytest.approx(wanted, rel=1e-8)


def test_fewer_samples_than_dimensions_are_no_trouble():
    samples = np.random.default_rng(2).normal(size=(5, 40))
    one, far = statistics(samples), statistics(samples + 1)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(one, far) == pytest.approx(40, rel=1e-6)


@pytest.mark.parametrize("counts", [(5, 60), (60, 5), (1, 5), (60, 41)])
def test_few_samples_are_as_with_all_dimensions(counts):
    stream = np.random.default_rng(3)
    one, other = (statistics(stream.normal(size=(count, 40)) @ stream.normal(size=(40, 40))) for count in counts)
    values, vectors = np.linalg.eigh(one.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    both = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other.covariance @ root), 0)).sum()
    wanted = np.square(one.mean - other.mean).sum() + np.trace(one.covariance + other.covariance) - 2 * both
    assert frechet_distance(one, other) == pytest.approx(wanted, rel=1e-5)
    assert frechet_distance(other, one) == pytest.approx(wanted, rel=1e-5)
