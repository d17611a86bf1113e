"""How well a mouth and a sound agree, moment by moment and lag by lag: the sync network's cosines."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .network import EDGE, FRAME_RATE, LEVELS, WINDOW, SyncNetwork
from .views import at_frame_rate, mouth_view, sound_view

Curve = NDArray[np.floating[Any]]

PHASES = 2
"""Sounds heard per frame: lags are ``1 / (PHASES · FRAME_RATE)`` seconds apart."""
LAG_STEP = 1 / (PHASES * FRAME_RATE)
"""Seconds between two lags."""
SPAN = 2 * EDGE + WINDOW
"""Frames that one comparison takes in."""


@torch.inference_mode()
def agreement(
    network: SyncNetwork, curves: Curve, seen: NDArray[np.bool_], fps: float, levels: Curve, *, reach: int
) -> NDArray[np.float32]:
    """Compare every window of a mouth with the sound at every lag.

    Args:
        network: Sees and hears.
        curves: (k, n) of the mouth at ``fps``.
        seen: (n,) where they mean something.
        fps: Frames per second.
        levels: (m, bands) mel levels of the sound in dB; the first belongs to the first frame.
        reach: Steps of ``LAG_STEP`` up to which the sound is moved.

    Returns:
        (frames at ``FRAME_RATE``, 2 · reach + 1) cosines, the lags ascending: at lag l a mouth is compared with the
        sound l seconds before it. Not a number where no face is seen or there is no sound.
    """
    read, known = at_frame_rate(curves, seen, fps)
    made = np.full((read.shape[1], 2 * reach + 1), np.nan, np.float32)
    if read.shape[1] < SPAN or len(levels) < LEVELS * SPAN:
        return made
    mouth = network.see(torch.from_numpy(mouth_view(read))[None])[0]
    sound = _heard(network, sound_view(levels))
    places = PHASES * torch.arange(len(mouth))
    first = EDGE + WINDOW // 2
    for number, lag in enumerate(range(-reach, reach + 1)):
        there = places - lag
        inside = (there >= 0) & (there < len(sound))
        cosines = (mouth[inside] * sound[there[inside]]).sum(1)
        made[first : first + len(mouth)][inside.numpy(), number] = cosines.numpy()
    made[~_around(known)] = np.nan
    return made


def _heard(network: SyncNetwork, view: NDArray[np.float32]) -> torch.Tensor:
    """Hear windows ``PHASES`` times a frame: (k, …), the first of which is compared with a mouth's first at lag 0."""
    step = LEVELS // PHASES
    parts = [network.hear(torch.from_numpy(view[phase * step :])[None])[0] for phase in range(PHASES)]
    count = min(map(len, parts))
    return torch.stack([part[:count] for part in parts], 1).flatten(0, 1)


def _around(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say in which frames a comparison sees a face throughout: (n,) from (n,)."""
    padded = np.pad(known, SPAN // 2)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, SPAN).all(1))
