"""Curves over time as people write them: a number, or keyframes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .errors import SettingsError

if TYPE_CHECKING:
    import numpy as np

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

        >>> import numpy as np
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
        import numpy as np  # noqa: PLC0415 - settings know curves, and the command line begins sooner without

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

        Source: Fritsch & Butland 1984, SIAM Journal on Scientific and Statistical Computing 5: slopes are harmonic
        means, weighted by how far keyframes are apart.
        """
        import numpy as np  # noqa: PLC0415

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
