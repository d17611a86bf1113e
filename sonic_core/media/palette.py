"""The colours that suit a clip, for formats that have few."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .pixels import Bytes

_BITS = 5
"""Per channel, of the cells in which colours are counted; a cell stands for the mean of what fell into it."""
_CELLS = 1 << 3 * _BITS
_PIXELS, _PIXELS_OF_FRAME = 1 << 22, 1 << 14
"""Pixels that are counted, spread evenly: about so many of a clip, and at least so many of each frame."""
_ROUNDS = 12
_RARITY = 0.5
"""Power of a cell's count: below 1 so that lips and eyes, few pixels beside the background, keep their colours."""

Colours = npt.NDArray[np.float32]


class Palette:
    """Counts colours while frames pass by, and chooses; what it holds does not grow with the clip."""

    def __init__(self, size: tuple[int, int], length: int) -> None:
        """Prepare for ``length`` frames of (h, w) ``size``."""
        wanted = max(_PIXELS_OF_FRAME, _PIXELS // length)
        self.step = max(1, math.isqrt(size[0] * size[1] // wanted))
        self.counts = np.zeros(_CELLS)
        self.sums = np.zeros((3, _CELLS))

    def see(self, pixels: Bytes) -> None:
        """Count the colours of a frame (h, w, 3)."""
        seen = pixels[:: self.step, :: self.step].reshape(-1, 3)
        high = (seen >> (8 - _BITS)).astype(np.int64)
        cells = (high[:, 0] << 2 * _BITS) | (high[:, 1] << _BITS) | high[:, 2]
        self.counts += np.bincount(cells, minlength=_CELLS)
        for channel in range(3):
            self.sums[channel] += np.bincount(cells, weights=seen[:, channel], minlength=_CELLS)

    def choose(self, count: int) -> Bytes:
        """Choose ``count`` colours, (count, 3), near which all that was seen lies.

        Source: Lloyd, Least squares quantization in PCM, 1982, begun from the colours farthest from those chosen.
        """
        used = np.flatnonzero(self.counts)
        weights = self.counts[used]
        colours = (self.sums[:, used] / weights).T.astype(np.float32)
        weights = weights**_RARITY
        chosen = _far_apart(colours, weights, count)
        for _ in range(_ROUNDS):
            nearest = _nearest(colours, chosen)
            share = np.bincount(nearest, weights=weights, minlength=count)
            for channel in range(3):
                total = np.bincount(nearest, weights=weights * colours[:, channel], minlength=count)
                chosen[:, channel] = np.where(share > 0, total / np.maximum(share, 1e-9), chosen[:, channel])
        return np.clip(np.rint(chosen), 0, 255).astype(np.uint8)


def _far_apart(colours: Colours, weights: npt.NDArray[np.float64], count: int) -> Colours:
    """Take the commonest colour, then again and again the one that misses most: its weight times its distance²."""
    chosen = [colours[int(np.argmax(weights))]]
    missed = np.square(colours - chosen[0]).sum(1)
    while len(chosen) < count:
        chosen.append(colours[int(np.argmax(weights * missed))])
        missed = np.minimum(missed, np.square(colours - chosen[-1]).sum(1))
    return np.array(chosen)


def _nearest(colours: Colours, chosen: Colours) -> npt.NDArray[np.int64]:
    return (np.square(chosen).sum(1) - 2 * colours @ chosen.T).argmin(1)
