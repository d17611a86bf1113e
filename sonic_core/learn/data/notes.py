"""What is written down of a clip of a set, for whoever learns from it: a JSON beside the clip, and all in a list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import MediaError
from ...media.files import written_beside

CLIPS, MANIFEST = "clips", "manifest.jsonl"
"""The folder of the clips, and the list of them, a line each."""
VERSION = "learn data 1"
"""Of the form of a note."""


def read_note(video: Path) -> dict[str, Any] | None:
    """Read what is known of a clip of a set; None for any other video."""
    path = video.with_suffix(".json")
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and told.get("made_by") == VERSION else None


def listed_clips(folder: Path) -> list[Path] | None:
    """List the clips of a set, as its manifest orders them; None for a folder that is none.

    Raises:
        MediaError: The manifest is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [folder / CLIPS / f"{json.loads(line)['key']}.mp4" for line in lines]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{path} is damaged ({error}); the same learn data makes it anew.") from error


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a list, one JSON object a line."""
    with written_beside(path) as part, part.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
