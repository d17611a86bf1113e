"""Float in [0, 1] to whole numbers and back, each way once, so that all roundings agree.

Done with OpenCV and NumPy instead of torch, whose threads would fight with a decoder's or an encoder's for the
processors; on one it takes a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from ..types import Frames

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint16]
Pixels = npt.NDArray[Any]

_FULL = {1: np.float32(255), 2: np.float32(65535)}
"""The number that stands for 1, by the bytes of a pixel's channel."""


def as_bytes(image: torch.Tensor) -> Bytes:
    """Round to 8 bits, ties to even.

    Args:
        image: (c, h, w) float in [0, 1], c 1 or 3, on any device; what lies outside is clipped.

    Returns:
        (h, w, c) uint8, contiguous.
    """
    channels, height, width = image.shape
    planes = [_plane_bytes(plane) for plane in image.detach().float().cpu().numpy()]
    return np.asarray(cv2.merge(planes), np.uint8).reshape(height, width, channels)


def _plane_bytes(plane: Pixels) -> Pixels:
    """Round (h, w) to 8 bits; what OpenCV would mirror at 0 is clipped before, where there is any."""
    below = plane.size > 0 and not float(plane.min()) >= 0
    return cv2.convertScaleAbs(np.maximum(plane, 0) if below else plane, alpha=255)


def shrink(pixels: Bytes, size: tuple[int, int]) -> Bytes:
    """Reduce (h, w, c) to ``size`` (height, width) by averaging; where that is far, by halves first, which is quicker.

    Of an odd number the last row or column is left out.
    """
    while pixels.shape[0] >= 2 * size[0] and pixels.shape[1] >= 2 * size[1] and min(pixels.shape[:2]) > 1:
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        even = pixels[: 2 * half[1], : 2 * half[0]]
        pixels = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def as_words(image: torch.Tensor) -> Words:
    """Round to 16 bits, (h, w, c) uint16, as ``as_bytes`` does to 8."""
    pixels = np.clip(image.detach().float().cpu().numpy().transpose(1, 2, 0), 0, 1)
    return np.rint(np.ascontiguousarray(pixels) * _FULL[2]).astype(np.uint16)


def as_frames(pixels: Sequence[Bytes | Words]) -> Frames:
    """Turn pictures (h, w, c) of one size, 8 or 16 bits, into one chunk (n, c, h, w) float32 in [0, 1]."""
    height, width, channels = pixels[0].shape
    made = np.empty((len(pixels), channels, height, width), np.float32)
    for picture, planes in zip(pixels, made, strict=True):
        apart = cv2.split(picture) if picture.flags.c_contiguous else picture.transpose(2, 0, 1)
        for values, plane in zip(apart, planes, strict=True):
            np.divide(values, _FULL[picture.itemsize], out=plane, dtype=np.float32)
    return torch.from_numpy(made)


def resize_lanczos(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize (1 or 3, h, w) pixels in [0, 1] to ``size`` (height, width), rounding to 8 bits as published.

    Source: the Lanczos-3 filter of Pillow, which widens with the reduction.
    """
    if tuple(image.shape[-2:]) == tuple(size):
        return image.clone()
    return as_frames([resize_bytes(as_bytes(image), size)])[0]


def resize_bytes(pixels: Bytes, size: tuple[int, int]) -> Bytes:
    """Resize (h, w, 1 or 3) to ``size`` (height, width), as ``resize_lanczos`` does."""
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.LANCZOS)).reshape(*size, -1)
