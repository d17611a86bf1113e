"""Many videos become one set: several processes share them, and what is done is done once, whoever is stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...batch.crew import Crew, hand_out
from ...batch.journal import locked
from ...errors import MediaError, SonicError
from ...faces.finder import face_finder
from ...media.files import file_errors
from ...media.unfinished import remove
from ...types import Progress, ignore_progress
from .chapters import VERDICTS, DataTask, make_clips, seconds_of
from .notes import CLIPS, MANIFEST, write_lines
from .plan import DataPlan
from .shards import SHARDS, write_shards

STAGE = "videos"
"""The name under which progress is reported."""
UNUSED = "unused.jsonl"
"""The list of clips that are not used, with their measures and the reason."""
TRIES = 2
"""How often a video is begun whose process was lost."""
_LOCK, _HALF = ".lock", ".sonic-*.part*"
"""The file that whoever is at work holds, and how files are called that are not done."""
_log = logging.getLogger("sonic")


@dataclass
class DataSet:
    """What became of some videos."""

    clips: list[dict[str, Any]] = field(default_factory=list)
    """Notes of the clips, in the videos' order."""
    unused: list[dict[str, Any]] = field(default_factory=list)
    """What could have been clips and is not used, with the reason."""
    dropped: dict[str, float] = field(default_factory=dict)
    """Seconds that are not used, by reason."""
    unread: dict[str, str] = field(default_factory=dict)
    """Videos that could not be used, and why."""
    shards: list[Path] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Length of all clips."""
        return sum(clip["seconds"] for clip in self.clips)

    def table(self) -> str:
        """Say what is used and what is not, and why, the greatest part first."""
        whole = self.seconds + sum(self.dropped.values())
        counts: dict[str, int] = {}
        for one in self.unused:
            counts[one["reason"]] = counts.get(one["reason"], 0) + 1
        rows = [("used", len(self.clips), self.seconds)]
        rows += [(reason, counts.get(reason, 0), seconds) for reason, seconds in self._by_length()]
        lines = ["| | clips | seconds | share |", "|---|---|---|---|"]
        lines += [
            f"| {name} | {count} | {seconds:.1f} | {seconds / (whole or 1):.0%} |" for name, count, seconds in rows
        ]
        return "\n".join(lines)

    def _by_length(self) -> list[tuple[str, float]]:
        return sorted(self.dropped.items(), key=lambda item: -item[1])


def gather_set(
    videos: Sequence[Path], folder: Path, plan: DataPlan, *, workers: int = 0, progress: Progress = ignore_progress
) -> DataSet:
    """Make what is missing of a set.

    Args:
        videos: Files.
        folder: The set's; what was made there before, of the same videos with the same plan, is not made again.
        plan: What decides.
        workers: Processes that share the videos; 0 works in this one.
        progress: Called with ("videos", done, in all), and without workers with ("look", frames done, in all).

    Returns:
        What became of these videos; the manifest and the shards in the folder say the same.

    Raises:
        MediaError: Another one is at work in the folder, or nothing can be written there.
    """
    with _held(folder):
        tasks, faults = [DataTask(video, folder, plan) for video in videos], dict[str, str]()
        known = [task for task in tasks if task.video.is_file()]
        faults.update({str(task.video): "no file is there" for task in tasks if task not in known})
        waiting = [task for task in known if not task.done]
        done = len(tasks) - len(waiting)
        progress(STAGE, done, len(tasks))
        for task, fault in _in_processes(waiting, workers) if workers else _here(waiting, progress):
            done += 1
            if fault:
                faults[str(task.video)] = fault
            _log.info("%d/%d %s: %s", done, len(tasks), task.video.name, fault or words_of(task.verdicts()))
            progress(STAGE, done, len(tasks))
        made = summed(known, faults)
        write_lines(folder / MANIFEST, made.clips)
        write_lines(folder / UNUSED, made.unused)
        made.shards = write_shards(folder, [clip["key"] for clip in made.clips], plan.shard)
    return made


def summed(tasks: Sequence[DataTask], faults: Mapping[str, str]) -> DataSet:
    """Sum up what was decided on some videos.

    Args:
        tasks: The videos.
        faults: Those that could not be looked at, and why.
    """
    made = DataSet(unread=dict(faults))
    for task in tasks:
        told, video = task.verdicts(), str(task.video)
        for verdict in told:
            made.clips += verdict.get("clips", ())
            made.unused += verdict.get("unused", ())
            if "unread" in verdict:
                made.unread[video] = verdict["unread"]
        for reason, seconds in seconds_of(told).items():
            made.dropped[reason] = made.dropped.get(reason, 0.0) + seconds
    return made


def words_of(told: Sequence[Mapping[str, Any]]) -> str:
    """Say what was decided on a video, in a line."""
    clips = [clip for verdict in told for clip in verdict.get("clips", ())]
    parts = [f"{sum(clip['seconds'] for clip in clips):.1f} s in {len(clips)} clips"]
    moved = sorted({round(-1000 * clip["offset"]) for clip in clips})
    if moved:
        parts.append("sound moved by " + (f"{moved[0]:+d} … {moved[-1]:+d}" if moved[1:] else f"{moved[0]:+d}") + " ms")
    parts += [f"{seconds:.1f} s dropped: {reason}" for reason, seconds in seconds_of(told).items()]
    parts += [f"the rest cannot be read: {verdict['unread']}" for verdict in told if "unread" in verdict]
    parts += dict.fromkeys(remark for verdict in told for remark in verdict.get("remarks", ()))
    return "; ".join(parts)


def _here(tasks: Sequence[DataTask], progress: Progress) -> Iterator[tuple[DataTask, str]]:
    for task in tasks:
        make_clips(task, progress=progress)
        yield task, ""


def _in_processes(tasks: Sequence[DataTask], workers: int) -> Iterator[tuple[DataTask, str]]:
    """Have processes share the videos, the longest first; one that is lost with a process is begun once more."""
    longest = sorted(tasks, key=lambda task: task.video.stat().st_size, reverse=True)
    with Crew(min(workers, len(tasks)), {}, serve_task) as crew:
        for task, came, _ in hand_out(crew, longest, TRIES):
            if isinstance(came, SonicError):
                raise came
            yield task, str(came)


def serve_task(task: DataTask, _loading: Mapping[str, Any], kept: dict[str, Any]) -> str | SonicError:
    """Make a video's clips in a process of the crew's; return an empty text, what is wrong with it, or with us."""
    if "finder" not in kept:
        kept["finder"] = face_finder()
    try:
        make_clips(task, kept["finder"])
    except SonicError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a fault of ours with one video shall not end the others
        return f"{type(error).__name__}: {error}"
    return ""


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a set's folder, its inner ones made, and remove what a killed program left half done.

    Raises:
        MediaError: Another one holds it, or it cannot be written.
    """
    with file_errors(folder):
        for inside in (CLIPS, VERDICTS):
            (folder / inside).mkdir(parents=True, exist_ok=True)
        file = (folder / _LOCK).open("a+b")
    with file:
        if not locked(file):
            raise MediaError(f"Another learn data is at work in {folder}; wait for it, or choose another folder.")
        for inside in (CLIPS, VERDICTS, SHARDS, ""):
            for left in (folder / inside).glob(_HALF):
                remove(left)
        yield
