"""What the sync network looks at and listens to: a mouth's curves and a sound's levels, each in its own measure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..speech.mel import scale_of, standardise
from .network import FRAME_RATE

Curve = NDArray[np.floating[Any]]

TREND = 1.0
"""Deviation in seconds of the Gaussian whose curve is taken away: how a head stands is no speech."""
_FAINTEST = 1e-4
"""Deviation below which a curve stands still: it is not enlarged."""
_ROUND = 1e-6
"""Frames by which a computed place may miss a frame and still mean it."""
_FARTHEST = 5.0
"""Deviations at which a curve is cut off."""


def at_frame_rate(curves: Curve, seen: NDArray[np.bool_], fps: float) -> tuple[Curve, NDArray[np.bool_]]:
    """Read curves (k, n) and where they mean something (n,) at ``FRAME_RATE`` instead of ``fps``.

    What is not seen is bridged by straight lines, so that it does not shake what is beside it.
    """
    known = np.flatnonzero(seen)
    moments = np.arange(int((len(seen) - 1) / fps * FRAME_RATE + _ROUND) + 1) / FRAME_RATE
    if not len(known):
        return np.zeros((len(curves), len(moments))), np.zeros(len(moments), bool)
    read = np.stack([np.interp(moments, known / fps, curve[known]) for curve in curves])
    place = moments * fps
    both = [
        seen[np.clip(side.astype(int), 0, len(seen) - 1)]
        for side in (np.floor(place + _ROUND), np.ceil(place - _ROUND))
    ]
    return read, both[0] & both[1]


def mouth_view(curves: Curve) -> NDArray[np.float32]:
    """Make curves (k, n) at ``FRAME_RATE`` relative to their own slow change and deviation; no phase is shifted."""
    moving = without_trend(curves)
    scale = np.maximum(moving.std(-1, keepdims=True), _FAINTEST)
    return (moving / scale).clip(-_FARTHEST, _FARTHEST).astype(np.float32)


def without_trend(curves: Curve) -> Curve:
    """Take their slow change from curves (k, n) at ``FRAME_RATE``."""
    return curves - ndimage.gaussian_filter1d(curves, TREND * FRAME_RATE, axis=-1, mode="nearest")


def sound_view(levels: Curve) -> NDArray[np.float32]:
    """Make mel levels (n, bands) in dB relative to their sound, band by band."""
    return standardise(levels, scale_of(levels))
