"""Brows: raised on some of the stresses and with a rising voice, and never quite still in speech."""

from __future__ import annotations

import numpy as np

from ...curves import add_bump, band, begun, blurred, soft_limited, wander
from ...speech.prosody import Prosody

_START = 0.5  # s from the portrait's own brows to full movement
_RESTED = 1.3  # s between the beginnings of two accents
_STRESSED = (0.25, 0.6)  # chance that a stress raises them: of the weakest, and what the strongest has more
_FAR = (0.45, 0.6)  # brows that they rise: for the weakest, and for the strongest more …
_SIZES = (0.6, 0.7)  # … this much of it at least, and more by chance
_RISE, _HOLD, _FALL = (0.18, 0.1), (0.08, 0.5), (0.35, 0.25)  # s: least, and more by chance
_LOWEST, _HIGHEST = -0.6, 1.1  # brows
_MELODY = 0.055  # brows per semitone by which the voice rises
_TONES, _SEMITONES = (0.1, 1.5), (-4, 6)  # s: the changes of pitch that count; bounds of what does
_TALK, _PACE, _MASS = 0.3, 0.9, 0.05  # s: blur of speaking; between the slow movement's knots; of the brows' own mass
_IDLE = (0.1, 0.4)  # brows: deviation of their slow movement while listening, and what speaking adds


def brow_curve(prosody: Prosody, stream: np.random.Generator) -> np.ndarray:
    """Draw the brows' movement, (n,), −1 drawn down … 1 raised; the deviation in speech is about a third."""
    count = len(prosody.speaking)
    raises = np.zeros(count)
    rested = 0.0
    drifts = np.random.default_rng(stream.integers(1 << 62))
    for moment, stressed in zip(*prosody.stresses, strict=True):
        chance, size, hold = stream.uniform(size=3)
        if moment > rested and chance < _STRESSED[0] + _STRESSED[1] * stressed:
            parts = (_RISE[0] + _RISE[1] * size, _HOLD[0] + _HOLD[1] * hold**2, _FALL[0] + _FALL[1] * hold)
            add_bump(raises, moment - parts[0], parts, (_FAR[0] + _FAR[1] * stressed) * (_SIZES[0] + _SIZES[1] * size))
            rested = moment + _RESTED
    talk = blurred(prosody.speaking, _TALK)
    melody = _MELODY * np.clip(band(prosody.tone, *_TONES), *_SEMITONES) * talk
    idle = (_IDLE[0] + _IDLE[1] * talk) * wander(count, drifts, _PACE)
    return begun(count, _START) * soft_limited(blurred(raises + melody + idle, _MASS), _LOWEST, _HIGHEST)
