"""Curves over time: how movements are written down, added up, smoothed, limited and read at a frame's moment."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import ndimage

from .easing import smooth_rise
from .errors import SettingsError

RATE = 50
"""Values per second of every curve of the mouth, the head and the eyes."""

EASINGS = ("smooth", "linear")
"""How a curve goes from one keyframe to the next; the first is meant where nothing is said."""
_WRITTEN = "a number, or keyframes as seconds:value, such as 0:0, 2.5:0.6, 4:1"


@dataclass(frozen=True)
class Curve:
    """A number that changes over time, by keyframes; before the first and after the last one it stays.

    Raises:
        SettingsError: There is no keyframe, a number is none, or the times do not rise.
    """

    seconds: tuple[float, ...]
    values: tuple[float, ...]
    easing: str = EASINGS[0]
    """smooth: without a kink or an overshoot, and slowly out of the first and into the last; or linear."""
    bounces: bool = False
    """Whether it goes back and forth after the last keyframe instead."""

    def __post_init__(self) -> None:
        if not self.seconds or len(self.seconds) != len(self.values):
            raise SettingsError(f"A curve needs one keyframe at least: expected {_WRITTEN}; got nothing.")
        if not all(math.isfinite(one) for one in (*self.seconds, *self.values)):
            raise SettingsError(f"A curve is made of numbers: expected {_WRITTEN}; got one that is none.")
        if self.seconds[0] < 0:
            raise SettingsError(f"Keyframes count seconds from 0, the beginning of the video; got {self.seconds[0]:g}.")
        for before, after in zip(self.seconds, self.seconds[1:], strict=False):
            if not before < after:
                raise SettingsError(f"Keyframes go forward in time: expected more than {before:g} s, got {after:g} s.")
        if self.easing not in EASINGS:
            raise SettingsError(f"A curve's easing is {' or '.join(EASINGS)}; got {self.easing!r}.")

    @classmethod
    def of(cls, value: object) -> Curve:
        """Read a curve as people write it: a number, a text, or pairs of seconds and value.

        >>> Curve.of("0:1, 2.5:0.6").at(np.array([0.0, 9.0])).tolist()
        [1.0, 0.6]
        >>> Curve.of("linear 0:0, 2:1").at(np.array([0.5])).tolist()
        [0.25]

        Raises:
            SettingsError: It is written otherwise.
        """
        if isinstance(value, Curve):
            return value
        if isinstance(value, str):
            return _read_text(value)
        try:
            if isinstance(value, bool):
                raise TypeError
            listed: Any = value if isinstance(value, Sequence) else [(0.0, value)]
            pairs = [(float(pair[0]), float(pair[1])) for pair in listed]
        except (TypeError, ValueError, IndexError, KeyError):
            raise SettingsError(f"expected {_WRITTEN}; got {value!r}.") from None
        return cls(tuple(moment for moment, _ in pairs), tuple(number for _, number in pairs))

    def at(self, times: np.ndarray) -> np.ndarray:
        """Read it at moments in seconds: float64 of their shape."""
        seconds, values, slopes = self._knots
        if self.bounces and len(seconds) > 1:
            first, length = seconds[0], seconds[-1] - seconds[0]
            times = np.maximum(times, first)
            times = first + length - np.abs((times - first) % (2 * length) - length)
        if len(seconds) == 1 or self.easing == EASINGS[1]:
            return np.interp(times, seconds, values)
        times = np.clip(times, seconds[0], seconds[-1])
        left = np.clip(np.searchsorted(seconds, times, side="right") - 1, 0, len(seconds) - 2)
        step = (seconds[1:] - seconds[:-1])[left]
        part = (times - seconds[left]) / step
        rest = 1 - part
        read = (values[left] * (1 + 2 * part) + slopes[left] * step * part) * rest**2
        return read + (values[left + 1] * (1 + 2 * rest) - slopes[left + 1] * step * rest) * part**2

    @cached_property
    def _knots(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Seconds, values and slopes of the keyframes.

        Source: as of ``read_at``, for keyframes that are not evenly apart.
        """
        seconds, values = np.array(self.seconds), np.array(self.values)
        slopes, step = np.zeros(len(values)), np.diff(seconds)
        rise = np.diff(values) / step
        before, after = 2 * step[1:] + step[:-1], step[1:] + 2 * step[:-1]
        same = rise[:-1] * rise[1:] > 0
        weights = (before + after)[same]
        slopes[1:-1][same] = weights / (before[same] / rise[:-1][same] + after[same] / rise[1:][same])
        return seconds, values, slopes


def _read_text(text: str) -> Curve:
    """Read a number or keyframes, with the name of an easing before them where it is not the usual one."""
    easing, rest = EASINGS[0], text.strip()
    for name in EASINGS:
        if rest.startswith((f"{name} ", f"{name}\n")):
            easing, rest = name, rest[len(name) :].strip()
    frames = [frame.strip() for frame in re.split(r"[,\n]", rest) if frame.strip()]
    try:
        if len(frames) == 1 and ":" not in rest:
            return Curve((0.0,), (float(rest),), easing)
        pairs = [(float(moment), float(value)) for moment, value in (frame.split(":") for frame in frames)]
    except ValueError:
        raise SettingsError(f"expected {_WRITTEN}; got {text!r}.") from None
    return Curve(tuple(moment for moment, _ in pairs), tuple(value for _, value in pairs), easing)


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
    place = np.clip(np.asarray(times, np.float64) * RATE, 0, len(values) - 1)
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
    first, last = max(int(np.ceil(start * RATE)), 0), min(int((start + sum(parts)) * RATE) + 1, len(curve))
    if first < last:
        time = np.arange(first, last) / RATE - start
        curve[first:last] += size * least_jerk(time / rise) * least_jerk((sum(parts) - time) / fall)


def add_step(curve: np.ndarray, start: float, seconds: float, size: np.ndarray | float) -> None:
    """Go there and stay, in place; ``size`` is one number, or a number for each row of ``curve`` (rows, n)."""
    first, last = max(int(np.ceil(start * RATE)), 0), int((start + seconds) * RATE) + 1
    count = curve.shape[-1]
    if first < count:
        time = np.arange(first, min(last, count)) / RATE - start
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
    knots = int(count / (seconds * RATE)) + 4
    drawn = np.empty(knots)
    value = 0.0
    for index in range(knots):
        value = kept * value + 0.5 * stream.standard_normal()
        drawn[index] = np.clip(value, -1.2, 1.2)
    position = np.arange(count) / (seconds * RATE)
    return ndimage.map_coordinates(drawn, [position + 1], order=3, mode="nearest", prefilter=False)


def band(curve: np.ndarray, fast: float, slow: float) -> np.ndarray:
    """Keep what changes within ``fast`` to ``slow`` seconds of a curve (n,)."""
    return blurred(curve, fast) - blurred(curve, slow)


def blurred(curve: np.ndarray, seconds: float) -> np.ndarray:
    """Blur over time, (…, n), by a Gaussian of this deviation; it has no lag."""
    return ndimage.gaussian_filter1d(curve, seconds * RATE, axis=-1, mode="nearest")


def around(curve: np.ndarray, seconds: float) -> np.ndarray:
    """Average over what there is of a curve, (…, n), around each moment, by a Gaussian of this deviation.

    Unlike ``blurred``, it takes the first and last value for no more than what they are.
    """
    there = ndimage.gaussian_filter1d(np.ones(curve.shape[-1]), seconds * RATE, mode="constant", truncate=3)
    return ndimage.gaussian_filter1d(curve, seconds * RATE, axis=-1, mode="constant", truncate=3) / there


def begun(count: int, seconds: float) -> np.ndarray:
    """Rise from exactly 0 at the first value to 1 after ``seconds``, (count,)."""
    return smooth_rise(np.arange(count) / (seconds * RATE))


def soft_limited(values: np.ndarray, least: float, most: float) -> np.ndarray:
    """Keep values between ``least`` < 0 and ``most`` > 0 without a kink: as they are up to half of it, then less.

    >>> np.round(soft_limited(np.array([-90.0, 0.0, 2.0, 90.0]), -4, 6), 2).tolist()
    [-4.0, 0.0, 1.99, 6.0]
    """
    bound = np.where(np.asarray(values) < 0, -least, most)
    return values / (1 + (np.abs(values) / bound) ** 4) ** 0.25
