"""Decoded frames of 4:2:0 that are shown as they are stored: parts of them in RGB, and all of them as they are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import cv2
import numpy as np
import numpy.typing as npt
import torch
from av.filter import Graph

from ..colour import BT601_WEIGHTS, BT709, BT709_WEIGHTS, Bytes, rgb_matrix
from ..lazy import CENTRE, LEFT, Values, Window
from ..pixels import as_frames
from .display import BT601, Display, is_full, matrix_of

MARGIN = 8
"""Pixels around a part that are converted with it: swscale takes chroma from 4 around each."""
STEP = 32
"""Pixels by which parts begin and end, so that swscale and the filter that cuts them are seldom set up anew."""
_KEPT = 8  # filters that are kept
_PROBED = 16  # pixels of the sides of what siting is found by
_RAMP, _FIRST, _MIDDLE = 16, 64, 128  # steps of chroma from one sample to the next; where they begin; grey


class PartReader:
    """Converts parts of one video's frames, each to what ``Display.show`` makes of it in the whole, to the bit.

    Of a ``Display`` that shows frames smaller, they have their own size and its roughness.
    """

    def __init__(self, display: Display) -> None:
        """Begin with what is known of the video; nobody else may use ``display`` then."""
        self._display = display
        self._cuts: dict[tuple[Any, ...], Graph] = {}
        self._lock = threading.Lock()

    def read(self, frame: av.VideoFrame, window: Window) -> Bytes:
        """Convert a part to (h, w, 3) RGB."""
        (top, bottom), (left, right) = (
            _stretched(span, most) for span, most in zip(window, (frame.height, frame.width), strict=True)
        )
        with self._lock:
            part = self.cut(frame, (left, top, right - left, bottom - top))
            pixels = self._display.reformatted(part, (bottom - top, right - left), "rgb24")
        rows, columns = window
        inside = pixels[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        return np.ascontiguousarray(inside, np.uint8)

    def cut(self, frame: av.VideoFrame, box: tuple[int, int, int, int]) -> av.VideoFrame:
        """Cut (left, top, width, height), even numbers, out of a frame, without copying it."""
        if box == (0, 0, frame.width, frame.height):
            return frame
        key = *box, frame.width, frame.height
        if key not in self._cuts:
            if len(self._cuts) >= _KEPT:
                self._cuts.clear()
            self._cuts[key] = _cutter(frame, box)
        self._cuts[key].push(frame)
        part = cast("av.VideoFrame", self._cuts[key].pull())
        part.colorspace, part.color_range = matrix_of(frame), frame.color_range  # a smaller one may be taken for BT.601
        return part


@dataclass(frozen=True, eq=False)
class PlanarFrame:
    """A frame as it was decoded (a ``LazyFrame``)."""

    frame: av.VideoFrame
    """Of 4:2:0 in 8 bits, its sides even numbers; ``Display.is_plain`` said that it is shown as it is stored."""
    read: Callable[[av.VideoFrame, Window], Bytes]
    """``PartReader.read``."""
    look: Callable[[av.VideoFrame, Window], Bytes]
    """The same of one that is rough and quick."""

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) in pixels."""
        return self.frame.height, self.frame.width

    def part(self, window: Window) -> Bytes:
        """Convert a part to bytes."""
        return self.read(self.frame, window)

    def glance(self, window: Window) -> Bytes:
        """Convert a part to bytes, roughly."""
        return self.look(self.frame, window)

    def values(self, window: Window) -> Values:
        """Convert a part."""
        return np.divide(self.part(window), np.float32(255), dtype=np.float32)

    def thinned(self, step: int) -> Values:
        """Convert every ``step``-th row and column, with the nearest chroma."""
        luma, *chroma = planes_of(self.frame)
        rows, columns = (np.arange(0, most, step) // 2 for most in self.size)
        planes = [luma[::step, ::step], *(plane[np.ix_(rows, columns)] for plane in chroma)]
        weights = BT601_WEIGHTS if matrix_of(self.frame) == BT601 else BT709_WEIGHTS
        matrix = rgb_matrix(weights, full=is_full(self.frame))
        pixels = cv2.transform(np.asarray(cv2.merge(planes), np.float32), matrix)
        return np.asarray(np.clip(pixels, 0, 1, out=pixels), np.float32)

    def whole(self) -> torch.Tensor:
        """Convert all."""
        return as_frames([self.part((slice(0, self.size[0]), slice(0, self.size[1])))])[0]

    def coded(self, siting: int) -> Bytes | None:
        """Copy its planes, one below the other."""
        if not _is_coded_alike(self.frame):
            return None
        height, width = self.size
        coded = np.concatenate([plane.reshape(-1) for plane in planes_of(self.frame)])
        return coded.reshape(height * 3 // 2, width)


def _is_coded_alike(frame: av.VideoFrame) -> bool:
    """Tell whether an encoder here codes colours as this frame does: BT.709, limited range."""
    return matrix_of(frame) == BT709 and not is_full(frame)


def planes_of(frame: av.VideoFrame) -> list[npt.NDArray[np.uint8]]:
    """Look at a frame's planes, (h, w) each, in its own memory."""
    return [
        np.frombuffer(cast("Any", plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in frame.planes
    ]


def find_siting(display: Display, frame: av.VideoFrame) -> int | None:
    """Find out where a film has its chroma: ``LEFT`` or ``CENTRE``; None where its frames must be converted anyway.

    FFmpeg knows, and PyAV does not tell. So a little picture that says the same of itself is converted, in which
    chroma rises evenly: where it is grey, tells.

    Args:
        display: Knows what the film says of itself.
        frame: The first one, which is changed.
    """
    plain = display.is_plain(frame) and _is_coded_alike(frame)
    if not plain or min(frame.height, frame.width) < _PROBED:
        return None
    small = PartReader(display).cut(frame, (0, 0, _PROBED, _PROBED))
    getattr(small, "make_writable", lambda: None)()
    luma, blue, red = planes_of(small)
    ramp = _FIRST + _RAMP * np.arange(_PROBED // 2)
    luma[:], blue[:], red[:] = _MIDDLE, _MIDDLE, _MIDDLE
    grey = _shown(display, small)
    blue[:], red[:] = ramp[:, None], ramp
    coloured = _shown(display, small) - grey
    across, down = _zero(coloured[_PROBED // 2, :, 0]), _zero(coloured[:, _PROBED // 2, 2])
    return {(0, 1): LEFT, (1, 1): CENTRE}.get((across, down))


def _shown(display: Display, frame: av.VideoFrame) -> npt.NDArray[np.int_]:
    return display.reformatted(frame, (_PROBED, _PROBED), "rgb24").astype(int)


def _zero(values: npt.NDArray[np.int_]) -> int:
    """Tell how many halves of a pixel right of the middle sample's first pixel a rising line crosses zero."""
    near = np.arange(_PROBED // 4, _PROBED - _PROBED // 4)
    slope, offset = np.polyfit(near, values[near], 1)
    return round(2 * float(-offset / slope - (_MIDDLE - _FIRST) / _RAMP * 2))


def _stretched(span: slice, most: int) -> tuple[int, int]:
    """Widen rows or columns by what is converted with them, to multiples of ``STEP`` as far as the frame goes."""
    return max(0, (span.start - MARGIN) // STEP * STEP), min(most, -(-(span.stop + MARGIN) // STEP) * STEP)


def _cutter(frame: av.VideoFrame, box: tuple[int, int, int, int]) -> Graph:
    """Set up FFmpeg's filter that cuts (left, top, width, height) out of frames like this one."""
    left, top, width, height = box
    graph = Graph()
    buffer = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 25)
    )
    graph.link_nodes(buffer, graph.add("crop", f"{width}:{height}:{left}:{top}"), graph.add("buffersink")).configure()
    return graph
