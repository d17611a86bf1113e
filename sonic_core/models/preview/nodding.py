"""The head: postures taken up with phrases, accents on stressed syllables, drift, breath and a listener's nods."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from .curves import RATE, add_bump, add_step, band, begun, blurred, soft_limited, spans, wander
from .prosody import Prosody

YAW, PITCH, ROLL, SWAY = 6.5, 5.5, 4.5, 0.05
"""Degrees, and eye distances, that a head approaches and never passes: what a warped picture bears."""

_START = 0.7  # s from the portrait's own pose to full movement
_MASS = 0.06  # s: deviation of the Gaussian that takes every jerk out of a head's movement
_PAUSE = 0.3  # s: a longer silence is a pause in which one breathes in
_CALM = 0.3  # of its movement in speech is what remains of a head's drift in a pause
_POSTURE = np.array([1.45, 1.1, 0.85])  # degrees of yaw, pitch, roll: deviation of the postures in speech …
_LISTENING = np.array([1.1, 0.7, 1.1])  # … and of a listener's
_DRIFT = np.array([5.2, 4.4, 3.0])  # degrees: the slow movement between postures, ``wander`` times this
_PACE = (0.42, 0.4, 0.5)  # s between the knots of that drift
_MELODY = 0.22  # degrees by which the head goes up per semitone by which the voice does
_BREATH = (0.45, 0.012)  # degrees up, and eye distances up, when breathed in


def head_curves(
    prosody: Prosody, breath: np.ndarray, gaze_x: np.ndarray, stream: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draw the head's movement.

    Args:
        prosody: What the voice does, (n,).
        breath: 0 … 1 breathed in, (n,).
        gaze_x: Degrees right of the camera at which the eyes look, (n,): the head goes along a little.
        stream: Where chance comes from.

    Returns:
        yaw, pitch, roll in degrees, sway_x, sway_y in eye distances; each (n,), exactly 0 at first.
    """
    count = len(breath)
    postures, drifts, accents, answers, leans = (np.random.default_rng(stream.integers(1 << 62)) for _ in range(5))
    talk = blurred(prosody.speaking, 0.3)
    angles = _postures(prosody.speaking, postures) + _accents(prosody, accents) + _answers(prosody.speaking, answers)
    drift = np.stack([wander(count, np.random.default_rng(drifts.integers(1 << 62)), pace, 0.2) for pace in _PACE])
    angles += _DRIFT[:, None] * (_CALM + (1 - _CALM) * talk) * drift
    angles[0] -= 0.2 * blurred(gaze_x, 0.25)
    angles[1] -= _MELODY * np.clip(band(prosody.tone, 0.1, 1.2), -5, 7) * talk + _BREATH[0] * breath
    angles = blurred(angles, _MASS) * begun(count, _START)
    yaw, pitch, roll = (
        soft_limited(angle, -most, most) for angle, most in zip(angles, (YAW, PITCH, ROLL), strict=True)
    )
    lean = np.stack([wander(count, np.random.default_rng(leans.integers(1 << 62)), pace) for pace in (2.3, 1.7)])
    sway_x = begun(count, _START) * 0.02 * lean[0] - 0.0045 * yaw + 0.003 * roll
    sway_y = begun(count, _START) * (0.008 * lean[1] - _BREATH[1] * breath) + 0.003 * pitch
    sways = (soft_limited(sway, -SWAY, SWAY) for sway in (sway_x, sway_y))
    return dict(zip(("yaw", "pitch", "roll", "sway_x", "sway_y"), (yaw, pitch, roll, *sways), strict=True))


def _postures(speaking: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Take up another posture when a phrase begins and now and then in it, and half let go of it in a pause: (3, n)."""
    curve, pose = np.zeros((3, len(speaking))), np.zeros(3)
    for moment, kind in _changes(speaking, stream):
        drawn, haste = stream.standard_normal(3), stream.uniform()
        drawn[2] = 0.8 * drawn[2] + 0.5 * drawn[0] * (1 if drawn[1] > -0.3 else -1)
        drawn = np.clip(drawn, -1.7, 1.7)
        if kind == "first":
            drawn = np.where(np.abs(drawn) < 0.6, np.where(drawn < 0, -0.6, 0.6), drawn)
        target = {
            "first": _POSTURE * drawn,
            "phrase": 0.3 * pose + _POSTURE * drawn,
            "rest": 0.45 * pose,
            "listening": 0.3 * pose + _LISTENING * drawn,
        }[kind]
        slow = 1.6 if kind in {"rest", "listening"} else 1.0
        way = float(np.abs(target - pose).max())
        add_step(curve, moment, slow * (0.35 + 0.09 * way + 0.25 * haste), target - pose)
        pose = target
    return curve


def _changes(speaking: np.ndarray, stream: np.random.Generator) -> Iterator[tuple[float, str]]:
    """Choose the moments at which the head takes up another posture, in order, and why."""
    talking = speaking > 0.5
    yield 0.05, "first"
    edges = [(place / RATE, bool(talking[place])) for place in np.flatnonzero(np.diff(talking)) + 1]
    edges = [(0.05, bool(talking[0])), *edges, (len(talking) / RATE, False)]
    for (begin, speaks), (end, _) in pairwise(edges):
        if begin > 0.5:
            yield begin - 0.12 if speaks else begin, "phrase" if speaks else "rest"
        moment = begin
        while True:
            moment += 0.9 + stream.gamma(2.0, 0.55) if speaks else 2.2 + stream.gamma(2.0, 1.2)
            if moment > end - 0.3:
                break
            yield moment, "phrase" if speaks else "listening"


def _accents(prosody: Prosody, stream: np.random.Generator) -> np.ndarray:
    """Nod, tilt or turn on stressed syllables, the stronger the more often and the further: (3, n) degrees.

    Nods are taken from a head held a little higher, so that much stress does not bow it.
    """
    curve = np.zeros((3, len(prosody.speaking)))
    side = 1.0
    for moment, stressed in zip(*prosody.stresses, strict=True):
        chance, size, kind, turn, hold = stream.uniform(size=5)
        if chance > 0.5 + 0.6 * stressed:
            continue
        parts = (0.17 + 0.08 * hold, 0.02 + 0.1 * hold * size, 0.3 + 0.2 * size)
        far = (1.6 + 2.3 * stressed) * (0.6 + 0.8 * size)
        begin = moment - parts[0]
        add_bump(curve[1], begin, parts, far if kind < 0.72 else -0.75 * far)
        side = -side if turn < 0.6 else side
        if kind > 0.45:
            add_bump(curve[2], begin - 0.03, parts, 0.55 * side * far)
        if turn > 0.45:
            add_bump(curve[0], begin, parts, 0.8 * side * far)
    curve[1] -= blurred(curve[1], 1.2)
    return curve


def _answers(speaking: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Nod now and then, one to three times, while another speaks: (3, n) degrees."""
    curve = np.zeros((3, len(speaking)))
    for begin, end in spans(speaking < 0.5):
        moment = begin / RATE + 1.2 + stream.gamma(2.0, 1.2)
        while moment < end / RATE - 1.0:
            size, pace = 1.2 + 1.0 * stream.uniform(), 0.2 + 0.06 * stream.uniform()
            for number in range(1 + int(3 * stream.uniform())):
                add_bump(curve[1], moment + 2.1 * pace * number, (pace, 0.02, 1.3 * pace), size * 0.65**number)
            moment += 3.5 + stream.gamma(2.0, 2.0)
    return curve


def breath_curve(count: int, speaking: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Breathe in with every pause, and 12 to 16 times a minute where nothing is said, (n,) in [0, 1]."""
    breath = np.zeros(count)
    pauses = [begin / RATE for begin, end in spans(speaking < 0.5) if end - begin >= _PAUSE * RATE]
    moment = 0.3
    while moment * RATE < count:
        size, later = stream.uniform(size=2)
        following = moment + 60 / (12 + 4 * later)
        pause = next((begin for begin in pauses if begin > moment + 1.2), np.inf)
        talking = speaking[min(int(following * RATE), count - 1)] > 0.5
        following = pause if talking else min(following, pause)
        add_bump(breath, moment, (0.9, 0.1, float(np.clip(following - moment - 0.8, 1.0, 3.0))), 0.6 + 0.4 * size)
        moment = following
    return np.minimum(breath, 1)
