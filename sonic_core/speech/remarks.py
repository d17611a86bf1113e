"""What a person should be told of a sound: that nobody speaks in it, or that its channels are damaged."""

from __future__ import annotations

import numpy as np

from ..curves import CURVE_RATE
from .channels import SILENT, Ear

_NO_VOICE, _PART = 0.3, 0.25  # s of speech, less than which is none, but no more than this part of a short sound
_JUDGED = 4.0  # s that a sound lasts at least if it is to be told from music
_MANY_KINDS = (1.0, 2.3)  # kinds of sound, times how surely they are told apart, fewer than which are no speech: where
_ENOUGH = 1.5  # hardly any is heard, and after so many seconds; speech of six voices, also under music as loud, has 2.4
# to 6, made-up music of 18 kinds 0 to 2.4


def remark_on(ear: Ear, kinds: np.ndarray) -> tuple[str, ...]:
    """Say what is wrong with a sound, each in a sentence; nothing where all is well.

    Args:
        ear: How its channels were listened to.
        kinds: (kinds, m) as of ``Said``.
    """
    if ear.peak < SILENT:
        return (_SILENCE,)
    about_channels = (ear.remark,) if ear.remark else ()
    spoken = kinds[:, kinds[0] < 0.5]
    seconds, length = spoken.shape[1] / CURVE_RATE, kinds.shape[1] / CURVE_RATE
    if seconds < min(_NO_VOICE, _PART * length):
        return (*about_channels, _WORDLESS)
    if length < _JUDGED:
        return about_channels
    share = np.bincount(spoken[1:].argmax(0)) / spoken.shape[1]
    many = float(np.exp(-np.sum(share[share > 0] * np.log(share[share > 0]))))
    least, most = _MANY_KINDS
    few = many * float(spoken.max(0).mean()) < least + (most - least) * min(1, seconds / _ENOUGH)
    return (*about_channels, MUSIC) if few else about_channels


_SILENCE = "The sound is silent: the mouth stays shut; choose a sound in which somebody speaks."
_WORDLESS = "No voice was heard in the sound: the mouth stays shut; choose a sound in which somebody speaks."
MUSIC = (
    "The sound seems to be music or noise without a voice: the mouth moves, but not to words; choose a sound in which "
    "somebody speaks or sings, best the voice alone; or let the lips follow a vocal track (lips_from, --lips-from)."
)
"""What is said of a sound without a voice."""
