"""Which parts of a model are there, and where those that are not belong. Nothing is ever fetched here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from ..errors import CheckpointError
from .catalog import CATALOG, File, Part, size_in_words
from .search import SearchPath, Weights, home_folder, is_file, is_folder, roots

CONVERTED = (".pth", ".pkl")
"""Endings of files whose converted form, ``.safetensors`` beside them, is taken first."""
_PICKLED = (".ckpt", ".pt", ".pth", ".bin")
"""Endings of single files that are not read."""


def find_parts(model: str, parts: Sequence[Part], weights: Weights = ()) -> dict[str, Path]:
    """Find every part of a model.

    Args:
        model: Its name, for what is said and for ``download``.
        parts: What it is made of.
        weights: Folders that are looked into before all others, and files or folders of single parts.

    Returns:
        Each part's file or folder by its name; parts that are not required only where they are there.

    Raises:
        CheckpointError: Files are missing; the message lists all of them, where each belongs and where it comes from.
    """
    _check_files(SearchPath.of(weights))
    found = {part.name: find_part(part, weights) for part in parts}
    lacking = [part for part in parts if part.required and found[part.name] is None]
    if lacking:
        lines = [line for part in lacking for line in _missing_lines(part, weights)]
        command = f"Or: python -m sonic_core download {model}"
        raise CheckpointError("\n".join([f"{model} needs files that are missing:", *lines, command]))
    return {name: path for name, path in found.items() if path is not None}


def has_parts(parts: Sequence[Part], weights: Weights = ()) -> bool:
    """Say whether every part that is required is there.

    Raises:
        CheckpointError: What the caller names does not exist, or is no part's file.
    """
    _check_files(SearchPath.of(weights))
    return all(find_part(part, weights) for part in parts if part.required)


def find_part(part: Part, weights: Weights = ()) -> Path | None:
    """Find one part: its file, or the folder that holds all its files. Empty files and half folders do not count."""
    named = _named(part, SearchPath.of(weights))
    if named is not None:
        return named
    for root in _places(part, weights):
        path = _part_in(root, part)
        if path is not None:
            return path
        for single in _singles(root, part, last=False):
            return single
    return next((path for root in _places(part, weights) for path in _singles(root, part, last=True)), None)


def find_file(root: Path, file: File) -> Path | None:
    """Find a file directly below ``root``, under any of the names that do."""
    usual = root / _short(file)
    paths = (usual.with_name(name) for name in _names(file))
    return next((path for path in paths if _is_whole(path)), None)


def files_of(part: Part, found: Path) -> list[tuple[Path, File | None]]:
    """List the files of a part that was found, each with its place in the catalogue.

    Args:
        part: The part.
        found: What ``find_part`` returned.
    """
    if not part.folder:
        return [(found, part.files[0])]
    if not is_folder(found):
        return [(found, None)]
    named = [
        ((found / file.path).with_name(name), file) for file in (*part.files, *part.extras) for name in _names(file)
    ]
    return [(path, file) for path, file in named if _is_whole(path)]


def missing_files(part: Part, weights: Weights = ()) -> list[tuple[File, Path]]:
    """List the files that a part which is not there lacks, each with the path where it belongs.

    A folder that was begun is completed where it is; otherwise files go into the folder that the caller, the
    environment or the host names, and else into ``~/.cache/sonic``.
    """
    if part.folder:
        own = [path for path in SearchPath.of(weights).given if _may_be(path, part)]
        begun = [{file: path / file.path for file in part.files} for path in own]
        begun += [{file: root / file.at for file in part.files} for root in roots(weights)]
        for files in begun:
            lacking = [(file, path) for file, path in files.items() if not _is_there(file, path)]
            if len(lacking) < len(files):
                return lacking
    beside = next(_places(part, weights), None) if part.beside else None
    return [(file, beside / _short(file) if beside else place_for(file, weights)) for file in part.files]


def place_for(file: File, weights: Weights = ()) -> Path:
    """Tell the path where a file belongs that is nowhere yet."""
    search = SearchPath.of(weights)
    if not search.given and not os.environ.get("SONIC_HOME"):
        wanted = "checkpoints" if file.at.startswith("stable-video") else "sonic"
        for folder in search.host:
            if folder.name.lower() == wanted:
                return folder / _short(file)
    return home_folder(search) / file.at


def _check_files(search: SearchPath) -> None:
    """Raise for a file that the caller names and no part can be."""
    for path in search.files:
        if any(_may_be(path, part) for part in _parts()) or path.name in _finders():
            continue
        single = next(part for part in _parts() if part.single)
        reason = "is a pickle, which can hold code and is not read" if path.suffix in _PICKLED else "is no part's file"
        raise CheckpointError(
            f"{path}, named among the weights, {reason}; a file under its published name is expected, or of the part "
            f"{single.name} a .safetensors file or a diffusers folder."
        )


def _named(part: Part, search: SearchPath) -> Path | None:
    """Find the part among what the caller names."""
    for path in search.given:
        if _may_be(path, part) and _is_whole(path):
            return path
        if part.folder and _may_be(path, part) and all(_is_there(file, path / file.path) for file in part.files):
            return path
    return None


def _may_be(path: Path, part: Part) -> bool:
    """Say whether a file or folder that somebody names is meant as this part."""
    if is_folder(path):
        return bool(part.folder) and (path.name == part.folder or part.single is not None)
    known = {name: other.name for other in _parts() if not other.folder for name in _names(other.files[0])}
    if part.single is not None:
        return path.suffix == ".safetensors" and path.name not in known
    return known.get(path.name) == part.name


def _parts() -> list[Part]:
    return [part for entry in CATALOG for part in entry.parts]


def _finders() -> set[str]:
    """Name the files of what has no parts."""
    return {Path(file).name for entry in CATALOG if not entry.parts for file in entry.files}


def _places(part: Part, weights: Weights) -> Iterator[Path]:
    """List the folders in which a part is looked for: all, or that of the part it belongs to."""
    if part.beside is None:
        yield from roots(weights, here=not part.code)
    elif owner := find_part(part.beside, weights):
        yield owner.parent


def _part_in(root: Path, part: Part) -> Path | None:
    found = [find_file(root, file) for file in part.files]
    if any(path is None for path in found):
        return None
    return root / part.folder if part.folder else found[0]


def _names(file: File) -> list[str]:
    """List the names that do for a file, the best first."""
    usual = Path(file.at)
    converted = [f"{usual.stem}.safetensors"] if usual.suffix in CONVERTED else []
    return [*converted, usual.name, *file.others]


def _short(file: File) -> str:
    """Tell a file's path below a root: the folder ``Sonic`` is itself a root."""
    return file.at.removeprefix("Sonic/")


def _is_whole(path: Path) -> bool:
    return is_file(path) and path.stat().st_size > 0


def _is_there(file: File, path: Path) -> bool:
    return any(_is_whole(path.with_name(name)) for name in _names(file))


def _singles(root: Path, part: Part, *, last: bool) -> list[Path]:
    """List the single files in a root that are a part, the best first."""
    if part.single is None:
        return []
    patterns = part.single.last_names if last else part.single.names
    fitting = [path for pattern in patterns for path in sorted(_below(root, pattern))]
    return [path for path in dict.fromkeys(fitting) if not fnmatch(path.name, part.single.lacking)]


def _below(root: Path, pattern: str) -> list[Path]:
    """List the whole files of a root; of a folder for checkpoints, which people sort, those one folder deeper too."""
    patterns = [pattern, *([f"*/{pattern}"] if root.name == "checkpoints" else [])]
    return [path for one in patterns for path in root.glob(one) if _is_whole(path)]


def _missing_lines(part: Part, weights: Weights) -> list[str]:
    """Say of each file that a part lacks what it is for, where it belongs and where it comes from."""
    lines = [
        f"- {path.name}, which {part.purpose} ({size_in_words(file.bytes)}): put it into {path.parent}, "
        f"from {part.source}" + (f", {file.path}" if file.path != path.name else "")
        for file, path in missing_files(part, weights)
    ]
    if part.single is not None:
        place = place_for(part.files[0], weights).parents[1]
        lines.append(f"  (one file {part.single.names[0]} in {place.parent} does as well as the folder {place.name})")
        patterns = [part.single.unread + ending for ending in _PICKLED]
        pickled = [path for pattern in patterns for root in roots(weights) for path in _below(root, pattern)]
        lines += [
            f"  ({path} is there, but is a pickle, which can hold code and is not read; "
            f"take {path.stem}.safetensors from {part.source} instead)"
            for path in dict.fromkeys(pickled)
        ]
    return lines
