"""Where a list's files lie: beside it, wherever that is, or where a URL says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from ..errors import SonicError
from ..media.files import check_readable
from .remote import Remote, is_url, local_path, look_at

Place: TypeAlias = Path | Remote
"""A file, here or elsewhere."""
AT_ONCE = 16
"""Files of which stores are asked at a time."""
WANTED = {"image": "a picture", "audio": "a sound"}
"""What a column's file shall be."""


class Places:
    """Finds what rows name, and asks about no URL twice."""

    def __init__(self, folder: Path, listed_at: Remote | None = None) -> None:
        """Remember where the list lies.

        Args:
            folder: The folder of the list, to which paths are relative.
            listed_at: The list's URL, to which they are relative instead; nothing then lies in ``folder``.
        """
        self.folder, self.listed_at = folder, listed_at
        self._known: dict[str, Remote | SonicError] = {}

    def find(self, written: str, wanted: str) -> Place:
        """Find a file that is there, can be opened and is neither empty nor too large.

        Args:
            written: A path or a URL.
            wanted: What it shall be, for the message.

        Raises:
            MediaError: It is none.
            SettingsError: Nothing that is installed opens such a URL.
        """
        place = self._locate(written)
        if isinstance(place, Path):
            return check_readable(place, wanted)
        found = self._known.get(place.url) or self._asked(place, wanted)
        self._known[place.url] = found
        if isinstance(found, SonicError):
            raise found
        return found

    def ask_ahead(self, rows: Iterable[Mapping[str, Any] | str]) -> None:
        """Ask stores about what many rows name, several at a time."""
        told = [row for row in rows if isinstance(row, Mapping)]
        named = {
            self._locate(str(row[column])): wanted for row in told for column, wanted in WANTED.items() if column in row
        }
        wanted = {place: what for place, what in named.items() if isinstance(place, Remote)}
        if len(wanted) > 1:
            with ThreadPoolExecutor(min(AT_ONCE, len(wanted))) as pool:
                found = pool.map(self._asked, wanted, wanted.values())
                self._known |= {place.url: one for place, one in zip(wanted, found, strict=True)}

    def _locate(self, written: str) -> Place:
        if is_url(written):
            return local_path(written) if urlsplit(written).scheme.lower() == "file" else Remote(written)
        return self.folder / written if self.listed_at is None else self.listed_at.beside(written)

    @staticmethod
    def _asked(place: Remote, wanted: str) -> Remote | SonicError:
        try:
            return look_at(place, wanted)
        except SonicError as error:
            return error


def size_of(place: Place) -> int:
    """Count a file's bytes; 0 where nobody knows them."""
    return place.size if isinstance(place, Remote) else place.stat().st_size
