"""Streams of frames that can begin anywhere, and parts of those that cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias, runtime_checkable

from ..types import Frames
from .ahead import closable

Read: TypeAlias = Callable[[], Iterator[Frames]]
"""Begins anew: chunks of frames (n, 3, h, w)."""


@runtime_checkable
class ReadsParts(Protocol):
    """A ``Read`` of which no frame needs those before it."""

    def __call__(self) -> Iterator[Frames]:
        """Begin with the first frame."""
        ...

    def part(self, first: int, end: int) -> Read:
        """Give what reads the frames from number ``first`` on, up to that before ``end``, and makes no others."""
        ...


def part_of(read: Read, first: int, end: int) -> Read:
    """Read frames from number ``first`` on, up to that before ``end``; those before are made only where they must."""
    return read.part(first, end) if isinstance(read, ReadsParts) else partial(_passing, read, first, end)


def _passing(read: Read, first: int, end: int) -> Iterator[Frames]:
    done = 0
    with closing(closable(read())) as chunks:
        for chunk in chunks:
            part = chunk[max(0, first - done) : end - done]
            if len(part):
                yield part
            done += len(chunk)
            if done >= end:
                return


@dataclass(frozen=True, eq=False)
class Held:
    """Reads frames, and the last one until there are enough (a ``ReadsParts``, as far as ``read`` is one)."""

    read: Read
    have: int
    """Frames that there are."""
    length: int
    """Frames that there shall be, no fewer."""
    silent: int = 0
    """Frames at the beginning that are not yielded."""

    def __call__(self) -> Iterator[Frames]:
        """Begin with the first frame that is yielded."""
        last, left = None, self.silent
        with closing(closable(self.read())) as chunks:
            for chunk in chunks:
                if len(chunk) > left:
                    yield chunk[left:]
                left = max(0, left - len(chunk))
                last = chunk[-1:].clone()
        if last is not None:
            yield from (last for _ in range(self.length - self.have - left))

    def part(self, first: int, end: int) -> Read:
        """Read the frames from number ``first`` on, up to that before ``end``."""
        first, end = first + self.silent, end + self.silent
        begin = min(first, self.have - 1)
        last = max(begin + 1, min(end, self.have))
        return Held(part_of(self.read, begin, last), last - begin, end - begin, first - begin)
