"""What a face does besides speaking: blinks, brows and small movements of the head, drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .speech import CURVE_RATE as RATE


@dataclass(frozen=True, eq=False)
class Gestures:
    """Movements beside speech; every curve is (n,) float32 at ``RATE``."""

    blink: np.ndarray
    """0 open … 1 shut."""
    brows: np.ndarray
    """0 at rest … 1 raised."""
    yaw: np.ndarray
    """Turn to the picture's right, about −1 … 1."""
    pitch: np.ndarray
    """Nod downward, about −1 … 1."""


def gesture_curves(loudness: np.ndarray, seed: int) -> Gestures:
    """Draw the movements beside speech for a sound.

    Args:
        loudness: 0 … 1 at ``RATE``, (n,).
        seed: Same seed, same movements; a longer sound begins like a shorter one.

    Returns:
        Curves as long as ``loudness``. They start from rest, so that the first frame is the portrait itself.
    """
    count = len(loudness)
    start = np.clip(np.arange(count) / (0.6 * RATE), 0, 1)
    rhythm = ndimage.gaussian_filter1d(loudness, 0.15 * RATE) - ndimage.gaussian_filter1d(loudness, 0.8 * RATE)
    streams = [np.random.default_rng([seed, index]) for index in range(3)]
    return Gestures(
        blink=_blinks(count, streams[0]),
        brows=np.clip(2.5 * rhythm, 0, 1).astype(np.float32),
        yaw=(start * _wander(count, streams[1], 0.9)).astype(np.float32),
        pitch=(start * (0.6 * _wander(count, streams[2], 0.7) + 1.3 * np.clip(rhythm, -0.5, 0.5))).astype(np.float32),
    )


def _blinks(count: int, stream: np.random.Generator) -> np.ndarray:
    """Close the eyes now and then: gamma-distributed pauses of 3.6 s on average, 90 ms down, 170 ms up.

    Source: rates of 10 to 30 blinks a minute and their duration from Bentivoglio et al. 1997, Movement Disorders 12.
    """
    blink = np.zeros(count, np.float32)
    shape = np.concatenate(
        [np.sin(np.linspace(0, np.pi / 2, 9)) ** 2, np.ones(4), np.cos(np.linspace(0, np.pi / 2, 17)) ** 2]
    )
    moment = 0.8 + stream.uniform(0, 1.5)
    while (first := int(moment * RATE)) < count:
        piece = shape[: count - first]
        blink[first : first + len(piece)] = np.maximum(blink[first : first + len(piece)], piece)
        moment += 1.0 + stream.gamma(2.0, 1.3)
    return blink


def _wander(count: int, stream: np.random.Generator, seconds: float) -> np.ndarray:
    """Move slowly and never the same way twice: values drawn one by one, joined by a smooth curve.

    Drawing knot after knot, instead of filtering noise of the clip's length, keeps the beginning for any length.
    """
    knots = int(count / (seconds * RATE)) + 4
    drawn = np.empty(knots)
    value = 0.0
    for index in range(knots):
        value = 0.6 * value + 0.5 * stream.standard_normal()
        drawn[index] = np.clip(value, -1.2, 1.2)
    position = np.arange(count) / (seconds * RATE)
    return ndimage.map_coordinates(drawn, [position + 1], order=3, mode="nearest", prefilter=False)
