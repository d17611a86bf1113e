"""Lips and sound together: when they fit best, how well, and whether lips shut where the sound says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..curves import CURVE_RATE, spans
from ..errors import InputError
from ..speech import Speech
from ..speech.motion import CLOSURE_ADVANCE
from ..sync.compare import compare
from ..sync.mouth import MouthMotion
from ..sync.offset import FARTHEST, STEP, SyncMeasurement
from .statistics import Curve

CLOSED = 0.085
"""Gap in I up to which lips count as shut: of pressed ones, drawn and real, the mesh reads 0.02 to 0.075."""
PRESSED = 0.7
"""Chance of p, b or m from which lips should be shut."""
AROUND = 0.06
"""Seconds before and after a closure in which lips may be shut for it: one and a half frames at 25 a second."""
TREND = 0.6
"""Deviation in seconds of the Gaussian whose curve is taken away before lips and sound are correlated: how wide a mouth
stands open on the whole is no speech."""
FLAT = 1e-9
"""Product of two deviations below which one of the curves does not move."""
QUIET, EASE = 0.2, 0.15
"""Chance of speech below which a moment is silent, and seconds for which it must have been and must stay so."""
LEAST_SILENCE, LEAST_SPEECH = 0.4, 1.0
"""Seconds of silence, and of a seen face with sound, below which nothing is said of them."""


@dataclass(frozen=True)
class LipFigures:
    """What is known of lips and sound; None where there is too little of either."""

    sync: SyncMeasurement | None
    correlation: float | None
    """Highest correlation of the lips' gap with the opening that the sound predicts, within ``FARTHEST`` seconds."""
    closures: int
    """Times that p, b or m was heard while a face was seen."""
    kept: float | None
    """Share of them in which the lips shut."""
    silent_opening: float | None
    """Mean gap in silence, I."""
    refused: str = ""
    """Why there is no ``sync``."""


def measure_lips(opening: Curve, motion: MouthMotion | None, speech: Speech, fps: float) -> LipFigures:
    """Compare a mouth with the sound that goes with it.

    Args:
        opening: (n,) gap between the lips in I, not a number where no face is seen.
        motion: The same mouth as ``sync`` sees it; None where there is none.
        speech: The sound, which begins with the first frame.
        fps: Frames per second.
    """
    sync, refused = None, "there is no face in most of it"
    if motion is not None:
        try:
            sync = compare(motion, speech)
        except InputError as error:
            refused = str(error)
    correlation = correlate(opening, speech, fps)
    late = sync.offset if sync is not None and sync.confident else 0.0
    closures, kept = count_closures(opening, speech, fps, late)
    return LipFigures(sync, correlation, closures, kept, silent_opening(opening, speech, fps, late), refused)


def correlate(opening: Curve, speech: Speech, fps: float) -> float | None:
    """Correlate the lips' gap with the opening that a sound predicts, both without their slow change.

    Args:
        opening: (n,) in I, not a number where no face is seen.
        speech: The sound.
        fps: Frames per second.

    Returns:
        The highest correlation within ``FARTHEST`` seconds; None where there is too little.
    """
    times = np.arange(len(opening)) / fps
    seen = np.isfinite(opening) & (times < speech.duration)
    if speech.silent or seen.sum() < LEAST_SPEECH * fps:
        return None
    moving = _without_trend(opening, fps)
    predicted = speech.read_motion()
    found = []
    for late in np.arange(-FARTHEST, FARTHEST + STEP / 2, STEP):
        asked = _without_trend(predicted.at(times + late).opening.astype(np.float64), fps)
        found.append(_correlation(moving[seen], asked[seen]))
    return max(found)


def _without_trend(curve: Curve, fps: float) -> Curve:
    """Take a curve's slow change away, over gaps too."""
    known = np.isfinite(curve)
    filled = np.where(known, curve, 0.0)
    weight = ndimage.gaussian_filter1d(known.astype(np.float64), TREND * fps, mode="constant")
    return curve - ndimage.gaussian_filter1d(filled, TREND * fps, mode="constant") / np.maximum(weight, 1e-9)


def _correlation(one: Curve, other: Curve) -> float:
    spread = float(one.std() * other.std())
    return float(((one - one.mean()) * (other - other.mean())).mean()) / spread if spread > FLAT else 0.0


def count_closures(opening: Curve, speech: Speech, fps: float, late: float = 0.0) -> tuple[int, float | None]:
    """Count the moments in which p, b or m is heard, and the share of them in which the lips shut.

    Args:
        opening: (n,) in I, not a number where no face is seen.
        speech: The sound.
        fps: Frames per second.
        late: Seconds by which it comes late.
    """
    seen = kept = 0
    for first, last in spans(speech.motion.closure > PRESSED):
        begin, end = (moment / CURVE_RATE - CLOSURE_ADVANCE - late for moment in (first, last - 1))
        frames = slice(max(0, int(np.ceil((begin - AROUND) * fps))), max(0, int((end + AROUND) * fps) + 1))
        gaps = opening[frames]
        gaps = gaps[np.isfinite(gaps)]
        if len(gaps):
            seen, kept = seen + 1, kept + int(gaps.min() <= CLOSED)
    return seen, kept / seen if seen else None


def silent_opening(opening: Curve, speech: Speech, fps: float, late: float = 0.0) -> float | None:
    """Average the lips' gap over what is silent, pauses between words left out; None where there is too little."""
    quiet = speech.activity < QUIET
    quiet = ndimage.binary_erosion(quiet, iterations=round(EASE * CURVE_RATE), border_value=1)
    places = np.round((np.arange(len(opening)) / fps + late) * CURVE_RATE).astype(int)
    inside = (places >= 0) & (places < len(quiet))
    silent = np.zeros(len(opening), bool)
    silent[inside] = quiet[places[inside]]
    gaps = opening[silent & np.isfinite(opening)]
    return float(gaps.mean()) if len(gaps) >= LEAST_SILENCE * fps else None
