"""Where the eyes look: at the camera, past it for a moment, and back.

Source: saccades two to three times a second in bursts, their duration 21 ms and 2.2 ms a degree, Bahill et al. 1975,
Mathematical Biosciences 24; speakers look away as a phrase begins or while they think, and back as they end it, Kendon
1967, Acta Psychologica 26; directions and sizes, Lee et al. 2002, SIGGRAPH.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ...curves import CURVE_RATE, add_step, spans
from ...speech.prosody import Prosody

CAMERA = 2.0
"""Degrees within which eyes are seen to look at the camera."""
_FIRST, _LATER = 0.25, 0.3  # s before the first saccade at least, and more by chance: first it is the portrait's gaze
_SACCADE = (0.021, 0.0022)  # s that a saccade lasts, and more for each degree
_SHORTEST = 0.12  # s that the eyes stay somewhere at least
_FACE = (0.9, 0.6)  # degrees right and down: deviation of what is looked at on the face of whom one speaks to
_FARTHEST = 1.3  # deviations: no further
_LARGE = 4.0  # degrees from which a shift is large: lids may fall with it
_FIXED = (0.18, 0.16, 1.1, 0.3)  # s of one fixation of it: shortest, more on average, or more for this part of them
_ASIDE = (4.0, 2.4, 10.0)  # degrees that one looks past the camera: least, more on average, most
_FLAT = 0.8  # of that is what one looks up or down
_GLIMPSE = (0.25, 0.32)  # s of one fixation there: shortest, more on average
_SPREAD, _STEPS, _BESIDE = 0.15, (0.8, 1.15), 0.8  # radians; of the way; degrees: chance in it, and from place to place
_DIRECTIONS = np.radians([15, 165, -25, -155, 35, 145, -80, 75])  # of looking away, downward positive
_LIKELY = np.array([0.2, 0.2, 0.16, 0.16, 0.1, 0.1, 0.05, 0.03])
_AWAY = (0.35, 0.6)  # s: the shortest look past the camera, and what is added on average
_PHRASE = 0.4  # chance of looking away in a pause of more than _PAUSE seconds …
_PAUSE = 0.2
_LISTENING = 2.5  # … that is no longer than these, after which one listens rather than thinks
_SPEECH = (1.8, 2.8)  # s of looking at the camera between looks past it while speaking: shortest, added on average
_THOUGHT = (0.8, 1.2)  # s before the first look past it: shortest, added on average
_BEFORE, _AFTER = 0.15, 0.2  # s before a pause, and at most after it, that a look past the camera in it lasts
_QUIET = (2.5, 3.5)  # the same while listening


def gaze_curves(prosody: Prosody, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw where the eyes look, however the head is turned.

    Returns:
        Degrees right and down of the camera, (2, n), exactly 0 at first; and the moments in seconds, (m,), of large
        shifts.
    """
    count = len(prosody.speaking)
    curve, place = np.zeros((2, count)), np.zeros(2)
    shifts = []
    for moment, target in _fixations(prosody, stream):
        size = float(np.hypot(*(target - place)))
        add_step(curve, moment, _SACCADE[0] + _SACCADE[1] * size, target - place)
        place = target
        if size >= _LARGE:
            shifts.append(moment)
    return curve, np.array(shifts)


def _fixations(prosody: Prosody, stream: np.random.Generator) -> list[tuple[float, np.ndarray]]:
    """List what is looked at: from which moment, and where, (2,) degrees."""
    found, place = list[tuple[float, np.ndarray]](), np.zeros(2)
    length = len(prosody.speaking) / CURVE_RATE
    first, thinking = (np.random.default_rng(stream.integers(1 << 62)) for _ in range(2))
    moment = _FIRST + stream.uniform() * _LATER
    for begin, end in _glances(prosody.speaking > 0.5, first, thinking):
        moment = _at_camera(found, moment, begin, stream)
        moment = _past_it(found, max(moment, begin), end, stream)
    _at_camera(found, moment, length, stream)
    return [one for one, after in pairwise([*found, (np.inf, place)]) if after[0] - one[0] > _SHORTEST]


def _at_camera(found: list, moment: float, until: float, stream: np.random.Generator) -> float:
    """Look at the camera, as one looks at a face: from one eye to the other and to the mouth, in bursts."""
    while moment < until:
        found.append((moment, np.clip(stream.standard_normal(2), -_FARTHEST, _FARTHEST) * _FACE))
        shortest, short, long, part = _FIXED
        moment += shortest + stream.gamma(2.0, (long if stream.uniform() < part else short) / 2)
    return until


def _past_it(found: list, moment: float, until: float, stream: np.random.Generator) -> float:
    """Look away, at one to three places near each other."""
    angle = stream.choice(_DIRECTIONS, p=_LIKELY) + _SPREAD * stream.standard_normal()
    far = min(_ASIDE[0] + stream.gamma(2.0, _ASIDE[1] / 2), _ASIDE[2])
    middle = far * np.array([np.cos(angle), _FLAT * np.sin(angle)])
    while moment < until - _SHORTEST:
        found.append((moment, middle))
        middle = middle * stream.uniform(*_STEPS) + _BESIDE * stream.standard_normal(2)
        moment += _GLIMPSE[0] + stream.gamma(2.0, _GLIMPSE[1] / 2)
    return until


def _glances(
    speaking: np.ndarray, pauses: np.random.Generator, stream: np.random.Generator
) -> list[tuple[float, float]]:
    """Choose when to look past the camera: (begin, end) in seconds, in order, never overlapping.

    In some pauses between phrases, until the next has begun; and now and then otherwise, more often in speech.
    """
    found: list[tuple[float, float]] = []
    for begin, end in spans(~speaking):
        lasts, chance, wait = (end - begin) / CURVE_RATE, *pauses.uniform(size=2)
        rested = not found or begin / CURVE_RATE - found[-1][1] > _SPEECH[0]
        if rested and begin and end < len(speaking) and _PAUSE < lasts < _LISTENING and chance < _PHRASE:
            found.append((begin / CURVE_RATE - _BEFORE, end / CURVE_RATE + _AFTER * wait))
    thinking, moment = list(found), _THOUGHT[0] + stream.gamma(2.0, _THOUGHT[1] / 2)
    while moment * CURVE_RATE < len(speaking):
        lasts = _AWAY[0] + stream.gamma(2.0, _AWAY[1] / 2)
        if all(moment + lasts < begin - _SPEECH[0] / 2 or moment > end + _SPEECH[0] / 2 for begin, end in thinking):
            found.append((moment, moment + lasts))
        least, more = _SPEECH if speaking[int(moment * CURVE_RATE)] else _QUIET
        moment += lasts + least + stream.gamma(2.0, more / 2)
    return sorted(found)
