"""Judge a sync network: how often the right offset is the highest of 31, and how far off a clip's offset is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...sync.agreement import LAG_STEP, PHASES, agreement
from ...sync.network import FRAME_RATE, WINDOW, SyncNetwork
from .pieces import Piece
from .variety import vary_mouth

Curve = NDArray[np.floating[Any]]

OFFSETS = 15
"""Frames to either side within which a window's offset is looked for: 31 offsets, ±0.6 s."""
SECONDS = (0.2, 1.0, 2.0, 5.0)
"""How long what is judged is."""
_REACH = PHASES * OFFSETS + 2


@dataclass(frozen=True, eq=False)
class SyncTrial:
    """A mouth and a sound whose offset is known."""

    curves: Curve
    """(k, n) of the mouth."""
    seen: NDArray[np.bool_]
    """(n,)."""
    fps: float
    levels: Curve
    """(m, bands) mel levels in dB."""
    late: float = 0.0
    """Seconds by which the sound comes late."""
    name: str = ""


@dataclass(frozen=True)
class Score:
    """How well a network does on some trials."""

    within: dict[float, float]
    """By ``SECONDS``: share of windows of so many seconds whose highest offset is at most a frame off; those windows
    that no trial is long enough for are left out."""
    error: float
    """Median distance of a trial's offset from the truth, in seconds."""

    def __str__(self) -> str:
        shares = ", ".join(f"{seconds:g} s {share:.0%}" for seconds, share in self.within.items())
        chance = f"{3 / (2 * OFFSETS + 1):.0%}"
        return (
            f"held out, within a frame of {2 * OFFSETS + 1} (chance {chance}): {shares}; {self.error * 1000:.1f} ms off"
        )


class SyncTrials:
    """Trials that are judged again and again.

    Args:
        trials: At least one.
    """

    def __init__(self, trials: Sequence[SyncTrial]) -> None:
        self.trials = trials

    @classmethod
    def of(cls, pieces: Iterable[Piece], seed: int = 1) -> SyncTrials:
        """Make trials of pieces that nothing is trained on: the worn sound, and a varied mouth."""
        made = []
        for number, piece in enumerate(pieces):
            mouth = vary_mouth(piece.mouth, np.random.default_rng([seed, number]))
            made.append(SyncTrial(mouth, np.ones(mouth.shape[1], bool), FRAME_RATE, piece.rough, name=piece.source))
        return cls(made)

    def judge(self, network: SyncNetwork) -> Score:
        """Score a network, which is left in the mode it was in."""
        training = network.training
        network.eval()
        hits: dict[float, list[float]] = {seconds: [] for seconds in SECONDS}
        errors = []
        for trial in self.trials:
            cosines = agreement(network, trial.curves, trial.seen, trial.fps, trial.levels, reach=_REACH)
            for seconds in SECONDS:
                hits[seconds] += hits_of(cosines, seconds, trial.late)
            errors.append(abs(offset_of(cosines) - trial.late))
        network.train(training)
        shares = {seconds: float(np.mean(some)) for seconds, some in hits.items() if some}
        return Score(shares, float(np.median(errors)))


def hits_of(cosines: Curve, seconds: float, late: float) -> list[float]:
    """Say for each stretch of ``seconds`` whether its highest offset of ``2 OFFSETS + 1`` is at most a frame off.

    Args:
        cosines: As of ``agreement``.
        seconds: How long a stretch is.
        late: Seconds by which the sound comes late.
    """
    middle = cosines.shape[1] // 2
    chosen = middle + PHASES * np.arange(-OFFSETS, OFFSETS + 1)
    rows = cosines[:, chosen]
    rows = rows[np.isfinite(rows).all(1)]
    count = max(1, round(seconds * FRAME_RATE) - WINDOW + 1)
    if len(rows) < count:
        return []
    sums = np.cumsum(np.concatenate([np.zeros((1, rows.shape[1])), rows.astype(np.float64)]), axis=0)
    best = (sums[count:] - sums[:-count]).argmax(1) - OFFSETS
    return (np.abs(best / FRAME_RATE + late) <= 1.01 / FRAME_RATE).astype(float).tolist()


def offset_of(cosines: Curve) -> float:
    """Return by how many seconds the sound comes late over the whole, between two lags by a parabola.

    Not a number where nothing can be compared.
    """
    known = np.isfinite(cosines).sum(0) >= WINDOW
    if not known.any():
        return float("nan")
    curve = np.where(known, np.nansum(cosines, 0) / np.maximum(np.isfinite(cosines).sum(0), 1), -np.inf)
    best = int(np.clip(curve.argmax(), 1, len(curve) - 2))
    before, top, after = curve[best - 1 : best + 2]
    bend = before - 2 * top + after
    part = 0.5 * (before - after) / bend if np.isfinite(bend) and bend < 0 else 0.0
    return float((len(curve) // 2 - best - part) * LAG_STEP)
