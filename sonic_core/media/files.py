"""Where media come from and where they go: said before any work is done, written beside and renamed at the end."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from av.error import FFmpegError

from ..errors import MediaError, OutOfMemoryError
from .unfinished import Unfinished, remove

_ABANDONED = 24 * 3600.0
"""Seconds after which a temporary name that nobody wrote to was left by a program that was killed."""
_TEMPORARY = re.compile(r"\.sonic-[0-9a-f]{8}\.part(\.\w+)?")
"""What ``_temporary`` names so, and nobody else: other programs call half files by such endings too."""
_PERMISSIONS = 0o777
_MOST_PIPED = 4 << 30
"""Bytes that are taken from a pipe: six hours of CD."""
_PIECE = 1 << 20


def as_path(path: object, wanted: str) -> Path:
    """Make a path of a file's name.

    Raises:
        MediaError: It is no name.
    """
    if isinstance(path, str) or (isinstance(path, os.PathLike) and isinstance(path.__fspath__(), str)):
        return Path(path)
    raise MediaError(f"Expected {wanted} as the name of a file, got {type(path).__name__}.")


def check_readable(path: str | os.PathLike[str], wanted: str) -> Path:
    """Return ``path`` as a path to a file that is there, can be opened and is not empty.

    Args:
        path: A file.
        wanted: What is expected there, for the message: "a picture".

    Raises:
        MediaError: Nothing is there, it is a folder, a pipe or a device, it may not be opened, or it is empty.
    """
    path = as_path(path, wanted)
    try:
        state = path.stat()
        if stat.S_ISREG(state.st_mode) and state.st_size:
            with path.open("rb"):
                return path
    except (FileNotFoundError, NotADirectoryError):
        raise MediaError(f"Expected {wanted} at {path}, but no file is there; check the name and the folder.") from None
    except (OSError, ValueError) as error:
        raise MediaError(f"Expected {wanted} at {path}, which cannot be opened ({_reason(error)}).") from error
    if stat.S_ISREG(state.st_mode):
        raise MediaError(f"Expected {wanted} in {path}, got an empty file; copy or download it again.")
    if stat.S_ISDIR(state.st_mode):
        raise MediaError(f"Expected {wanted}, got the folder {path}; name a file inside it.")
    raise MediaError(f"Expected {wanted}, got a pipe or a device at {path}; put what comes from it into a file first.")


@contextmanager
def in_a_file(path: str | os.PathLike[str] | BinaryIO, wanted: str) -> Iterator[Path]:
    """Lend a file that is there: ``path`` itself, or where it is a pipe or a stream a copy of what comes through it.

    Args:
        path: A file, a named pipe, what a shell writes for ``<(…)``, ``/dev/stdin``, or a stream of bytes.
        wanted: As of ``check_readable``.

    Raises:
        MediaError: As of ``check_readable``; or more comes than ``_MOST_PIPED``.
    """
    if not hasattr(path, "read") and not _is_pipe(path):
        yield check_readable(cast("str", path), wanted)
        return
    with scratch_folder() as folder:
        copy = folder / "piped"
        with copy.open("wb") as file:
            if isinstance(path, (str, os.PathLike)):
                with Path(path).open("rb") as stream:
                    _copy(stream, file, wanted)
            else:
                _copy(path, file, wanted)
        yield copy


def _is_pipe(path: Any) -> bool:  # noqa: ANN401 - whatever is given
    try:
        return stat.S_ISFIFO(Path(path).stat().st_mode)
    except (OSError, ValueError, TypeError):
        return False


def _copy(stream: BinaryIO, file: BinaryIO, wanted: str) -> None:
    while piece := stream.read(_PIECE):
        file.write(piece)
        if file.tell() > _MOST_PIPED:
            raise MediaError(
                f"Expected {wanted} from a pipe, got more than {_MOST_PIPED >> 30} GB without an end; put it into a "
                "file first."
            )
    if not file.tell():
        raise MediaError(f"Expected {wanted} from a pipe, got nothing; look at the program that writes into it.")


def check_writable(path: str | os.PathLike[str], suffix: str = ".mp4") -> Path:
    """Return ``path`` as a path to which a file can be written; call it before any long work.

    Nothing is created: the folder is tried with a nameless temporary file.

    Args:
        path: The file to be written; one that is there already will be replaced, and where it is a link, the file that
            the link leads to.
        suffix: The ending that the file must have, whatever its case.

    Raises:
        MediaError: The ending is another, the name is too long, the folder is missing or not writable, or the target
            is a folder, a pipe or a device, or may not be replaced.
    """
    path, named = as_path(path, "a name for the output"), os.fspath(path)
    if path.suffix.lower() != suffix:
        raise MediaError(f"Expected an output name that ends in {suffix}, got {path}; change its ending to {suffix}.")
    if not named.endswith(path.name):
        raise MediaError(f"Expected a file name for the output, got the folder {named}; end it with {path.name}.")
    with _trying(path) as target:
        state = _state(target)
        if state is not None and stat.S_ISDIR(state.st_mode):
            raise MediaError(f"Expected a file name for the output, got the folder {path}; choose another name.")
        if state is not None and not stat.S_ISREG(state.st_mode):
            raise MediaError(f"Expected a file for the output, got a pipe or a device at {path}; choose another name.")
        if state is not None and not os.access(target, os.W_OK):
            raise MediaError(f"The output {path} exists and is write-protected; choose another name.")
    return path


def check_new_folder(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` as a path at which a folder can be made; call it before any long work.

    Nothing is created. What is there already is never replaced.

    Raises:
        MediaError: Something is there, or the folder around it is missing or not writable.
    """
    path = as_path(path, "a name for the output")
    with _trying(path):
        if not path.name or path.is_symlink() or _state(path) is not None:
            raise MediaError(
                f"Expected the name of a new folder for the output, but {path} exists; choose another name."
            )
    return path


@contextmanager
def _trying(path: Path) -> Iterator[Path]:
    """Lend the place behind ``path``, try whether something can be made there, and say in one sentence if not."""
    folder = path.parent
    try:
        target = _behind(path)
        folder = target.parent
        yield target
        if not folder.is_dir():
            raise MediaError(f"Expected an existing folder for the output, got {folder}; create it first.")
        _state(_temporary(target, path.suffix))
        with tempfile.TemporaryFile(dir=folder):
            return
    except MediaError:
        raise
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.ENAMETOOLONG:
            raise MediaError(f"The output {path} has a longer name than the folder can hold; shorten it.") from error
        raise MediaError(f"Cannot write into the folder {folder} ({_reason(error)}); choose another one.") from error


def _behind(path: Path) -> Path:
    """Return the place that a link leads to; what is no link is its own."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _state(path: Path) -> os.stat_result | None:
    """Look at what is there; None for nothing.

    Raises:
        OSError: That cannot be told, or there can be nothing of such a name.
    """
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _temporary(path: Path, suffix: str = "") -> Path:
    """Name what becomes ``path``: short, so that it fits wherever any name does."""
    return path.with_name(f".sonic-{secrets.token_hex(4)}.part{suffix}")


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Lend a temporary name beside ``path``; rename it to ``path`` on success, remove it on any exception.

    So a reader of ``path`` sees the old file or the whole new one, never a half. A link stays one, and the file that it
    leads to is replaced; a new file has the rights that the old one had, and its owner where the system allows that.
    What a killed program left in the folder a day ago or longer is removed.

    Raises:
        MediaError: The finished file cannot take its name.
    """
    with file_errors(path):
        target = _behind(path)
    part = _temporary(target, path.suffix)
    _sweep(target.parent)
    with Unfinished(part):
        yield part
        with file_errors(path):
            _keep_rights(part, target)
            part.replace(target)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Lend a new folder beside ``path``; rename it to ``path`` on success, remove it on any exception.

    Raises:
        MediaError: The folder cannot be made, or something has taken its name meanwhile.
    """
    part = _temporary(path)
    _sweep(path.parent)
    with Unfinished(part):
        with file_errors(path):
            part.mkdir()
        yield part
        with file_errors(check_new_folder(path)):
            part.rename(path)


@contextmanager
def scratch_folder(beside: Path | None = None) -> Iterator[Path]:
    """Lend a folder that goes with all that is in it.

    Args:
        beside: A file in whose folder it is made; None for the system's folder for temporary files.

    Raises:
        MediaError: It cannot be made.
    """
    folder = Path(tempfile.gettempdir(), "frames") if beside is None else _behind(beside)
    part = _temporary(folder)
    with Unfinished(part):
        with file_errors(beside or part):
            part.mkdir(0o700)
        yield part


def _keep_rights(part: Path, target: Path) -> None:
    """Give a finished file the rights and the owner of the one that it replaces, as far as the system allows."""
    before = _state(target)
    if before is None:
        return
    for owner in (before.st_uid, -1) if hasattr(os, "chown") else ():
        with suppress(OSError):
            os.chown(part, owner, before.st_gid)
            break
    with suppress(OSError):
        part.chmod(before.st_mode & _PERMISSIONS)


def _sweep(folder: Path) -> None:
    """Remove what a killed program left in a folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name):
                with suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED:
                        remove(entry.path)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn what the system or FFmpeg says while ``path`` is written into one sentence.

    Raises:
        OutOfMemoryError: FFmpeg has not enough memory.
        MediaError: The block raised an ``OSError``, a ``ValueError`` or another error of FFmpeg.
    """
    try:
        yield
    except MediaError:
        raise
    except (OSError, ValueError, FFmpegError) as error:
        if isinstance(error, MemoryError):
            raise OutOfMemoryError(f"There is not enough memory to write {path}; choose a smaller size.") from error
        raise MediaError(f"Cannot write {path} ({_reason(error)}); check the free space and the folder.") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
