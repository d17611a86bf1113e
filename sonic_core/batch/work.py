"""Rows become videos, in this process or in several; one that fails is told of, and the others go on."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import SettingsError, SonicError
from ..media.files import scratch_folder
from ..pipeline import TalkingPortrait
from ..types import Progress, ignore_progress
from .cluster import RayCluster, RayCrew
from .crew import Crew, LostError, Workforce, hand_out
from .journal import Journal, JournalEntry, key_of
from .making import make, may_pass
from .manifest import ManifestRow
from .places import Place, size_of
from .splitting import Splitting, Task, work_on

TRIES = 3
"""How often a row is tried at most whose failure may pass: memory that ran out, a process that was lost."""


@dataclass(frozen=True)
class Outcome:
    """What became of a batch."""

    rows: list[tuple[ManifestRow, JournalEntry]]
    """Every row with its entry, in the manifest's order."""
    made: int
    """Videos that were made now."""
    known: int
    """Videos that were there already."""
    seconds: float
    """How long it took."""

    @property
    def failed(self) -> list[tuple[ManifestRow, JournalEntry]]:
        """The rows of which no video came."""
        return [(row, entry) for row, entry in self.rows if entry.error]


def run_batch(
    rows: Sequence[ManifestRow],
    folder: str | Path,
    *,
    workers: int = 0,
    loading: Mapping[str, Any] | None = None,
    ray: RayCluster | None = None,
    stretch: float | None = None,
    progress: Progress = ignore_progress,
) -> Outcome:
    """Make every row's video that is not there yet.

    Args:
        rows: What ``read_manifest`` gave.
        folder: The batch's folder, as ``read_manifest`` was told; its journal says what is done.
        workers: Processes that share the work; 0 works in this one. On Ray, workers at most; 0: as many as there is
            room for.
        loading: What ``load_model`` is told besides the name: weights, device, precision, …
        ray: The Ray cluster that does the work; None: this machine does.
        stretch: Seconds of video at most that one worker draws of a longer one; sonic-preview's are shared out so, to
            the bit as if they were not. None: each video is made by one.
        progress: Hears ("batch", done, total); what it raises ends the batch, and what is finished stays.

    Raises:
        MediaError: Another batch is at work in the folder, or nothing can be written there.
        SettingsError: Ray is not installed, or the cluster cannot do this; or a stretch has nobody to share it.
    """
    folder, began = Path(folder), time.monotonic()
    if stretch is not None and not workers and ray is None:
        raise SettingsError(
            "A stretch is for several workers: name how many (workers, --workers), or a cluster (--ray)."
        )
    with Journal(folder) as journal, ExitStack() as left:
        room = folder if stretch is None else left.enter_context(scratch_folder(folder / "frames"))
        splitting = Splitting(room, stretch, loading or {})
        keys, entries = _keys(rows, folder)
        lost = len(entries)
        entries |= {row: entry for row, key in keys.items() if (entry := journal.done(key))}
        known = len(entries) - lost
        waiting = in_order([row for row in rows if row not in entries])
        progress("batch", len(entries), len(rows))
        for row, entry in _all_tried(waiting, workers, ray, splitting):
            output = str(row.output.relative_to(folder.resolve()))
            entries[row] = replace(entry, id=row.id, key=keys[row], output=output)
            journal.add(entries[row])
            progress("batch", len(entries), len(rows))
    made = sum(not entry.error for entry in entries.values()) - known
    return Outcome([(row, entries[row]) for row in rows], made, known, time.monotonic() - began)


def in_order(rows: Sequence[ManifestRow]) -> list[ManifestRow]:
    """Put rows of one model and portrait together, and the longest sounds first: whoever comes last waits least."""
    together: dict[tuple[str, Place], list[ManifestRow]] = defaultdict(list)
    for row in rows:
        together[row.model, row.image].append(row)
    groups = [sorted(group, key=_weight, reverse=True) for group in together.values()]
    return [row for group in sorted(groups, key=lambda group: _weight(group[0]), reverse=True) for row in group]


def _keys(rows: Sequence[ManifestRow], folder: Path) -> tuple[dict[ManifestRow, str], dict[ManifestRow, JournalEntry]]:
    """Name rows by their contents; those whose files cannot be read any more come with an entry that says so."""
    told = {row: _key(row, folder) for row in rows}
    keys = {row: key for row, key in told.items() if isinstance(key, str)}
    return keys, {row: entry for row, entry in told.items() if isinstance(entry, JournalEntry)}


def _key(row: ManifestRow, folder: Path) -> str | JournalEntry:
    try:
        return key_of(row, folder)
    except SonicError as error:
        told = str(error)
    except OSError as error:
        told = f"{error.filename} could be read a moment ago and cannot now ({error.strerror})."
    return JournalEntry(row.id, "", "", error=told)


def _weight(row: ManifestRow) -> int:
    return sum(map(size_of, row.sounds))


def _tried(rows: Sequence[ManifestRow], loading: Mapping[str, Any]) -> Iterator[tuple[ManifestRow, JournalEntry]]:
    """Make them here, one after the other; what failed for want of memory is tried once more at the end."""
    models: dict[str, TalkingPortrait] = {}
    again: list[ManifestRow] = []
    for row in rows:
        entry = make(row, loading, models)
        if may_pass(entry):
            again.append(row)
        else:
            yield row, entry
    for row in again:
        yield row, replace(make(row, loading, models), tries=2)


def _all_tried(
    rows: Sequence[ManifestRow], workers: int, ray: RayCluster | None, splitting: Splitting
) -> Iterator[tuple[ManifestRow, JournalEntry]]:
    """Make them: here, in processes, or on a cluster."""
    if not rows:
        return
    loading, tasks = splitting.loading, list(splitting.tasks(rows))
    if ray is not None:
        with RayCrew(ray, loading, {row.model for row in rows}, workers) as crew:
            yield from share_out(crew, tasks, splitting)
    elif workers:
        with Crew(min(workers, len(tasks)), loading, work_on) as crew:
            yield from share_out(crew, tasks, splitting)
    else:
        yield from _tried(rows, loading)


def share_out(
    crew: Workforce, tasks: Sequence[Task], splitting: Splitting | None = None
) -> Iterator[tuple[ManifestRow, JournalEntry]]:
    """Have others make them; what was lost with one of them, or failed for want of memory, is tried again."""
    splitting = splitting or Splitting(Path(), None, {})

    def passing(came: JournalEntry | LostError) -> bool:
        return isinstance(came, JournalEntry) and may_pass(came)

    for task, came, tries in hand_out(crew, tasks, TRIES, passing, splitting.following):
        entry = JournalEntry("", "", "", error=str(came)) if isinstance(came, LostError) else came
        told = splitting.finished(task, replace(entry, tries=tries))
        if told is not None:
            yield told
