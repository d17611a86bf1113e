"""SHA-256 of weight files: pinned by the catalogue or the package, else remembered from the first download.

What is fetched for the first time is noted in one small file of its weight folder. From then on another content under
the same name is refused, whichever mirror it comes from; ``models --verify`` reads what is there and compares.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..media.files import written_beside
from ..types import Progress, ignore_progress
from .catalog import CATALOG, File
from .hub import Hub
from .search import Weights, folders, is_file
from .store import files_of, find_part

RECORD = "sonic-checksums.json"
"""Name of the file, in a weight folder, that remembers what was fetched into it."""
PACKAGE = Path(__file__).resolve().parents[1]
BUNDLED = {
    "evaluate/scores/lpips.safetensors": "ca8b2b313205e1d513252574209ba6f1cc289a4df7e25646d3fac3305313c990",
    "faces/landmarks.safetensors": "9e35bb8b2b8018b8cdda32b6865e451c8226c156755bad578a1a304e5b012cb9",
    "speech/mouth.safetensors": "89b77a8fbf6ab73077c05aac51b74032c3cb7095a9a9e113b16b1f85ab1f2e93",
    "speech/voice/activity.safetensors": "1ae6b09e1d8f6e1baec6cde01a9de5c4dac7bebabf7fd19f0fa2c6c755df98df",
    "speech/voice/embedding.safetensors": "3ebea4bf99974ced20968287a8e14619086d7b3a10e03c05eded85c1d5c20f56",
    "sync/sync.safetensors": "d9ed5335f7212f7fe4943ed31bab72c5ab4d2d91a93db8649d1281d8e93c063f",
}
"""SHA-256 of the weights that belong to this package."""
CATALOGUE, THIS_PACKAGE = "the catalogue", "this package"
MEGABYTE = 1_000_000
SHOWN = 16
"""Digits of a SHA-256 that people are told when a download is refused."""
_BLOCK = 16 * MEGABYTE
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Checksum:
    """What a file was when it was first fetched."""

    sha256: str
    bytes: int
    source: str
    """Repository and path."""
    address: str
    """The hub, or mirror, that it came from."""
    revision: str = ""
    """The commit that the hub told; "" where it told none."""
    etag: str = ""


@dataclass(frozen=True)
class Verified:
    """What a weight file holds, and what it should."""

    path: Path
    sha256: str
    expected: str
    """"" where nothing is known of it."""
    known_by: str
    """Who says so: the catalogue, this package, or the path of what remembers it."""

    @property
    def state(self) -> str:
        """``same``, ``different``, or ``unknown`` where nothing is there to compare with."""
        return "unknown" if not self.expected else "same" if self.sha256 == self.expected else "different"


def is_sha256(text: str) -> bool:
    """Say whether a text is a SHA-256 as it is usually written."""
    return _SHA256.fullmatch(text) is not None


def read_record(folder: Path) -> dict[str, Checksum]:
    """Read what a weight folder remembers of its files, by their paths below it.

    Raises:
        CheckpointError: The record cannot be read.
    """
    path = folder / RECORD
    if not is_file(path):
        return {}
    try:
        told: Any = json.loads(path.read_text(encoding="utf-8"))
        known = {one.name for one in fields(Checksum)}
        record = {
            at: Checksum(**{name: value for name, value in one.items() if name in known}) for at, one in told.items()
        }
        if not all(is_sha256(one.sha256) and isinstance(one.revision, str) for one in record.values()):
            raise ValueError("a SHA-256 is none")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path}, which remembers what was downloaded, cannot be read ({error}); put an older copy of it back, or "
            "remove it: then the next download is trusted as the first was."
        ) from error
    return record


def remember(folder: Path, at: str, checksum: Checksum) -> None:
    """Note a file of a weight folder; the record is old or new at any moment, never half of both.

    Raises:
        CheckpointError: The record that is there cannot be read.
        MediaError: It cannot be written.
    """
    record = {**read_record(folder), at: checksum}
    text = json.dumps({name: asdict(record[name]) for name in sorted(record)}, indent=1)
    with written_beside(folder / RECORD) as part:
        part.write_text(f"{text}\n", encoding="utf-8")


def check_same(file: File, sha256: str, known: Checksum | None, hub: Hub, folder: Path) -> None:
    """Compare what a hub has of a file with what is known of it.

    Args:
        file: The file.
        sha256: Of what the hub has.
        known: What was first fetched.
        hub: The hub.
        folder: The weight folder, which remembers ``known``.

    Raises:
        CheckpointError: It is another content.
    """
    if file.sha256 and sha256 != file.sha256:
        raise CheckpointError(
            f"{file.at} from {hub.address} is not what was published: its SHA-256 begins with {sha256[:SHOWN]}, that "
            f"of the published file with {file.sha256[:SHOWN]}; {hub.elsewhere}."
        )
    if not file.sha256 and known is not None and sha256 != known.sha256:
        raise CheckpointError(
            f"{file.at} from {hub.address} is not what was first fetched from {known.address}: its SHA-256 begins with "
            f"{sha256[:SHOWN]}, that of the first with {known.sha256[:SHOWN]}; {hub.elsewhere}, or, if you know that "
            f"its publisher has changed it, remove what {folder / RECORD} says of it and {hub.again}."
        )


def hash_file(path: Path, progress: Progress = ignore_progress) -> str:
    """Read a file and return its SHA-256.

    Args:
        path: The file.
        progress: Called with megabytes.
    """
    total, done, digest = -(-path.stat().st_size // MEGABYTE), 0, hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_BLOCK):
            digest.update(piece)
            done += len(piece)
            progress(f"checking {path.name}, MB", min(-(-done // MEGABYTE), total), total)
    return digest.hexdigest()


def verify_files(weights: Weights = (), progress: Progress = ignore_progress) -> list[Verified]:
    """Hash every weight file that is there, and compare with what is known of it.

    Args:
        weights: Where to look besides the usual places.
        progress: Called with a file's name and megabytes.

    Returns:
        The package's own files, those of every part that is found, and all that a weight folder remembers; a file of
        the package that is missing has no sum.

    Raises:
        CheckpointError: A file, or what a folder remembers, cannot be read.
    """
    known: dict[Path, tuple[str, str]] = {PACKAGE / name: (pin, THIS_PACKAGE) for name, pin in BUNDLED.items()}
    for path, pin in _fetched(weights):
        known.setdefault(path, (pin, CATALOGUE) if pin else _remembered(path))
    return [_verify(path, *expected, progress) for path, expected in known.items()]


def _verify(path: Path, expected: str, known_by: str, progress: Progress) -> Verified:
    try:
        return Verified(path, hash_file(path, progress), expected, known_by)
    except FileNotFoundError:
        return Verified(path, "", expected, known_by)
    except OSError as error:
        raise CheckpointError(f"Expected weights at {path}, which cannot be opened ({error.strerror}).") from error


def _fetched(weights: Weights) -> Iterator[tuple[Path, str]]:
    """List the files that are there, with the sums that the catalogue pins."""
    for part in dict.fromkeys(part for entry in CATALOG for part in entry.parts):
        if (found := find_part(part, weights)) is not None:
            for path, file in files_of(part, found):
                yield path.absolute(), file.sha256 if file and path.name == Path(file.path).name else ""
    for folder in folders(weights):
        for at in read_record(folder):
            if is_file(folder / at):
                yield (folder / at).absolute(), ""


def _remembered(path: Path) -> tuple[str, str]:
    """Find what one of the folders around a file remembers of it."""
    for folder in path.parents:
        if one := read_record(folder).get(path.relative_to(folder).as_posix()):
            return one.sha256, str(folder / RECORD)
    return "", ""
