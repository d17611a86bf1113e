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
_BLOCK, _STRETCH = 64, 1500
"""Windows of a mouth that are compared at a time, and that are seen at a time: a minute, 100 MB."""
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
    mouth, sound = torch.from_numpy(mouth_view(read)), torch.from_numpy(sound_view(levels))
    count, first = read.shape[1] - SPAN + 1, EDGE + WINDOW // 2
    for start in range(0, count, _STRETCH):
        seen_now = network.see(mouth[None, :, start : min(start + _STRETCH, count) + SPAN - 1])[0]
        near = _near(network, sound, PHASES * start - reach, PHASES * len(seen_now) + 2 * reach)
        made[first + start : first + start + len(seen_now)] = _cosines(seen_now, near, reach).numpy()
    made[~_around(known)] = np.nan
    return made


def _near(network: SyncNetwork, sound: torch.Tensor, start: int, count: int) -> torch.Tensor:
    """Hear ``count`` windows of a sound (m, bands), ``PHASES`` a frame, from number ``start`` on: (count, …).

    Number 0 is the one that is compared with a mouth's first at lag 0. Not a number where there is no sound.
    """
    begin = max(0, start // PHASES)
    end = -(-(start + count) // PHASES)
    part, step = sound[LEVELS * begin : LEVELS * (end + SPAN)], LEVELS // PHASES
    near = torch.full((count, WINDOW * network.size), torch.nan)
    if len(part) < LEVELS * SPAN:
        return near
    heard = [network.hear(part[None, phase * step :])[0] for phase in range(PHASES)]
    least = min(map(len, heard))
    both = torch.stack([one[:least] for one in heard], 1).flatten(0, 1)
    place = PHASES * begin - start
    both = both[max(0, -place) : count - place]
    near[max(0, place) : max(0, place) + len(both)] = both
    return near


def _cosines(mouth: torch.Tensor, near: torch.Tensor, reach: int) -> torch.Tensor:
    """Multiply windows of a mouth (m, …) with those of the sound near them at every lag: (m, 2 · reach + 1).

    A block of them at a time is one matrix product, of which a slanted band is kept.
    """
    lags = torch.arange(2 * reach, -1, -1)
    made = []
    for start in range(0, len(mouth), _BLOCK):
        part = mouth[start : start + _BLOCK]
        there = near[PHASES * start : PHASES * (start + len(part)) + 2 * reach]
        made.append((part @ there.T).gather(1, PHASES * torch.arange(len(part))[:, None] + lags))
    return torch.cat(made)


def _around(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say in which frames a comparison sees a face throughout: (n,) from (n,)."""
    padded = np.pad(known, SPAN // 2)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, SPAN).all(1))
