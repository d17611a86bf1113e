"""Formats that people add: rows in a file of the host's user folder, read anew whenever it has changed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from .progress import log

FILE = "sonic_formats.json"
"""The file's name, beside the host's own settings."""

_read: tuple[float, list[str]] = (0.0, [])
"""When the file that was read last was written, and what was wrong with its rows."""


def heed_own_formats() -> list[str]:
    """Offer the formats of the file, and list a sentence for each row that is none; those that are new are logged."""
    from ...sonic_core.media.formats import offer_besides
    from ...sonic_core.media.rows import read_rows

    global _read  # noqa: PLW0603 - the table of formats is one for all
    path = Path(import_module("folder_paths").get_user_directory(), FILE)
    written = path.stat().st_mtime if path.is_file() else 0.0
    if written != _read[0]:
        rows, faults = read_rows(path) if written else ({}, [])
        offer_besides(rows)
        for fault in faults:
            log.warning(fault)
        _read = written, faults
    return _read[1]
