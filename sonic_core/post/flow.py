"""Where pixels go from one frame to the next: dense optical flow, warping, and whether two frames show one scene."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

Picture = NDArray[np.floating]
"""(h, w, 3) RGB in [0, 1], or (h, w) of whatever is said."""
Gray = NDArray[np.uint8]
Flow = NDArray[np.floating]
"""(h, w, 2): by how many pixels to the right and down each pixel has gone."""

FINE = cv2.DISOPTICAL_FLOW_PRESET_FAST
"""Patches of 8 at a stride of 4, refined by variation: over real speakers as good as the slower preset."""
QUICK = cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST
"""The same patches, not refined."""
SCENE_SIDE = 96
"""Longer side of the thumbnails on which scenes are compared."""
LEAST_LIKENESS = 0.83
"""Likeness below which two frames belong to two scenes. Over 21 clips of speakers and dancers, one or two frames apart,
it was 0.89 and more, where a head turned within 80 ms; between any two of these clips 0.78 and less."""
SURE_LIKENESS = 0.93
"""Likeness of two thumbnails, as they are, from which they surely show one scene: warping makes them more alike yet."""
_MOST_HALVINGS = 2
"""Times that the presets halve a picture before they look for patches, if it has the rows."""
_NOISE = 1e-4
"""Variance that counts for nothing, so that a plain grey wall is like another."""


def as_pixels(frame: torch.Tensor) -> Picture:
    """Lay a frame (3, h, w) out as (h, w, 3)."""
    pixels = frame.permute(1, 2, 0).numpy()
    return pixels if pixels.flags.c_contiguous else cast("Picture", cv2.merge(list(frame.numpy())))


def as_planes(pixels: Picture) -> Picture:
    """Take (h, w, 3) apart into (3, h, w) of memory of its own."""
    planes = np.empty((3, *pixels.shape[:2]), np.float32)
    cv2.split(pixels, cast("list[Picture]", [*planes]))
    return planes


def copied(frame: torch.Tensor) -> Picture:
    """Copy a frame as planes (3, h, w)."""
    pixels = frame.permute(1, 2, 0).numpy()
    return as_planes(pixels) if pixels.flags.c_contiguous else np.array(frame.numpy(), np.float32, order="C")


def as_frame(planes: Picture) -> torch.Tensor:
    """Make planes (3, h, w), which are given up for it, a frame, cut off at 0 and 1."""
    return torch.from_numpy(np.clip(planes, 0, 1, out=planes))


def as_gray(pixels: Picture) -> Gray:
    """Reduce (h, w, 3) to luma in 0 … 255."""
    return np.asarray(cv2.convertScaleAbs(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), alpha=255), np.uint8)


def fitted(pixels: Picture, side: int, least: int = 16) -> Picture:
    """Shrink a picture until its longer side is ``side``; a smaller one stays, but no side falls below ``least``."""
    height, width = pixels.shape[:2]
    factor = min(1.0, side / max(height, width))
    size = (max(min(least, width), round(width * factor)), max(min(least, height), round(height * factor)))
    return pixels if size == (width, height) else resized(pixels, (size[1], size[0]))


def resized(values: Picture, size: tuple[int, int]) -> Picture:
    """Bring (h, w) or (h, w, c) to ``size`` (h, w): averaged when it shrinks, bilinear when it grows."""
    shrinks = values.shape[0] > size[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cast("Picture", cv2.resize(values, size[::-1], interpolation=method))


def dense_flow(first: Gray, second: Gray, preset: int = FINE) -> Flow:
    """Find out where each pixel of ``first`` is in ``second``.

    Args:
        first: (h, w) luma; smaller than two patches in either direction, nothing is said to move.
        second: The same shape.
        preset: ``FINE`` or ``QUICK``.

    Returns:
        (h, w, 2) in pixels.

    Source: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
    """
    search = cv2.DISOpticalFlow.create(preset)  # anew: what it keeps from other pictures shows in the next
    height, width = first.shape
    if min(first.shape) < 2 * search.getPatchSize():
        return np.zeros((*first.shape, 2), np.float32)
    missing = max(0, _least_rows(width, search.getPatchSize()) - height)
    one, other = (cv2.copyMakeBorder(gray, 0, missing, 0, 0, cv2.BORDER_REPLICATE) for gray in (first, second))
    flow = cast("Flow", search.calc(one, other, None))  # type: ignore[call-overload]
    return flow if not missing else np.ascontiguousarray(flow[:height])


def _least_rows(width: int, patch: int) -> int:
    """Count the rows that a picture needs: below, OpenCV halves it by its width until no patch fits, and crashes."""
    halvings = min(_MOST_HALVINGS, max(0, int(math.log2(2 * width / (5 * patch)))))
    return patch << halvings


@lru_cache(maxsize=4)
def places(size: tuple[int, int]) -> Flow:
    """Return each pixel's own place, (h, w, 2), x first; it is shared, so make another of it."""
    rows, columns = np.indices(size, np.float32)
    own = np.stack((columns, rows), -1)
    own.setflags(write=False)
    return own


def warp(values: Picture, where: Flow, method: int = cv2.INTER_LINEAR) -> Picture:
    """Take each pixel from the place ``where`` (h, w, 2) says; beyond the edge the edge goes on."""
    return cast("Picture", cv2.remap(values, where, None, method, borderMode=cv2.BORDER_REPLICATE))  # type: ignore[call-overload]


def likeness(first: Picture, second: Picture) -> float:
    """Tell from two thumbnails how much of one scene is seen in the other, from 1 (all) to 0 and below (nothing).

    The correlation of the colours, after the one has been warped onto the other: motion, light and a face that turns
    cost little, another scene costs nearly all.

    Args:
        first: (h, w, 3), of the size that ``thumbnail`` makes.
        second: The same shape.
    """
    moved = places(first.shape[:2]) + dense_flow(as_gray(first), as_gray(second))
    return _correlation(first, warp(second, moved))


def _correlation(first: Picture, second: Picture) -> float:
    ours, theirs = (one - one.mean((0, 1)) for one in (first, second))
    energies = [float((one * one).mean()) + _NOISE for one in (ours, theirs)]
    return (float((ours * theirs).mean()) + _NOISE) / (energies[0] * energies[1]) ** 0.5


def thumbnail(pixels: Picture) -> Picture:
    """Shrink a frame to the size at which scenes are compared."""
    return fitted(pixels, SCENE_SIDE)


def is_cut(first: Picture, second: Picture) -> bool:
    """Tell from two thumbnails whether the second begins another scene; where little has moved, flow is not asked."""
    return _correlation(first, second) < SURE_LIKENESS and likeness(first, second) < LEAST_LIKENESS
