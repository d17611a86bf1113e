"""Where weights are looked for.

Order: what the caller names, ``$SONIC_HOME``, the model folders of the host, ``./checkpoints`` and ``./models``,
``~/.cache/sonic``. Nothing is ever fetched here.

Two layouts are published. The command line's keeps ``checkpoints/Sonic/unet.pth`` and ``checkpoints/whisper-tiny``; the
host's keeps ``models/sonic/unet.pth``, ``models/sonic/whisper-tiny`` and ``models/checkpoints/svd_xt.safetensors``.
A weight folder may be any folder of either.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from ..errors import CheckpointError

NESTED = ("", "sonic", "Sonic", "checkpoints", "checkpoints/Sonic", "checkpoints/sonic")
"""Where files lie inside a weight folder."""
_CACHE = "~/.cache/sonic"


@dataclass(frozen=True)
class SearchPath:
    """What is looked into besides the places that always are."""

    given: tuple[Path, ...] = ()
    """Folders, and single files, that the caller names; they go before all others."""
    host: tuple[Path, ...] = ()
    """Model folders of the program that the engine runs in; they go after ``$SONIC_HOME`` and need not exist."""

    @classmethod
    def of(cls, weights: Weights) -> SearchPath:
        """Take what a caller names: nothing, one folder or file, several, or a search path as it is."""
        if isinstance(weights, SearchPath):
            return weights
        named = [weights] if isinstance(weights, (str, Path)) else weights
        return cls(tuple(_at_home(one) for one in named))

    def naming(self, part: str | Path) -> SearchPath:
        """Name a part's file or folder before all others: a path, or a name below the weight folders."""
        path = _at_home(part)
        found = path if exists(path) else locate(str(path), self)
        return replace(self, given=(found or path, *self.given))

    @property
    def files(self) -> list[Path]:
        """The files that the caller names."""
        return [path for path in self.given if is_file(path)]


Weights: TypeAlias = "str | Path | Sequence[str | Path] | SearchPath"
"""What callers name when weights are looked for."""


def folders(weights: Weights = (), *, here: bool = True) -> list[Path]:
    """List the folders in which weights are looked for, in order, whether they exist or not.

    Args:
        weights: What the caller names.
        here: Count those of the folder in which the program was started, which nobody named.

    Raises:
        CheckpointError: What the caller names does not exist, or may not be looked into.
    """
    search = SearchPath.of(weights)
    for path in search.given:
        _check_given(path)
    home = os.environ.get("SONIC_HOME")
    listed = [path for path in search.given if is_folder(path)]
    listed += [_at_home(home)] if home else []
    listed += [*search.host, *([Path("checkpoints"), Path("models")] if here else [])]
    with suppress(CheckpointError):  # nobody's home is no place to look
        listed += [_at_home(_CACHE)]
    return list(dict.fromkeys(listed))


def _check_given(path: Path) -> None:
    try:
        if not path.is_file():
            next(path.iterdir(), None)
    except FileNotFoundError:
        raise CheckpointError(
            f"Expected a folder with weights, or one of their files, got {path}, which is not there; check its name."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(
            f"Expected a folder with weights, or one of their files, got {path}, which cannot be looked into "
            f"({reason}); choose another, or let yourself read it."
        ) from error


def _at_home(path: str | Path) -> Path:
    """Put the home folder in place of ``~``.

    Raises:
        CheckpointError: There is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise CheckpointError(
            f"There is no home folder for {path}; name a folder for weights by its whole path, with --weights or "
            "SONIC_HOME."
        ) from error


def exists(path: Path) -> bool:
    """Say whether something is there; where that cannot be told, nothing is, as with ``is_file`` and ``is_folder``."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def is_file(path: Path) -> bool:
    """Say whether a file is there."""
    return exists(path) and path.is_file()


def is_folder(path: Path) -> bool:
    """Say whether a folder is there."""
    return exists(path) and path.is_dir()


def roots(weights: Weights, *, here: bool = True) -> Iterator[Path]:
    """List the existing folders directly below which the names of the two layouts are found."""
    for folder in folders(weights, here=here):
        around: list[Path] = []
        whole = folder.absolute()
        if whole.name.lower() == "sonic":  # its neighbours hold the rest of either layout
            around = [whole.parent / "checkpoints"]
            around += [whole.parent] if whole.parent.name == "checkpoints" else []
        yield from (root for root in [*(folder / nested for nested in NESTED), *around] if is_folder(root))


def locate(name: str, weights: Weights = (), *, here: bool = True) -> Path | None:
    """Find the first existing file or folder called ``name`` (a relative path) in the weight folders.

    Both published layouts nest their files in folders of their own; those are looked into as well. A file that the
    caller names is found by its own name. Files that are code are located with ``here`` False (``folders``).
    """
    named = (path for path in SearchPath.of(weights).files if path.name == name)
    below = (root / name for root in roots(weights, here=here) if exists(root / name))
    return next(named, None) or next(below, None)


def home_folder(weights: Weights = ()) -> Path:
    """Tell the folder into which weights are put: the first given, ``$SONIC_HOME``, else ``~/.cache/sonic``.

    Raises:
        CheckpointError: There is no home folder.
    """
    given = [path for path in SearchPath.of(weights).given if not is_file(path)]
    return given[0] if given else _at_home(os.environ.get("SONIC_HOME") or _CACHE)
