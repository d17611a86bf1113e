"""The host's folders: models, inputs and outputs."""

# ruff: noqa: PTH100, PTH118 - the host's links are not followed
from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from .progress import log

MODEL_FOLDERS = {"sonic": (), "insightface": (".onnx",)}
"""The pack's own model folders, and the endings that are models there besides the host's usual ones."""
CHECKPOINTS = "checkpoints"
"""The host's folder in which Stable Video Diffusion lies."""
AUTO = "auto"
SAMPLES = ("portrait", "speech", "video")
"""What the workflows begin with: names, without ending, in the pack's assets."""


def settle_in(pack: Path) -> None:
    """Register the model folders and lay the samples ready; called once, when the host imports the pack."""
    folder_paths = import_module("folder_paths")
    for name, endings in MODEL_FOLDERS.items():
        folder_paths.add_model_folder_path(name, str(Path(folder_paths.models_dir) / name))
        paths, known = folder_paths.folder_names_and_paths[name]  # a new folder's empty set would list every file
        listed = set(known) | set(folder_paths.supported_pt_extensions) | set(endings)
        folder_paths.folder_names_and_paths[name] = (paths, listed)
    _lay_samples(pack / "assets", Path(folder_paths.get_input_directory()))


def hand_over_folders() -> None:
    """Let the engine look for weights wherever the host does, ``extra_model_paths.yaml`` included."""
    from ...sonic_core.weights.store import add_folder

    for name in (*MODEL_FOLDERS, CHECKPOINTS):
        for folder in import_module("folder_paths").get_folder_paths(name):
            add_folder(folder)


def _lay_samples(assets: Path, inputs: Path) -> None:
    """Copy the samples among the host's inputs where they are missing; never overwrite or fail."""
    for sample in (file for name in SAMPLES for file in assets.glob(f"{name}.*")):
        goal = inputs / f"sonic_sample_{sample.name}"
        beside = goal.with_name(f".{goal.name}.{uuid.uuid4().hex}")
        try:
            if not goal.exists():
                inputs.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(sample, beside)
                beside.replace(goal)
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            log.warning("The sample %s could not be laid among the inputs: %s", sample.name, error)


def input_files() -> list[str]:
    """List the sounds and videos in the host's inputs folder."""
    folder_paths = import_module("folder_paths")
    folder = Path(folder_paths.get_input_directory())
    files = [file.name for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
    return sorted(folder_paths.filter_files_content_types(files, ["audio", "video"]))


def input_path(name: str) -> Path:
    """Find a file of the host's inputs folder (or of the folder that a ``[output]`` behind its name says).

    Raises:
        InputError: There is no such file, or the name leads out of the folder.
    """
    folder_paths = import_module("folder_paths")
    from ...sonic_core.errors import InputError

    bare, said = folder_paths.annotated_filepath(name)
    folder = os.path.abspath(said or folder_paths.get_input_directory())
    path = os.path.abspath(os.path.join(folder, bare))
    if not Path(path).is_relative_to(folder):
        raise InputError(f"{name} leads out of the inputs folder: choose a file inside it.")
    if not Path(path).is_file():
        raise InputError(f"There is no file {bare} in the inputs folder: upload it with the button on the node.")
    return Path(path)


def problem(check: Callable[[str], object], value: str) -> bool | str:
    """Say what ``check`` has against ``value``, or True when nothing: what VALIDATE_INPUTS answers."""
    from ...sonic_core.errors import SonicError

    try:
        check(value)
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
    from ...sonic_core.errors import SettingsError

    folder = os.path.abspath(output_folder(keep=True))
    path = Path(os.path.abspath(os.path.join(folder, prefix)))
    if path == Path(folder) or not path.is_relative_to(folder) or prefix.endswith(("/", "\\")):
        raise SettingsError(f"filename_prefix must name files inside the outputs folder, got {prefix!r}.")


def temporary_file(ending: str) -> Path:
    """Name a new file in the folder that the host empties when it starts and ends."""
    folder = Path(import_module("folder_paths").get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"sonic_{uuid.uuid4().hex}{ending}"


def remove(path: Path) -> None:
    """Remove a file that may be gone already."""
    path.unlink(missing_ok=True)


def checkpoint_files() -> list[str]:
    """List the files that may be Stable Video Diffusion, in all the host's folders for checkpoints."""
    files = import_module("folder_paths").get_filename_list(CHECKPOINTS)
    return [AUTO, *(name for name in files if name.endswith(".safetensors"))]


def checkpoint_path(name: str) -> Path | None:
    """Find one of the host's checkpoints; None for "auto", which leaves the choice to the engine.

    Raises:
        InputError: There is no such file.
    """
    from ...sonic_core.errors import InputError

    if name == AUTO:
        return None
    folder_paths = import_module("folder_paths")
    path = folder_paths.get_full_path(CHECKPOINTS, name)
    if path is None:
        places = " or ".join(folder_paths.get_folder_paths(CHECKPOINTS))
        raise InputError(f"There is no file {name} in {places}: put it there, or choose another one or auto.")
    return Path(path)


def mark_of(*paths: Path) -> str:
    """Tell which files these are and when they last changed: another mark means that a node must run again."""
    states = [(path, path.stat()) for path in paths]
    return " ".join(f"{path} {state.st_mtime_ns} {state.st_size}" for path, state in states)
