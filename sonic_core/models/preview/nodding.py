"""The head: postures taken up with phrases, accents on stressed syllables, drift, breath and a listener's nods."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ...curves import CURVE_RATE, add_bump, add_step, around, band, begun, blurred, soft_limited, spans, wander
from ...easing import smooth_rise
from ...speech.prosody import Prosody

YAW, PITCH, ROLL, SWAY = 6.5, 5.5, 4.5, 0.05
"""Degrees, and eye distances, that a head approaches and never passes: what a warped picture bears."""

_START = 0.7  # s from the portrait's own pose to full movement
_MASS = 0.07  # s: deviation of the Gaussian that takes every jerk out of a head's movement
_PAUSE = 0.3  # s: a longer silence is a pause in which one breathes in
_CALM = 0.3  # of its movement in speech is what remains of a head's drift in a pause
_POSTURE = np.array([1.45, 1.1, 0.85])  # degrees of yaw, pitch, roll: deviation of the postures in speech …
_LISTENING = np.array([1.1, 0.7, 1.1])  # … and of a listener's
_DRIFT = np.array([5.2, 4.4, 3.0])  # degrees: the slow movement between postures, ``wander`` times this
_PACE = (0.42, 0.4, 0.5)  # s between the knots of that drift
_KEPT = 0.2  # of one knot's value is what the next keeps
_TALK, _TURNS = 0.3, 0.25  # s: deviations of the Gaussians that blur speaking, and the gaze that a head follows
_FOLLOWS = 0.2  # of the gaze's way past the camera is what the head goes along
_CHANGE = {True: (0.9, 1.1), False: (2.2, 2.4)}  # s from one posture to the next, speaking or not: shortest, more
_AHEAD = 0.12  # s by which a head takes up its posture before the phrase begins
_HASTE = (0.35, 0.09, 0.25)  # s that a change takes: at least, more per degree, more by chance
_SLOWLY = 1.6  # times that where one does not speak
_STRESSED = (0.5, 0.6)  # chance that a stress moves the head: of the weakest, and what the strongest has more
_FAR = (1.45, 1.9)  # degrees that it goes: for the weakest, and for the strongest more …
_SIZES = (0.6, 0.8)  # … this much of it at least, and more by chance
_RISE, _HOLD, _FALL = (0.17, 0.08), (0.02, 0.1), (0.3, 0.2)  # s: least, and more by chance
_UPWARD, _TILTS, _LEVEL = (
    0.75,
    0.03,
    1.2,
)  # of a nod is one upward; s by which a tilt is before it; s: their mean's blur
_LATE = 0.08  # s after the syllable's middle that it is there; the heads of two filmed speakers 0.05 to 0.2
_LIFTED = 0.8  # of such movements go down, the others up
_TILTED, _TURNED = 0.55, 0.55  # of them tilt and turn the head too,
_ASIDE = (0.48, 0.8)  # … by this part of their way
_NOD = (1.2, 1.0, 0.65)  # degrees of a listener's nod: least, more by chance, and of one nod what the next has
_NOD_PACE = (0.2, 0.06)  # s that it goes down: least, more by chance
_NODS = (3.5, 4.0)  # s from nodding to nodding: shortest, and more on average
_EVEN = np.array([2.6, 2.75, 1.5])  # degrees of yaw, pitch, roll: deviation that a few seconds of speech are brought to
_FEW = 1.4  # s: deviation of the window in which a deviation is judged, so that 4 s are alike with 4 s of a minute
_EVENED = (0.55, 2.6)  # times that a movement is made smaller or larger for that at the most
_TALKS = 0.4  # of those seconds is what one speaks at least if it is to be brought all the way there
_LEANING = 0.02, 0.008  # eye distances: the body's own sway right and down, ``wander`` times this …
_LEAN_PACE = (2.3, 1.7)  # … s between its knots
_CARRIED = (-0.0045, 0.003, 0.003)  # eye distances a degree: yaw and roll carry the head aside, pitch down
_MELODY = 0.22  # degrees by which the head goes up per semitone by which the voice does
_TONES, _SEMITONES = (0.1, 1.2), (-5, 7)  # s: the changes of pitch that count; bounds of what does
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
    talk = blurred(prosody.speaking, _TALK)
    angles = _postures(prosody.speaking, postures) + _accents(prosody, accents) + _answers(prosody.speaking, answers)
    drift = np.stack([wander(count, np.random.default_rng(drifts.integers(1 << 62)), pace, _KEPT) for pace in _PACE])
    angles += _DRIFT[:, None] * (_CALM + (1 - _CALM) * talk) * drift
    angles[0] -= _FOLLOWS * blurred(gaze_x, _TURNS)
    begin = begun(count, _START)
    angles = _evened(blurred(angles, _MASS) * begin, talk)
    melody = _MELODY * np.clip(band(prosody.tone, *_TONES), *_SEMITONES) * talk
    angles[1] -= blurred(melody + _BREATH[0] * breath, _MASS) * begin
    yaw, pitch, roll = (
        soft_limited(angle, -most, most) for angle, most in zip(angles, (YAW, PITCH, ROLL), strict=True)
    )
    lean = np.stack([wander(count, np.random.default_rng(leans.integers(1 << 62)), pace) for pace in _LEAN_PACE])
    sway_x = begin * _LEANING[0] * lean[0] + _CARRIED[0] * yaw + _CARRIED[1] * roll
    sway_y = begin * (_LEANING[1] * lean[1] - _BREATH[1] * breath) + _CARRIED[2] * pitch
    sways = (soft_limited(sway, -SWAY, SWAY) for sway in (sway_x, sway_y))
    return dict(zip(("yaw", "pitch", "roll", "sway_x", "sway_y"), (yaw, pitch, roll, *sways), strict=True))


def carried(
    yaw: np.ndarray | float, pitch: np.ndarray | float, roll: np.ndarray | float
) -> tuple[np.ndarray | float, np.ndarray | float]:
    """Tell by how much a head that is turned so, in degrees, is carried along: right and down, in eye distances."""
    return _CARRIED[0] * yaw + _CARRIED[1] * roll, _CARRIED[2] * pitch


def _evened(angles: np.ndarray, talk: np.ndarray) -> np.ndarray:
    """Bring the deviation within any few seconds of speech towards ``_EVEN``: (3, n) degrees.

    A short sound has few postures and stresses, and chance would leave many a head nearly still.

    Args:
        angles: (3, n) degrees.
        talk: 0 … 1 speaks, (n,): a listener's head stays as calm as it is.
    """
    mean, square = around(angles, _FEW), around(angles**2, _FEW)
    found = np.sqrt(np.maximum(square - mean**2, 0))
    gain = np.clip(_EVEN[:, None] / np.maximum(found, 1e-3), *_EVENED)
    return angles * (1 + smooth_rise(around(talk, _FEW) / _TALKS) * (gain - 1))


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
        slow = _SLOWLY if kind in {"rest", "listening"} else 1.0
        seconds = float(np.dot(_HASTE, (1, np.abs(target - pose).max(), haste)))
        add_step(curve, moment, slow * seconds, target - pose)
        pose = target
    return curve


def _changes(speaking: np.ndarray, stream: np.random.Generator) -> Iterator[tuple[float, str]]:
    """Choose the moments at which the head takes up another posture, in order, and why."""
    talking = speaking > 0.5
    yield 0.05, "first"
    edges = [(place / CURVE_RATE, bool(talking[place])) for place in np.flatnonzero(np.diff(talking)) + 1]
    edges = [(0.05, bool(talking[0])), *edges, (len(talking) / CURVE_RATE, False)]
    for (begin, speaks), (end, _) in pairwise(edges):
        if begin > 0.5:
            yield begin - _AHEAD if speaks else begin, "phrase" if speaks else "rest"
        moment = begin
        while True:
            shortest, more = _CHANGE[speaks]
            moment += shortest + stream.gamma(2.0, more / 2)
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
        if chance > _STRESSED[0] + _STRESSED[1] * stressed:
            continue
        parts = (_RISE[0] + _RISE[1] * hold, _HOLD[0] + _HOLD[1] * hold * size, _FALL[0] + _FALL[1] * size)
        far = (_FAR[0] + _FAR[1] * stressed) * (_SIZES[0] + _SIZES[1] * size)
        begin = moment + _LATE - parts[0]
        add_bump(curve[1], begin, parts, far if kind < _LIFTED else -_UPWARD * far)
        side = -side if turn < 0.6 else side
        if kind > 1 - _TILTED:
            add_bump(curve[2], begin - _TILTS, parts, _ASIDE[0] * side * far)
        if turn > 1 - _TURNED:
            add_bump(curve[0], begin, parts, _ASIDE[1] * side * far)
    curve[1] -= blurred(curve[1], _LEVEL)
    return curve


def _answers(speaking: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Nod now and then, one to three times, while another speaks: (3, n) degrees."""
    curve = np.zeros((3, len(speaking)))
    for begin, end in spans(speaking < 0.5):
        moment = begin / CURVE_RATE + 1.2 + stream.gamma(2.0, 1.2)
        while moment < end / CURVE_RATE - 1.0:
            size, pace = (least + more * stream.uniform() for least, more in (_NOD[:2], _NOD_PACE))
            for number in range(1 + int(3 * stream.uniform())):
                add_bump(curve[1], moment + 2.1 * pace * number, (pace, 0.02, 1.3 * pace), size * _NOD[2] ** number)
            moment += _NODS[0] + stream.gamma(2.0, _NODS[1] / 2)
    return curve


def breath_curve(count: int, speaking: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    """Breathe in with every pause, and 12 to 16 times a minute where nothing is said, (n,) in [0, 1]."""
    breath = np.zeros(count)
    pauses = [begin / CURVE_RATE for begin, end in spans(speaking < 0.5) if end - begin >= _PAUSE * CURVE_RATE]
    moment = 0.3
    while moment * CURVE_RATE < count:
        size, later = stream.uniform(size=2)
        following = moment + 60 / (12 + 4 * later)
        pause = next((begin for begin in pauses if begin > moment + 1.2), np.inf)
        talking = speaking[min(int(following * CURVE_RATE), count - 1)] > 0.5
        following = pause if talking else min(following, pause)
        add_bump(breath, moment, (0.9, 0.1, float(np.clip(following - moment - 0.8, 1.0, 3.0))), 0.6 + 0.4 * size)
        moment = following
    return np.minimum(breath, 1)
