"""What is done, one line for each video, so that whoever begins again does only what is missing or has changed."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import IO, Any

from ..errors import MediaError
from ..media.files import file_errors
from .manifest import ManifestRow
from .places import WANTED, Place
from .remote import Remote, hash_of

NAME = "journal.jsonl"
"""The journal's name in the batch's folder."""
BLOCK = 1 << 20
"""Bytes that are read at once."""


@dataclass(frozen=True)
class JournalEntry:
    """What became of one row."""

    id: str
    key: str
    """Names picture, sound and settings by what is in them."""
    output: str
    """The video, relative to the batch's folder."""
    model: str = ""
    """The model that made it; never "auto"."""
    seconds: float = 0.0
    """Length of the video."""
    took: float = 0.0
    """Seconds that it took."""
    error: str = ""
    """Why there is none; "" where there is one."""
    tries: int = 1
    remarks: tuple[str, ...] = ()
    """What was warned of."""


class Journal:
    """The journal of a folder, held by one batch at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / NAME
        self.entries: dict[str, JournalEntry] = {}
        """The last entry of every key."""
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Journal:
        """Hold the journal, and read what it says.

        Raises:
            MediaError: Another batch holds it, or it cannot be written.
        """
        with file_errors(self.path):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b")
        if not locked(self._file):
            self._file.close()
            raise MediaError(f"Another batch is at work in {self.folder}; wait for it, or choose another folder.")
        self._file.seek(0)
        for line in self._file:
            entry = _read(line)
            if entry is not None:
                self.entries[entry.key] = entry
        if self._file.tell() and not _ends(self._file):
            self._file.write(b"\n")  # somebody was ended within a line
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def done(self, key: str) -> JournalEntry | None:
        """Return the entry of a video that was made and is there."""
        entry = self.entries.get(key)
        return entry if entry and not entry.error and (self.folder / entry.output).exists() else None

    def add(self, entry: JournalEntry) -> None:
        """Write an entry, to the disk."""
        if self._file is None:
            raise RuntimeError("a journal is written to while it is held")
        with file_errors(self.path):
            self._file.write(json.dumps(asdict(entry)).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        self.entries[entry.key] = entry


def key_of(row: ManifestRow, folder: Path) -> str:
    """Name a row by what its video depends on: the contents of its files, its settings, and where it goes."""
    told = json.dumps(row.described(), sort_keys=True, default=str)
    files = _contents(row.image, WANTED["image"]), *(_contents(sound, WANTED["audio"]) for sound in row.sounds)
    parts = (*files, told, str(row.output.relative_to(folder.resolve())))
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()  # names need not be UTF-8


def _contents(place: Place, wanted: str) -> str:
    if isinstance(place, Remote):
        return hash_of(place, wanted)
    state = place.stat()
    return _hashed(str(place), state.st_size, state.st_mtime_ns)


@cache
def _hashed(path: str, _size: int, _changed: int) -> str:
    made = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(BLOCK):
            made.update(block)
    return made.hexdigest()


def _read(line: bytes) -> JournalEntry | None:
    """Read an entry; a line that somebody was ended within is none."""
    try:
        told: Any = json.loads(line)
        known = {one.name for one in fields(JournalEntry)}
        return JournalEntry(**{name: value for name, value in told.items() if name in known})
    except (ValueError, TypeError, AttributeError):
        return None


def _ends(file: IO[bytes]) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def locked(file: IO[bytes]) -> bool:
    """Lock a file as long as it is open; say whether nobody else had."""
    try:
        if os.name == "nt":
            import msvcrt  # noqa: PLC0415

            file.seek(1 << 40)  # a place that holds nothing: what is locked cannot be read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
