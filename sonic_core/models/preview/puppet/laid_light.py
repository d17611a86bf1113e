"""Light that is laid over the portrait's own pixels along its mouth, so that it goes wherever they go."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .parting import STATIONS, Bite

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Strip:
    """A strip along the mouth, from left to right and from above to below a line."""

    bite: Bite
    line: NDArray[np.float64]
    """(n,): where across the mouth the line lies at ``STATIONS``, in I."""
    far: float
    """|station| up to which the strip goes to both sides."""
    above: float
    below: float
    """I from the line up to which it goes."""

    def places(self, along: NDArray[np.floating], depths: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the portrait's pixels (m, n, 2) at stations (n,) and depths (m,) below the line in I."""
        across = np.interp(along, STATIONS, self.line) + depths[:, None]
        return self.bite.place(np.broadcast_to(along, across.shape), across)


class LaidLight:
    """Light that is added to what is drawn of some of the portrait's pixels."""

    def __init__(
        self,
        light: Array,
        strip: Strip,
        size: tuple[int, ...],
        *,
        beyond: float = 0.0,
        border: int = cv2.BORDER_CONSTANT,
    ) -> None:
        """Lay it out.

        Args:
            light: (m, n, 3) RGB to be added over the strip, from above to below and from left to right.
            strip: Where that is.
            size: Height and width of the portrait, and whatever follows.
            beyond: I above the strip up to which its border goes on.
            border: How OpenCV goes on beyond the strip.
        """
        ends = strip.places(STATIONS * strip.far, np.array((-max(strip.above, beyond), strip.below))).reshape(-1, 2)
        left, top = np.maximum(np.floor(ends.min(0)), 0).astype(int)
        right, bottom = np.minimum(np.ceil(ends.max(0)).astype(int) + 1, size[1::-1])
        pixels = np.stack(np.meshgrid(np.arange(left, max(right, left + 1)), np.arange(top, max(bottom, top + 1))), -1)
        along, across = np.moveaxis(strip.bite.locate(pixels.reshape(-1, 2)).reshape(pixels.shape), -1, 0)
        below = across - np.interp(along, STATIONS, strip.line)
        deep, wide = np.array(light.shape[:2]) - 1
        column = ((along + strip.far) * (wide / (2 * strip.far))).astype(np.float32)
        row = ((below + strip.above) * (deep / (strip.above + strip.below))).astype(np.float32)
        self._corner = np.array((left, top), np.float32)
        self._map = cv2.remap(light, column, row, cv2.INTER_LINEAR, borderMode=border)

    def lay(self, picture: Array, places: Array, share: float) -> None:
        """Light what is drawn, in place.

        Args:
            picture: (h, w, 3) RGB in [0, 1].
            places: (h, w, 2) where in the portrait each pixel of that comes from.
            share: 0 … 1: how much of the light it gets.
        """
        if share and picture.size:
            x, y = (np.ascontiguousarray(places[..., axis] - self._corner[axis]) for axis in (0, 1))
            picture += np.float32(share) * cv2.remap(self._map, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
