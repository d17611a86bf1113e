"""The pack, loaded as the host loads it: from its path, under a name that is no module's."""

from __future__ import annotations

import importlib.util
import mimetypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


class FolderPaths(ModuleType):
    """What the pack asks of the host's ``folder_paths``, over a folder of the test's own."""

    supported_pt_extensions = frozenset({".safetensors", ".pth"})

    def __init__(self, home: Path) -> None:
        super().__init__("folder_paths")
        self.home = home
        self.models_dir = str(home / "models")
        self.folder_names_and_paths: dict[str, tuple[list[str], set[str]]] = {
            "checkpoints": ([str(home / "ckpt")], set()),
            "loras": ([str(home / "loras")], set()),
        }
        (home / "input").mkdir()

    def add_model_folder_path(self, name: str, path: str) -> None:
        self.folder_names_and_paths.setdefault(name, ([], set()))[0].append(path)

    def get_folder_paths(self, name: str) -> list[str]:
        return self.folder_names_and_paths[name][0]

    def get_filename_list(self, name: str) -> list[str]:
        folders = [Path(folder) for folder in self.get_folder_paths(name)]
        return sorted(str(file.relative_to(top)) for top in folders for file in top.rglob("*") if file.is_file())

    def get_full_path(self, name: str, file: str) -> str | None:
        paths = [Path(folder) / file for folder in self.get_folder_paths(name)]
        return next((str(path) for path in paths if path.is_file()), None)

    def get_input_directory(self) -> str:
        return str(self.home / "input")

    def get_output_directory(self) -> str:
        return str(self.home / "output")

    def get_user_directory(self) -> str:
        return str(self.home / "user")

    def get_temp_directory(self) -> str:
        return str(self.home / "temp")

    def annotated_filepath(self, name: str) -> tuple[str, str | None]:
        return (name[:-9], self.get_output_directory()) if name.endswith("[output]") else (name, None)

    def filter_files_content_types(self, files: list[str], kinds: list[str]) -> list[str]:
        return [file for file in files if (mimetypes.guess_type(file)[0] or "").split("/")[0] in kinds]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> FolderPaths:
    return FolderPaths(tmp_path_factory.mktemp("host"))


@contextmanager
def loaded(folders: FolderPaths) -> Iterator[ModuleType]:
    """Load the pack as the host does, and forget it afterwards."""
    name = "/host/custom_nodes/sonic_x_portrait"
    spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules |= {name: module, "folder_paths": folders}
    spec.loader.exec_module(module)
    yield module
    for known in [known for known in sys.modules if known.startswith(name)]:
        del sys.modules[known]
    del sys.modules["folder_paths"]


@pytest.fixture(scope="session")
def pack(folders: FolderPaths) -> Iterator[ModuleType]:
    """The pack as the host has it."""
    with loaded(folders) as module:
        yield module


@pytest.fixture
def host(pack: ModuleType) -> ModuleType:
    """``nodes/host`` of the loaded pack."""
    return sys.modules[f"{pack.__name__}.nodes.host"]
