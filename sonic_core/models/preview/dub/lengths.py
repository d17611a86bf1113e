"""A video that is shorter than what shall be said goes on: its last frame is held, or it is shown again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

from ....clip import Clip
from ....media.ahead import closable
from ....types import Frames


def numbers(length: int, how: str) -> Callable[[int], int]:
    """Tell which frame of a video of ``length`` frames is shown as which of one that goes on.

    >>> [numbers(3, "bounce")(shown) for shown in range(6)], [numbers(3, "hold")(shown) for shown in range(5)]
    ([0, 1, 2, 1, 0, 1], [0, 1, 2, 2, 2])
    """
    if how == "loop":
        return lambda shown: shown % length
    if how == "bounce":
        period = max(2 * length - 2, 1)
        return lambda shown: min(shown % period, period - shown % period) if length > 1 else 0
    return lambda shown: min(shown, length - 1)


def lengthen(clip: Clip, length: int, how: str) -> Clip:
    """Let a clip go on until it has ``length`` frames, as ``numbers`` says; a longer one ends there."""
    if how == "hold" or length <= clip.length:
        return clip.held(length).cut(0, length)
    once = clip.pingpong() if how == "bounce" else clip

    def read() -> Iterator[Frames]:
        left = length
        while left > 0:
            with closing(closable(once.read())) as chunks:
                for chunk in chunks:
                    yield chunk[:left]
                    left -= len(chunk)
                    if left <= 0:
                        return

    return replace(clip, read=read, length=length)
