"""The house rules that a machine can hold: floors, file and function lengths, no strangers in the engine."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "sonic_core"
FLOORS = [
    {"errors", "types"},
    {"settings", "media", "weights", "devices", "moving", "easing", "curves"},
    {"clip", "speech"},
    {"faces"},
    {"sync"},
    {"post"},
    {"models"},
    {"pipeline"},
    {"batch", "learn", "evaluate"},
    {"cli", "__main__", "__init__"},
]
FILES = sorted([*CORE.rglob("*.py"), *(ROOT / "nodes").rglob("*.py"), ROOT / "__init__.py"])


def room(path: Path) -> str:
    """First part of a module's path below sonic_core."""
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def floor(name: str) -> int:
    """Number of the floor a room is on."""
    return next(number for number, rooms in enumerate(FLOORS) if name in rooms)


def imported_rooms(path: Path) -> set[str]:
    """Rooms of sonic_core that a file imports outside ``if TYPE_CHECKING``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    skipped = {id(inner) for node in typing_only for inner in ast.walk(node)}
    depth = len(path.relative_to(CORE).parts)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == depth and id(node) not in skipped:
            names = [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
            found.update(names)
    return found


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_a_room_imports_its_own_floor_or_a_lower_one(path):
    here = room(path)
    for other in imported_rooms(path) - {here}:
        assert floor(other) <= floor(here), f"{here} must not import {other}"


def test_the_two_models_never_meet():
    for path in (CORE / "models").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        other = "preview" if "base" in path.parts else "base"
        assert f"models.{other}" not in text and f"..{other}" not in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_the_engine_knows_itself_by_relative_names_only(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
        for name in names:
            assert name.split(".")[0] not in {"sonic_core", "nodes", "comfy", "folder_paths", "server"}


def test_pickles_are_never_trusted():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert any(word.arg == "weights_only" for word in node.keywords), path


def test_importing_the_command_line_loads_nothing_heavy():
    heavy = ("torch", "psutil", "soxr", "librosa", "skimage", "insightface", "diffusers", "transformers")
    code = f"import sys, sonic_core.cli.main; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert shown.strip() == "[]"
