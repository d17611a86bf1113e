"""Fetching weights, when somebody asks for it.

The hub's library finds files, mirrors (``HF_ENDPOINT``) and tokens (``HF_TOKEN`` or its login), and moves the bytes.
Newer versions of its own ``hf_hub_download`` throw away what they have when a run ends early. Here an unfinished file
stays beside its goal, named ``….incomplete``, and the next run continues it.
"""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import CheckpointError
from .catalog import CATALOG, File, Part, size_in_words
from .checksums import MEGABYTE, Checksum, check_same, hash_file, is_sha256, read_record, remember
from .hub import Hub, named_hub
from .search import SearchPath, Weights, exists, home_folder, is_folder
from .store import find_file, find_part

if TYPE_CHECKING:
    from ..types import Progress

NAMES = tuple(entry.name for entry in CATALOG if entry.parts)
"""What can be fetched."""
LOCK = ".download.lock"
NOT_FOUND = 404


@dataclass(frozen=True)
class Wanted:
    """A file to fetch."""

    part: Part
    file: File
    goal: Path
    hub: Hub

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        return f"{self.part.source}, {self.file.path}"


@dataclass(frozen=True)
class DownloadPlan:
    """What a download would do."""

    name: str
    folder: Path
    """Where files are put, in the command line's layout."""
    wanted: tuple[Wanted, ...]
    there: tuple[Path, ...]
    """Parts that are in some weight folder already."""

    @property
    def bytes(self) -> int:
        """About how much there is to fetch."""
        return sum(wanted.file.bytes for wanted in self.wanted)

    @property
    def licences(self) -> dict[str, list[str]]:
        """Parts under each licence."""
        listed: dict[str, list[str]] = {}
        for wanted in self.wanted:
            names = listed.setdefault(wanted.part.licence, [])
            names.extend([wanted.part.name] if wanted.part.name not in names else [])
        return listed


@dataclass(frozen=True)
class _Remote:
    """A file as the hub describes it."""

    wanted: Wanted
    url: str
    size: int
    etag: str
    """Changes with the content; for large files their SHA-256."""
    revision: str
    """The commit, where the hub told it."""
    known: Checksum | None
    """What it was when it was first fetched into the folder."""
    sure: bool
    """Whether the hub told size and mark, so that an unfinished file can be continued."""

    @property
    def partial(self) -> Path:
        """Where its bytes wait until they are complete; another content waits elsewhere, another mirror's not."""
        mark = hashlib.sha256(self.etag.encode()).hexdigest()[:8]
        return self.wanted.goal.with_name(f"{self.wanted.goal.name}.{mark}.incomplete")

    def check_same(self, sha256: str, folder: Path) -> None:
        """Compare a content with what is known of the file; ``folder`` is the one that remembers it."""
        check_same(self.wanted.file, sha256, self.known, self.wanted.hub, folder)


def plan_download(
    name: str, folder: str | Path | None = None, *, weights: Weights = (), hub: Hub | None = None
) -> DownloadPlan:
    """Find out which files of a model or finder are still to be fetched, without fetching any.

    Args:
        name: ``sonic-base`` or ``yoloface``.
        folder: Where to put them; made if it does not exist. Default: ``$SONIC_HOME``, else ``~/.cache/sonic``.
        weights: Where parts may be besides, so that they need not be fetched.
        hub: Where to fetch from. Default: what ``HF_ENDPOINT`` names, else the hub itself.

    Raises:
        CheckpointError: There is nothing of that name to fetch.
    """
    entry = next((entry for entry in CATALOG if entry.name == name and entry.parts), None)
    if entry is None:
        raise CheckpointError(f"Expected one of {', '.join(NAMES)} to download, got {name!r}; see 'models'.")
    goal = home_folder([folder] if folder else [])
    known, hub = SearchPath.of(weights), hub or named_hub()
    first = replace(known, given=(*([goal] if is_folder(goal) else []), *known.given))
    wanted, there = [], []
    for part in [part for part in entry.parts if part.required or part.name == name]:
        path = find_part(part, first)
        if path is not None:
            there.append(path)
            continue
        files = [file for file in (*part.files, *part.extras) if find_file(goal, file) is None]
        wanted += [Wanted(part, file, goal / file.at, hub) for file in files]
    return DownloadPlan(name, goal, tuple(wanted), tuple(there))


def fetch(plan: DownloadPlan, progress: Progress) -> list[Path]:
    """Fetch what a plan lists.

    Every file is asked about first, so that a refusal or a full disk is known before any of the large ones is fetched.
    A file appears under its name only when it is complete and, where the hub tells its sum, verified. Whatever ends the
    work early, ``progress`` included, leaves partial files that the next call continues.

    Args:
        plan: From ``plan_download``.
        progress: Called with a file's name and megabytes.

    Raises:
        CheckpointError: A file cannot be fetched, or is another than the one that is known; the message says why and
            what to do.
        MediaError: What is remembered of it cannot be written.
    """
    if not plan.wanted:
        return []
    _check_online()
    with _no_empty_folders([wanted.goal for wanted in plan.wanted]), _alone(plan.folder), _quiet_hub():
        known = read_record(plan.folder)
        remotes = [_ask(wanted, known.get(wanted.file.at)) for wanted in plan.wanted]
        for remote in remotes:
            if is_sha256(remote.etag):
                remote.check_same(remote.etag, plan.folder)
        _check_space(remotes, plan.folder)
        return [_fetch_one(remote, plan.folder, progress) for remote in remotes]


def free_space(folder: Path) -> int:
    """Tell how many bytes fit where ``folder`` is or will be."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if exists(path))
    return shutil.disk_usage(there).free


def _check_online() -> None:
    try:
        import huggingface_hub  # noqa: F401, PLC0415 (optional)
    except ImportError as error:
        raise CheckpointError("Downloading needs the package huggingface_hub: pip install huggingface_hub") from error
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise CheckpointError("HF_HUB_OFFLINE is set, so nothing is fetched; unset it, or put the files by hand.")


def _ask(wanted: Wanted, known: Checksum | None) -> _Remote:
    """Ask the hub for a file's size and mark, in the revision that is remembered if it still has that."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415

    url, told = "", cast("Any", None)
    revisions = [known.revision] if known is not None and known.revision else []
    with _said_plainly(wanted):
        for revision in dict.fromkeys((*revisions, wanted.part.revision)):
            url = hf_hub_url(wanted.part.repository, wanted.file.path, revision=revision, endpoint=wanted.hub.address)
            try:
                told = get_hf_file_metadata(url, token=False, headers=wanted.hub.headers())  # else it adds one
                break
            except Exception as error:
                if _status(error) != NOT_FOUND or revision == wanted.part.revision:
                    raise
    sure = bool(told.etag) and told.size is not None
    size, revision = told.size or wanted.file.bytes, told.commit_hash or ""
    return _Remote(wanted, url, size, told.etag or "", revision, known, sure)


def _check_space(remotes: list[_Remote], folder: Path) -> None:
    waiting = sum(remote.partial.stat().st_size for remote in remotes if remote.partial.is_file())
    needed, free = sum(remote.size for remote in remotes) - waiting, free_space(folder)
    if needed > free:
        raise CheckpointError(
            f"{size_in_words(needed)} are to be fetched into {folder}, but only {size_in_words(free)} are free there; "
            "make room, or name a folder on a larger disk with --weights."
        )


def _fetch_one(remote: _Remote, folder: Path, progress: Progress) -> Path:
    """Fetch one file, or the rest of it, and give it its name once it is whole."""
    from huggingface_hub.file_download import http_get  # noqa: PLC0415

    partial, goal = remote.partial, remote.wanted.goal
    with _said_plainly(remote.wanted):
        goal.parent.mkdir(parents=True, exist_ok=True)
        for stale in goal.parent.glob(f"{goal.name}.*.incomplete"):
            if stale != partial or not remote.sure or stale.stat().st_size > remote.size:
                stale.unlink()
    with _said_plainly(remote.wanted, partial), _Reporting(partial, remote, progress) as file:
        file.report()
        if file.tell() < remote.size:
            size = remote.size if remote.sure else None
            headers = remote.wanted.hub.headers()
            http_get(remote.url, cast("Any", file), resume_size=file.tell(), headers=headers, expected_size=size)
    checksum = _verify(remote, folder, progress)
    if remote.known != checksum:
        remember(folder, remote.wanted.file.at, checksum)
    with _said_plainly(remote.wanted):
        partial.replace(goal)
    return goal


class _Reporting(io.BufferedWriter):
    """A file being continued, which tells how far it is after every piece."""

    def __init__(self, path: Path, remote: _Remote, progress: Progress) -> None:
        super().__init__(io.FileIO(path, "ab"))
        self._remote = remote
        self._progress = progress

    def write(self, data: Any) -> int:  # noqa: ANN401
        """Write a piece and tell."""
        written = super().write(data)
        self.report()
        return written

    def report(self) -> None:
        """Tell how many megabytes there are."""
        done, total = self.tell() // MEGABYTE, -(-self._remote.size // MEGABYTE)
        whole = self.tell() >= self._remote.size
        self._progress(f"{self._remote.wanted.file.at}, MB", total if whole else done, total)


def _verify(remote: _Remote, folder: Path, progress: Progress) -> Checksum:
    """Compare what came with the sum that the hub tells of large files, and with what is known of the file.

    Raises:
        CheckpointError: They differ; what came is removed.
    """
    wanted, partial = remote.wanted, remote.partial
    sha256 = hash_file(partial, lambda _, done, total: progress(f"checking {wanted.goal.name}, MB", done, total))
    if is_sha256(remote.etag) and sha256 != remote.etag:
        partial.unlink()
        raise CheckpointError(f"{wanted.file.at} arrived damaged and was removed; {wanted.hub.again}.")
    try:
        remote.check_same(sha256, folder)
    except CheckpointError:
        partial.unlink()
        raise
    size = partial.stat().st_size
    if remote.known is not None and remote.known.sha256 == sha256:
        return remote.known
    return Checksum(sha256, size, wanted.origin, wanted.hub.address, remote.revision, remote.etag)


@contextmanager
def _no_empty_folders(goals: Sequence[Path]) -> Iterator[None]:
    """Remove the folders that were made for files which did not come."""
    missing = {folder for goal in goals for folder in goal.parents if not exists(folder)}
    try:
        yield
    finally:
        for folder in sorted(missing, key=lambda path: len(path.parts), reverse=True):
            with suppress(OSError):  # there is something in it
                folder.rmdir()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second download out of the same folder."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - the hub's library brings it

    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise CheckpointError(f"Another download into {folder} is under way; wait for it, or stop it.") from error
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be written to ({error.strerror}); name another folder.") from error
    try:
        yield
    finally:
        lock.release()
        (folder / LOCK).unlink(missing_ok=True)


@contextmanager
def _quiet_hub() -> Iterator[None]:
    """Keep the library's bars and notes from the screen, and its telemetry, which asks for more pages, from the net."""
    from huggingface_hub import constants  # noqa: PLC0415
    from huggingface_hub.utils import (  # noqa: PLC0415
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    log = logging.getLogger("huggingface_hub")
    level, barred, silent = log.level, are_progress_bars_disabled(), constants.HF_HUB_DISABLE_TELEMETRY
    log.setLevel(logging.ERROR)
    constants.HF_HUB_DISABLE_TELEMETRY = True
    if not barred:
        disable_progress_bars()
    try:
        yield
    finally:
        log.setLevel(level)
        constants.HF_HUB_DISABLE_TELEMETRY = silent
        if not barred:
            enable_progress_bars()


@contextmanager
def _said_plainly(wanted: Wanted, partial: Path | None = None) -> Iterator[None]:
    """Turn what the library and its transport raise into one sentence."""
    from huggingface_hub.utils import HfHubHTTPError  # noqa: PLC0415

    transport: Any = HfHubHTTPError.__bases__[0]  # requests' or httpx's root, whichever this version is built on
    try:
        yield
    except (OSError, transport) as error:
        status = _status(error)
        message = _explain_failure(error, wanted, partial) if status is None else _explain_answer(status, wanted)
        raise CheckpointError(message) from error


def _status(error: Exception) -> int | None:
    """Tell what the hub answered, where an error is an answer."""
    return getattr(getattr(error, "response", None), "status_code", None)


def _explain_answer(status: int, wanted: Wanted) -> str:
    """Say what the hub's refusal means, and what to do."""
    hub = wanted.hub
    if status in {401, 403} and hub.token is None and not hub.private:
        return (
            f"{wanted.origin} was refused ({status}): a token opens it, which is sent over https only, and "
            f"{hub.address} is not; {hub.elsewhere}{_by_hand(wanted)}"
        )
    if status in {401, 403}:
        return (
            f"{wanted.origin} was refused ({status}): accept the licence on the page {wanted.part.source} while logged "
            f"in there, {hub.log_in} and {hub.again}{_by_hand(wanted)}"
        )
    if status == NOT_FOUND:
        return f"{wanted.origin} is not there (404 from {hub.address}); {hub.elsewhere}{_by_hand(wanted)}"
    return f"{hub.address} answered {status} for {wanted.origin}; {hub.again} later, it continues{_by_hand(wanted)}"


def _by_hand(wanted: Wanted) -> str:
    """End a sentence with what people can always do, where they can."""
    return f", or put the file at {wanted.goal} by hand." if wanted.hub.by_hand else "."


def _explain_failure(error: Exception, wanted: Wanted, partial: Path | None) -> str:
    """Say why no answer came or could be kept, and what to do."""
    hub = wanted.hub
    if getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT}:
        return f"The disk is full; make room for {wanted.goal} and {hub.again}, it continues."
    if isinstance(error, PermissionError):
        return f"{error.filename or wanted.goal} cannot be written to; name another folder with --weights."
    have = partial.stat().st_size if partial is not None and partial.is_file() else 0
    if have:
        return f"The connection was cut at {size_in_words(have)} of {wanted.file.at}; {hub.again}, it continues there."
    return (
        f"{hub.address} cannot be reached for {wanted.origin}; check the network and HTTPS_PROXY, {hub.elsewhere}"
        f"{_by_hand(wanted)}"
    )
