"""Frames of which only what somebody looks at is converted; all else of them is passed on as it came."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol, TypeAlias, cast, runtime_checkable

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ..types import Frames
from .ahead import closable
from .colour import mixed_420
from .pixels import Bytes, as_bytes, as_frames

Window: TypeAlias = tuple[slice, slice]
"""Rows and columns of a frame, each with a start and a stop within it."""
Values: TypeAlias = npt.NDArray[np.float32]

LEFT, CENTRE = 0, 1
"""Where 4:2:0 has its chroma: on the left two of four pixels, or in their middle (ITU-T H.264, figure E-1)."""
_FULL = np.float32(255)


class LazyFrame(Protocol):
    """One frame of a video."""

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) in pixels."""
        ...

    def part(self, window: Window) -> Bytes:
        """Convert a part to (h, w, 3) RGB bytes."""
        ...

    def glance(self, window: Window) -> Bytes:
        """Convert a part to (h, w, 3) RGB bytes roughly, in a sixth of the time: for machines that only look."""
        ...

    def values(self, window: Window) -> Values:
        """Convert a part to (h, w, 3) RGB in [0, 1]; it may be changed."""
        ...

    def thinned(self, step: int) -> Values:
        """Convert every ``step``-th row and column, roughly, to (h, w, 3) RGB in [0, 1]."""
        ...

    def whole(self) -> torch.Tensor:
        """Convert all to (3, h, w) RGB in [0, 1], not to be changed."""
        ...

    def coded(self, siting: int) -> Bytes | None:
        """Return it as an encoder of 4:2:0 takes it, in BT.709 of limited range: (h · 3/2, w), as ``yuv420`` makes it.

        None where it is not stored like that. ``siting`` is ``LEFT`` or ``CENTRE``, where the video has its chroma.
        """
        ...


@runtime_checkable
class ReadsLazily(Protocol):
    """What reads frames that are converted when somebody looks at them."""

    @property
    def siting(self) -> int | None:
        """Where the frames have their chroma if most can be encoded as they came: ``LEFT`` or ``CENTRE``."""
        ...

    def lazy(self) -> Iterator[LazyFrame]:
        """Begin with the first frame; whoever takes one may keep it."""
        ...


@dataclass(frozen=True, eq=False)
class TensorFrame:
    """A frame that is there already (a ``LazyFrame``)."""

    frame: torch.Tensor
    """(3, h, w) RGB in [0, 1]; not to be changed."""

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) in pixels."""
        return self.frame.shape[1], self.frame.shape[2]

    def part(self, window: Window) -> Bytes:
        """Round a part to bytes."""
        return as_bytes(self.frame[:, window[0], window[1]])

    def glance(self, window: Window) -> Bytes:
        """Round a part to bytes."""
        return self.part(window)

    def values(self, window: Window) -> Values:
        """Copy a part."""
        planes = [np.asarray(plane) for plane in self.frame.numpy()[:, window[0], window[1]]]
        return np.asarray(cv2.merge(planes), np.float32)

    def thinned(self, step: int) -> Values:
        """Take every ``step``-th row and column."""
        planes = self.frame[:, ::step, ::step].numpy()
        return np.ascontiguousarray(planes.transpose(1, 2, 0), np.float32)

    def whole(self) -> torch.Tensor:
        """Return it."""
        return self.frame

    def coded(self, siting: int) -> Bytes | None:
        """Say that it is not stored so."""
        return None


@dataclass(frozen=True, eq=False)
class ByteFrame:
    """A frame that was converted to bytes (a ``LazyFrame``)."""

    pixels: Bytes
    """(h, w, 3) RGB; not to be changed."""

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def part(self, window: Window) -> Bytes:
        """Take a part."""
        return np.ascontiguousarray(self.pixels[window])

    def glance(self, window: Window) -> Bytes:
        """Take a part."""
        return self.part(window)

    def values(self, window: Window) -> Values:
        """Convert a part."""
        return np.divide(self.pixels[window], _FULL, dtype=np.float32)

    def thinned(self, step: int) -> Values:
        """Convert every ``step``-th row and column."""
        return np.divide(self.pixels[::step, ::step], _FULL, dtype=np.float32)

    def whole(self) -> torch.Tensor:
        """Convert all."""
        return as_frames([self.pixels])[0]

    def coded(self, siting: int) -> Bytes | None:
        """Say that it is not stored so."""
        return None


@dataclass(frozen=True, eq=False)
class PaintedFrame:
    """A frame with some other pixels (a ``LazyFrame``)."""

    base: LazyFrame
    window: Window
    """The part of it in which they are."""
    painted: Values
    """(h, w, 3) RGB in [0, 1]: all that is there now."""
    changed: Bytes
    """(h, w): 255 where that counts, 0 where ``base`` does."""

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) in pixels."""
        return self.base.size

    def part(self, window: Window) -> Bytes:
        """Convert a part to bytes."""
        return np.asarray(cv2.convertScaleAbs(self.values(window), alpha=float(_FULL)), np.uint8)

    def glance(self, window: Window) -> Bytes:
        """Convert a part to bytes."""
        return self.part(window)

    def values(self, window: Window) -> Values:
        """Convert a part."""
        values = self.base.values(window)
        here, there = _shared(window, self.window), _shared(self.window, window)
        np.copyto(values[here], self.painted[there], where=self.changed[there][..., None] > 0)
        return values

    def thinned(self, step: int) -> Values:
        """Convert every ``step``-th row and column."""
        return TensorFrame(self.whole()).thinned(step)

    def whole(self) -> torch.Tensor:
        """Convert all."""
        frame, changed = self.base.whole().clone(), self.changed > 0
        for plane, drawn in zip(frame, cv2.split(self.painted), strict=True):
            np.copyto(plane.numpy()[self.window], drawn, where=changed)
        return frame

    def coded(self, siting: int) -> Bytes | None:
        """Lay what was painted over the planes that there were."""
        coded = self.base.coded(siting)
        if coded is None:
            return None
        rows, columns = around = even(self.window)
        changed, values = self.changed.copy(), self.painted
        if around != self.window:
            values = self.values(around)
            changed = np.zeros(values.shape[:2], np.uint8)
            changed[_shared(around, self.window)] = self.changed
        luma, blue, red = _planes_of(coded, self.size)
        mixed, small_blue, small_red = mixed_420(values, left=siting == LEFT)
        _lay_over(luma, mixed, changed, around)
        if siting == LEFT:  # a pixel counts for the chroma to its right too
            np.maximum(changed[:, 1:], changed[:, :-1], out=changed[:, 1:])
        some = changed.reshape(len(changed) // 2, 2, -1, 2).max((1, 3))
        half = slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)
        _lay_over(blue, small_blue, some, half)
        _lay_over(red, small_red, some, half)
        return coded


def as_lazy(frame: torch.Tensor | LazyFrame) -> LazyFrame:
    """Take a frame (3, h, w), RGB in [0, 1], for a lazy one."""
    return TensorFrame(frame) if isinstance(frame, torch.Tensor) else frame


def lazy_frames(read: object) -> Iterator[LazyFrame]:
    """Read frames one by one, of anything that a ``Clip`` is read with."""
    if isinstance(read, ReadsLazily):
        with closing(closable(read.lazy())) as frames:
            yield from frames
        return
    with closing(closable(cast("Iterator[Frames]", read()))) as chunks:  # type: ignore[operator]
        for chunk in chunks:
            yield from map(TensorFrame, chunk)


def siting_of(read: object) -> int | None:
    """Tell where frames have their chroma if most can be encoded as they came."""
    return read.siting if isinstance(read, ReadsLazily) else None


def _shared(window: Window, other: Window) -> Window:
    """Return what two windows share, as rows and columns of the first."""
    rows, columns = (
        slice(max(two.start - one.start, 0), max(min(one.stop, two.stop) - one.start, 0))
        for one, two in zip(window, other, strict=True)
    )
    return rows, columns


def even(window: Window) -> Window:
    """Widen a window to even numbers, within which samples of chroma lie; within a frame that has an even size."""
    rows, columns = (slice(span.start // 2 * 2, (span.stop + 1) // 2 * 2) for span in window)
    return rows, columns


def _planes_of(coded: Bytes, size: tuple[int, int]) -> tuple[Bytes, Bytes, Bytes]:
    """Take (h · 3/2, w) apart: luma, Cb and Cr, of the same memory."""
    height, width = size
    luma, blue, red = np.split(coded.reshape(-1), [height * width, height * width * 5 // 4])
    return luma.reshape(size), blue.reshape(-1, width // 2), red.reshape(-1, width // 2)


def _lay_over(plane: Bytes, mixed: Bytes, where: Bytes, window: Window) -> None:
    """Replace what is marked in a window of a plane, in place."""
    part = np.ascontiguousarray(plane[window])
    cv2.copyTo(mixed, where, part)
    plane[window] = part
