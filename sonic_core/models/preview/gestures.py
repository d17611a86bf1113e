"""What a face does besides speaking: blinks, brows, breath and the head's movement, drawn from the voice and the seed.

Every random number is drawn one event after another, so that a longer sound begins like a shorter one. Nothing repeats
with a period, and every movement returns: the head wanders around the portrait's own pose and never drifts from it.

Source: prosody and movement from Hadar et al. 1983, Language and Speech 26 (heads move nearly all the time in speech
and come to rest in pauses), and Graf et al. 2002, FG (accents come with nods and raised brows, not each with each).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

from .easing import smooth_rise
from .motion import MOTION_RATE as RATE

_START = 0.6  # s from the portrait's own pose to full movement
_PAUSE = 0.3  # s: a longer silence is a pause in which one breathes


@dataclass(frozen=True, eq=False)
class Gestures:
    """Movements beside speech; every curve is (n,) float32, in the units of ``Pose``."""

    blink: np.ndarray
    """0 open … 1 shut."""
    brows: np.ndarray
    """−1 drawn down … 1 raised."""
    yaw: np.ndarray
    """Turn to the picture's right, about −1 … 1."""
    pitch: np.ndarray
    """Nod downward, about −1 … 1."""
    roll: np.ndarray
    """Tilt clockwise in the picture, about −1 … 1."""
    lift: np.ndarray
    """Breathing, 0 … 1."""

    def at(self, times: np.ndarray) -> Gestures:
        """Read curves sampled at ``RATE`` at the moments ``times`` (m,) in seconds; the last value stays."""
        place = np.clip(np.asarray(times, np.float64) * RATE, 0, len(self.blink) - 1)
        grid = np.arange(len(self.blink))
        read = {field.name: PchipInterpolator(grid, getattr(self, field.name))(place) for field in fields(self)}
        return Gestures(**{name: curve.astype(np.float32) for name, curve in read.items()})


def gesture_curves(speaking: np.ndarray, loudness: np.ndarray, seed: int) -> Gestures:
    """Draw the movements beside speech for a sound.

    Args:
        speaking: 0 in a pause … 1 in speech at ``RATE``, (n,).
        loudness: 0 … 1 at ``RATE``, (n,) or a little longer or shorter.
        seed: Same seed, same movements.

    Returns:
        Curves of n values, at least 2. They start from rest, so that the first frame is the portrait itself.
    """
    count = max(len(speaking), 2)
    speaking = np.pad(np.asarray(speaking, np.float64), (0, count - len(speaking)))
    loudness = np.pad(np.asarray(loudness, np.float64)[:count], (0, max(count - len(loudness), 0)))
    stream = [np.random.default_rng([seed, index]) for index in range(8)]
    begin = smooth_rise(np.arange(count) / (_START * RATE))
    stress, strength = _stresses(speaking, loudness)
    nods, raises = _accents(count, stress, strength, stream[0])
    talk = ndimage.gaussian_filter1d(speaking, 0.35 * RATE)
    energy = 0.35 + 0.65 * talk
    settled = _postures(count, speaking, stream[1])
    rhythm = np.clip(_band(loudness * speaking, 0.14, 0.7), -0.5, 0.5)
    curves = {
        "blink": _blinks(count, speaking, stream[2]),
        "brows": begin * (raises + energy * (0.1 + 0.15 * _wander(count, stream[3], 1.3))),
        "yaw": begin * (energy * 0.55 * _wander(count, stream[4], 1.1) + 0.6 * settled[0]),
        "pitch": begin * (energy * 0.3 * _wander(count, stream[5], 0.9) + 0.3 * settled[1] + 0.45 * rhythm + nods),
        "roll": begin * (energy * 0.35 * _wander(count, stream[6], 1.6) + 0.6 * settled[2]),
        "lift": begin * _breaths(count, speaking, stream[7]),
    }
    calm = {name: curve if name == "blink" else _calm(curve) for name, curve in curves.items()}
    return Gestures(**{name: curve.astype(np.float32) for name, curve in calm.items()})


def _calm(curve: np.ndarray) -> np.ndarray:
    """Take every jerk out of a movement: a head has mass."""
    return ndimage.gaussian_filter1d(curve, 0.07 * RATE, mode="nearest")


def _band(curve: np.ndarray, fast: float, slow: float) -> np.ndarray:
    """Keep what changes within ``fast`` to ``slow`` seconds."""
    return ndimage.gaussian_filter1d(curve, fast * RATE) - ndimage.gaussian_filter1d(curve, slow * RATE)


def _stresses(speaking: np.ndarray, loudness: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find stressed syllables: places, (m,), and how far each stands out from its neighbours, 0 … 1."""
    rhythm = _band(loudness * speaking, 0.06, 0.8)
    highest = ndimage.maximum_filter1d(rhythm, 2 * round(0.35 * RATE) + 1)
    places = np.flatnonzero((rhythm == highest) & (rhythm > 0.05))
    return places, np.clip(rhythm[places] / 0.35, 0, 1)


def _accents(
    count: int, places: np.ndarray, strength: np.ndarray, stream: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Nod with stressed syllables, and raise the brows on some of the strongest: two curves (n,).

    Nods are taken from a head held a little higher, so that much stress does not bow it.
    """
    nods, raises = np.zeros(count), np.zeros(count)
    rested = 0.0
    for place, stressed in zip(places / RATE, strength, strict=True):
        chance, size, brow, hold = stream.uniform(size=4)
        if chance < 0.25 + 0.6 * stressed:
            _add(nods, place - 0.18, (0.2, 0.02, 0.34), (0.25 + 0.45 * stressed) * (0.7 + 0.6 * size))
        if place > rested and brow < 0.6 * stressed:
            _add(raises, place - 0.2, (0.2, 0.1 + 0.4 * hold, 0.4), (0.3 + 0.5 * stressed) * (0.7 + 0.6 * size))
            rested = place + 1.8
    nods = np.minimum(nods, 0.9)
    return nods - 0.6 * ndimage.gaussian_filter1d(nods, 1.2 * RATE), np.minimum(raises, 0.9)


def _add(curve: np.ndarray, start: float, parts: tuple[float, float, float], size: float) -> None:
    """Add one movement in place: ``parts`` are its seconds of rise, hold and fall."""
    rise, _, fall = parts
    first, last = int(np.ceil(max(start, 0) * RATE)), min(int((start + sum(parts)) * RATE) + 1, len(curve))
    time = np.arange(first, last) / RATE - start
    curve[first:last] += size * smooth_rise(time / rise) * smooth_rise((sum(parts) - time) / fall)


def _postures(count: int, speaking: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Take up another pose when a phrase begins, and let go of most of it in the pause after: (3, n), about −1 … 1."""
    target, pose = np.zeros((3, count)), np.zeros(3)
    for begin, end in _spans(speaking > 0.5):
        place = begin
        while place < end:
            pose = np.clip(0.25 * pose + 0.55 * stream.standard_normal(3), -1, 1)
            target[:, place:] = pose[:, None]
            place += round((2.0 + stream.gamma(2.0, 0.8)) * RATE)
        target[:, end:] = 0.35 * pose[:, None]
    return ndimage.gaussian_filter1d(target, 0.3 * RATE, axis=1, mode="nearest")


def _spans(held: np.ndarray) -> list[tuple[int, int]]:
    """List where ``held`` (n,) begins and ends to be true: (first, last + 1) of each stretch."""
    change = np.flatnonzero(np.diff(held.astype(np.int8), prepend=0, append=0)).tolist()
    return list(zip(change[::2], change[1::2], strict=True))


def _blinks(count: int, speaking: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Close the eyes now and then: gamma-distributed intervals, shorter in speech, some at the ends of phrases.

    Source: about 17 blinks a minute at rest and 26 in conversation, Bentivoglio et al. 1997, Movement Disorders 12.
    """
    blink = np.zeros(count)
    ends = np.array([end for _, end in _spans(speaking > 0.5)]) / RATE
    moment = 0.7 + stream.gamma(2.0, 0.7)
    while moment * RATE < count:
        near = ends[(ends > moment - 0.5) & (ends < moment + 0.7)]
        if len(near) and near[0] > 0.6:
            moment = float(near[0])
        twice, depth, haste = stream.uniform(size=3)
        parts = (0.08 + 0.03 * haste, 0.02 + 0.05 * depth, 0.15 + 0.1 * haste)
        _add(blink, moment, parts, min(1.0, 0.88 + 0.3 * depth))
        if twice < 0.1:
            _add(blink, moment + sum(parts) + 0.06, parts, 0.9)
            moment += 0.5
        talking = speaking[min(int(moment * RATE), count - 1)] > 0.5
        moment += 0.9 + stream.gamma(2.0, 0.85 if talking else 1.3)
    return np.clip(blink, 0, 1)


def _breaths(count: int, speaking: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Breathe in with every pause, and 12 to 16 times a minute where nothing is said, (n,) in [0, 1]."""
    lift = np.zeros(count)
    silent = _spans(speaking < 0.5)
    pauses = [begin / RATE for begin, end in silent if end - begin >= _PAUSE * RATE]
    moment = 0.5
    while moment * RATE < count:
        size, later = stream.uniform(size=2)
        following = moment + 60 / (12 + 4 * later)
        pause = next((begin for begin in pauses if begin > moment + 1.2), np.inf)
        talking = speaking[min(int(following * RATE), count - 1)] > 0.5
        following = pause if talking else min(following, pause)
        _add(lift, moment, (0.9, 0.1, float(np.clip(following - moment - 0.8, 1.0, 3.0))), 0.5 + 0.4 * size)
        moment = following
    return np.minimum(lift, 1)


def _wander(count: int, stream: np.random.Generator, seconds: float) -> np.ndarray:
    """Move slowly and never the same way twice: values drawn one by one, joined by a smooth curve around 0.

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
