"""Where weight files are looked for, and which are there.

Order: folders given by the caller, ``$SONIC_HOME``, the host's model folders (handed over by ``add_folder``),
``./checkpoints`` and ``./models``, ``~/.cache/sonic``. Nothing is ever fetched here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import CheckpointError

_added: list[Path] = []


def add_folder(folder: str | Path) -> None:
    """Look for weights in ``folder`` too; the host's door calls this for each of the host's model folders."""
    path = Path(folder)
    if path not in _added:
        _added.append(path)


def folders(first: Sequence[str | Path] = ()) -> list[Path]:
    """List the folders in which weights are looked for, in order, whether they exist or not.

    Raises:
        CheckpointError: A folder given as ``first`` does not exist.
    """
    for folder in first:
        if not Path(folder).expanduser().is_dir():
            raise CheckpointError(f"Expected a folder with weights, got {folder}, which is none; check its name.")
    home = os.environ.get("SONIC_HOME")
    named = [*first, *([home] if home else [])]
    listed = [*(Path(folder).expanduser() for folder in named), *_added]
    listed += [Path("checkpoints"), Path("models"), Path.home() / ".cache" / "sonic"]
    return list(dict.fromkeys(listed))


def locate(name: str, first: Sequence[str | Path] = ()) -> Path | None:
    """Find the first existing file or folder called ``name`` (a relative path) in the weight folders.

    Both published layouts nest their files in a folder ``sonic`` or ``Sonic``; those are looked into as well.
    """
    for folder in folders(first):
        for nested in ("", "sonic", "Sonic"):
            path = folder / nested / name
            if path.exists():
                return path
    return None
