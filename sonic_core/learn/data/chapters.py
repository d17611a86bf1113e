"""One video becomes clips, chapter by chapter: what a chapter gave is written down when it is done, and done once.

Memory is for a chapter's numbers and some frames, however long the video: it is read twice side by side, once by who
looks at it, once by who cuts out, a chapter behind.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from ...clip import Clip, open_clip
from ...errors import InputError, MediaError, SonicError, SonicWarning
from ...media.ahead import closable, read_ahead
from ...media.files import written_beside
from ...media.threads import single_threaded
from ...types import Audio, FaceFinder, Progress, ignore_progress
from ..tune.watching import FPS, STRIDE, at_rate
from .cutting import SOUND_RATE, Cutter
from .judging import Chapter, Cutting, judge
from .looking import ChapterWatch
from .notes import CLIPS, VERSION
from .plan import DataPlan

STAGE = "look"
"""The name under which progress is reported."""
VERDICTS = "chapters"
"""The folder of what was decided, a file for each chapter."""
SEEN_SIDE = 128
"""Pixels of the smallest square that is used at which it is looked at: larger videos are read smaller for that."""
_NAMED = 40
"""Letters of a video's name that its clips have."""
_MARK = 12
_STRANGE = re.compile(r"[^\w-]+")


class UnwrittenError(SonicError):
    """A clip cannot be written, which says nothing of the video."""


@dataclass(frozen=True)
class DataTask:
    """A video, where its clips go, and what decides on them; a process can be told it."""

    video: Path
    folder: Path
    plan: DataPlan

    @property
    def name(self) -> str:
        """Names the video's clips: its own name, and the mark of all that they depend on."""
        state = self.video.stat()
        told = [str(self.video.resolve()), state.st_size, state.st_mtime_ns, self.plan.key(), VERSION]
        mark = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:_MARK]
        return f"{_STRANGE.sub('_', self.video.stem)[:_NAMED]}-{mark}"

    @property
    def done(self) -> bool:
        """Whether everything is decided."""
        told = self.verdicts()
        return bool(told and told[-1]["last"])

    def verdict(self, chapter: int) -> Path:
        """Name the file of what was decided on a chapter."""
        return self.folder / VERDICTS / f"{self.name}-{chapter:03d}.json"

    def verdicts(self) -> list[dict[str, Any]]:
        """Read what was decided, as far as it was: chapters from the first on."""
        told: list[dict[str, Any]] = []
        while not (told and told[-1]["last"]) and self.verdict(len(told)).is_file():
            told.append(json.loads(self.verdict(len(told)).read_text(encoding="utf-8")))
        return told


def make_clips(task: DataTask, finder: FaceFinder | None = None, progress: Progress = ignore_progress) -> None:
    """Make the clips of a video that are missing, and write down what was decided.

    Args:
        task: The video.
        finder: Finds faces; None takes the best finder that is there.
        progress: Called with ("look", frames done, frames in all).

    Raises:
        UnwrittenError: A clip cannot be written.
    """
    if task.done:
        return
    done = len(task.verdicts())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SonicWarning)
        try:
            with closing(_verdicts(task, done, finder, progress)) as verdicts:
                for verdict in verdicts:
                    remarks = [str(one.message) for one in caught if issubclass(one.category, SonicWarning)]
                    _write(task, done, {**verdict, "remarks": list(dict.fromkeys(remarks))})
                    done += 1
        except (MediaError, InputError) as error:
            _write(task, done, {"unread": str(error), "last": True})


def _write(task: DataTask, number: int, verdict: dict[str, Any]) -> None:
    with written_beside(task.verdict(number)) as part:
        part.write_text(json.dumps({"video": str(task.video), **verdict}, indent=1), encoding="utf-8")


def _verdicts(
    task: DataTask, first: int, finder: FaceFinder | None, progress: Progress
) -> Generator[dict[str, Any], None, None]:
    """Look at chapter after chapter from the ``first`` on, write clips, and tell what was decided."""
    clip, plan = open_clip(task.video), task.plan
    refusal = "no sound" if clip.audio is None else _too_slow(clip, plan)
    if refusal or clip.audio is None:
        yield {"clips": [], "unused": [], "dropped": {refusal: clip.duration}, "last": True}
        return
    small = clip.reduced(int(plan.least_side * plan.size / SEEN_SIDE))
    scale, whole = clip.size[1] / small.size[1], at_rate(clip, FPS)
    spans = chapter_spans(whole.length, plan)
    looked = at_rate(small, FPS).cut(spans[first][0], whole.length - spans[first][0])
    with single_threaded(), closing(Cutter(whole, plan)) as cutter:
        frames = read_ahead(closable(looked.frames()))
        with closing(frames):
            for number, (begin, end) in list(enumerate(spans))[first:]:
                watch = ChapterWatch(end - begin, scale, plan.other_face, finder)
                for frame in frames:
                    watch.see(frame)
                    progress(STAGE, begin + watch.passed, whole.length)
                    if watch.passed == end - begin:
                        break
                sound = _part(clip.audio, begin, end)
                chapter = Chapter(begin, clip.size, watch.seen, watch.motion(), sound)
                cuttings, dropped = judge(chapter, plan)
                told = _cut_out(task, number, cuttings, cutter)
                yield {**told, "dropped": dropped, "last": number + 1 == len(spans)}


def _too_slow(clip: Clip, plan: DataPlan) -> str:
    return f"fewer than {plan.least_fps:g} frames a second" if clip.fps < plan.least_fps else ""


def chapter_spans(length: int, plan: DataPlan) -> list[tuple[int, int]]:
    """Part a video of ``length`` frames in chapters of nearly equal length: (begin, end) of each."""
    count = max(1, round(length / float(FPS) / plan.chapter))
    edges = [length * part // count // STRIDE * STRIDE for part in range(count)] + [length]
    return list(pairwise(edges))


def _part(audio: Audio, begin: int, end: int) -> Audio:
    """Take the sound between two frames, without copying it; silence where there is none."""
    first, last = (round(frame / float(FPS) * audio.rate) for frame in (begin, end))
    samples = audio.samples[:, first:last]
    if not samples.shape[1]:
        samples = torch.zeros(len(audio.samples), last - first)
    return replace(audio, samples=samples, mapped=None)


def _cut_out(task: DataTask, chapter: int, cuttings: list[Cutting], cutter: Cutter) -> dict[str, Any]:
    """Write the clips that are used, each with its note, and tell of all."""
    used, unused = [], []
    for number, cutting in enumerate(cuttings):
        told = {"video": str(task.video), "begin": round(float(cutting.first / FPS), 3), "seconds": cutting.seconds}
        if cutting.reason:
            unused.append({**told, "reason": cutting.reason, **cutting.measures})
            continue
        key = f"{task.name}-{chapter:03d}-{number:03d}"
        note = {
            "key": key,
            **told,
            "frames": cutting.length,
            "fps": int(FPS),
            "rate": SOUND_RATE,
            "size": task.plan.size,
            "square": cutting.square,
            **cutting.measures,
            "made_by": VERSION,
        }
        try:
            cutter.cut(cutting, task.folder / CLIPS / f"{key}.mp4")
        except MediaError as error:
            raise UnwrittenError(str(error)) from error
        with written_beside(task.folder / CLIPS / f"{key}.json") as part:
            part.write_text(json.dumps(note, ensure_ascii=False), encoding="utf-8")
        used.append(note)
    return {"clips": used, "unused": unused}


def seconds_of(told: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Add up the seconds that are not used, by reason."""
    summed: dict[str, float] = {}
    for verdict in told:
        parts = [(one["reason"], one["seconds"]) for one in verdict.get("unused", ())]
        for reason, seconds in [*verdict.get("dropped", {}).items(), *parts]:
            summed[reason] = summed.get(reason, 0.0) + seconds
    return summed
