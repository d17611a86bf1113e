"""By how much must a sound be moved for the mouth to fit it best, and how sure is that?

What goes in are cosines between windows of a mouth and of its sound, at every moment and every lag (``agreement``).
Their mean over a clip has a peak where both belong together. The mean of n cosines of strangers shrinks with √n, so the
evidence is the height of the peak above the other lags times the root of the seconds that were compared, and means the
same for any length.

Confidence is calibrated on wrong sounds: the logistic distribution below has the 95th and 99th percentile of their
evidence, and the confidence is its distribution function: the share of wrong sounds with less evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .agreement import LAG_STEP
from .network import FRAME_RATE

Curve = NDArray[np.floating[Any]]
Verdict = Literal["constant", "drift", "unsure"]

SHORTEST = 3.0
"""Seconds of picture with a face below which nothing is measured."""
FARTHEST = 0.4
"""Seconds up to which an offset is looked for."""
CONFIDENT = 0.99
"""Confidence from which an offset is trusted."""
STEP = LAG_STEP
"""Seconds between two lags."""
REACH = 100
"""Steps up to which sounds are moved: beyond ``FARTHEST`` for those that drift."""
LAGS = np.arange(-REACH, REACH + 1) * STEP
"""Lags that are compared."""
PEAK = 0.16
"""Seconds around the best lag that belong to its peak."""
BESIDE = 0.125
"""Seconds beside a drift within which a part's own peak is looked for."""
PART = 5.0
"""Seconds of which a drift is told, about; a whole number of parts fills the clip."""

_MIDDLE, _SPREAD = 0.177, 0.071
"""Middle and scale of the logistic distribution of the evidence of wrong sounds, in √s (``benchmarks/sync.py``)."""
_LEAST = FRAME_RATE
"""Frames that must be compared at a lag for it to count."""
_SLOPES = np.linspace(-0.045, 0.045, 91)
"""Drifts that are tried, in seconds per second: 25 for 24 frames per second is 0.042."""
_LEAST_DRIFT, _DRIFT_GAIN = 0.06, 1.12
"""Seconds over the whole clip, and factor in evidence over a constant offset, from which an offset drifts."""
_MOST_DRIFT = 1.0
"""Seconds over half the clip; more leaves too few lags that tell what chance gives."""


@dataclass(frozen=True, eq=False)
class SyncMeasurement:
    """How picture and sound of a clip fit together."""

    offset: float
    """Seconds by which the sound comes late; negative: early. With a drift, in the middle of the clip."""
    confidence: float
    """Share of wrong sounds that would fit worse, in [0, 1]; from ``CONFIDENT`` on the offset is trusted."""
    verdict: Verdict
    """``constant``: the offset is the same everywhere; ``drift``: it changes; ``unsure``: it cannot be told."""
    drift: float
    """Seconds per second by which the sound falls behind; 0 unless the verdict is ``drift``."""
    offsets: Curve = field(repr=False)
    """(k,) offsets in seconds that were compared, ascending."""
    agreement: Curve = field(repr=False)
    """(k,) how well mouth and sound fit at each: the mean cosine of what both look like, 1 at most."""

    @property
    def confident(self) -> bool:
        """Whether the offset is constant and trusted."""
        return self.verdict == "constant"

    def __str__(self) -> str:
        """Say it in words."""
        late = f"the sound comes {abs(self.offset) * 1000:.0f} ms {'late' if self.offset >= 0 else 'early'}"
        sure = f"confidence {self.confidence:.3f}"
        if self.verdict == "unsure":
            return f"it cannot be told whether picture and sound are in step ({sure})"
        if self.verdict == "drift":
            return f"the sound drifts by {self.drift * 1000:+.1f} ms a second; in the middle {late} ({sure})"
        return f"{late} ({sure})"


def measure_offset(cosines: Curve) -> SyncMeasurement:
    """Find the lag at which a mouth and a sound agree best.

    Args:
        cosines: (n, ``LAGS``) at ``FRAME_RATE``, as of ``agreement``; not a number where nothing is known.
    """
    known = np.isfinite(cosines)
    seconds = float(known.any(1).sum()) / FRAME_RATE
    centres, curves = _part_curves(np.where(known, cosines, 0.0), known)
    flat, slope = _mean(np.where(known, cosines, 0.0).sum(0), known.sum(0)), _best_slope(centres, curves)
    slanted, reach = _along(centres, curves, slope), FARTHEST + abs(slope) * np.ptp(centres) / 2
    lasts = abs(slope) * np.ptp(centres)
    drifts = lasts >= _LEAST_DRIFT and _evidence(slanted, seconds, reach) > max(
        _DRIFT_GAIN * _evidence(flat, seconds), _MIDDLE
    )
    curve, reach = (slanted, reach) if drifts else (flat, FARTHEST)
    confidence = confidence_of(_evidence(curve, seconds, reach))
    sure = confidence >= CONFIDENT
    return SyncMeasurement(
        offset=-_peak(curve, reach),
        confidence=confidence,
        verdict=("drift" if drifts else "constant") if sure else "unsure",
        drift=-_fitted_slope(centres, curves, slope, _peak(curve, reach)) if drifts and sure else 0.0,
        offsets=-LAGS[::-1],
        agreement=curve[::-1],
    )


def evidence_of(cosines: Curve) -> float:
    """Return the height of the peak times the root of the seconds that were compared, if the offset is constant."""
    known = np.isfinite(cosines)
    flat = _mean(np.where(known, cosines, 0.0).sum(0), known.sum(0))
    return _evidence(flat, float(known.any(1).sum()) / FRAME_RATE)


def evidence_at(cosines: Curve, offset: float) -> float:
    """Return how far a part of a clip agrees with its sound at an offset that is known from the whole, in √s.

    Wrong sounds have 0 in the mean, whereas ``evidence_of`` looks for a peak and finds one in everything.

    Args:
        cosines: (n, ``LAGS``) of the part.
        offset: Seconds by which the sound comes late.
    """
    known = np.isfinite(cosines)
    curve = _mean(np.where(known, cosines, 0.0).sum(0), known.sum(0))
    apart = np.abs(LAGS + offset)
    others = curve[(apart > PEAK) & (curve != 0)]
    height = float(curve[apart <= STEP].max()) - max(0.0, float(others.mean()) if len(others) else 0.0)
    return height * (float(known.any(1).sum()) / FRAME_RATE) ** 0.5


def confidence_of(evidence: float) -> float:
    """Return the share of wrong sounds with less evidence."""
    return float(1 / (1 + np.exp(-(evidence - _MIDDLE) / _SPREAD)))


def _part_curves(cosines: Curve, known: NDArray[np.bool_]) -> tuple[Curve, Curve]:
    """Compute the middles (w,) of a clip's parts in seconds, and the mean cosine of each at every lag (w, lags)."""
    parts = np.array_split(np.arange(len(cosines)), max(1, round(len(cosines) / FRAME_RATE / PART)))
    enough = [part for part in parts if known[part].any(1).sum() >= _LEAST] or [np.arange(len(cosines))]
    curves = [_mean(cosines[part].sum(0), known[part].sum(0)) for part in enough]
    return np.array([part.mean() / FRAME_RATE for part in enough]), np.array(curves)


def _mean(sums: Curve, counts: NDArray[np.integer]) -> Curve:
    """Divide sums of cosines by how many there were; 0 where there were too few to tell."""
    return np.where(counts >= _LEAST, sums / np.maximum(counts, 1), 0.0)


def _evidence(curve: Curve, seconds: float, reach: float = FARTHEST) -> float:
    """Weigh how far a curve's peak is above the other lags, for what was compared.

    Their mean is taken off: what a still mouth looks like agrees with speech a little at every lag, and in a long clip
    a little is much.
    """
    best = _top(curve, reach)
    others = curve[(np.abs(LAGS - LAGS[best]) > PEAK) & (curve != 0)]
    return float(curve[best] - max(0.0, others.mean() if len(others) else 0.0)) * seconds**0.5


def _top(curve: Curve, reach: float) -> int:
    """Return the index of the highest value among the lags up to ``reach`` seconds."""
    return int(np.where(np.abs(LAGS) <= reach + 1e-6, curve, -np.inf).argmax())


def _peak(curve: Curve, reach: float = FARTHEST) -> float:
    """Return the lag of the peak, between two steps by a parabola."""
    best = _top(curve, reach)
    before, top, after = curve[best - 1 : best + 2]
    bend = before - 2 * top + after
    return float(LAGS[best] + (STEP * 0.5 * (before - after) / bend if bend < 0 else 0.0))


def _along(centres: Curve, curves: Curve, slope: float) -> Curve:
    """Average the windows' curves (w, lags), each shifted by what a drift has become at its middle."""
    shifts = slope * (centres - centres.mean()) / STEP
    places = np.arange(len(LAGS)) + shifts[:, None]
    rows = [np.interp(place, np.arange(len(LAGS)), curve) for place, curve in zip(places, curves, strict=True)]
    return np.mean(rows, axis=0)


def _best_slope(centres: Curve, curves: Curve) -> float:
    """Return the drift along which the windows agree best, of those that stay within what is looked at."""
    if len(centres) < 3:
        return 0.0
    half = np.ptp(centres) / 2
    best, height = 0.0, -np.inf
    for slope in sorted(_SLOPES[np.abs(_SLOPES) * half <= _MOST_DRIFT], key=abs):
        within = np.abs(LAGS) <= FARTHEST + abs(slope) * half + 1e-6
        top = float(_along(centres, curves, slope)[within].max())
        if top > height:
            best, height = float(slope), top
    return best


def _fitted_slope(centres: Curve, curves: Curve, slope: float, middle: float) -> float:
    """Lay a line through the windows' own peaks, which are looked for beside the line that is known roughly."""
    lags, heights = [], []
    for centre, curve in zip(centres - centres.mean(), curves, strict=True):
        beside = np.where(np.abs(LAGS - middle - slope * centre) <= BESIDE, curve, -np.inf)
        lags.append(LAGS[beside.argmax()])
        heights.append(max(float(beside.max()), 1e-3))
    return float(np.polyfit(centres, lags, 1, w=np.sqrt(heights))[0])
