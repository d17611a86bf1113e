"""Lids that shut for a moment now and then."""

from __future__ import annotations

import numpy as np

from ...curves import CURVE_RATE, add_bump, spans

_SHUT = (0.08, 0.04)  # s: the shortest closing, and by how much one may take longer; 2 to 3 frames of 25 a second
_HELD = (0.01, 0.04)  # s: the same for staying shut; with both ends' slowness a frame at least sees the eye shut
_OPEN = (0.2, 0.08)  # s: the same for opening: 5 to 7 frames
_AGAIN = 0.08  # s of open eye before a blink that comes twice
_TWICE = 0.1  # chance of that
_FIRST = (0.7, 1.4)  # s to the first: shortest, more on average
_EARLY = 0.03  # s by which lids begin to fall before the gaze shifts
_NEAR, _SOONEST = (0.4, 0.7), 0.6  # s before and after, within which it moves to such a moment, and from when on
_APART = (0.9, 1.7, 2.6)  # s from one to the next: shortest, more on average in speech, and in a pause
_WITH_SHIFT = 0.45  # chance that a blink which is due soon comes with a large shift of the gaze


def blink_curve(
    speaking: np.ndarray, shifts: np.ndarray, stream: np.random.Generator, *, attracted: bool = True
) -> np.ndarray:
    """Close the eyes now and then: gamma-distributed intervals, shorter in speech, some at the ends of phrases.

    Args:
        speaking: 0 in a pause … 1 in speech, (n,).
        shifts: Seconds at which the gaze makes a large shift, (m,); lids like to fall then.
        stream: Where chance comes from.
        attracted: Whether a blink is moved to such a shift, or to a phrase's end, which may lie ahead.

    Returns:
        0 open … 1 shut, (n,).

    Source: about 17 blinks a minute at rest and 26 in conversation, Bentivoglio et al. 1997, Movement Disorders 12;
    with shifts of the gaze, Evinger et al. 1994, Experimental Brain Research 100.
    """
    count = len(speaking)
    blink = np.zeros(count)
    ends = np.array([end for _, end in spans(speaking > 0.5)]) / CURVE_RATE
    moment = _FIRST[0] + stream.gamma(2.0, _FIRST[1] / 2)
    while moment * CURVE_RATE < count:
        twice, haste, hold, slow, shifting = stream.uniform(size=5)
        if attracted:
            moment = _attracted(moment, ends, shifts if shifting < _WITH_SHIFT else shifts[:0])
        parts = (_SHUT[0] + _SHUT[1] * haste, _HELD[0] + _HELD[1] * hold, _OPEN[0] + _OPEN[1] * slow)
        add_bump(blink, moment, parts, 1.0)
        if twice < _TWICE:
            moment += sum(parts) + _AGAIN
            add_bump(blink, moment, parts, 1.0)
        talking = speaking[min(int(moment * CURVE_RATE), count - 1)] > 0.5
        moment += _APART[0] + stream.gamma(2.0, (_APART[1] if talking else _APART[2]) / 2)
    return np.clip(blink, 0, 1)


def _attracted(moment: float, ends: np.ndarray, shifts: np.ndarray) -> float:
    """Move a blink to a shift of the gaze or to the end of a phrase that is close."""
    for places, early in ((shifts, _EARLY), (ends, 0.0)):
        near = places[(places > moment - _NEAR[0]) & (places < moment + _NEAR[1]) & (places > _SOONEST)]
        if len(near):
            return float(near[0]) - early
    return moment
