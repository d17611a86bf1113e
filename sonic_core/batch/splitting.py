"""One long video made by several workers: each draws a stretch of it, and one of them encodes all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

from ..errors import SettingsError, SonicError
from ..media.audio import guess_duration
from ..media.converted import SUFFIX, is_convertible, read_converted, write_converted
from ..media.formats import format_of
from ..models.registry import find_model
from ..pipeline import Result
from ..weights.catalog import PREVIEW
from ..weights.search import SearchPath
from .crew import LostError
from .journal import JournalEntry
from .making import deliver, make, make_by, run_row
from .manifest import ManifestRow

LEAST = 1.0
"""Seconds of a stretch: each worker analyses the whole sound before it draws."""
_DRAWN = "the clip of the row that was drawn last"


@dataclass(frozen=True)
class RowPart:
    """One of several stretches of a row's video, equally long but for a frame."""

    row: ManifestRow
    number: int
    """Which one, from 0."""
    count: int
    """How many there are."""
    output: Path
    """Where its frames go."""


@dataclass(frozen=True)
class RowJoin:
    """A row's video whose frames are drawn."""

    row: ManifestRow
    parts: tuple[Path, ...]
    """Their files, in order."""


Task: TypeAlias = ManifestRow | RowPart | RowJoin


def work_on(task: Task, loading: Mapping[str, Any], kept: dict[str, Any]) -> JournalEntry:
    """Make a row's video, draw a stretch of it, or encode it, and tell what became of that.

    Args:
        task: What is asked for.
        loading: What ``load_model`` is told.
        kept: Models that are loaded, and what was drawn last; what is missing is added.
    """
    if isinstance(task, ManifestRow):
        return make(task, loading, kept)
    return make_by(_draw if isinstance(task, RowPart) else _join, task, loading, kept)


def _draw(part: RowPart, loading: Mapping[str, Any], kept: dict[str, Any], lent: dict[str, str]) -> Result:
    made = _clip_of(part.row, loading, kept, lent)
    first, end = (made.clip.length * number // part.count for number in (part.number, part.number + 1))
    part.output.parent.mkdir(parents=True, exist_ok=True)
    if first == end:
        part.output.touch()
        return made
    clip = made.clip.cut(first, end - first)
    write_converted(part.output, clip.read(), format_of(part.row.output, part.row.format), clip.length, clip.size)
    return made


def _join(join: RowJoin, loading: Mapping[str, Any], kept: dict[str, Any], lent: dict[str, str]) -> Result:
    made, row = _clip_of(join.row, loading, kept, lent), join.row
    clip = replace(made.clip, read=cast("Any", lambda: read_converted(join.parts)))
    row.output.parent.mkdir(parents=True, exist_ok=True)
    clip.export(row.output, format=row.format, crf=row.crf, mark=row.mark)
    deliver(row)
    return made


def _clip_of(row: ManifestRow, loading: Mapping[str, Any], kept: dict[str, Any], lent: dict[str, str]) -> Result:
    """Prepare a row's clip, once for all of its stretches that one worker draws."""
    known = kept.get(_DRAWN)
    if known is None or known[0] != row:
        kept[_DRAWN] = None  # two at a time take twice the memory
        known = kept[_DRAWN] = row, run_row(row, loading, kept, lent, write=False)
    return known[1]


@dataclass
class Splitting:
    """Parts rows among workers, and brings together what they drew."""

    folder: Path
    """Where frames wait until their video is made; whoever makes it removes it."""
    seconds: float | None
    """A stretch's length at most; None: every row is made whole."""
    loading: Mapping[str, Any]
    """What ``load_model`` is told."""
    _left: dict[ManifestRow, set[int]] = field(default_factory=dict)
    _drawn: dict[ManifestRow, list[JournalEntry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.seconds is not None and not (math.isfinite(self.seconds) and self.seconds >= LEAST):
            raise SettingsError(f"A stretch takes {LEAST:g} s or more; got {self.seconds:g}.")

    def tasks(self, rows: Sequence[ManifestRow]) -> Iterator[Task]:
        """List what is to be done, in the rows' order."""
        for number, row in enumerate(rows):
            count = self._count(row)
            if count <= 1:
                yield row
                continue
            self._left[row], self._drawn[row] = set(range(count)), []
            yield from (RowPart(row, one, count, self._file(number, one)) for one in range(count))

    def following(self, task: Task, came: JournalEntry | LostError) -> list[Task]:
        """Tell what is to be done after a task."""
        if not isinstance(task, RowPart) or task.row not in self._left:
            return []
        if isinstance(came, LostError) or came.error:
            return []
        left = self._left[task.row]
        left.discard(task.number)
        if left:
            return []
        parts = [task.output.with_name(f"{number}{SUFFIX}") for number in range(task.count)]
        return [RowJoin(task.row, tuple(parts))]

    def finished(self, task: Task, entry: JournalEntry) -> tuple[ManifestRow, JournalEntry] | None:
        """Tell of a row that is done, or cannot be; None while there is more to do for it."""
        if isinstance(task, ManifestRow):
            return task, entry
        row = task.row
        if isinstance(task, RowPart) and not entry.error:
            self._drawn.get(row, []).append(entry)
            return None
        if isinstance(task, RowPart) and self._left.pop(row, None) is None:
            return None
        drawn = self._drawn.pop(row, [])
        self._left.pop(row, None)
        for path in task.parts if isinstance(task, RowJoin) else ():
            path.unlink(missing_ok=True)
        every = (*drawn, entry)
        remarks = dict.fromkeys(remark for one in every for remark in one.remarks)
        took, tries = sum(one.took for one in every), max(one.tries for one in every)
        return row, replace(entry, took=took, tries=tries, remarks=tuple(remarks))

    def _file(self, row: int, number: int) -> Path:
        return self.folder / str(row) / f"{number}{SUFFIX}"

    def _count(self, row: ManifestRow) -> int:
        """Tell in how many stretches a row is made: one where its model or its format has no stretches."""
        if self.seconds is None or not is_convertible(format_of(row.output, row.format)):
            return 1
        try:
            if find_model(row.model, SearchPath.of(self.loading.get("weights", ()))).name != PREVIEW.name:
                return 1
        except SonicError:
            return 1  # whoever makes it says why not
        return math.ceil(_length(row) / self.seconds)


def _length(row: ManifestRow) -> float:
    """Guess how long a row's video is, in seconds; 0 where nothing tells."""
    if row.settings.duration is not None:
        return row.settings.duration
    begins = {sound: begin for _, sound, begin in row.speakers} or dict.fromkeys(row.sounds, 0.0)
    lengths = [0.0]
    for sound, begin in begins.items():
        with suppress(SonicError):
            lengths += [begin + guess_duration(sound)] if isinstance(sound, Path) else []
    return max(lengths)
