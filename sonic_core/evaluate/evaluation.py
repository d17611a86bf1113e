"""Evaluate a talking video: one pass over its frames, one over its sound, one report."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from ..clip import Clip
from ..speech import Speech
from ..types import FaceFinder, Progress, ignore_progress
from ..weights.search import Weights
from .face import NAMES, FaceCurves, proportions_apart
from .lips import measure_lips
from .portrait import Still
from .report import ClipReport
from .scores.finding import SCORED, Scores, find_scores
from .statistics import count_blinks, range_of, spread
from .watching import Watch

LEAST_SEEN = 0.25
"""Share of the frames in which a face must be read to say anything of it."""
LEAST_SECONDS = 2.0
"""Seconds of a seen face below which blinks are not counted."""
STILL = {"mouth": 0.01, "yaw": 0.02, "pitch": 0.02, "roll": 0.02, "brows": 0.0005}
"""Movement of a reference below which nothing is told as a share of it, in the measure's own unit."""
NO_REFERENCE, NO_PORTRAIT = "no reference was given", "no portrait was given"


@dataclass
class _Figures:
    """Values and reasons as they come in."""

    values: dict[str, float | None] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: float | None, why: str) -> None:
        """Keep a value, or why there is none."""
        self.values[name] = value
        if value is None:
            self.missing[name] = why


def check_portrait(portrait: torch.Tensor) -> None:
    """Raise where a picture is no portrait to measure likeness with: before a video is made for that.

    Args:
        portrait: (3, h, w).

    Raises:
        FaceNotFoundError: There is no face in it.
    """
    Still.of(portrait)


def evaluate_clip(
    clip: Clip,
    *,
    portrait: torch.Tensor | None = None,
    reference: Clip | None = None,
    reference_report: ClipReport | None = None,
    finder: FaceFinder | None = None,
    weights: Weights = (),
    scores: Scores | None = None,
    name: str = "",
    progress: Progress = ignore_progress,
) -> ClipReport:
    """Measure everything about a talking video, with networks of others too where their weights are here.

    Args:
        clip: Read once; a handful of its frames are in memory at a time.
        portrait: (3, h, w) the picture that it was made of: for sharpness, identity, and what changed around the face.
        reference: The same performance as it should look, a real clip: for ratios of movement, PSNR and SSIM. It is
            compared frame by frame at equal times, and scored itself, so that every score has the real one beside it.
        reference_report: That score, if somebody has it already.
        finder: Finds the face; None takes the best finder that is there.
        weights: Folders in which weights of other networks are looked for first; nothing is fetched.
        scores: Those networks, if somebody has loaded them already.
        name: What the report is called.
        progress: Called with ("evaluate", frames done, frames in all), for the reference first.

    Raises:
        FaceNotFoundError: There is no face in the portrait.
    """
    scores = find_scores(weights) if scores is None else scores
    if reference is not None and reference_report is None:
        reference_report = evaluate_clip(
            reference, portrait=portrait, finder=finder, scores=scores, name="reference", progress=progress
        )
    watch = Watch(clip, None if portrait is None else Still.of(portrait), reference, finder, scores)
    watch.read(progress)
    return report(watch, clip, reference_report, name)


def report(watch: Watch, clip: Clip, reference: ClipReport | None = None, name: str = "") -> ClipReport:
    """Sum up what was seen of a clip, and listen to it.

    Args:
        watch: What looked at every frame of it.
        clip: Its picture is not read again, so that another sound costs little.
        reference: What the real clip scores.
        name: What the report is called.
    """
    face, figures = watch.face.curves(), _Figures()
    predicted = _add_lips(figures, face, watch, clip)
    _add_movement(figures, face, float(clip.fps))
    _add_ratios(figures, reference)
    _add_picture(figures, watch)
    _add_portrait(figures, watch, face, reference)
    _add_scores(figures, watch)
    return ClipReport(
        name=name,
        length=clip.length,
        fps=float(clip.fps),
        size=clip.size,
        seen=float(face.seen.mean()) if clip.length else 0.0,
        cuts=watch.steadiness.cuts,
        **figures.values,
        missing=figures.missing,
        reference=reference,
        curves={key: getattr(face, key) for key in NAMES} | {"predicted": predicted, "warping": watch.steadiness.apart},
        shape=face.shape,
        moments=tuple(watch.moments),
    )


def _add_lips(figures: _Figures, face: FaceCurves, watch: Watch, clip: Clip) -> NDArray[np.float64]:
    """Add what lips and sound say together; return the opening that the sound predicts, (n,) in I."""
    names = ("offset", "confidence", "correlation", "closures", "closures_kept", "silent_opening")
    why = "the video has no sound" if clip.audio is None else _unseen(face)
    if clip.audio is None or why:
        for name in names:
            figures.add(name, None, why)
        return np.full(len(face.opening), np.nan)
    speech, fps = Speech.of(clip.audio), float(clip.fps)
    found = measure_lips(face.opening, watch.motion, speech, fps)
    figures.add("offset", None if found.sync is None else 1000 * found.sync.offset, found.refused)
    figures.add("confidence", None if found.sync is None else found.sync.confidence, found.refused)
    figures.add("correlation", found.correlation, "nobody is heard and seen speaking for long enough")
    figures.add("closures", float(found.closures), "")
    figures.add(
        "closures_kept",
        None if found.kept is None else 100 * found.kept,
        "no p, b or m was heard clearly while a face was seen",
    )
    figures.add("silent_opening", found.silent_opening, "nobody is silent for long enough")
    predicted = speech.motion.at(np.arange(len(face.opening)) / fps).opening.astype(np.float64)
    return _in_range_of(predicted, face.opening)


def _in_range_of(curve: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring a curve to where another lies, so that both can be drawn."""
    known = other[np.isfinite(other)]
    if not len(known) or not curve.std():
        return curve
    return (curve - curve.mean()) / curve.std() * known.std() + known.mean()


def _unseen(face: FaceCurves) -> str:
    """Say why nothing is told of the face; nothing where it is seen."""
    seen = face.seen
    return "" if len(seen) and seen.mean() >= LEAST_SEEN else f"a face was read in {seen.sum()} of {len(seen)} frames"


def _add_movement(figures: _Figures, face: FaceCurves, fps: float) -> None:
    why = _unseen(face) or "the face is seen too shortly"
    told = not _unseen(face)
    known = face.opening[face.seen]
    figures.add("mouth", range_of(known) if told else None, why)
    for name in ("yaw", "pitch", "roll", "brows"):
        figures.add(name, spread(getattr(face, name)) if told else None, why)
    seconds = len(known) / fps
    enough = told and seconds >= LEAST_SECONDS
    figures.add("blinks", 60 * count_blinks(face.lids) / seconds if enough else None, why)
    sides = [spread(np.where(face.awake, curve, np.nan)) for curve in (face.gaze_x, face.gaze_y)] if told else [None]
    known_sides = [side for side in sides if side is not None]
    figures.add("gaze", math.hypot(*known_sides) if len(known_sides) == len(sides) else None, why)


def _add_ratios(figures: _Figures, reference: ClipReport | None) -> None:
    shares: dict[str, float | None] = {}
    for name, least in STILL.items():
        own, other = figures.values[name], getattr(reference, name, None)
        shares[name] = own / other if own is not None and other is not None and other >= least else None
    turns = [shares[name] for name in ("yaw", "pitch", "roll")]
    known = [share for share in turns if share is not None]
    head = math.prod(known) ** (1 / len(known)) if len(known) == len(turns) else None
    why = NO_REFERENCE if reference is None else "one of the two is not seen, or the reference hardly moves"
    for name, share in (("mouth_ratio", shares["mouth"]), ("head_ratio", head), ("brows_ratio", shares["brows"])):
        figures.add(name, share, why)


def _add_picture(figures: _Figures, watch: Watch) -> None:
    why = "there are too few frames without a cut between them"
    figures.add("flicker", watch.steadiness.flicker, why)
    figures.add("warping", watch.steadiness.warping, why)
    for name, values in (("psnr", watch.psnr), ("ssim", watch.ssim)):
        figures.add(name, float(np.mean(values)) if values else None, NO_REFERENCE)


def _add_portrait(figures: _Figures, watch: Watch, face: FaceCurves, reference: ClipReport | None) -> None:
    still = watch.still
    shape = still.shape if still is not None else getattr(reference, "shape", None)
    why = "neither a portrait nor a reference with a face was given" if shape is None else _unseen(face)
    apart = proportions_apart(face.shape, shape) if face.shape is not None and shape is not None and not why else None
    figures.add("identity", apart, why)
    small = "the face is too small, or not seen"
    shares = [meter.sharpness for meter in watch.sharpness] or [None, None]
    for name, share in zip(("sharpness", "mouth_sharpness"), shares, strict=True):
        figures.add(name, share, NO_PORTRAIT if still is None else small)
    why = "neither a portrait nor a reference was given" if still is None and reference is None else small
    unlike = "the portrait could not be laid over the video: it shows another picture"
    figures.add(
        "changed", None if watch.changes.changed is None else 100 * watch.changes.changed, why if watch.fits else unlike
    )


def _add_scores(figures: _Figures, watch: Watch) -> None:
    """Add what networks of others measured, or why they did not."""
    found: dict[str, float | str] = dict(watch.scores.missing)
    for meter in watch.meters:
        found |= meter.values()
    for name in SCORED:
        value = found.get(name, "")
        figures.add(name, *((None, value) if isinstance(value, str) else (value, "")))
