"""Where weight files are looked for, and which are there.

Order: folders given by the caller, ``$SONIC_HOME``, the host's model folders (handed over by ``add_folder``),
``./checkpoints`` and ``./models``, ``~/.cache/sonic``. Nothing is ever fetched here.

Two layouts are published. The command line's keeps ``checkpoints/Sonic/unet.pth`` and ``checkpoints/whisper-tiny``; the
host's keeps ``models/sonic/unet.pth``, ``models/sonic/whisper-tiny`` and ``models/checkpoints/svd_xt.safetensors``.
A weight folder may be any folder of either.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError
from .catalog import BASE_PARTS, STUDENT, TINY_VAE, File, Part, size_in_words

NESTED = ("", "sonic", "Sonic", "checkpoints", "checkpoints/Sonic", "checkpoints/sonic")
"""Where files lie inside a weight folder."""
CONVERTED = (".pth", ".pkl")
"""Endings of files whose converted form, ``.safetensors`` beside them, is taken first."""
SVD_FILE = "svd_xt.safetensors"
SVD_SHORT_FILE = "svd.safetensors"
"""Stable Video Diffusion for 14 frames: another UNet, the same VAE and image encoder."""
_PICKLED = (".ckpt", ".pt", ".pth", ".bin")
"""Endings of single files of Stable Video Diffusion that are not read."""
COMMAND = "python -m sonic_core download sonic-base"

_added: list[Path] = []


@dataclass(frozen=True)
class BaseFiles:
    """Everything sonic-base is read from."""

    unet: Path
    audio2token: Path
    audio2bucket: Path
    whisper: Path
    """A folder in the hub's form."""
    interpolator: Path
    svd: Path
    """A single ``.safetensors`` file, or a diffusers folder with ``vae`` and ``image_encoder``."""
    sizes: Path | None
    """``sonic-base.json`` beside the unet: sizes of a model other than the published one."""
    tiny_vae: Path | None = None
    """The tiny decoder's file, where there is one."""
    student: Path | None = None
    """The few-step student beside the unet, a UNet or a LoRA, where there is one."""


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

    Both published layouts nest their files in folders of their own; those are looked into as well.
    """
    return next((root / name for root in _roots(first) if (root / name).exists()), None)


def find_base(first: Sequence[str | Path] = (), svd: str | Path | None = None) -> BaseFiles:
    """Find every file of sonic-base.

    Args:
        first: Folders that are looked into before all others.
        svd: Stable Video Diffusion's file or folder: a path, or a name below the weight folders. Default: searched.

    Raises:
        CheckpointError: Files are missing; the message lists all of them, where each belongs and where it comes from.
    """
    needed = [part for part in BASE_PARTS if part.required]
    found = {part.name: find_part(part, first) for part in needed if part.name != "svd" or svd is None}
    lines = [line for part in needed if found.get(part.name, part) is None for line in _missing_lines(part, first)]
    if svd is not None:
        found["svd"] = _named_svd(svd, first)
        if found["svd"] is None:
            lines.append(_not_svd(svd))
    if lines:
        raise CheckpointError("\n".join(["sonic-base needs files that are missing:", *lines, f"Or: {COMMAND}"]))
    there = {name: path for name, path in found.items() if path is not None}
    sizes = there["unet"].with_name("sonic-base.json")
    tiny_vae, student = find_part(TINY_VAE, first), find_part(STUDENT, first)
    return BaseFiles(**there, sizes=sizes if sizes.is_file() else None, tiny_vae=tiny_vae, student=student)


def has_base(first: Sequence[str | Path] = (), svd: str | Path | None = None) -> bool:
    """Say whether every file of sonic-base is there, but for Stable Video Diffusion where ``svd`` names it.

    Raises:
        CheckpointError: A folder given as ``first`` does not exist.
    """
    needed = [part for part in BASE_PARTS if part.required and not (part.name == "svd" and svd is not None)]
    return all(find_part(part, first) for part in needed)


def find_part(part: Part, first: Sequence[str | Path] = ()) -> Path | None:
    """Find one part: its file, or the folder that holds all its files. Empty files and half folders do not count."""
    for root in _places(part, first):
        path = _part_in(root, part)
        if path is not None:
            return path
        if part.name == "svd":
            for single in _single_svd_files(root, "svd_xt*.safetensors"):
                return single
    short = (_single_svd_files(root, SVD_SHORT_FILE) for root in _roots(first) if part.name == "svd")
    return next((path for paths in short for path in paths), None)


def find_file(root: Path, file: File) -> Path | None:
    """Find a file directly below ``root``, under any of the names that do."""
    usual = root / _short(file)
    names = [f"{usual.stem}.safetensors"] if usual.suffix in CONVERTED else []
    paths = (usual.with_name(name) for name in (*names, usual.name, *file.others))
    return next((path for path in paths if _is_whole(path)), None)


def missing_files(part: Part, first: Sequence[str | Path] = ()) -> list[tuple[File, Path]]:
    """List the files that a part which is not there lacks, each with the path where it belongs.

    A folder that was begun is completed where it is; otherwise files go into the folder that the caller, the
    environment or the host names, and else into ``~/.cache/sonic``.
    """
    if part.folder:
        for root in _roots(first):
            there = [find_file(root, file) is not None for file in part.files]
            if any(there):
                return [(file, root / file.at) for file, known in zip(part.files, there, strict=True) if not known]
    beside = next(_places(part, first), None) if part.beside else None
    return [(file, beside / _short(file) if beside else place_for(file, first)) for file in part.files]


def place_for(file: File, first: Sequence[str | Path] = ()) -> Path:
    """Tell the path where a file belongs that is nowhere yet."""
    if not first and not os.environ.get("SONIC_HOME"):
        wanted = "checkpoints" if file.at.startswith("stable-video") else "sonic"
        for folder in _added:
            if folder.name.lower() == wanted:
                return folder / _short(file)
    return home_folder(first) / file.at


def home_folder(first: Sequence[str | Path] = ()) -> Path:
    """Tell the folder into which weights are put: the first given, ``$SONIC_HOME``, else ``~/.cache/sonic``."""
    named = [*first, os.environ.get("SONIC_HOME") or "~/.cache/sonic"]
    return Path(named[0]).expanduser()


def _roots(first: Sequence[str | Path]) -> Iterator[Path]:
    """List the existing folders directly below which the names of the two layouts are found."""
    for folder in folders(first):
        around: list[Path] = []
        whole = folder.absolute()
        if whole.name.lower() == "sonic":  # its neighbours hold the rest of either layout
            around = [whole.parent / "checkpoints"]
            around += [whole.parent] if whole.parent.name == "checkpoints" else []
        yield from (root for root in [*(folder / nested for nested in NESTED), *around] if root.is_dir())


def _places(part: Part, first: Sequence[str | Path]) -> Iterator[Path]:
    """List the folders in which a part is looked for: all, or that of the part it belongs to."""
    owner = next((find_part(other, first) for other in BASE_PARTS if other.name == part.beside), None)
    yield from ([owner.parent] if owner else []) if part.beside else _roots(first)


def _part_in(root: Path, part: Part) -> Path | None:
    found = [find_file(root, file) for file in part.files]
    if any(path is None for path in found):
        return None
    return root / part.folder if part.folder else found[0]


def _short(file: File) -> str:
    """Tell a file's path below a root: the folder ``Sonic`` is itself a root."""
    return file.at.removeprefix("Sonic/")


def _is_whole(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _single_svd_files(root: Path, pattern: str) -> list[Path]:
    """List Stable Video Diffusion's single files in a root, the plain ones first.

    The variant ``svd_xt_image_decoder`` lacks the temporal decoder, which is the part that is needed.
    """
    patterns = [pattern, *([f"*/{pattern}"] if root.name == "checkpoints" else [])]
    paths = [path for pattern in patterns for path in root.glob(pattern)]
    usable = [path for path in paths if _is_whole(path) and "image_decoder" not in path.name]
    plain = (SVD_FILE, "svd_xt_1_1.safetensors")
    return sorted(usable, key=lambda path: (plain.index(path.name) if path.name in plain else len(plain), str(path)))


def _named_svd(svd: str | Path, first: Sequence[str | Path]) -> Path | None:
    """Find the file or whole folder that ``svd`` names."""
    named = Path(svd).expanduser()
    for path in (named, *(root / named for root in _roots(first))):
        if path.suffix == ".safetensors" and _is_whole(path):
            return path
        if path.is_dir() and not _svd_lacks(path):
            return path
    return None


def _svd_lacks(folder: Path) -> list[str]:
    """List what a diffusers folder, whatever its name, lacks of the files that are read."""
    part = next(part for part in BASE_PARTS if part.name == "svd")
    names = [(file.path, [(folder / file.path).with_name(other) for other in file.others]) for file in part.files]
    return [path for path, others in names if not any(map(_is_whole, [folder / path, *others]))]


def _not_svd(svd: str | Path) -> str:
    folder = Path(svd).expanduser()
    lacks = f"lacks {', '.join(_svd_lacks(folder))}" if folder.is_dir() else "is not there"
    if folder.is_file() and folder.suffix in _PICKLED:
        lacks = "is there, but is a pickle, which can hold code and is not read"
    return (
        f"- {svd}, asked for as Stable Video Diffusion, {lacks}; a .safetensors file or a diffusers folder is expected."
    )


def _missing_lines(part: Part, first: Sequence[str | Path]) -> list[str]:
    """Say of each file that a part lacks what it is for, where it belongs and where it comes from."""
    lines = [
        f"- {path.name}, which {part.purpose} ({size_in_words(file.bytes)}): put it into {path.parent}, "
        f"from {part.source}" + (f", {file.path}" if file.path != path.name else "")
        for file, path in missing_files(part, first)
    ]
    if part.name == "svd":
        place = place_for(part.files[0], first).parents[1]
        lines.append(f"  (one file {SVD_FILE} in {place.parent} does as well as the folder {place.name})")
        pickled = (path for end in _PICKLED for root in _roots(first) for path in _single_svd_files(root, f"svd*{end}"))
        lines += [
            f"  ({path} is there, but is a pickle, which can hold code and is not read; "
            f"take {path.stem}.safetensors from {part.source} instead)"
            for path in dict.fromkeys(pickled)
        ]
    return lines
