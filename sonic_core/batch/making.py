"""One row becomes a video, or an entry that says why not."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..cast.speakers import Speaker
from ..errors import OutOfMemoryError, SonicError, SonicWarning
from ..pipeline import Job, TalkingPortrait, load_model, run
from .journal import JournalEntry
from .manifest import ManifestRow


def make(row: ManifestRow, loading: Mapping[str, Any], models: dict[str, TalkingPortrait]) -> JournalEntry:
    """Make one row's video, and tell what became of it.

    Args:
        row: What is asked for.
        loading: What ``load_model`` is told.
        models: Those that are loaded, by the name that was asked for; one that is missing is added.
    """
    began = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SonicWarning)
        entry = _made(row, loading, models)
    remarks = dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, SonicWarning))
    return replace(entry, took=time.monotonic() - began, remarks=tuple(remarks))


def _made(row: ManifestRow, loading: Mapping[str, Any], models: dict[str, TalkingPortrait]) -> JournalEntry:
    try:
        if row.model not in models:
            models[row.model] = load_model(row.model, **loading)
        row.output.parent.mkdir(parents=True, exist_ok=True)
        settings, model = row.settings, models[row.model]
        speakers = {number: Speaker(sound, begin) for number, sound, begin in row.speakers}
        job = Job(row.image, row.audio, settings, model, output=row.output, format=row.format, crf=row.crf)
        made = run(replace(job, speakers=speakers, mark=row.mark))
    except (SonicError, OSError, MemoryError) as error:
        return JournalEntry("", "", "", error=_passing(error) + (str(error) or type(error).__name__))
    except Exception as error:  # noqa: BLE001 - a fault of ours in one row shall not end the others
        return JournalEntry("", "", "", error=f"{type(error).__name__}: {error}")
    return JournalEntry("", "", "", made.model, made.seconds)


def may_pass(entry: JournalEntry) -> bool:
    """Say whether a failure is worth another try: others may need less memory by then."""
    return entry.error.startswith(_MEMORY)


_MEMORY = "memory ran out: "
"""How the error of such a row begins."""


def _passing(error: BaseException) -> str:
    return _MEMORY if isinstance(error, (MemoryError, OutOfMemoryError)) else ""
