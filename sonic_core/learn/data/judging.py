"""Cut what was seen of a chapter into clips, measure each, and say why one is not used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...curves import CURVE_RATE
from ...faces.crop import crop_box
from ...faces.geometry import face_box
from ...speech import Speech
from ...speech.remarks import MUSIC
from ...sync.agreement import agreement
from ...sync.mouth import MouthMotion
from ...sync.network import sync_network
from ...sync.offset import REACH, SHORTEST, SyncMeasurement, evidence_at, measure_offset
from ...types import Audio
from ..tune.watching import FPS, STRIDE, lip_movement
from .looking import Seen
from .plan import DataPlan

NO_FACE = "no face"
SPEAKING = 0.5
"""Chance of speech from which somebody speaks."""
FRAME = 1 / float(FPS)
"""Seconds of a frame: a clip whose own sound is surely further off than the video's is moved by its own offset."""
SILENCE = -120.0
"""dB that nothing at all has."""
_UPSIDE_DOWN = 120.0
"""Degrees of tilt from which it is called so."""


@dataclass(frozen=True, eq=False)
class Chapter:
    """A part of a video that was looked at."""

    first: int
    """Number of its first frame in the video, ``FPS`` a second."""
    size: tuple[int, int]
    """(h, w) of the video's frames."""
    seen: Seen
    motion: MouthMotion
    sound: Audio
    """What is heard meanwhile."""


@dataclass(frozen=True, eq=False)
class Cutting:
    """A clip that could be cut out."""

    first: int
    """Number of its first frame in the video, ``FPS`` a second."""
    length: int
    """Frames."""
    square: tuple[int, int, int, int]
    """What is cut out, in the video's pixels."""
    offset: float = 0.0
    """Seconds by which its sound comes late."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """What was measured, by name."""
    reason: str = ""
    """Why it is not used; empty: it is."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.length / float(FPS)


@dataclass(frozen=True, eq=False)
class _Heard:
    """What is known of a chapter's sound."""

    sound: Audio
    speech: Speech
    cosines: NDArray[np.floating]
    """(frames, lags) how mouth and sound agree."""
    whole: SyncMeasurement | None
    """Of the chapter; None where less is seen than can be measured."""


def judge(chapter: Chapter, plan: DataPlan) -> tuple[list[Cutting], dict[str, float]]:
    """Judge a chapter.

    Returns:
        All clips that could be cut out of it, in order; and the seconds that are in none, by reason.
    """
    seen, left = chapter.seen, len(chapter.motion.seen)
    faceless = sum(points is None for points in seen.points)
    heard = _listen(chapter) if faceless < len(seen.points) else None
    found = []
    for first, end in _runs(seen, plan):
        cutting = _cut(chapter, first, end, plan)
        measures, offset, step = _measured(chapter, heard, (first, end), cutting.square) if heard else ({}, 0.0, "")
        found.append(replace(cutting, measures=measures, offset=offset, reason=_objection(measures, step, plan)))
        left -= cutting.length
    faceless = min(left, faceless * STRIDE)
    dropped = {NO_FACE: faceless, f"less than {plan.least_seconds:g} s between two cuts": left - faceless}
    return found, {reason: count * FRAME for reason, count in dropped.items() if count}


def _listen(chapter: Chapter) -> _Heard:
    speech, motion = Speech.of(chapter.sound), chapter.motion
    cosines = agreement(sync_network(), motion.signals, motion.seen, float(FPS), speech.levels, reach=REACH)
    enough = np.isfinite(cosines).any(1).sum() >= SHORTEST * float(FPS) / 2
    return _Heard(chapter.sound, speech, cosines, measure_offset(cosines) if enough else None)


def _runs(seen: Seen, plan: DataPlan) -> Iterator[tuple[int, int]]:
    """List where the face is there within one scene, in parts of nearly equal length that are long enough."""
    rate = float(FPS) / STRIDE
    least, most = math.ceil(plan.least_seconds * rate), math.floor(plan.most_seconds * rate)
    begin = 0
    for number in range(len(seen.points) + 1):
        there = number < len(seen.points) and seen.points[number] is not None
        if there and number not in seen.scenes:
            continue
        if number - begin >= least:
            parts = -(-(number - begin) // max(least, most))
            while parts > 1 and (number - begin) // parts < least:
                parts -= 1
            yield from pairwise(begin + (number - begin) * part // parts for part in range(parts + 1))
        begin = number if there else number + 1


def _cut(chapter: Chapter, first: int, end: int, plan: DataPlan) -> Cutting:
    """Lay a square around where the face is."""
    boxes = _boxes(chapter.seen, first, end)
    middle = (boxes[:, :2].min(0) + boxes[:, 2:].max(0)) / 2
    half = np.median(boxes[:, 2:] - boxes[:, :2], axis=0) / 2
    left, top, right, bottom = (float(side) for side in (*(middle - half), *(middle + half)))
    square = crop_box(chapter.size, (left, top, right, bottom), plan.expand_ratio)
    last = min(end * STRIDE, len(chapter.motion.seen))
    return Cutting(chapter.first + first * STRIDE, last - first * STRIDE, square)


def _boxes(seen: Seen, first: int, end: int) -> NDArray[np.float64]:
    return np.array([face_box(points) for points in seen.points[first:end] if points is not None])


def _measured(
    chapter: Chapter, heard: _Heard, span: tuple[int, int], square: tuple[int, int, int, int]
) -> tuple[dict[str, float], float, str]:
    """Measure a clip: by name, the offset of its sound, and what is said against that."""
    (first, end), (left, top, right, bottom) = span, square
    seen, boxes = chapter.seen, _boxes(chapter.seen, first, end)
    inside = (boxes[:, :2] >= (left, top)).all(1) & (boxes[:, 2:] <= (right, bottom)).all(1)
    yaw, pitch, roll = np.percentile(np.abs(seen.poses[first:end]), 90, axis=0)
    offset, confidence, agrees, step = _in_step(heard, first * STRIDE, end * STRIDE)
    points = np.stack([one for one in seen.points[first:end] if one is not None])
    measures = {
        "side": right - left,
        "outside": 1 - float(inside.mean()),
        "faces": max((count for place, count in seen.faces.items() if first <= place < end), default=1),
        "yaw": float(yaw),
        "pitch": float(pitch),
        "roll": float(roll),
        "light": _median(seen.light, first, end),
        "sharpness": _median(seen.sharpness, first, end),
        "loudness": _loudness(heard.sound, first * STRIDE + offset / FRAME, end * STRIDE + offset / FRAME),
        "speech": _share(heard.speech, first * STRIDE * FRAME + offset, end * STRIDE * FRAME + offset),
        "music": float(MUSIC in heard.speech.remarks),
        "movement": lip_movement(points),
        "offset": offset,
        "confidence": confidence,
        "agreement": agrees,
    }
    return {name: round(float(value), 4) for name, value in measures.items()}, offset, step


def _in_step(heard: _Heard, begin: int, end: int) -> tuple[float, float, float, str]:
    """Say by how much the sound of some frames is late, how sure that is, how far both agree, and what is wrong.

    The whole chapter tells more than a clip of some seconds. A clip that surely says otherwise, as in a film that was
    put together of several, is believed nevertheless.
    """
    cosines, whole = heard.cosines[begin:end], heard.whole
    known = np.isfinite(cosines).any(1).sum() >= float(FPS)
    own = measure_offset(cosines) if known else None
    if own is not None and own.confident and (whole is None or not _near(own, whole)):
        return own.offset, own.confidence, evidence_at(cosines, own.offset), ""
    if whole is None or whole.verdict == "unsure":
        confidence = 0.0 if whole is None else whole.confidence
        return 0.0, confidence, evidence_at(cosines, 0.0), "it cannot be told whether picture and sound are in step"
    agrees = evidence_at(cosines, whole.offset)
    drifts = whole.verdict == "drift"
    return whole.offset, whole.confidence, agrees, "the sound drifts away from the picture" if drifts else ""


def _near(own: SyncMeasurement, whole: SyncMeasurement) -> bool:
    return whole.confident and abs(own.offset - whole.offset) <= FRAME


def _objection(measures: Mapping[str, float], step: str, plan: DataPlan) -> str:
    """Say why a clip is not used; empty: it is."""
    if not measures:
        return NO_FACE
    unsure = {} if plan.keep_unsure else {step: bool(step), "another voice than this face's": _strange(measures, plan)}
    faults = {
        f"the face is too small for {plan.size} pixels": measures["side"] < plan.least_side * plan.size,
        "more faces than one" if plan.most_faces == 1 else "too many faces": measures["faces"] > plan.most_faces,
        "upside down": measures["roll"] > max(plan.most_roll, _UPSIDE_DOWN),
        "the head is tilted": measures["roll"] > plan.most_roll,
        "the head is turned away": measures["yaw"] > plan.most_yaw or measures["pitch"] > plan.most_pitch,
        "the face leaves its square": measures["outside"] > plan.most_outside,
        "too dark": measures["light"] < plan.darkest,
        "too bright": measures["light"] > plan.brightest,
        "blurred": measures["sharpness"] < plan.least_sharpness,
        "silence": measures["loudness"] < plan.quietest,
        "music or noise without a voice": bool(measures["music"]),
        "too little speech": measures["speech"] < plan.least_speech,
        "the mouth hardly moves": measures["movement"] < plan.least_movement,
        **unsure,
        "too far out of step": abs(measures["offset"]) > plan.most_offset,
    }
    return next((reason for reason, holds in faults.items() if holds), "")


def _strange(measures: Mapping[str, float], plan: DataPlan) -> bool:
    return measures["agreement"] < plan.least_agreement


def _median(values: Mapping[int, float], first: int, end: int) -> float:
    """Return the median of what was measured of a span, or next to it where nothing was; 0 where nothing ever was."""
    inside = [value for place, value in values.items() if first <= place < end]
    if not inside and values:
        inside = [values[min(values, key=lambda place: min(abs(place - first), abs(place - end)))]]
    return float(np.median(inside)) if inside else 0.0


def _loudness(sound: Audio, first: float, end: float) -> float:
    """Measure the loudness between two frames of a chapter, in dB of full scale."""
    begin, stop = (max(0, round(frame * FRAME * sound.rate)) for frame in (first, end))
    part = sound.samples[:, begin:stop]
    power = float(part.square().mean()) if part.numel() else 0.0
    return 10 * math.log10(max(power, 10 ** (SILENCE / 10)))


def _share(speech: Speech, begin: float, end: float) -> float:
    """Measure in which share of some seconds somebody speaks."""
    part = speech.activity[max(0, round(begin * CURVE_RATE)) : max(0, round(end * CURVE_RATE))]
    return float((part > SPEAKING).mean()) if len(part) else 0.0
