"""One row becomes a video, or an entry that says why not."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, cast

from ..cast.mixed import VOICE
from ..cast.speakers import Speaker
from ..errors import OutOfMemoryError, SonicError, SonicWarning
from ..media.files import scratch_folder
from ..pipeline import Job, Result, TalkingPortrait, load_model, run
from .journal import JournalEntry
from .manifest import ManifestRow
from .places import WANTED, Place
from .remote import ConnectionFailedError, Remote, bring, redact, send


def make(row: ManifestRow, loading: Mapping[str, Any], models: dict[str, TalkingPortrait]) -> JournalEntry:
    """Make one row's video, and tell what became of it.

    Args:
        row: What is asked for.
        loading: What ``load_model`` is told.
        models: Those that are loaded, by the name that was asked for; one that is missing is added.
    """
    return make_by(_whole, row, loading, models)


How: TypeAlias = Callable[[Any, Mapping[str, Any], dict[str, Any], dict[str, str]], Result]
"""Does a task, told what to load, what is loaded, and a dict in which it notes what was lent."""


def make_by(how: How, task: Any, loading: Mapping[str, Any], kept: dict[str, Any]) -> JournalEntry:  # noqa: ANN401
    """Do a task, and tell what became of it.

    Args:
        how: Does it.
        task: What is asked for.
        loading: What ``load_model`` is told.
        kept: Models by their names, and whatever else is kept from one task to the next.
    """
    began = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SonicWarning)
        entry = _told(how, task, loading, kept)
    remarks = dict.fromkeys(redact(str(one.message)) for one in caught if issubclass(one.category, SonicWarning))
    return replace(entry, took=time.monotonic() - began, remarks=tuple(remarks))


def _told(how: How, task: Any, loading: Mapping[str, Any], kept: dict[str, Any]) -> JournalEntry:  # noqa: ANN401
    lent: dict[str, str] = {}
    try:
        made = how(task, loading, kept, lent)
    except (SonicError, OSError, MemoryError) as error:
        return JournalEntry("", "", "", error=_passing(error) + _named(str(error) or type(error).__name__, lent))
    except Exception as error:  # noqa: BLE001 - a fault of ours in one row shall not end the others
        return JournalEntry("", "", "", error=_named(f"{type(error).__name__}: {error}", lent))
    return JournalEntry("", "", "", made.model, made.seconds)


def _whole(row: ManifestRow, loading: Mapping[str, Any], models: dict[str, Any], lent: dict[str, str]) -> Result:
    row.output.parent.mkdir(parents=True, exist_ok=True)
    made = run_row(row, loading, models, lent)
    deliver(row)
    return made


def run_row(
    row: ManifestRow, loading: Mapping[str, Any], models: dict[str, Any], lent: dict[str, str], *, write: bool = True
) -> Result:
    """Make a row's video.

    Args:
        row: What is asked for.
        loading: What ``load_model`` is told.
        models: Those that are loaded; one that is missing is added.
        lent: Gets the URL of every file that was brought here, by where it lay.
        write: Whether the video is written; else its clip can still be read.
    """
    if row.model not in models:
        models[row.model] = load_model(row.model, **loading)
    with ExitStack() as left:
        job = _job(_brought(row, left, lent), models[row.model])
        return run(job if write else replace(job, output=None))


def deliver(row: ManifestRow) -> None:
    """Take a finished video where it is wanted."""
    if row.upload is not None:
        send(row.output, row.upload)


def _job(row: ManifestRow, model: TalkingPortrait) -> Job:
    speakers = {number: Speaker(cast("Path", sound), begin) for number, sound, begin in row.speakers}
    speakers |= {number: Speaker(f"{VOICE}{voice}") for number, voice in row.voices}
    audio = cast("Path | None", row.audio)
    job = Job(row.image, audio, row.settings, model, output=row.output, format=row.format, crf=row.crf)
    return replace(job, speakers=speakers, mark=row.mark)


def _brought(row: ManifestRow, left: ExitStack, lent: dict[str, str]) -> ManifestRow:
    """Bring here what URLs name; ``left`` removes it, and ``lent`` tells what was brought by where it lies."""

    def here(place: Place | None, column: str) -> Path | None:
        if not isinstance(place, Remote):
            return place
        path = bring(place, WANTED[column], left.enter_context(scratch_folder()))
        lent[str(path)] = str(place)
        return path

    sounds = tuple((number, cast("Path", here(sound, "audio")), begin) for number, sound, begin in row.speakers)
    image = cast("Path", here(row.image, "image"))
    return replace(row, image=image, audio=here(row.audio, "audio"), speakers=sounds)


def _named(text: str, lent: Mapping[str, str]) -> str:
    """Say of what was brought where it came from, and nothing that gives access to it."""
    for path, url in lent.items():
        text = text.replace(path, url)
    return redact(text)


def may_pass(entry: JournalEntry) -> bool:
    """Say whether a failure is worth another try: others may need less memory by then, or a store may answer."""
    return entry.error.startswith((_MEMORY, _NETWORK))


_MEMORY, _NETWORK = "memory ran out: ", "the network failed: "
"""How the error of such a row begins."""


def _passing(error: BaseException) -> str:
    if isinstance(error, ConnectionFailedError):
        return _NETWORK
    return _MEMORY if isinstance(error, (MemoryError, OutOfMemoryError)) else ""
