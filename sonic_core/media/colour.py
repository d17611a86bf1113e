"""RGB to what videos hold, straight from float: Y′CbCr in limited range, 8 or 10 bits; RGB is ``pixels``'s.

Done here instead of in swscale because swscale's matrix and rounding differ between its code paths and versions, and
because going through 8-bit RGB first would round twice. Done with OpenCV instead of torch because torch's threads and
the encoder's would fight over the processors: on two cores that takes five times as long.

Source: ITU-R BT.709-6, items 3.2 to 3.5 (matrix, quantisation); ITU-R BT.601-7, 2.5.1, for WebP, which has no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch

from .pixels import Bytes, Pixels, Words, as_bytes, as_words

BT709 = 1
"""The code of BT.709 for matrix, primaries and transfer (ITU-T H.273, tables 2 to 4)."""
LIMITED_RANGE = 1
"""FFmpeg's code for luma 16 to 235."""
FULL_RANGE = 2
"""FFmpeg's code for luma 0 to 255."""

BT709_WEIGHTS = (0.2126, 0.0722)
"""What red and blue weigh in luma."""
BT601_WEIGHTS = (0.299, 0.114)

BACKDROP = 0.8
"""The grey, in [0, 1], that shows through transparent pixels.

A light studio backdrop: hair and clothes keep their outline against it (black swallows dark hair, white light hair),
and it gives the animation no colour to bleed into the face.
"""

_COSITED = np.array([0.25, 0.5, 0.25])
"""The filter whose samples sit on every other pixel, as 4:2:2 has its chroma."""

_BAND = 128
"""Rows, an even number, that are converted at a time: what is worked on fits into the fast memory."""


def yuv420(frame: torch.Tensor, weights: tuple[float, float] = BT709_WEIGHTS, *, left: bool = False) -> Bytes:
    """Convert a frame to planar 4:2:0, each chroma sample the mean of its 2×2 pixels, in their centre.

    Args:
        frame: (3, h, w) RGB float in [0, 1], on any device; h and w even. What lies outside is clipped.
        weights: What red and blue weigh in luma: BT.709's or BT.601's.
        left: Have each chroma sample between the left two of its pixels instead, as most cameras do.

    Returns:
        (h · 3/2, w) uint8: luma, then Cb, then Cr, as ``av.VideoFrame.from_ndarray`` takes "yuv420p".
    """
    height, width = frame.shape[-2:]
    frame = frame.detach().float().cpu()
    coded = np.empty(height * width * 3 // 2, np.uint8)
    luma, blue, red = np.split(coded, [height * width, height * width * 5 // 4])
    luma, blue, red = luma.reshape(height, width), blue.reshape(-1, width // 2), red.reshape(-1, width // 2)
    to_luma, to_blue, to_red = matrix = _matrix(*weights)
    for top in range(0, height, _BAND):
        rows, half = slice(top, top + _BAND), slice(top // 2, (top + _BAND) // 2)
        if left or _is_drawn(frame):
            drawn = np.ascontiguousarray(frame[:, rows].numpy().transpose(1, 2, 0))
            luma[rows], blue[half], red[half] = _mixed_420(drawn, matrix, left=left)
            continue
        planes = _planes(frame[:, rows])
        small = width // 2, len(planes[0]) // 2
        quarter = [cv2.resize(plane, small, interpolation=cv2.INTER_AREA) for plane in planes]
        luma[rows] = _mixed(planes, to_luma, 16, cv2.CV_8U)
        blue[half], red[half] = (_mixed(quarter, to_chroma, 128, cv2.CV_8U) for to_chroma in (to_blue, to_red))
    return coded.reshape(height * 3 // 2, width)


def _is_drawn(frame: torch.Tensor) -> bool:
    """Tell whether a frame (3, h, w) was drawn as (h, w, 3), its colours side by side in memory."""
    return frame.stride(0) < frame.stride(2)


def mixed_420(pixels: npt.NDArray[np.float32], *, left: bool) -> list[Bytes]:
    """Convert pixels (h, w, 3), h and w even, to luma, Cb and Cr, as ``yuv420`` does."""
    return _mixed_420(pixels, _matrix(*BT709_WEIGHTS), left=left)


def _mixed_420(
    pixels: npt.NDArray[np.float32], matrix: tuple[npt.NDArray[np.float64], ...], *, left: bool = False
) -> list[Bytes]:
    """Make luma, Cb and Cr of pixels (h, w, 3), h and w even, without taking their colours apart: in 0.6 of the time.

    A third colour that is nothing comes along, since OpenCV mixes three into three faster than into two.
    """
    height, width, _ = pixels.shape
    pixels = _clipped(pixels.reshape(height, -1)).reshape(pixels.shape)
    to_luma, *to_chroma = matrix
    luma = cv2.transform(pixels, np.append(to_luma, 16)[None])
    pairs = cv2.transform(cv2.add(pixels[::2], pixels[1::2]), np.stack([*to_chroma, np.zeros(3)]) / 2)
    small = width // 2, height // 2
    wide = [cv2.extractChannel(pairs, channel) for channel in (0, 1)]
    chroma = _every_other(wide) if left else [cv2.resize(plane, small) for plane in wide]
    rounded = [cv2.convertScaleAbs(luma), *(cv2.convertScaleAbs(plane, beta=128) for plane in chroma)]
    return [np.asarray(plane, np.uint8) for plane in rounded]


def _every_other(planes: Sequence[Pixels]) -> list[Pixels]:
    """Filter planes (h, w) for samples that sit on every other pixel, (h, w / 2)."""
    across, down = _COSITED, np.ones(1)
    return [
        np.ascontiguousarray(cv2.sepFilter2D(plane, -1, across, down, borderType=cv2.BORDER_REPLICATE)[:, ::2])
        for plane in planes
    ]


def yuv420_601(frame: torch.Tensor) -> Bytes:
    """Convert as ``yuv420`` does, in BT.601."""
    return yuv420(frame, BT601_WEIGHTS)


def yuv422_10(frame: torch.Tensor) -> Words:
    """Convert a frame to planar 4:2:2 of 10 bits, each chroma sample on the left one of its two pixels.

    Args:
        frame: (3, h, w) RGB float in [0, 1], on any device; w even. What lies outside is clipped.

    Returns:
        (h · 2, w) uint16: luma, then Cb, then Cr, two rows of chroma in each row.
    """
    planes = _planes(frame)
    height, width = planes[0].shape
    half = _every_other(planes)
    to_luma, to_blue, to_red = (4 * row for row in _matrix(*BT709_WEIGHTS))
    coded = np.empty(height * width * 2, np.uint16)
    luma, blue, red = np.split(coded, [height * width, height * width * 3 // 2])
    luma.reshape(height, width)[:] = _mixed(planes, to_luma, 64, cv2.CV_16U)
    blue.reshape(height, width // 2)[:] = _mixed(half, to_blue, 512, cv2.CV_16U)
    red.reshape(height, width // 2)[:] = _mixed(half, to_red, 512, cv2.CV_16U)
    return coded.reshape(height * 2, width)


def _planes(frame: torch.Tensor) -> list[npt.NDArray[np.float32]]:
    """Take a frame apart: red, green and blue, (h, w) each, clipped."""
    pixels = frame.detach().float().cpu().numpy()
    if _is_drawn(frame):  # OpenCV takes those apart faster
        planes = list(cv2.split(np.ascontiguousarray(pixels.transpose(1, 2, 0))))
    else:
        planes = [np.ascontiguousarray(plane) for plane in pixels]
    return [np.asarray(_clipped(plane), np.float32) for plane in planes]


def _clipped(plane: Pixels) -> Pixels:
    """Clip to [0, 1]; looking first is faster, since hardly any frame needs it."""
    low, high, _, _ = cv2.minMaxLoc(plane)
    return plane if low >= 0 and high <= 1 else np.clip(plane, 0, 1)


def _matrix(red: float, blue: float) -> tuple[npt.NDArray[np.float64], ...]:
    """Return the weights of (red, green, blue) in luma, Cb and Cr, in steps of 8 bits in limited range."""
    green = 1 - red - blue
    return (
        219 * np.array([red, green, blue]),
        224 * np.array([-red / (2 - 2 * blue), -green / (2 - 2 * blue), 0.5]),
        224 * np.array([0.5, -green / (2 - 2 * red), -blue / (2 - 2 * red)]),
    )


def rgb_matrix(weights: tuple[float, float], *, full: bool) -> npt.NDArray[np.float64]:
    """Return what makes RGB in [0, 1] of luma, Cb and Cr in steps of 8 bits: (3, 4), the last column added.

    Args:
        weights: What red and blue weigh in luma.
        full: Whether the range is full, not limited.
    """
    luma, *chroma = _matrix(*weights)
    steps = (255 / 219, 255 / 224) if full else (1.0, 1.0)
    back = np.linalg.inv(np.stack([luma * steps[0], *(row * steps[1] for row in chroma)]))
    return np.asarray(np.column_stack((back, back @ -np.array((0.0 if full else 16.0, 128.0, 128.0)))), np.float64)


def _mixed(planes: Sequence[Pixels], weights: npt.NDArray[np.float64], offset: float, depth: int) -> Pixels:
    """Add three planes (h, w) by their weights, and round to ``depth``, OpenCV's name of a type."""
    red, green, blue = planes
    first = cv2.addWeighted(red, weights[0], green, weights[1], offset)
    return cv2.addWeighted(first, 1.0, blue, weights[2], 0.0, dtype=depth)


def gbr24(frame: torch.Tensor) -> Bytes:
    """Round a frame as ``as_bytes`` does, plane by plane: (3h, w) uint8, green above blue above red."""
    height, width = frame.shape[-2:]
    coded = np.empty((3, height, width), np.uint8)
    planes = frame.detach().float().cpu().numpy()
    for number, into in zip((1, 2, 0), coded, strict=True):
        cv2.addWeighted(planes[number], 255.0, planes[number], 0.0, 0.0, into, cv2.CV_8U)
    return coded.reshape(3 * height, width)


@dataclass(frozen=True)
class Layout:
    """How the pixels of one of FFmpeg's formats are made from a frame."""

    convert: Callable[[torch.Tensor], Pixels]
    made: str
    """The pixel format that ``convert`` makes."""
    steps: tuple[int, int]
    """Rows and columns come in multiples of these; what is left over is cropped."""
    colour: tuple[int, int]
    """Matrix and range, FFmpeg's codes."""


LAYOUTS = {
    "yuv420p": Layout(yuv420, "yuv420p", (2, 2), (BT709, LIMITED_RANGE)),
    "yuv422p10le": Layout(yuv422_10, "yuv422p10le", (1, 2), (BT709, LIMITED_RANGE)),
    "rgb24": Layout(as_bytes, "rgb24", (1, 1), (0, FULL_RANGE)),
    "gbrp": Layout(gbr24, "gbrp", (1, 1), (0, FULL_RANGE)),
    "bgr0": Layout(as_bytes, "rgb24", (1, 1), (0, FULL_RANGE)),
    "gbrp16le": Layout(as_words, "rgb48le", (1, 1), (0, FULL_RANGE)),
}
"""By FFmpeg's name of the pixel format that a file holds."""
