"""What is being made and has no name of its own yet: whoever ends the program early removes it.

Nothing heavy is imported: a program asks here before it has loaded anything.
"""

from __future__ import annotations

import os
from contextlib import suppress

_paths: set[str] = set()


class Unfinished:
    """A file or folder that goes when the block is left, whether it was made or not.

    >>> with Unfinished("nothing.part") as path:
    ...     path
    'nothing.part'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    def __enter__(self) -> str:
        _paths.add(self.path)
        return self.path

    def __exit__(self, *_: object) -> None:
        remove(self.path)


def note(path: str | os.PathLike[str]) -> None:
    """Have ``path`` removed by ``remove_all``, unless ``remove`` did so before."""
    _paths.add(os.fspath(path))


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file, or a folder with all that is in it; what is gone already does no harm.

    Raises:
        OSError: A file cannot be removed.
    """
    path = os.fspath(path)
    if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 - pathlib takes time to import
        import shutil  # noqa: PLC0415

        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)  # noqa: PTH108
    _paths.discard(path)


def remove_all() -> None:
    """Remove everything that is still unfinished; what the system does not let go stays."""
    for path in tuple(_paths):
        with suppress(OSError):
            remove(path)
