"""Decoded frames as they are meant to be seen: upright, of square pixels, whole pictures instead of fields, in sRGB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any, cast

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.error import BlockingIOError as NotYetError
from av.error import EOFError as EndError
from av.filter import Graph
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from ..colour import BACKDROP, BT709, FULL_RANGE, LIMITED_RANGE, Bytes
from .hdr import as_srgb, is_strange

_UNSPECIFIED = 2
BT601 = 5
"""swscale's code of BT.601's matrix."""
_BT2020_CONSTANT, _BT2020 = 10, 9
_HD_HEIGHT = 720
_SWS_FLAGS = 0x4 | 0x2000 | 0x40000
"""swscale's bicubic, full chroma interpolation and accurate rounding: without them chroma is taken from the nearest."""
_QUICK_FLAGS = 0x2
"""Its bilinear with the nearest chroma and the rounding that its quick ways have, a sixth of that time: for frames that
are made smaller and only looked at."""
_PLAIN = {"yuv420p", "yuvj420p"}
_WIDEST_PIXEL = 4
"""Width of a pixel over its height, or the other way round, beyond which the number means nothing."""
_DEINTERLACE = "bwdif", "mode=send_frame:deint=interlaced"
"""FFmpeg's filter that makes one whole picture of each frame's two fields, and lets other frames through."""

Turn = tuple[bool, bool, bool]
"""Whether rows and columns change places, then whether it is mirrored left to right, then upside down."""


class Display:
    """Turns the frames of one video into pixels of one size."""

    def __init__(self, stream: VideoStream, reduction: int = 1) -> None:
        """Look at what the stream says of all its frames.

        Args:
            stream: The picture track.
            reduction: How many times smaller frames are shown, to machines that only look at them.
        """
        self._reduction = reduction
        context = stream.codec_context
        self.tags = int(context.color_primaries or 0), int(context.color_trc or 0)
        shape = stream.sample_aspect_ratio or context.sample_aspect_ratio or 1
        self.shape = Fraction(shape) if 1 / _WIDEST_PIXEL <= shape <= _WIDEST_PIXEL else Fraction(1)
        self.size: tuple[int, int] | None = None
        """(h, w) of the first frame, which all have, once it is known."""
        self.changed = False
        """Whether a frame had another size."""
        self._reformatter = VideoReformatter()

    def seen_size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return (h, w) of a frame as it is seen."""
        height, width = self._square(frame)
        return (width, height) if turn_of(frame)[0] else (height, width)

    def colours(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return the codes of a frame's primaries and transfer (ITU-T H.273)."""
        own = getattr(frame, "color_primaries", 0), getattr(frame, "color_trc", 0)  # older PyAVs lack them
        primaries, transfer = (
            mine if mine not in {0, _UNSPECIFIED} else its for mine, its in zip(own, self.tags, strict=True)
        )
        return int(primaries), int(transfer)

    def show(self, frame: av.VideoFrame) -> Bytes:
        """Convert to (h, w, 3) uint8, contiguous."""
        size = self.seen_size(frame)
        self.size = self.size or size
        self.changed |= size != self.size
        stored = self._square(frame) if size == self.size else self._fitted(frame)
        turn = turn_of(frame)
        pixels = _upright(self._converted(frame, stored), turn)
        pixels = pixels if size == self.size else _centred(pixels, self.size)
        return np.ascontiguousarray(pixels if self._reduction == 1 else _reduced(pixels, self._reduction), np.uint8)

    def is_plain(self, frame: av.VideoFrame) -> bool:
        """Tell whether a frame is shown as it is stored, pixel by pixel: whole, upright, 4:2:0 in 8 bits."""
        stored = frame.height, frame.width
        return (
            frame.format.name in _PLAIN
            and self._reduction == 1
            and not any(side % 2 for side in stored)
            and self._square(frame) == stored == (self.size or stored)
            and not any(turn_of(frame))
            and not is_strange(*self.colours(frame))
        )

    def _square(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return (h, w) of a stored frame with square pixels; none of them is lost."""
        if self.shape > 1:
            return frame.height, _even(frame.width * self.shape)
        return (_even(frame.height / self.shape) if self.shape < 1 else frame.height), frame.width

    def _fitted(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return (h, w), as stored, with which a frame of another size fits into the first one's."""
        (height, width), wanted = self.seen_size(frame), self.size or (1, 1)
        factor = min(wanted[0] / height, wanted[1] / width)
        fitted = tuple(
            min(most, max(1, round(side * factor))) for side, most in zip((height, width), wanted, strict=True)
        )
        return (fitted[1], fitted[0]) if turn_of(frame)[0] else (fitted[0], fitted[1])

    def _converted(self, frame: av.VideoFrame, size: tuple[int, int]) -> Bytes:
        """Convert to (h, w, 3) uint8 of ``size``, as it is stored."""
        primaries, transfer = self.colours(frame)
        strange = is_strange(primaries, transfer)
        if _has_alpha(frame):
            pixels = self.reformatted(frame, size, "rgba")
            colour = as_srgb(pixels[..., :3], primaries, transfer) * 255 if strange else pixels[..., :3]
            alpha = pixels[..., 3:] / np.float32(255)
            shown = colour * alpha + np.float32(255 * BACKDROP) * (1 - alpha)
            return np.rint(shown).astype(np.uint8)
        if strange:
            return np.rint(as_srgb(self.reformatted(frame, size, "rgb48le"), primaries, transfer) * 255).astype(
                np.uint8
            )
        if frame.format.name == "gbrp" and size == (frame.height, frame.width):
            return _merged(frame)
        return self.reformatted(frame, size, "rgb24")

    def reformatted(self, frame: av.VideoFrame, size: tuple[int, int], layout: str) -> npt.NDArray[Any]:
        """Convert to RGB of ``layout`` and ``size``."""
        told: dict[str, Any] = {"format": layout, "height": size[0], "width": size[1]}
        told["interpolation"] = _SWS_FLAGS if self._reduction == 1 else _QUICK_FLAGS
        if not frame.format.is_rgb and not frame.format.has_palette:
            full = is_full(frame)
            matrix = matrix_of(frame)
            told |= {
                "src_colorspace": matrix,
                "dst_colorspace": BT709 if matrix == BT601 else BT601,  # RGB has none, but equal ones skip the matrix
                "src_color_range": FULL_RANGE if full else LIMITED_RANGE,
                "dst_color_range": FULL_RANGE,
            }
        elif frame.format.name == layout and size == (frame.height, frame.width):
            return frame.to_ndarray()
        return self._reformatter.reformat(frame, **told).to_ndarray()


def whole_pictures(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Make whole pictures of fields from the first interlaced frame on; what comes before is passed on as it is.

    Source: FFmpeg's bwdif, after the BBC's R&D White Paper "PH-2071".
    """
    filters: _Deinterlacer | None = None
    for frame in frames:
        if filters is None and not frame.interlaced_frame:
            yield frame
            continue
        if filters is None or not filters.fits(frame):
            if filters is not None:
                yield from filters.feed(None)
            filters = _Deinterlacer(frame)
        yield from filters.feed(frame)
    if filters is not None:
        yield from filters.feed(None)


class _Deinterlacer:
    """FFmpeg's filter, for frames of one size and format."""

    def __init__(self, frame: av.VideoFrame) -> None:
        self.kind = _kind(frame)
        graph = Graph()
        buffer = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 25)
        )
        graph.link_nodes(buffer, graph.add(*_DEINTERLACE), graph.add("buffersink")).configure()
        self.graph = graph

    def fits(self, frame: av.VideoFrame) -> bool:
        """Tell whether a frame is of the same size and format."""
        return self.kind == _kind(frame)

    def feed(self, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        """Give a frame, or None at the end, and yield what is ready."""
        self.graph.push(frame)
        with suppress(NotYetError, EndError):
            while True:
                yield cast("av.VideoFrame", self.graph.pull())


def turn_of(frame: av.VideoFrame) -> Turn:
    """Tell how a frame is turned and mirrored to be upright, from its display matrix.

    Source: ISO/IEC 14496-12, 8.3.2 (matrix): a place (x, y) is shown at (a·x + c·y, b·x + d·y).
    """
    try:
        given = frame.side_data.get("DISPLAYMATRIX")
    except (KeyError, ValueError):
        given = None
    if given is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(cast("Any", given), np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0


def _upright(pixels: npt.NDArray[Any], turn: Turn) -> npt.NDArray[Any]:
    """Turn and mirror (h, w, 3)."""
    across, mirrored, upside_down = turn
    pixels = pixels.transpose(1, 0, 2) if across else pixels
    return pixels[:: -1 if upside_down else 1, :: -1 if mirrored else 1]


def reduced_size(size: tuple[int, int], reduction: int) -> tuple[int, int]:
    """Return (h, w) of a frame that is shown ``reduction`` times smaller."""
    return max(1, size[0] // reduction), max(1, size[1] // reduction)


def _reduced(pixels: npt.NDArray[Any], reduction: int) -> npt.NDArray[Any]:
    """Average squares of pixels (h, w, 3), which is ten times as quick as any other size.

    What is left at the right and at the bottom goes.
    """
    height, width = reduced_size((pixels.shape[0], pixels.shape[1]), reduction)
    whole = np.ascontiguousarray(pixels[: height * reduction, : width * reduction])
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


def _centred(pixels: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Put (h, w, 3) into the middle of a black picture of ``size``."""
    made = np.zeros((*size, 3), pixels.dtype)
    top, left = (size[0] - pixels.shape[0]) // 2, (size[1] - pixels.shape[1]) // 2
    made[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return made


def _even(side: Fraction) -> int:
    """Round to an even number, as most formats need one."""
    return max(2, 2 * round(side / 2))


def _kind(frame: av.VideoFrame) -> tuple[int, int, str]:
    return frame.height, frame.width, frame.format.name


def _has_alpha(frame: av.VideoFrame) -> bool:
    return frame.format.has_palette or any(part.is_alpha for part in frame.format.components)


def _merged(frame: av.VideoFrame) -> Bytes:
    """Put the planes of a frame of green, blue and red side by side: (h, w, 3), red first.

    OpenCV takes a twentieth of NumPy's time for it.
    """
    green, blue, red = (
        np.frombuffer(cast("Any", plane), np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
        for plane in frame.planes
    )
    return np.asarray(cv2.merge((red, green, blue)), np.uint8).reshape(frame.height, frame.width, 3)


def is_full(frame: av.VideoFrame) -> bool:
    """Tell whether a frame's numbers go from 0 to 255; those of the layouts called "j" do, whatever else is said."""
    return frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")


def matrix_of(frame: av.VideoFrame) -> int:
    """Return swscale's code of the frame's matrix, which are those of ITU-T H.273."""
    if frame.colorspace == _BT2020_CONSTANT:
        return _BT2020
    if frame.colorspace == _UNSPECIFIED:
        return BT709 if frame.height >= _HD_HEIGHT else BT601
    return frame.colorspace
