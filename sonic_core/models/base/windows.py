"""Which frames pass through the UNet together, at which step.

Windows move back by ``shift`` frames from step to step, so that no seam stays in one place. On the published *ring* the
clip's end is joined to its beginning, and no frame is final before the whole clip is. On a *line* it is not: a window
needs only what its neighbours made at the step before, so the clip can be denoised front to back, and its first frames
are final while its last ones are still noise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

LEAST_WINDOW = 14
"""Frames of the least window on a line: the fewest that Stable Video Diffusion was published for. Shorter clips go
forth and back until they fill it."""


@dataclass(frozen=True)
class Schedule:
    """How the windows lie."""

    window: int
    """Frames that pass through the UNet together."""
    overlap: int
    """Frames that a window shares with the next."""
    shift: int
    """Frames by which the windows move back from step to step, so that no seam stays in one place."""

    @property
    def stride(self) -> int:
        """Frames from the beginning of a window to the beginning of the next."""
        return self.window - self.overlap


@dataclass(frozen=True)
class Window:
    """Frames that pass through the UNet together at one step."""

    step: int
    number: int
    """Tells the windows of a step apart; they follow one another."""
    frames: Sequence[int]
    """The frame at each place; a frame may come more than once."""
    written: range
    """The places whose results count; the others are looked at only."""


class Windows(Protocol):
    """The windows of all steps of one clip."""

    @property
    def frames(self) -> int:
        """Frames of the clip."""
        ...

    def numbers(self, step: int) -> range:
        """List the numbers of the windows of a step."""
        ...

    def window(self, step: int, number: int) -> Window:
        """Make a window of a step."""
        ...

    def readers(self, step: int, frame: int) -> int:
        """Count the windows of a step in which a frame comes."""
        ...


def window_frames(frames: int, schedule: Schedule, shifted: int) -> Iterator[torch.Tensor]:
    """List the windows of one step on a ring: (window,) indices each.

    Args:
        frames: Frames of the clip; with fewer than a window's, a window holds some more than once.
        schedule: How the windows lie.
        shifted: How far they have moved back by now.
    """
    for start in range(0, frames, schedule.stride):
        yield (start - shifted + torch.arange(schedule.window)) % frames


@dataclass
class Ring:
    """Windows of the published schedule: after the last frame comes the first."""

    frames: int
    schedule: Schedule
    _readers: dict[int, Counter[int]] = field(default_factory=dict, repr=False)

    def numbers(self, step: int) -> range:
        """List the numbers of the windows of a step."""
        return range(-(-self.frames // self.schedule.stride))

    def window(self, step: int, number: int) -> Window:
        """Make a window of a step."""
        begin = number * self.schedule.stride - step * self.schedule.shift
        places = range(self.schedule.window)
        return Window(step, number, [(begin + place) % self.frames for place in places], places)

    def readers(self, step: int, frame: int) -> int:
        """Count the windows of a step in which a frame comes."""
        if step not in self._readers:
            shown = (set(self.window(step, number).frames) for number in self.numbers(step))
            self._readers = {step: Counter(one for frames in shown for one in frames), **self._readers}
            while len(self._readers) > 2:  # steps follow one another
                self._readers.popitem()
        return self._readers[step][frame]


@dataclass(frozen=True)
class Line:
    """Windows on a line: the clip begins and ends.

    A window that would reach beyond an end is moved inside whole, so that the model sees as many frames as ever; what
    it did not reach before is looked at only, and written by its neighbour. A clip that is no longer than a window is
    one window.
    """

    frames: int
    schedule: Schedule

    @property
    def whole(self) -> bool:
        """Whether the clip is a single window."""
        return self.frames <= self.schedule.window

    def numbers(self, step: int) -> range:
        """List the numbers of the windows of a step; those of the same number begin ``shift`` earlier every step."""
        if self.whole:
            return range(1)
        stride, moved = self.schedule.stride, step * self.schedule.shift
        last = -(-(self.frames - self.schedule.window + moved) // stride)
        return range(moved // stride, last + 1)

    def window(self, step: int, number: int) -> Window:
        """Make a window of a step."""
        if self.whole:
            shown = min(self.schedule.window, max(self.frames, LEAST_WINDOW))
            return Window(step, number, _forth_and_back(self.frames, shown), range(self.frames))
        size, begin = self.schedule.window, self._begin(step, number)
        inside = min(max(begin, 0), self.frames - size)
        written = range(max(begin, 0) - inside, min(begin + size, self.frames) - inside)
        return Window(step, number, range(inside, inside + size), written)

    def readers(self, step: int, frame: int) -> int:
        """Count the windows of a step in which a frame comes."""
        if self.whole:
            return 1
        size, stride, moved = self.schedule.window, self.schedule.stride, step * self.schedule.shift
        numbers = self.numbers(step)
        first = max(numbers.start, -(-(frame - size + 1 + moved) // stride))
        last = min(numbers.stop - 1, (frame + moved) // stride)
        beyond_first = self._begin(step, numbers.start) + size <= frame < size
        before_last = self.frames - size <= frame < self._begin(step, numbers.stop - 1)
        return last - first + 1 + beyond_first + before_last

    def look_ahead(self, steps: int) -> int:
        """Count the frames that must be known until the first one is final after ``steps`` steps."""
        last = 0
        for step in reversed(range(steps)):
            reached = last
            for number in self.numbers(step):
                window = self.window(step, number)
                if window.frames[window.written.start] > last:
                    break
                reached = max(reached, *window.frames)
            last = reached
        return last + 1

    def _begin(self, step: int, number: int) -> int:
        return number * self.schedule.stride - step * self.schedule.shift


def _forth_and_back(frames: int, places: int) -> list[int]:
    """Go over ``frames`` frames forth and back until ``places`` places are filled."""
    turn = max(1, 2 * (frames - 1))
    return [min(place % turn, -place % turn) if frames > 1 else 0 for place in range(places)]
