"""Retiming: a clip's frames at another rate, and exactly as many as are wanted."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import torch

from ..clip import Clip, frame_count
from ..devices import Keeper, OwnKeeper, choose_device
from ..errors import InputError
from ..media.ahead import closable, read_ahead
from ..rates import exact_fps
from ..settings import check_possible
from ..types import Frames, Progress, ignore_progress
from ..weights.catalog import INTERPOLATOR
from ..weights.search import Weights
from ..weights.store import find_part
from .interpolators.dis import DisInterpolator
from .stage import Staged, Told

log = logging.getLogger("sonic")

CHUNK = 4
"""Frames that are given at a time."""
_AHEAD = 1
"""So many times ``CHUNK`` frames wait."""


class Interpolator(Protocol):
    """Draws frames between frames."""

    def between(self, first: torch.Tensor, second: torch.Tensor, moment: float) -> torch.Tensor:
        """Draw the frame (3, h, w) at ``moment``, 0 < moment < 1, on the way from ``first`` to ``second``, (3, h, w).

        All three are float32 in [0, 1] on the CPU; neither frame is changed.
        """
        ...


def interpolate(clip: Clip, fps: Fraction, length: int, interpolator: Interpolator) -> Clip:
    """Show a clip at another frame rate, for exactly ``length`` frames, without changing how fast anything moves.

    Frame j of the result shows what the clip shows at j / fps seconds: that very frame where one falls on it, else what
    the interpolator draws between its neighbours. After the last frame the last one is held. So 12.5 frames per second
    become 25 with every original at an even place. While the result is read, the next frames are drawn in a thread of
    their own, in which the clip is read as well: a device that makes both need not wait for whoever encodes them.

    Args:
        clip: Frame i of it is at i / clip.fps seconds.
        fps: Frames per second of the result.
        length: Frames of the result, at least 1.
        interpolator: Asked once per frame that falls between two unequal frames, while the result is read.

    Returns:
        A clip with the same sound; ``clip`` itself if it has that rate and length already.

    Raises:
        InputError: ``fps`` or ``length`` is not above 0.
    """
    if fps <= 0 or length < 1:
        raise InputError(f"Expected a frame rate and a number of frames above 0, got {fps} and {length}.")
    if (clip.fps, clip.length) == (fps, length):
        return clip
    return replace(
        clip, read=lambda: read_ahead(_retime(clip, fps, length, interpolator), _AHEAD), fps=fps, length=length
    )


@dataclass(frozen=True)
class Retime:
    """Show a clip at another frame rate for just as long: ⌈duration · fps⌉ frames (a ``Stage``).

    So the picture never ends before it did, and lasts less than a frame longer.

    Raises:
        InputError: ``fps`` is not above 0 (``SettingsError`` if it was no ``Fraction``).
        SettingsError: ``fps`` is beyond what ``Settings`` allow.
    """

    fps: Fraction | float
    """Frames per second of the result; from now on the fraction that is meant, as ``exact_fps`` tells it."""
    interpolator: Interpolator | None = None
    """Draws what falls between two frames; None takes the best that is there (``best_interpolator``)."""

    def __post_init__(self) -> None:
        if not isinstance(self.fps, Fraction):
            object.__setattr__(self, "fps", exact_fps(self.fps))
        if self.fps <= 0:
            raise InputError(f"Expected a frame rate above 0, got {self.fps}.")
        check_possible(fps=self.fps)

    def apply(self, clip: Clip, progress: Progress = ignore_progress) -> Staged[Told]:
        """Give a clip whose frames are drawn while it is read, so that ``progress`` has nothing to hear.

        Args:
            clip: Frame i of it is at i / clip.fps seconds.
            progress: Not called.

        Returns:
            A clip with the same sound; ``clip`` itself if it has that rate already.
        """
        del progress
        fps = Fraction(self.fps)
        length = frame_count(float(clip.length / clip.fps), fps)
        if (clip.fps, clip.length) == (fps, length):
            return Staged(clip, Told(f"frame rate: nothing was changed: it is {float(clip.fps):g} already."))
        interpolator = self.interpolator or best_interpolator()
        rates = f"{float(clip.fps):g} → {float(fps):g} frames per second, {clip.length} → {length} frames"
        done = Told(f"frame rate: {rates}, those in between drawn by {type(interpolator).__name__}.")
        log.info("%s", done.reason)
        return Staged(interpolate(clip, fps, length, interpolator), done)


def retime(clip: Clip, fps: Fraction | float, interpolator: Interpolator | None = None) -> Staged[Told]:
    """Show a clip at another frame rate for just as long: the stage ``Retime``, applied.

    >>> from ..clip import Clip
    >>> clip = Clip(lambda: iter(()), Fraction(25), 251, (64, 64), None)
    >>> retime(clip, Fraction(30000, 1001)).clip.length, retime(clip, Fraction(25)).clip is clip
    (301, True)
    """
    return Retime(fps, interpolator).apply(clip)


def best_interpolator(
    weights: Weights = (), device: str = "auto", keeper: Callable[[], Keeper] | None = None
) -> Interpolator:
    """Make the published interpolator where its weights are found, else one that follows optical flow.

    Args:
        weights: Folders in which the weights are looked for first.
        device: Where the published one computes; the other computes on the processor.
        keeper: Makes who brings it to the device, instead of ``device``; a host has its own.

    Raises:
        CheckpointError: The weights are there, but damaged.
        SettingsError: There is no such device here.
    """
    path = find_part(INTERPOLATOR, weights)
    if path is None:
        return DisInterpolator()
    from .interpolators.flownet import FlowInterpolator, load_flownet  # noqa: PLC0415 - only where there is something to load

    return FlowInterpolator(load_flownet(path), OwnKeeper(choose_device(device)) if keeper is None else keeper())


def _retime(clip: Clip, fps: Fraction, length: int, interpolator: Interpolator) -> Generator[Frames, None, None]:
    with closing(closable(clip.frames())) as frames:
        strip = _Strip(frames)
        for begin in range(0, length, CHUNK):
            places = (number * clip.fps / fps for number in range(begin, min(begin + CHUNK, length)))
            yield torch.stack([_shown(strip, place, interpolator) for place in places])


def _shown(strip: _Strip, place: Fraction, interpolator: Interpolator) -> torch.Tensor:
    """Take or draw the frame at ``place``, counted in frames of the strip."""
    number = math.floor(place)
    first = strip.frame(number)
    if place == number:
        return first
    second = strip.frame(number + 1)
    if second is first or torch.equal(first, second):
        return first
    return interpolator.between(first, second, float(place - number))


class _Strip:
    """Two neighbouring frames of a stream, moved forward as later ones are asked for."""

    def __init__(self, frames: Iterator[torch.Tensor]) -> None:
        self.frames = frames
        self.held: deque[torch.Tensor] = deque(maxlen=2)
        self.seen = 0

    def frame(self, number: int) -> torch.Tensor:
        """Return a frame by number, or the last if there are fewer; no more than one before the furthest asked for."""
        while self.seen <= number and (frame := next(self.frames, None)) is not None:
            self.held.append(frame.clone())  # a view would hold its whole chunk
            self.seen += 1
        return self.held[min(number, self.seen - 1) - self.seen]
