"""Formats that people add: rows of data, each like one of the table's but for what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from .formats import FORMATS, Format

OPTIONS = frozenset({"bf", "cpu-used", "deadline", "g", "level", "preset", "profile", "refs", "tune"})
"""What a row may tell an encoder: numbers and names, nothing that names a file or another encoder."""
FIELDS = {"name": str, "like": str, "about": str, "crf": (int, float), "options": dict}
MOST_ROWS = 100

_NAME, _VALUE, _ABOUT = re.compile(r"[a-z0-9][a-z0-9-]{1,39}"), re.compile(r"[\w.:+-]{1,40}"), 200


def read_rows(path: Path) -> tuple[dict[str, Format], list[str]]:
    """Read a file of formats, a JSON list of objects; what cannot be used is left out and said.

    Args:
        path: Such as ``[{"name": "mp4-small", "like": "mp4-h264", "crf": 28, "options": {"preset": "slow"}}]``. "like"
            names a row of ``FORMATS``, whose every other property the new one has.

    Returns:
        The formats by name, and a sentence for each row that is none.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return {}, [f"The formats in {path} cannot be read ({error}); expected a JSON list of objects."]
    if not isinstance(rows, list) or len(rows) > MOST_ROWS:
        return {}, [f"Expected a JSON list of up to {MOST_ROWS} formats in {path}."]
    return _made(rows, path)


def _made(rows: Iterable[object], path: Path) -> tuple[dict[str, Format], list[str]]:
    known, faults = dict[str, Format](), list[str]()
    for number, row in enumerate(rows, start=1):
        one = _tried(row, known)
        if isinstance(one, Format):
            known[one.name] = one
        else:
            faults.append(f"Format {number} in {path} is left out: {one}.")
    return known, faults


def _tried(row: object, known: Mapping[str, Format]) -> Format | str:
    """Make a format of a row, or say why it is none: a clause without a capital and full stop."""
    try:
        one = _format_of(row)
    except SettingsError as error:
        return str(error).removesuffix(".")
    return f"name is {one.name!r} a second time" if one.name in known else one


def _format_of(row: object) -> Format:
    """Make a format of a row.

    Raises:
        SettingsError: It is none; a clause without a capital and full stop.
    """
    if not isinstance(row, Mapping):
        raise SettingsError(f"expected an object, got {row!r}")
    for key, value in row.items():
        if key not in FIELDS:
            raise SettingsError(f"expected {', '.join(FIELDS)}; got {key!r}")
        if isinstance(value, bool) or not isinstance(value, FIELDS[key]):
            raise SettingsError(f"{key} has a value of another kind, {value!r}")
    name, base = row.get("name", ""), FORMATS.get(row.get("like", ""))
    if not _NAME.fullmatch(name) or name in FORMATS:
        raise SettingsError(f"name must be new, of a to z, 0 to 9 and -; got {name!r}")
    if base is None or not base.encoders:
        able = ", ".join(one.name for one in FORMATS.values() if one.encoders)
        raise SettingsError(f"like must be one of {able}; got {row.get('like')!r}")
    return replace(
        base,
        name=name,
        about=_about(row.get("about", f"as {base.name}")),
        crf=base.quality(row.get("crf")),
        encoders=tuple(replace(one, options={**one.options, **_options(row)}) for one in base.encoders),
    )


def _about(text: str) -> str:
    if len(text) > _ABOUT or not text.isprintable():
        raise SettingsError(f"about must be one line of up to {_ABOUT} characters")
    return text


def _options(row: Mapping[str, Any]) -> dict[str, str]:
    options = {key: str(value) for key, value in row.get("options", {}).items()}
    for key, value in options.items():
        if key not in OPTIONS:
            raise SettingsError(f"options may be {', '.join(sorted(OPTIONS))}; got {key!r}")
        if not _VALUE.fullmatch(value):
            raise SettingsError(f"options have numbers or names as values; got {value!r} for {key}")
    return options
