"""The portrait enlarged twice: what every frame is drawn from.

Every second row and column are the portrait's own pixels, so that what does not move stays as it is to the bit; those
between them are interpolated so well that reading the picture bilinearly keeps its sharpness.

It is kept in bytes: a face of 1024 pixels is read from a quarter of the memory, and no colour changes by more than the
step of the 8 bits that the portrait came in.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Patches = list[tuple[slice, slice, Bytes]]
"""Rows, columns and what is seen there, (h, w, 4)."""

SCALE = 2
"""Pixels of the texture per pixel of the portrait. Read bilinearly, 0.92 to 0.99 of the Laplacian's deviation is kept,
at once 0.74 to 0.80."""
_LOBES = 3
_BAND = 64
"""Rows that are read at a time: what is worked on fits into the fast memory."""


def enlarge(image: Floats) -> Floats:
    """Enlarge (h, w, c) to (2 h, 2 w, c); pixel (x, y) comes to lie at (2 x, 2 y).

    Source: the Lanczos kernel of three lobes, half a pixel between the samples.
    """
    places = np.arange(-_LOBES, _LOBES) + 0.5
    kernel = np.sinc(places) * np.sinc(places / _LOBES)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    height, width, channels = image.shape
    anchor = _LOBES - 1
    wide = np.empty((height, SCALE * width, channels), np.float32)
    wide[:, ::SCALE] = image
    wide[:, 1::SCALE] = cv2.filter2D(
        image, cv2.CV_32F, kernel[None], anchor=(anchor, 0), borderType=cv2.BORDER_REPLICATE
    ).reshape(image.shape)
    texture = np.empty((SCALE * height, SCALE * width, channels), np.float32)
    texture[::SCALE] = wide
    texture[1::SCALE] = cv2.filter2D(
        wide, cv2.CV_32F, kernel[:, None], anchor=(0, anchor), borderType=cv2.BORDER_REPLICATE
    ).reshape(wide.shape)
    return np.clip(texture, 0, 1, out=texture)


def coded(pixels: Floats) -> Bytes:
    """Turn RGB in [0, 1], (h, w, 3), into bytes with a fourth channel: OpenCV reads four twice as fast as three."""
    return np.asarray(cv2.cvtColor(cv2.convertScaleAbs(pixels, alpha=255), cv2.COLOR_RGB2RGBA), np.uint8)


def read_coded(texture: Bytes, places: Floats, out: Floats | None = None) -> Floats:
    """Read a texture (h, w, 4) at places (m, n, 2): (m, n, 3) RGB float32 in [0, 1], into ``out`` if that is given."""
    height, width = places.shape[:2]
    out = np.empty((height, width, 3), np.float32) if out is None else out
    nothing = cast("Floats", None)  # the maps are one array
    for top in range(0, height, _BAND):
        rows = slice(top, top + _BAND)
        seen = cv2.remap(texture, places[rows], nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        np.divide(cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB), np.float32(255), out=out[rows], dtype=np.float32)
    return out


class Textures:
    """One texture, windows of which change from frame to frame: as many copies as frames are drawn side by side."""

    def __init__(self, texture: Bytes) -> None:
        """Take a texture (h, w, 4), which belongs to this object from then on."""
        self._first = texture
        self._waiting: list[tuple[Bytes, Patches | None]] = [(texture, None)]
        self._lock = threading.Lock()

    @contextmanager
    def showing(self, patches: Patches) -> Iterator[Bytes]:
        """Lend a copy in which windows show these patches, each time the same windows."""
        with self._lock:
            texture, shown = self._waiting.pop() if self._waiting else (None, None)
        if texture is None:
            texture = self._first.copy()
        if shown is not patches:
            for rows, columns, pixels in patches:
                texture[rows, columns] = pixels
        try:
            yield texture
        finally:
            with self._lock:
                self._waiting.append((texture, patches))
