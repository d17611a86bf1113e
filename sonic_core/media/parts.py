"""Streams of frames that can begin anywhere, and parts of those that cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeAlias, runtime_checkable

from ..types import Frames
from .ahead import closable
from .lazy import LazyFrame, lazy_frames, siting_of

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
    return read.part(first, end) if isinstance(read, ReadsParts) else Passing(read, first, end)


@dataclass(frozen=True, eq=False)
class Passing:
    """Reads frames, and passes some of them on (a ``ReadsLazily``)."""

    read: Read
    first: int
    """Number of the first one that is passed on."""
    end: int
    """Number of the first one behind those."""

    def __call__(self) -> Iterator[Frames]:
        """Begin with the first frame that is passed on."""
        done = 0
        with closing(closable(self.read())) as chunks:
            for chunk in chunks:
                part = chunk[max(0, self.first - done) : self.end - done]
                if len(part):
                    yield part
                done += len(chunk)
                if done >= self.end:
                    return

    @property
    def siting(self) -> int | None:
        """Where the frames have their chroma if most can be encoded as they came."""
        return siting_of(self.read)

    def lazy(self) -> Iterator[LazyFrame]:
        """Read them without converting any."""
        with closing(closable(lazy_frames(self.read))) as frames:
            yield from islice(frames, self.first, self.end)


@dataclass(frozen=True, eq=False)
class Held:
    """Reads frames, and the last one until there are enough; a ``ReadsLazily``, and a ``ReadsParts`` if ``read`` is."""

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

    @property
    def siting(self) -> int | None:
        """Where the frames have their chroma if most can be encoded as they came."""
        return siting_of(self.read)

    def lazy(self) -> Iterator[LazyFrame]:
        """Read them without converting any."""
        last = None
        with closing(closable(lazy_frames(self.read))) as frames:
            for number, last in enumerate(frames):
                if number >= self.silent:
                    yield last
        if last is not None:
            yield from (last for _ in range(self.length - self.have - max(0, self.silent - self.have)))

    def part(self, first: int, end: int) -> Read:
        """Read the frames from number ``first`` on, up to that before ``end``."""
        first, end = first + self.silent, end + self.silent
        begin = min(first, self.have - 1)
        last = max(begin + 1, min(end, self.have))
        return Held(part_of(self.read, begin, last), last - begin, end - begin, first - begin)
