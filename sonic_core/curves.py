"""Curves over time: how movements are added up, smoothed, limited and read at a frame's moment."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .easing import smooth_rise

CURVE_RATE = 50
"""Values per second of every curve of the mouth, the head and the eyes."""


def read_at(curve: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Read a curve (n,) at ``times`` (m,) in seconds: (m,) float32; beyond its ends the outermost value stays.

    Smooth, and never beyond the two values between which a moment lies.

    Source: Fritsch & Butland 1984, SIAM Journal on Scientific and Statistical Computing 5: slopes are harmonic means.
    """
    values = np.asarray(curve, np.float64)
    if len(values) < 2:
        return np.resize(values, len(times)).astype(np.float32)
    rise = np.diff(values)
    slopes = np.zeros(len(values))
    before, after = rise[:-1], rise[1:]
    same = before * after > 0
    slopes[1:-1][same] = 2 * (before * after)[same] / (before + after)[same]
    place = np.clip(np.asarray(times, np.float64) * CURVE_RATE, 0, len(values) - 1)
    left = np.minimum(place.astype(int), len(values) - 2)
    part = place - left
    rest = 1 - part
    read = (values[left] * (1 + 2 * part) + slopes[left] * part) * rest**2
    read += (values[left + 1] * (1 + 2 * rest) - slopes[left + 1] * rest) * part**2
    return read.astype(np.float32)


def least_jerk(part: np.ndarray) -> np.ndarray:
    """Go from 0 to 1 as limbs and heads do, speed and acceleration 0 at both ends; flat outside.

    Source: Flash & Hogan 1985, Journal of Neuroscience 5.

    >>> least_jerk(np.array([-1.0, 0.5, 2.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    part = np.clip(part, 0, 1)
    return part**3 * (10 - 15 * part + 6 * part * part)


def add_bump(curve: np.ndarray, start: float, parts: tuple[float, float, float], size: float) -> None:
    """Go there and come back, in place: ``parts`` are the seconds of rise, hold and fall."""
    rise, _, fall = parts
    first, last = max(int(np.ceil(start * CURVE_RATE)), 0), min(int((start + sum(parts)) * CURVE_RATE) + 1, len(curve))
    if first < last:
        time = np.arange(first, last) / CURVE_RATE - start
        curve[first:last] += size * least_jerk(time / rise) * least_jerk((sum(parts) - time) / fall)


def add_step(curve: np.ndarray, start: float, seconds: float, size: np.ndarray | float) -> None:
    """Go there and stay, in place; ``size`` is one number, or a number for each row of ``curve`` (rows, n)."""
    first, last = max(int(np.ceil(start * CURVE_RATE)), 0), int((start + seconds) * CURVE_RATE) + 1
    count = curve.shape[-1]
    if first < count:
        time = np.arange(first, min(last, count)) / CURVE_RATE - start
        size = np.asarray(size)[..., None]
        curve[..., first:last] += size * least_jerk(time / seconds)
        curve[..., last:] += size


def spans(held: np.ndarray) -> list[tuple[int, int]]:
    """List where ``held`` (n,) begins and ends to be true: (first, last + 1) of each stretch."""
    change = np.flatnonzero(np.diff(held.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(change[::2], change[1::2], strict=True))


def wander(count: int, stream: np.random.Generator, seconds: float, kept: float = 0.6) -> np.ndarray:
    """Move slowly and never the same way twice: (count,) around 0, deviation about 0.45, joined knot after knot.

    ``kept`` is how much of one knot's value the next keeps: little makes it livelier. Drawing one knot every
    ``seconds``, instead of filtering noise of the clip's length, keeps the beginning for any length.
    """
    knots = int(count / (seconds * CURVE_RATE)) + 4
    drawn = np.empty(knots)
    value = 0.0
    for index in range(knots):
        value = kept * value + 0.5 * stream.standard_normal()
        drawn[index] = np.clip(value, -1.2, 1.2)
    position = np.arange(count) / (seconds * CURVE_RATE)
    return ndimage.map_coordinates(drawn, [position + 1], order=3, mode="nearest", prefilter=False)


def band(curve: np.ndarray, fast: float, slow: float) -> np.ndarray:
    """Keep what changes within ``fast`` to ``slow`` seconds of a curve (n,)."""
    return blurred(curve, fast) - blurred(curve, slow)


def blurred(curve: np.ndarray, seconds: float) -> np.ndarray:
    """Blur over time, (…, n), by a Gaussian of this deviation; it has no lag."""
    return ndimage.gaussian_filter1d(curve, seconds * CURVE_RATE, axis=-1, mode="nearest")


def around(curve: np.ndarray, seconds: float) -> np.ndarray:
    """Average over what there is of a curve, (…, n), around each moment, by a Gaussian of this deviation.

    Unlike ``blurred``, it takes the first and last value for no more than what they are.
    """
    there = ndimage.gaussian_filter1d(np.ones(curve.shape[-1]), seconds * CURVE_RATE, mode="constant", truncate=3)
    return ndimage.gaussian_filter1d(curve, seconds * CURVE_RATE, axis=-1, mode="constant", truncate=3) / there


def begun(count: int, seconds: float) -> np.ndarray:
    """Rise from exactly 0 at the first value to 1 after ``seconds``, (count,)."""
    return smooth_rise(np.arange(count) / (seconds * CURVE_RATE))


def soft_limited(values: np.ndarray, least: float, most: float) -> np.ndarray:
    """Keep values between ``least`` < 0 and ``most`` > 0 without a kink: as they are up to half of it, then less.

    >>> np.round(soft_limited(np.array([-90.0, 0.0, 2.0, 90.0]), -4, 6), 2).tolist()
    [-4.0, 0.0, 1.99, 6.0]
    """
    bound = np.where(np.asarray(values) < 0, -least, most)
    return values / (1 + (np.abs(values) / bound) ** 4) ** 0.25
