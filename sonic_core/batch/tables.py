"""Lists as people write them: a table, a line of JSON each, or Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import InputError, MediaError, SettingsError

Listed: TypeAlias = tuple[int, Mapping[str, Any] | str]
"""A row's line and what stands there, by column; what is no row is given as what is wrong with it."""
PACKAGE = "pyarrow"
ENDINGS = (".csv", ".jsonl", ".parquet")
_HEAD = 1
"""The line of a table on which its columns are named."""


def read_list(path: Path) -> list[Listed]:
    """Read all rows of a list; what a row leaves empty it does not say.

    Args:
        path: ``*.csv`` with the names of columns first, ``*.jsonl``, or ``*.parquet``, whose rows are counted from 1.

    Raises:
        MediaError: It cannot be read.
        InputError: It is no list, or has no rows.
        SettingsError: It is Parquet, and nothing is installed that reads it.
    """
    readers = {".csv": _table, ".jsonl": _lines, ".ndjson": _lines, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise InputError(f"A manifest is a .csv, a .jsonl or a .parquet; got {path.name}.")
    try:
        listed = list(readers[path.suffix.lower()](path))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name} is no text that can be read ({error}); save it as UTF-8.") from error
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror or error}).") from error
    if not listed:
        raise InputError(f"{path.name} has no rows.")
    return [(line, given if isinstance(given, str) else _said(given)) for line, given in listed]


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name.strip(): value for name, value in row.items() if value not in (None, "")}


def _table(path: Path) -> Iterator[Listed]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True, restkey="")
        for row in reader:
            yield reader.line_num, row


def _lines(path: Path) -> Iterator[Listed]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=_HEAD):
            if not line.strip():
                continue
            try:
                made = json.loads(line)
            except json.JSONDecodeError as error:
                made = f"no JSON ({error})"
            yield number, made if isinstance(made, (dict, str)) else "an object was expected"


def _parquet(path: Path) -> Iterator[Listed]:
    try:
        arrow, parquet = import_module(PACKAGE), import_module(f"{PACKAGE}.parquet")
    except ImportError as error:
        raise SettingsError(
            f"{path.name} is Parquet, which wants {PACKAGE}, and that is not installed here; pip install {PACKAGE}, or "
            "save the list as .csv or .jsonl."
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            rows = (row for batch in file.iter_batches() for row in batch.to_pylist())
            yield from enumerate(rows, start=1)
    except arrow.ArrowException as error:
        raise InputError(f"{path.name} is no Parquet that can be read ({str(error).splitlines()[0]}).") from error
