"""How picture and sound are compared: by how much must the sound be moved for the mouth to fit it best?

Two sets of curves go in: how a mouth moves, and what a sound would have it do. For every lag a small regression from
sound to mouth is fitted on most of a window and tested on the rest. Where sound and mouth belong together, that
prediction is good at one lag only; how far it stands out against all other lags is the evidence.

The regression has no memory and is pulled towards what is known of mouths, so it can learn how a person speaks, but not
shift anything in time; all filters have zero phase.

Confidence is calibrated on wrong sounds. Nine public clips of speakers and three of sonic-preview were each compared
with nineteen sounds that are not theirs, other people's speech and noise. The logistic distribution below has about the
98th and 99th percentile of their evidence, and the confidence is its distribution function: the share of wrong sounds
with less evidence. With a threshold of 0.99, 3 of these 228 pairs are trusted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import InputError

Curve = NDArray[np.floating[Any]]
Verdict = Literal["constant", "drift", "unsure"]

SHORTEST = 3.0
"""Seconds of picture with a face below which nothing is measured."""
FARTHEST = 0.4
"""Seconds up to which an offset is looked for."""
CONFIDENT = 0.99
"""Confidence from which an offset is trusted."""
BIAS = 0.02
"""Seconds by which sounds are measured late when they are in step: how much a mouth leads its sound, as these curves
see it. Clips of sonic-preview, whose mouths lead by 0.02 s, measure 0.013 to 0.019; the four real clips that are
trusted, or nearly so, measure -0.037, -0.037, 0.016 and 0.062."""

STEP = 0.02
"""Seconds between two lags."""
LAGS = np.arange(-100, 101) * STEP
"""Lags that are compared; those beyond ``FARTHEST`` tell what chance alone gives."""
PEAK = 0.25
"""Seconds around the best lag that belong to its peak."""
WINDOW = 10.0
"""Seconds that are compared at a time, about; a whole number of windows fills the clip."""

_SMOOTH, _TREND = 0.03, 0.6
"""Deviations in seconds of the Gaussians that remove noise and slow change."""
_MEDIAN, _SPREAD = 0.62, 0.25
"""Middle and scale of the logistic distribution of the evidence of wrong sounds."""
_WEIGHTS = np.array([1.0, 0.5, 0.5])
"""What opening, jaw and width count."""
_KNOWN = np.array([[0.4, 0.3, 0.2], [0.2, 0.2, 0.0], *[[0.0] * 3] * 4])
"""Slopes, deviation for deviation, towards which the regression is pulled: from brightness and predicted opening."""
_PULL = 200.0
"""Frames that the pull is worth."""
_FOLDS, _GAP = 6, 0.3
"""Parts of a window, each predicted from the others, and seconds around it that those leave out."""
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
    """(k,) how well mouth and sound fit at each: the weighted sum of three correlations, 2 at most."""

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


def measure_offset(
    motion: Curve, seen: NDArray[np.bool_], fps: Fraction, evidence: Curve, rate: int
) -> SyncMeasurement:
    """Compare a mouth's movement with what a sound would have it do.

    Args:
        motion: (3, n) opening, jaw and width at ``fps``.
        seen: (n,) where they mean something.
        fps: Frames per second.
        evidence: (6, m) curves of the sound at ``rate``, the first two brightness and predicted opening; value i
            belongs to the moment i / rate.
        rate: Values per second.

    Raises:
        InputError: Fewer than ``SHORTEST`` seconds can be compared.
    """
    if seen.sum() < SHORTEST * fps or evidence.shape[1] < SHORTEST * rate:
        raise InputError(
            f"Expected at least {SHORTEST:g} s of a speaking face with sound, got {float(seen.sum() / fps):.1f} s of "
            f"face and {evidence.shape[1] / rate:.1f} s of sound; use a longer clip."
        )
    centres, curves = _window_curves(_filtered(motion, float(fps)), seen, float(fps), _filtered(evidence, rate), rate)
    flat, slope = curves.mean(0), _best_slope(centres, curves)
    slanted, reach = _along(centres, curves, slope), FARTHEST + abs(slope) * np.ptp(centres) / 2
    lasts = abs(slope) * np.ptp(centres)
    drifts = lasts >= _LEAST_DRIFT and _strength(slanted, reach) > _DRIFT_GAIN * max(_strength(flat), _MEDIAN)
    curve, reach = (slanted, reach) if drifts else (flat, FARTHEST)
    confidence = float(1 / (1 + np.exp(-(_strength(curve, reach) - _MEDIAN) / _SPREAD)))
    sure = confidence >= CONFIDENT
    return SyncMeasurement(
        offset=-_peak(curve, reach) - BIAS,
        confidence=confidence,
        verdict=("drift" if drifts else "constant") if sure else "unsure",
        drift=-_fitted_slope(centres, curves, slope, _peak(curve, reach)) if drifts and sure else 0.0,
        offsets=-LAGS[::-1] - BIAS,
        agreement=curve[::-1],
    )


def _filtered(curves: Curve, rate: float) -> Curve:
    """Remove noise and slow change from (k, n) curves, and bring them to one deviation, without shifting them."""
    smooth = ndimage.gaussian_filter1d(curves.astype(np.float64), _SMOOTH * rate, axis=1)
    moving = smooth - ndimage.gaussian_filter1d(smooth, _TREND * rate, axis=1)
    return moving / (moving.std(1, keepdims=True) + 1e-9)


def _window_curves(
    motion: Curve, seen: NDArray[np.bool_], fps: float, evidence: Curve, rate: int
) -> tuple[Curve, Curve]:
    """Compute the windows' middles (w,) in seconds, and the agreement (w, lags) of each."""
    count = motion.shape[1]
    parts = np.array_split(np.arange(count), max(1, round(count / fps / WINDOW)))
    parts = [part[seen[part]] for part in parts]
    parts = [part for part in parts if len(part) >= SHORTEST * fps] or [np.flatnonzero(seen)]
    curves = [
        [_agreement(motion[:, part], _at(evidence, (part / fps - lag) * rate), fps) for lag in LAGS] for part in parts
    ]
    return np.array([part.mean() / fps for part in parts]), np.array(curves)


def _at(curves: Curve, places: Curve) -> Curve:
    """Read (k, n) curves at fractional places (m,); beyond the ends they are 0."""
    left = np.floor(places).astype(int)
    share = places - left
    padded = np.pad(curves, ((0, 0), (1, 2)))
    first, second = (np.clip(left + shift, 0, padded.shape[1] - 1) for shift in (1, 2))
    return padded[:, first] * (1 - share) + padded[:, second] * share


def _agreement(motion: Curve, sound: Curve, fps: float) -> float:
    """Predict each part of a window from the others, and correlate the predictions (3, n) with the truth.

    Args:
        motion: (3, n).
        sound: (6, n) at the same moments.
        fps: Values per second.
    """
    known, wanted = sound - sound.mean(1, keepdims=True), motion - motion.mean(1, keepdims=True)
    wanted = wanted / (wanted.std(1, keepdims=True) + 1e-9)
    count, gap = known.shape[1], round(_GAP * fps)
    square, product = known @ known.T, known @ wanted.T
    predicted = np.empty_like(wanted)
    edges = np.linspace(0, count, _FOLDS + 1).astype(int).tolist()
    for begin, end in pairwise(edges):
        left_out = slice(max(0, begin - gap), end + gap)
        x, y = known[:, left_out], wanted[:, left_out]
        pulled = square - x @ x.T + _PULL * np.eye(len(known))
        slopes = np.linalg.solve(pulled, product - x @ y.T + _PULL * _KNOWN)
        predicted[:, begin:end] = slopes.T @ known[:, begin:end]
    predicted -= predicted.mean(1, keepdims=True)
    norms = np.sqrt((predicted**2).sum(1) * (wanted**2).sum(1)) + 1e-9
    return float(((predicted * wanted).sum(1) / norms) @ _WEIGHTS)


def _strength(curve: Curve, reach: float = FARTHEST) -> float:
    """Weigh how far a curve's peak stands out: its height, in deviations of the rest, and above the next highest."""
    best = _top(curve, reach)
    rest = curve[np.abs(LAGS - LAGS[best]) > PEAK + 1e-6]
    return float(curve[best] + (curve[best] - rest.mean()) / (rest.std() + 1e-6) / 4 + curve[best] - rest.max())


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
        beside = np.where(np.abs(LAGS - middle - slope * centre) <= PEAK / 2, curve, -np.inf)
        lags.append(LAGS[beside.argmax()])
        heights.append(max(float(beside.max()), 1e-3))
    return float(np.polyfit(centres, lags, 1, w=np.sqrt(heights))[0])
