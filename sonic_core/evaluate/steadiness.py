"""How even a picture is over time: flicker of its light, and what warping by the flow cannot explain.

Source: Lai et al., Learning Blind Video Temporal Consistency, ECCV 2018 (the warping error and its mask).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..post.flow import Gray, Picture, dense_flow, is_cut, places, resized, warp
from ..post.paths import Points, grid_size, guarded

DARK, BRIGHT = 0.06, 0.94
"""Luma beyond which light is not compared: ratios are lost in black, and white is cut off."""
STRAY = 0.5, 0.01
"""Squared pixels by which the way there and back may miss its beginning, and what its own length adds: published."""
KNOWN = 0.5
"""Share of a cell that must be explained by the flow for its light to be compared."""
EVENED = 6**0.5
"""What a second difference makes of the deviation of noise that knows nothing of its neighbours."""


class SteadinessMeter:
    """Takes frames of working size, in order, and keeps one number a frame."""

    def __init__(self, length: int) -> None:
        self.light, self.apart = np.full(length, np.nan), np.full(length, np.nan)
        self.cuts, self.passed = 0, 0
        self._last: tuple[Gray, Picture] | None = None
        self._change: NDArray[np.floating] | None = None

    def see(self, gray: Gray, thumb: Picture, points: Points | None, frame: tuple[int, int]) -> bool:
        """Look at the next frame.

        Args:
            gray: (h, w) luma, ``fitted`` to ``WORK_SIDE``.
            thumb: The frame's thumbnail.
            points: (5, 2) the face's points, or None.
            frame: (h, w) of the frame itself, in whose pixels they are.

        Returns:
            Whether another scene begins here.
        """
        cut = self._last is not None and is_cut(self._last[1], thumb)
        if cut:
            self.cuts += 1
            self._change = None
        elif self._last is not None:
            self._compare(self._last[0], gray, guarded(points, frame, grid_size(gray)))
        self._last, self.passed = (gray, thumb), self.passed + 1
        return cut

    def _compare(self, before: Gray, now: Gray, marked: NDArray[np.floating]) -> None:
        """Take the picture before along to this one, and look at what is left."""
        back, there = dense_flow(now, before), dense_flow(before, now)
        where = places(now.shape[:2]) + back
        missed = ((back + warp(there, where)) ** 2).sum(-1)
        allowed = STRAY[0] + STRAY[1] * ((back**2).sum(-1) + (there**2).sum(-1))
        sure = (missed < allowed).astype(np.float32)
        came = warp(before.astype(np.float32), where)
        here = now.astype(np.float32)
        self.apart[self.passed] = float((np.abs(here - came) * sure).sum() / max(float(sure.sum()), 1.0))
        size = marked.shape[:2]
        lights = [
            np.maximum(resized(one * sure, size) / (resized(sure, size) + 1e-3) / 255, 1e-3) for one in (came, here)
        ]
        good = (1 - marked) * (resized(sure, size) > KNOWN) * (lights[0] > DARK) * (lights[0] < BRIGHT)
        change = np.log(lights[1] / lights[0])
        if self._change is not None and good.any():
            uneven = (change - self._change) / EVENED
            self.light[self.passed] = float((uneven**2 * good).sum() / good.sum())
        self._change = change

    @property
    def flicker(self) -> float | None:
        """How uneven the light is, root mean square over picture and time in percent; mouth and eyes do not count."""
        known = self.light[np.isfinite(self.light)]
        return 100 * float(np.sqrt(known.mean())) if len(known) else None

    @property
    def warping(self) -> float | None:
        """What the flow from frame to frame does not explain, mean absolute luma in 1/255."""
        known = self.apart[np.isfinite(self.apart)]
        return float(known.mean()) if len(known) else None
