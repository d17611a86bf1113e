"""Can right sounds be told from wrong ones? What a measure of agreement gives a video's own sound, and others'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..speech import Speech

ALIKE = 0.9
"""Correlation of mel levels from which two sounds are one recording."""
FLOOR = -70.0
"""Level in dB below which nothing of a sound is compared."""
MOVED, LEAST = 20, 100
"""Mel frames by which two sounds may be moved against each other (0.2 s in all), and that must be compared."""
USUAL, HIGH = 0.95, 0.99
"""Shares of the wrong sounds that lie below what is told of them."""


@dataclass(frozen=True)
class Separation:
    """How the evidence of right sounds stands against that of wrong ones."""

    area: float
    """Under the receiver's operating curve: the chance that a right sound has more evidence than a wrong one."""
    usual: float
    """Evidence that 95 % of the wrong ones stay below."""
    high: float
    """Evidence that 99 % stay below."""
    above_usual: int
    above_high: int
    """Right ones that lie above these."""

    @property
    def spread(self) -> float:
        """Scale of the logistic distribution of wrong evidence through the two limits."""
        return (self.high - self.usual) / (_logit(HIGH) - _logit(USUAL))

    @property
    def middle(self) -> float:
        """Its middle."""
        return self.high - self.spread * _logit(HIGH)


def separate(right: Sequence[float], wrong: Sequence[float]) -> Separation:
    """Compare the evidence of right sounds with that of wrong ones, at least one each.

    >>> found = separate([2.0, 3.0], [0.0, 1.0, 2.0])
    >>> round(found.area, 3), found.above_high
    (0.917, 2)
    """
    ours, theirs = np.array(right, float), np.array(wrong, float)
    area = float((ours[:, None] > theirs).mean() + (ours[:, None] == theirs).mean() / 2)
    usual, high = np.quantile(theirs, (USUAL, HIGH)).tolist()
    return Separation(area, usual, high, int((ours > usual).sum()), int((ours > high).sum()))


def _logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def are_one_recording(one: Speech, other: Speech) -> bool:
    """Say whether two sounds are one recording, moved by up to a tenth of a second."""
    if one is other:
        return True
    count = min(len(one.levels), len(other.levels)) - MOVED
    if count < LEAST:
        return False
    mine, theirs = (np.maximum(speech.levels.astype(np.float32), FLOOR) for speech in (one, other))
    mine = mine[MOVED // 2 : MOVED // 2 + count].ravel()
    lags = range(MOVED + 1)
    return any(np.corrcoef(mine, theirs[lag : lag + count].ravel())[0, 1] > ALIKE for lag in lags)
