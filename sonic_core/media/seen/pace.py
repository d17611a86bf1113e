"""When frames are shown: the rate that suits a video's time stamps, and the even grid that its frames are placed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

SLOWEST, FASTEST = Fraction(1, 10), Fraction(120)
"""Frames per second that are believed; a slower video is held on a grid of one a second, a faster one only where all
its frames keep to it."""
LONGEST_PAUSE = 3600
"""Seconds for which a frame, or a silence, is held at most; a later time stamp comes from another film."""
BACK = Fraction(1, 50)
"""Seconds by which time stamps go back where another film begins; less is disorder."""
_COMMON = [
    *map(Fraction, (1, 2, 5, 8, 10, 12, 15)),
    *(Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(48)),
    *(Fraction(50), Fraction(60000, 1001), Fraction(60), Fraction(100), Fraction(120)),
]
"""Rates that cameras and screens have."""
_USUAL = Fraction(25)
_EXACT = Fraction(1, 10)
"""Frames by which time stamps that keep a rate are off at most, for they are rounded."""
_ALIKE = Fraction(1, 100)
"""Relative difference of rates that mean one."""
_NEARLY_ALL = Fraction(98, 100)
"""Share of the steps that keep an announced rate: the others are where a film was joined or is damaged."""
_CLOSE = Fraction(5, 100)
"""Relative difference of rates that shaky time stamps may make of a common one."""
_NEAR = Fraction(1, 4)
"""Relative difference of steps that are rounded, or shaky, forms of one."""
_HALF = Fraction(1, 2)
_MOST_LATE = Fraction(60, 1000)
"""Seconds by which a frame is shown late at most because another has its place: less than is noticed at a mouth."""


class FrameTimes:
    """Places frames, in the order in which they are shown, on even times."""

    def __init__(self, fps: Fraction, start: Fraction | float) -> None:
        """Begin before the first frame, whose time stamp is ``start``."""
        self.fps, self.start, self.time, self.last = fps, start, start, -1

    def place(self, time: Fraction | float) -> int:
        """Return the place, from 0, of the frame with this time stamp; that of the frame before where none is left.

        A frame whose place is taken has the next one, where that is not too late. Where time jumps, because films were
        joined, the next place follows.
        """
        exact = (time - self.start) * self.fps
        if self.last >= 0 and not -BACK < time - self.time <= LONGEST_PAUSE:
            exact = self.last + 1
            self.start = time - exact / self.fps
        self.time = time
        place = max(round(exact), self.last + 1)
        if place - exact > max(_HALF, _MOST_LATE * self.fps):
            place = max(0, self.last)
        self.last = place
        return place


def choose_rate(times: Sequence[Fraction], announced: Iterable[Fraction | None]) -> Fraction:
    """Choose the frame rate under which no frame is lost.

    The first of the announced rates that the time stamps keep, though with gaps; else the lowest, not far below what
    they keep most of the time, of these and of common ones that loses no frame.

    Args:
        times: Time stamps in seconds, sorted.
        announced: What the header says and what FFmpeg makes of it, the likeliest first.
    """
    told = [Fraction(rate) for rate in announced if rate]
    if times[-1] == times[0]:
        return next((rate for rate in told if SLOWEST <= rate <= FASTEST), _USUAL)
    for rate in told:
        if rate >= SLOWEST and (is_steady(times, rate) or rate <= FASTEST) and _kept(times, rate):
            return rate
    typical = _typical(times)
    close = [rate for rate in _COMMON if abs(rate - typical) <= _CLOSE * typical]
    for rate in (*sorted(close, key=lambda rate: abs(rate - typical)), *told, typical):
        if rate >= SLOWEST and is_steady(times, rate):
            return rate
    least = max(SLOWEST, typical * (1 - _ALIKE))
    usable = [typical, *sorted({*told, *_COMMON})]
    usable = [rate for rate in usable if least <= rate <= FASTEST]
    return next((rate for rate in usable if loses_none(times, rate)), usable[-1] if usable else Fraction(1))


def on_one_line(runs: Iterable[Sequence[Fraction]]) -> list[Fraction]:
    """Join the sorted time stamps of films one behind the other, where each goes on from the last."""
    line: list[Fraction] = []
    for run in runs:
        moved = Fraction(0)
        for index, stamp in enumerate(run):
            if line and (index == 0 or stamp + moved - line[-1] > LONGEST_PAUSE):
                step = line[-1] - line[-2] if line[1:] else 1 / _USUAL
                moved = line[-1] + step - stamp
            line.append(stamp + moved)
    return line


def is_steady(times: Sequence[Fraction], rate: Fraction) -> bool:
    """Tell whether every frame lies on its own place of the grid, none left out."""
    return all(abs((time - times[0]) * rate - index) < _HALF for index, time in enumerate(times))


def loses_none(times: Sequence[Fraction], rate: Fraction) -> bool:
    """Tell whether every frame has a place of its own."""
    grid = FrameTimes(rate, times[0])
    places = [grid.place(time) for time in times]
    return all(before < after for before, after in pairwise(places))


def _kept(times: Sequence[Fraction], rate: Fraction) -> bool:
    """Tell whether nearly all steps between frames are whole ones of the grid, be they one or many."""
    steps = [(after - before) * rate for before, after in pairwise(times)]
    whole = sum(round(step) >= 1 and abs(step - round(step)) <= _EXACT for step in steps)
    return whole >= _NEARLY_ALL * len(steps)


def _typical(times: Sequence[Fraction]) -> Fraction:
    """Return the rate of the commonest step between frames, a common one where it is close to one."""
    steps = sorted(after - before for before, after in pairwise(times) if after > before)
    middle = steps[len(steps) // 2]
    alike = [step for step in steps if abs(step - middle) <= _NEAR * middle]
    rate = len(alike) / Fraction(sum(alike))
    near = min(_COMMON, key=lambda common: abs(common - rate))
    return near if abs(near - rate) <= _ALIKE * rate else rate.limit_denominator(1001) or rate
