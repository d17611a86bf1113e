"""Figures of curves over time, one value a frame, not a number where nothing is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import medfilt, savgol_filter

from ..curves import spans

Curve = NDArray[np.float64]

SPIKE = 5
"""Frames of a median filter: points that leap for a frame or two are no movement."""
CALM = 7
"""Frames over which movement is calmed (a parabola) before its spread is taken, against a tracker's own trembling."""
SHUT, OPENED = 0.6, 0.75
"""Shares of its usual height below which an eye counts as shut, and above which it is open again."""
RANGE = 5, 95
"""Percentiles between which a curve's range lies."""


def calmed(curve: Curve) -> Curve:
    """Take leaps and trembling out of what is known of a curve (n,): (m,), m ≤ n; too short a one stays as it is."""
    known = curve[np.isfinite(curve)]
    return np.asarray(savgol_filter(medfilt(known, SPIKE), CALM, 2)) if len(known) >= CALM else known


def spread(curve: Curve) -> float | None:
    """Return the standard deviation of a curve (n,) after calming; None where less than ``CALM`` frames are known."""
    calm = calmed(curve)
    return float(calm.std()) if len(calm) >= CALM else None


def usual(curve: Curve) -> float:
    """Return the median of what is known of a curve; not a number where nothing is."""
    known = curve[np.isfinite(curve)]
    return float(np.median(known)) if len(known) else float("nan")


def range_of(curve: Curve) -> float:
    """Return how far apart the ``RANGE`` of what is known of a curve lies; not a number where nothing is."""
    known = curve[np.isfinite(curve)]
    return float(np.ptp(np.percentile(known, RANGE))) if len(known) else float("nan")


def count_blinks(lids: Curve) -> int:
    """Count how often the eyes shut: below ``SHUT`` of their usual height, and above ``OPENED`` of it in between.

    >>> count_blinks(np.array([1, 1, 0.2, 0.7, 0.3, 1, 1, 0.1, 1]))
    2
    """
    known = lids[np.isfinite(lids)]
    if not len(known):
        return 0
    share = known / np.median(known)
    return sum(bool((share[first:last] < SHUT).any()) for first, last in spans(share < OPENED))


def correlations(curve: Curve, truth: Curve, reach: int) -> dict[int, float]:
    """Correlate two curves (n,) at every lag within ``reach`` frames, on the same frames each time.

    What is not a number in ``truth`` is left out. At a positive lag ``truth`` does later what ``curve`` does; not a
    number where one of them stands still, or where less than two frames are left.

    >>> max(correlations(np.eye(1, 20, 8)[0], np.eye(1, 20, 7)[0], 2).items(), key=lambda item: item[1])[0]
    -1
    """
    inside = slice(reach, max(len(truth) - reach, reach))
    seen = np.isfinite(truth[inside])
    wanted, found = truth[inside][seen], {}
    for lag in range(-reach, reach + 1):
        moved = np.roll(curve, lag)[inside][seen]
        moves = len(wanted) > 1 and moved.std() > 0 and wanted.std() > 0
        found[lag] = float(np.corrcoef(moved, wanted)[0, 1]) if moves else float("nan")
    return found


def best_lag(found: dict[int, float]) -> int:
    """Return the lag at which two curves are most alike, the first one where nothing is known of any."""
    return max(found, key=lambda lag: -2.0 if np.isnan(found[lag]) else found[lag])
