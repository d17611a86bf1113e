"""The commands about weights: ``models``, ``download``, ``convert``."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..weights.catalog import CATALOG, Entry, Part, size_in_words
from ..weights.search import folders
from ..weights.store import find_part, missing_files
from . import ending
from .console import ProgressLine, add_weights, answer, say

if TYPE_CHECKING:
    import torch

WIDTH = 100
_FETCHED = {entry.name for entry in CATALOG if entry.parts}
Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(command: Command) -> None:
    """Offer the commands.

    Args:
        command: Adds a command by its name, what it runs and a text about it, and returns its parser.
    """
    models = command("models", list_models, "list weights: what they are for, which are there, where they go")
    add_weights(models)
    models.add_argument(
        "--verify", action="store_true", help="read every weight file that is there and compare its SHA-256 with what "
        "belongs to this version, or was remembered when it was first fetched; exit status 1 if one differs"
    )  # fmt: skip

    download = command("download", download_weights, "fetch weights from the hub; HF_ENDPOINT names a mirror")
    download.add_argument("name", metavar="NAME", help=" or ".join(sorted(_FETCHED)))
    download.add_argument("--weights", metavar="DIR", help="put them here ($SONIC_HOME, else ~/.cache/sonic)")

    convert = command("convert", convert_weights, "turn the .pth files of a folder into smaller, safer .safetensors")
    convert.add_argument("folder", metavar="DIR", help="the folder; its files stay as they are")
    convert.add_argument(
        "--precision", type=_dtype, metavar="P", help="of all numbers: fp16, bf16 or fp32 (default: fp16 for the UNet, "
        "fp32 for the audio's small networks)"
    )  # fmt: skip


def _dtype(name: str) -> torch.dtype:
    from ..devices import PRECISIONS  # noqa: PLC0415 - torch loads only when it is needed

    if name not in PRECISIONS:
        raise argparse.ArgumentTypeError(f"expected {', '.join(PRECISIONS)}, got {name!r}")
    return PRECISIONS[name]


def list_models(options: argparse.Namespace) -> int:
    """Tell of every model and finder what it is for, what is there, and where the rest comes from and goes."""
    if options.verify:
        return _verify(options)
    rows = [_row(entry, options.weights) for entry in CATALOG]
    looked = [str(folder) for folder in folders(options.weights)]
    lines = [line for row in rows for line in _told(row)]
    answer(options, {"models": rows, "folders": looked}, "\n".join([*lines, "looked in:", *_hung(looked, 2)]))
    return 0


def _verify(options: argparse.Namespace) -> int:
    """Tell of every weight file that is there whether it is what it should be."""
    from ..weights.checksums import verify_files  # noqa: PLC0415

    files = verify_files(options.weights, ProgressLine())
    rows = [
        {"path": str(one.path), "state": one.state, "sha256": one.sha256, "expected": one.expected, "by": one.known_by}
        for one in files
    ]
    said = {
        "same": "as {known_by} says",
        "different": "{known_by} says {expected}; remove the file, and fetch it or install the package again",
        "unknown": "put here by hand: nothing to compare with",
    }
    lines = [
        line
        for one in files
        for line in (
            f"{one.state:10} {one.path}",
            *_hung([f"{one.sha256 or 'missing'}, {said[one.state].format_map(vars(one))}"], 11),
        )
    ]
    answer(options, {"verified": rows}, "\n".join(lines))
    return int(any(one.state == "different" for one in files))


def _row(entry: Entry, first: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": entry.name,
        "purpose": entry.purpose,
        "found": _found(entry, first),
        "files": list(entry.files),
        "source": entry.source,
        "licence": entry.licence,
    }
    if len(entry.parts) > 1:
        row["parts"] = [_part_row(part, first) for part in entry.parts]
        needed = {part["name"]: part["found"] for part in row["parts"] if part["required"]}
        row["found"] = str(Path(next(iter(needed.values()))).parent) if all(needed.values()) else None
    return row


def _found(entry: Entry, first: list[str]) -> str | None:
    """Tell where a finder's file is; whoever uses the files knows where they may lie."""
    from ..evaluate.scores.embedding import locate_recogniser  # noqa: PLC0415 - torch loads only when it is needed
    from ..faces.insightface import locate_pack  # noqa: PLC0415
    from ..faces.yoloface import locate_yoloface  # noqa: PLC0415

    if not entry.files:
        return "built in"
    finders = {"insightface": locate_pack, "yoloface": locate_yoloface, "csim": locate_recogniser}
    there = finders[entry.name](first) if entry.name in finders else find_part(entry.parts[0], first)
    return str(there) if there else None


def _part_row(part: Part, first: list[str]) -> dict[str, Any]:
    found = find_part(part, first)
    goes_to = None if found else missing_files(part, first)[0][1]
    if goes_to and part.folder:
        goes_to = next(folder for folder in goes_to.parents if folder.name == part.folder)
    return {
        "name": part.name,
        "found": str(found) if found else None,
        "missing_goes_to": str(goes_to) if goes_to else None,
        "source": part.source,
        "bytes": part.bytes,
        "licence": part.licence,
        "purpose": part.purpose,
        "required": part.required,
        "gated": part.gated,
    }


def _told(row: dict[str, Any]) -> list[str]:
    """Write a row for people, no wider than a terminal where the paths allow it."""
    lines = [f"{row['name']:14} {row['purpose']}"]
    parts = row.get("parts", [])
    if not parts:
        how = f"; fetch it: python -m sonic_core download {row['name']}" if row["name"] in _FETCHED else ""
        where = row["found"] or f"not there: {row['files'][0]} from {row['source']} (licence: {row['licence']}){how}"
        return [*lines, *_hung([where], 15)]
    missing = [part for part in parts if part["required"] and not part["found"]]
    state = f"{len(missing)} of its parts are not there; fetch them: python -m sonic_core download {row['name']}"
    lines += _hung([state if missing else row["found"]], 15)
    for part in parts:
        about = f"{part['purpose']}; up to {size_in_words(part['bytes'])}, {part['licence']}"
        lines += _hung([f"{part['name']:14} {about}{'' if part['required'] else '; not required'}"], 2, 17)
        gate = ", which asks for its licence to be accepted" if part["gated"] else ""
        from_where = f"not there: put it at {part['missing_goes_to']}, from {part['source']}{gate}"
        lines += _hung([part["found"] or from_where], 17)
    return lines


def _hung(texts: list[str], indent: int, rest: int | None = None) -> list[str]:
    """Wrap texts, never inside a word or a path, each behind an indent."""
    later = " " * (indent if rest is None else rest)
    return [
        line
        for text in texts
        for line in textwrap.wrap(
            text, WIDTH, initial_indent=" " * indent, subsequent_indent=later, break_long_words=False,
            break_on_hyphens=False,
        )
    ]  # fmt: skip


def download_weights(options: argparse.Namespace) -> int:
    """Say what will be fetched and under which licences, then fetch it."""
    from ..weights.download import fetch, plan_download  # noqa: PLC0415

    plan = plan_download(options.name, options.weights)
    if plan.wanted:
        files = "1 file" if len(plan.wanted) == 1 else f"{len(plan.wanted)} files"
        say(f"{options.name}: {files}, about {size_in_words(plan.bytes)}, into {plan.folder}")
        for licence, parts in plan.licences.items():
            say(f"licence of {', '.join(parts)}: {licence}")
    try:
        fetched = fetch(plan, ProgressLine())
    except KeyboardInterrupt as asked:
        return ending.tell_end(asked, "what came so far is kept, and the same command continues there")
    result = {
        "name": options.name,
        "folder": str(plan.folder),
        "fetched": [{"path": str(path), "bytes": path.stat().st_size} for path in fetched],
        "there": [str(path) for path in plan.there],
    }
    lines = [f"fetched {path}" for path in fetched] + [f"was there: {path}" for path in plan.there]
    answer(options, result, "\n".join([*lines, f"{options.name} is complete."]))
    return 0


def convert_weights(options: argparse.Namespace) -> int:
    """Convert every file of a folder that is not converted yet."""
    from ..weights.convert import convert_folder  # noqa: PLC0415

    made = convert_folder(Path(options.folder), options.precision, ProgressLine())
    rows = [
        {"source": str(one.source), "result": str(one.result), "tensors": one.tensors, "bytes": one.bytes}
        for one in made
    ]
    lines = [f"{one.source} -> {one.result}: {one.tensors} tensors, {size_in_words(one.bytes)}" for one in made]
    answer(options, {"converted": rows}, "\n".join(lines or ["Nothing to convert: all of it is converted already."]))
    return 0
