"""RGB to Y′CbCr 4:2:0 as video wants it, straight from float: BT.709, limited range, 8 bits.

Done here instead of in swscale because swscale's matrix and rounding differ between its code paths and versions, and
because going through 8-bit RGB first would round twice. Done with OpenCV instead of torch because torch's threads and
the encoder's would fight over the processors: on two cores that takes five times as long.

Source: ITU-R BT.709-6, items 3.2 to 3.5 (matrix, quantisation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

BT709 = 1
"""The code of BT.709 for matrix, primaries and transfer (ITU-T H.273, tables 2 to 4)."""
LIMITED_RANGE = 1
"""FFmpeg's code for luma 16 to 235."""
FULL_RANGE = 2
"""FFmpeg's code for luma 0 to 255."""

_RED, _BLUE = 0.2126, 0.0722
_GREEN = 1 - _RED - _BLUE
_LUMA = 219 * np.array([_RED, _GREEN, _BLUE])
_CHROMA_BLUE = 224 * np.array([-_RED / (2 - 2 * _BLUE), -_GREEN / (2 - 2 * _BLUE), 0.5])
_CHROMA_RED = 224 * np.array([0.5, -_GREEN / (2 - 2 * _RED), -_BLUE / (2 - 2 * _RED)])

Bytes = npt.NDArray[np.uint8]


def yuv420(frame: torch.Tensor) -> Bytes:
    """Convert a frame to planar 4:2:0, each chroma sample the mean of its 2×2 pixels, in their centre.

    Args:
        frame: (3, h, w) RGB float in [0, 1], on any device; h and w even. What lies outside is clipped.

    Returns:
        (h · 3/2, w) uint8: luma, then Cb, then Cr, as ``av.VideoFrame.from_ndarray`` takes "yuv420p".
    """
    pixels = np.clip(frame.detach().float().cpu().numpy(), 0, 1)
    planes = [np.ascontiguousarray(plane) for plane in pixels]
    height, width = planes[0].shape
    quarter = [cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for plane in planes]
    coded = np.empty(height * width * 3 // 2, np.uint8)
    luma, blue, red = np.split(coded, [height * width, height * width * 5 // 4])
    luma.reshape(height, width)[:] = _mixed(planes, _LUMA, 16)
    blue.reshape(height // 2, width // 2)[:] = _mixed(quarter, _CHROMA_BLUE, 128)
    red.reshape(height // 2, width // 2)[:] = _mixed(quarter, _CHROMA_RED, 128)
    return coded.reshape(height * 3 // 2, width)


def _mixed(planes: Sequence[npt.NDArray[Any]], weights: npt.NDArray[np.float64], offset: float) -> Bytes:
    """Add three planes (h, w) by their weights, and round to bytes."""
    red, green, blue = planes
    first = cv2.addWeighted(red, weights[0], green, weights[1], offset)
    return cv2.addWeighted(first, 1.0, blue, weights[2], 0.0, dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def rgb24(frame: torch.Tensor) -> Bytes:
    """Convert a frame to 8-bit RGB.

    Args:
        frame: (3, h, w) RGB float in [0, 1], on any device. What lies outside is clipped.

    Returns:
        (h, w, 3) uint8, contiguous.
    """
    pixels = frame.detach().float().cpu().numpy().transpose(1, 2, 0)
    return cv2.convertScaleAbs(np.maximum(np.ascontiguousarray(pixels), 0), alpha=255).astype(np.uint8, copy=False)
