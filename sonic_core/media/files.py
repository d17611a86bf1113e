"""Where media come from and where they go: said before any work is done, written beside and renamed at the end."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import MediaError

_LONGEST_STEM = 80
"""Characters of the target's name kept in the temporary name, so that it fits where the target fits."""


def check_readable(path: str | os.PathLike[str], wanted: str) -> Path:
    """Return ``path`` as a path to a file that is there, can be opened and is not empty.

    Args:
        path: A file.
        wanted: What is expected there, for the message: "a picture".

    Raises:
        MediaError: Nothing is there, it is a folder, it may not be opened, or it is empty.
    """
    path = Path(path)
    try:
        empty = path.is_file() and path.stat().st_size == 0
        if path.is_file() and not empty:
            with path.open("rb"):
                return path
    except (OSError, ValueError) as error:
        raise MediaError(f"Expected {wanted} at {path}, which cannot be opened ({_reason(error)}).") from error
    if empty:
        raise MediaError(f"Expected {wanted} in {path}, got an empty file; copy or download it again.")
    if path.is_dir():
        raise MediaError(f"Expected {wanted}, got the folder {path}; name a file inside it.")
    raise MediaError(f"Expected {wanted} at {path}, but no file is there; check the name and the folder.")


def check_writable(path: str | os.PathLike[str], suffix: str = ".mp4") -> Path:
    """Return ``path`` as a path to which a file can be written; call it before any long work.

    Nothing is created: the folder is tried with a nameless temporary file.

    Args:
        path: The file to be written; one that is there already will be replaced.
        suffix: The ending that the file must have, whatever its case.

    Raises:
        MediaError: The ending is another, the folder is missing or not writable, or the target is a folder or
            may not be replaced.
    """
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise MediaError(f"Expected an output name that ends in {suffix}, got {path}; change its ending to {suffix}.")
    with _trying(path):
        if path.is_dir():
            raise MediaError(f"Expected a file name for the output, got the folder {path}; choose another name.")
        if path.exists() and not os.access(path, os.W_OK):
            raise MediaError(f"The output {path} exists and is write-protected; choose another name.")
    return path


def check_new_folder(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` as a path at which a folder can be made; call it before any long work.

    Nothing is created. What is there already is never replaced.

    Raises:
        MediaError: Something is there, or the folder around it is missing or not writable.
    """
    path = Path(path)
    with _trying(path):
        if not path.name or path.exists() or path.is_symlink():
            raise MediaError(
                f"Expected the name of a new folder for the output, but {path} exists; choose another name."
            )
    return path


@contextmanager
def _trying(path: Path) -> Iterator[None]:
    """Try whether something can be made beside ``path``, and say in one sentence if not."""
    folder = path.parent
    try:
        yield
        if not folder.is_dir():
            raise MediaError(f"Expected an existing folder for the output, got {folder}; create it first.")
        with tempfile.TemporaryFile(dir=folder):
            return
    except MediaError:
        raise
    except (OSError, ValueError) as error:
        raise MediaError(f"Cannot write into the folder {folder} ({_reason(error)}); choose another one.") from error


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Lend a temporary name beside ``path``; rename it to ``path`` on success, remove it on any exception.

    So a reader of ``path`` sees the old file or the whole new one, never a half.

    Raises:
        MediaError: The finished file cannot take its name.
    """
    part = path.with_name(f".{path.stem[:_LONGEST_STEM]}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        yield part
        with file_errors(path):
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Lend a new folder beside ``path``; rename it to ``path`` on success, remove it on any exception.

    Raises:
        MediaError: The folder cannot be made, or something has taken its name meanwhile.
    """
    part = path.with_name(f".{path.name[:_LONGEST_STEM]}.{secrets.token_hex(4)}.part")
    with file_errors(path):
        part.mkdir()
    try:
        yield part
        with file_errors(check_new_folder(path)):
            part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn what the system or FFmpeg says while ``path`` is written into one sentence.

    Raises:
        MediaError: The block raised an ``OSError`` or an error of FFmpeg, which is one or a ``ValueError``.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        raise MediaError(f"Cannot write {path} ({_reason(error)}); check the free space and the folder.") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
