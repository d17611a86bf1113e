"""The host's folders: models, inputs and outputs."""

# ruff: noqa: PTH100, PTH118 - the host's links are not followed
from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from .progress import log

if TYPE_CHECKING:
    from ...sonic_core import SearchPath

MODEL_FOLDERS = {"sonic": (), "insightface": (".onnx",)}
"""The pack's own model folders, and the endings that are models there besides the host's usual ones."""
CHECKPOINTS = "checkpoints"
"""The host's folder in which Stable Video Diffusion lies."""
LORAS = "loras"
"""The host's folder in which LoRAs lie."""
AUTO = "auto"
NONE = "none"
SAMPLES = ("portrait", "pair", "speech", "video")
"""What the workflows begin with: names, without ending, in the pack's assets."""
SPOKEN = "sounds/spanish.wav"
"""What the sample of a video says when it is dubbed, in the pack's assets."""
SOUND_SAMPLES = "sonic_samples"
"""The folder, among the inputs, of several sounds to begin with."""


def register_folders(pack: Path) -> None:
    """Register the model folders and lay the samples ready."""
    folder_paths = import_module("folder_paths")
    for name, endings in MODEL_FOLDERS.items():
        folder_paths.add_model_folder_path(name, str(Path(folder_paths.models_dir) / name))
        paths, known = folder_paths.folder_names_and_paths[name]  # a new folder's empty set would list every file
        listed = set(known) | set(folder_paths.supported_pt_extensions) | set(endings)
        folder_paths.folder_names_and_paths[name] = (paths, listed)
    _lay_samples(pack / "assets", Path(folder_paths.get_input_directory()))


def search_path(*files: Path) -> SearchPath:
    """Tell the engine to look for weights wherever the host does, ``extra_model_paths.yaml`` included.

    Args:
        files: Files of single parts that somebody chose.
    """
    from ...sonic_core import SearchPath

    find = import_module("folder_paths").get_folder_paths
    known = (Path(folder) for name in (*MODEL_FOLDERS, CHECKPOINTS) for folder in find(name))
    return SearchPath(files, tuple(dict.fromkeys(known)))


def weights_folder() -> Path:
    """Name the folder into which weights are fetched: ``$SONIC_HOME``, else the host's first one for this pack."""
    named = os.environ.get("SONIC_HOME")
    return Path(named).expanduser() if named else Path(import_module("folder_paths").get_folder_paths("sonic")[0])


def _lay_samples(assets: Path, inputs: Path) -> None:
    """Copy the samples among the host's inputs where they are missing; never overwrite or fail."""
    single = [file for name in SAMPLES for file in assets.glob(f"{name}.*")] + [*assets.glob(SPOKEN)]
    goals = [(file, inputs / f"sonic_sample_{file.name}") for file in single]
    goals += [(file, inputs / SOUND_SAMPLES / file.name) for file in assets.glob("sounds/*.wav")]
    for sample, goal in goals:
        beside = goal.with_name(f".{goal.name}.{uuid.uuid4().hex}")
        try:
            if not goal.exists():
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(sample, beside)
                beside.replace(goal)
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            log.warning("The sample %s could not be laid among the inputs: %s", sample.name, error)


def input_files() -> list[str]:
    """List the sounds and videos in the host's inputs folder."""
    return sorted(_sounding(Path(import_module("folder_paths").get_input_directory())))


def input_folders() -> list[str]:
    """List the folders in the host's inputs folder."""
    inputs = Path(import_module("folder_paths").get_input_directory())
    folders = inputs.iterdir() if inputs.is_dir() else ()
    return sorted((file.name for file in folders if file.is_dir() and not file.name.startswith(".")), key=_naturally)


def check_folder(folder: str) -> Path:
    """Find a folder of the host's inputs folder.

    Args:
        folder: A path below the inputs folder.

    Raises:
        InputError: There is no such folder, or it leads out of the inputs folder.
    """
    from ...sonic_core import InputError

    inputs = os.path.abspath(import_module("folder_paths").get_input_directory())
    path = Path(os.path.abspath(os.path.join(inputs, folder)))
    if not path.is_relative_to(inputs):
        raise InputError(f"{folder} leads out of the inputs folder: choose a folder inside it.")
    if not path.is_dir():
        raise InputError(
            f"There is no folder {folder!r} in {inputs}: make it and put sounds into it, or choose another."
        )
    return path


def sound_files(folder: str, pattern: str = "*") -> list[Path]:
    """List the sounds and videos in a folder of the host's inputs folder, 2 before 10.

    Args:
        folder: A path below the inputs folder.
        pattern: What their names look like, as shells write it.

    Raises:
        InputError: There is no such folder, it leads out of the inputs folder, or nothing in it fits.
    """
    from ...sonic_core import InputError

    path = check_folder(folder)
    if not pattern:
        raise InputError("pattern is empty, which no file's name is: * takes every sound of the folder.")
    names = [name for name in _sounding(path) if fnmatch(name, pattern)]
    if not names:
        raise InputError(
            f"No sound or video in {path} is called like {pattern!r}: put some there, or change the pattern."
        )
    return [path / name for name in sorted(names, key=_naturally)]


def _sounding(folder: Path) -> list[str]:
    """List the names of what may have sound in a folder, hidden files left out."""
    files = [file.name for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
    named = [name for name in files if not name.startswith(".")]
    return import_module("folder_paths").filter_files_content_types(named, ["audio", "video"])


def _naturally(name: str) -> list[tuple[int, str]]:
    """Sort by the numbers in names, not by their digits."""
    parts = re.split(r"(\d+)", name.casefold())
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def input_path(name: str) -> Path:
    """Find a file of the host's inputs folder (or of the folder that a ``[output]`` behind its name says).

    Raises:
        InputError: There is no such file, or the name leads out of the folder.
    """
    folder_paths = import_module("folder_paths")
    from ...sonic_core import InputError

    bare, said = folder_paths.annotated_filepath(name)
    folder = os.path.abspath(said or folder_paths.get_input_directory())
    path = os.path.abspath(os.path.join(folder, bare))
    if not Path(path).is_relative_to(folder):
        raise InputError(f"{name} leads out of the inputs folder: choose a file inside it.")
    if not Path(path).is_file():
        raise InputError(f"There is no file {bare} in the inputs folder: upload it with the button on the node.")
    return Path(path)


def problem(check: Callable[..., object], *values: object) -> bool | str:
    """Say what ``check`` has against ``values``, or True when nothing: what VALIDATE_INPUTS answers."""
    from ...sonic_core import SonicError

    try:
        check(*values)
    except SonicError as error:
        return str(error)
    return True


def output_folder(keep: bool) -> str:
    """Name the folder of what is kept, or of what the host forgets when it ends."""
    folder_paths = import_module("folder_paths")
    return folder_paths.get_output_directory() if keep else folder_paths.get_temp_directory()


def check_prefix(prefix: str) -> None:
    """Check that files called ``prefix`` would lie inside the outputs folder.

    Raises:
        SettingsError: They would not, or the name is empty.
    """
    from ...sonic_core import SettingsError

    if "\0" in prefix:
        raise SettingsError(f"filename_prefix must be a name that files can have, got {prefix!r}.")
    folder = os.path.abspath(output_folder(keep=True))
    path = Path(os.path.abspath(os.path.join(folder, prefix)))
    if path == Path(folder) or not path.is_relative_to(folder) or prefix.endswith(("/", "\\")):
        raise SettingsError(f"filename_prefix must name files inside the outputs folder, got {prefix!r}.")


def next_file(
    prefix: str, ending: str, *, keep: bool = True, size: tuple[int, int] = (0, 0)
) -> tuple[Path, dict[str, str]]:
    """Name the next numbered file, and make the folder that it comes into.

    Args:
        prefix: What its name begins with, folders included.
        ending: Of its name; empty for a folder of its own.
        keep: Among the outputs; else where the host forgets it.
        size: (h, w) of what is in it, for names that tell.

    Returns:
        Where it will lie, and the same in the host's words.

    Raises:
        SettingsError: It would not lie inside the outputs folder, or the name is empty.
    """
    check_prefix(prefix)
    find = import_module("folder_paths").get_save_image_path
    folder, name, counter, subfolder, _ = find(prefix, output_folder(keep), size[1], size[0])
    file = f"{name}_{counter:05}_{ending}"
    return Path(folder) / file, {"filename": file, "subfolder": subfolder, "type": "output" if keep else "temp"}


def temporary_file(ending: str, name: str = "") -> Path:
    """Name a file in the folder that the host empties when it starts and ends: a new one, or one of this name."""
    folder = Path(import_module("folder_paths").get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"sonic_{name or uuid.uuid4().hex}{ending}"


def remove(path: Path) -> None:
    """Remove a file that may be gone already."""
    path.unlink(missing_ok=True)


def checkpoint_files() -> list[str]:
    """List the files that may be Stable Video Diffusion, in all the host's folders for checkpoints."""
    files = import_module("folder_paths").get_filename_list(CHECKPOINTS)
    return [AUTO, *(name for name in files if name.endswith(".safetensors"))]


def checkpoint_path(name: str) -> tuple[Path, ...]:
    """Find one of the host's checkpoints; nothing for "auto", which leaves the choice to the engine.

    Raises:
        InputError: There is no such file.
    """
    return () if name == AUTO else (_model_path(CHECKPOINTS, name, AUTO),)


def lora_files() -> list[str]:
    """List the files that may be LoRAs, in all the host's folders for those."""
    files = import_module("folder_paths").get_filename_list(LORAS)
    return [NONE, *(name for name in files if name.endswith(".safetensors"))]


def lora_path(name: str) -> tuple[Path, ...]:
    """Find one of the host's LoRAs; nothing for "none".

    Raises:
        InputError: There is no such file.
    """
    return () if name == NONE else (_model_path(LORAS, name, NONE),)


def _model_path(kind: str, name: str, other: str) -> Path:
    """Find a file in one of the host's folders for models.

    Raises:
        InputError: There is no such file.
    """
    from ...sonic_core import InputError

    folder_paths = import_module("folder_paths")
    path = folder_paths.get_full_path(kind, name)
    if path is None:
        places = " or ".join(folder_paths.get_folder_paths(kind))
        raise InputError(f"There is no file {name} in {places}: put it there, or choose another one or {other}.")
    return Path(path)


def mark_of(*paths: Path) -> str:
    """Tell which files these are, all those inside folders, and when they last changed.

    Another mark means that a node must run again.
    """
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    states = [(file, file.stat()) for file in files if file.is_file()]
    return " ".join(f"{file} {state.st_mtime_ns} {state.st_size}" for file, state in states)
