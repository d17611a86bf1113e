"""Judge the shipped path on real people: predicted opening against tracked lips. Nothing here is ever trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from scipy import ndimage

from ..errors import MediaError
from ..media.audio import read_track
from ..speech import Speech
from ..speech.motion import ADVANCE
from ..speech.spectrum import LEVEL_RATE
from .statistics import best_lag, correlations

REACH = 2
"""Frames by which sound and picture of a clip may be out of step."""


@dataclass(frozen=True)
class Likeness:
    """How much a curve moves like a clip's tracked lips."""

    at_once: float
    """Correlation at lag 0."""
    best: float
    """The highest within ``REACH`` frames."""
    lag: int
    """Frames at which it is highest; negative: the true mouth comes first."""


@dataclass(frozen=True)
class Judgement:
    """What was found on one clip."""

    name: str
    fps: float
    shown: Likeness
    """The predicted opening, as it is drawn."""
    unclosed: Likeness
    """The same before the mouth is closed in long pauses, where real ones often rest half open."""
    energy: Likeness
    """Log energy, advanced alike."""


def judge_clips(folder: Path) -> list[Judgement]:
    """Judge every ``X.mp4`` of a folder beside which ``X.lips.npz`` lies with ``fps`` and ``aperture`` (n,)."""
    videos = [path for path in sorted(folder.glob("*.mp4")) if path.with_suffix(".lips.npz").exists()]
    return [judge_clip(path) for path in videos]


def judge_clip(video: Path) -> Judgement:
    """Judge one clip."""
    with np.load(video.with_suffix(".lips.npz")) as tracked:
        fps, aperture = float(tracked["fps"]), tracked["aperture"].astype(np.float64)
    with av.open(str(video)) as container:
        first = next(container.decode(video=0))
    audio = read_track(video, float(first.time or 0))
    if audio is None:
        raise MediaError(f"Expected a sound in {video}, got a silent video.")
    times = np.arange(len(aperture)) / fps
    speech = Speech.of(audio)
    curves = (
        speech.motion.at(times).opening,
        speech.read_motion(pauses=False).at(times).opening,
        _energy_at(speech.levels, times + ADVANCE),
    )
    return Judgement(video.stem, fps, *(_likeness(curve, aperture) for curve in curves))


def _likeness(curve: np.ndarray, truth: np.ndarray) -> Likeness:
    """Sum up the correlations of two curves (n,)."""
    found = correlations(curve, truth, REACH)
    lag = best_lag(found)
    return Likeness(found[0], found[lag], lag)


def _energy_at(levels: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Add up the energy of levels (n, bands) in dB, blurred by 50 ms, at ``times`` (m,) in seconds: (m,) dB.

    It is the simplest thing that a mouth could follow.
    """
    total = 10 * np.log10((10 ** (levels.astype(np.float32) / 10)).sum(1))
    total = ndimage.gaussian_filter1d(np.maximum(total, total.max() - 60), 0.05 * LEVEL_RATE)
    return np.interp(times * LEVEL_RATE, np.arange(len(total)), total)
