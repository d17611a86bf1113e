"""The house rules that a machine can hold: floors, file and function lengths, no strangers in the engine."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys

import pytest

from tests import house
from tests.house import CORE, ROOT

FILES = sorted([*CORE.rglob("*.py"), *(ROOT / "nodes").rglob("*.py"), ROOT / "__init__.py"])
LARGEST = 0.17
"""Share of the engine that one folder may be."""


def test_a_room_imports_its_own_floor_or_a_lower_one():
    assert house.arrows_up() == []


def test_nobody_imports_in_a_circle():
    assert house.circle(house.arrows()) == []
    assert house.circle(house.rooms()) == []


def test_no_two_classes_have_one_name():
    named: dict[str, set[str]] = {}
    for module, path in house.modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                named.setdefault(node.name, set()).add(module)
    assert {name for name, places in named.items() if len(places) > 1} == set()


def test_every_room_is_on_a_floor():
    assert {house.room(module) for module in house.modules()} == {name for rooms in house.FLOORS for name in rooms}


def test_the_page_draws_the_house_as_it_is():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = [
        set(re.findall(r"\w+", line.partition("(")[0])) for line in re.findall(r"^\d+\. (.+)$", text, re.MULTILINE)
    ]
    assert drawn == [set(rooms) - {"__main__", "__init__"} for rooms in house.FLOORS]
    named = {name for row in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)/?`", row)}
    assert named == set().union(*drawn)


def test_no_room_is_too_large():
    counted = house.lines()
    (name, most), *_ = counted.most_common()
    assert most <= LARGEST * sum(counted.values()), name


def test_numbers_have_names():
    """What is paid off is taken off the list by ``python -m tests.house --debts``."""
    assert house.unnamed_numbers() == json.loads(house.DEBTS.read_text(encoding="utf-8"))


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


def test_files_beside_the_engine_stay_short_too():
    beside = [path for folder in ("tests", "benchmarks", "assets") for path in (ROOT / folder).rglob("*.py")]
    assert len(beside) > 100
    assert [path for path in beside if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_the_engine_knows_itself_by_relative_names_only(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
        for name in names:
            assert name.split(".")[0] not in {"sonic_core", "nodes", "comfy", "folder_paths", "server"}


def test_pixels_are_rounded_and_resized_in_one_place():
    by_hand = re.compile(r"(\* ?|mul\()(255|65535)(\.0)?\)\.round|rint\([^()]*\* |LANCZOS")
    own = {CORE / "media" / "pixels.py", *(CORE / "models" / "preview" / "puppet").glob("*.py")}
    assert not [path for path in FILES if path not in own and by_hand.search(path.read_text(encoding="utf-8"))]


def test_pickles_are_never_trusted():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert any(word.arg == "weights_only" for word in node.keywords), path


def test_files_that_are_code_are_loaded_in_one_place_for_one_finder_and_one_score():
    loads, asks = set(), set()
    for path in FILES:
        text, name = path.read_text(encoding="utf-8"), path.relative_to(ROOT).as_posix()
        loads |= {name} if re.search(r"\bjit\.load\b|\bjit\b.*import.*\bload\b", text) else set()
        asks |= {name} if "load_computing" in text else set()
        assert not re.search(
            r"\b(eval|exec)\(|\bpickle\.loads?\(|runpy|dill|cloudpickle|joblib", text.replace(".eval()", "")
        ), name
    assert loads == {"sonic_core/weights/torchscript.py"}
    assert asks == {
        "sonic_core/weights/torchscript.py", "sonic_core/faces/yoloface.py", "sonic_core/learn/voice.py",
            "sonic_core/evaluate/scores/sets.py",
    }  # fmt: skip


def test_importing_the_command_line_loads_nothing_heavy():
    heavy = ("torch", "numpy", "av", "psutil", "soxr", "librosa", "skimage", "insightface", "diffusers", "transformers")
    code = (
        f"import sys, sonic_core.cli.main; print([name for name in {heavy} if name in sys.modules])\n"
        "print([name for name in sys.modules if name.startswith(('sonic_core.learn', 'sonic_core.evaluate'))])\n"
        "import sonic_core.evaluate.landmarks68.measures; print('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert shown.split() == ["[]", "[]", "False"], "and whoever brings landmarks of another tracker needs no torch"


INSIDE: dict[str, dict[str, str]] = {
    "host/media.py": {
        "media.image": "a picture for the canvas to fetch is written as the engine writes its own",
        "media.pixels": "and made smaller as every picture is",
    },
    "host/memory.py": {
        "devices": "a keeper of the host's is one of the engine's: it names devices as those do",
        "moving": "and leaves tensors in their files as those do",
    },
    "host/own_video.py": {
        "media.audio": "the sound of what we kept is read",
        "media.video": "and its frames, which nobody else reads",
    },
    "host/downloads.py": {
        "weights.catalog": "sizes are written as everywhere",
        "weights.download": "what is fetched from the canvas is fetched as from the command line",
        "weights.hub": "from an address that the canvas offers",
    },
    "host/own_formats.py": {
        "media.formats": "a host's user adds to the table of formats",
        "media.rows": "as data in a file of the host's",
    },
    "host/progress.py": {
        "faces": "a finder that listens for the host's cancel is of no use elsewhere",
        "media.pixels": "a preview is rounded as every picture is",
    },
    "host/routes.py": {"media.waveform": "the outline of a sound is drawn by the canvas alone"},
    "host/show.py": {"media.footage": "what was written is looked at again", "media.formats": "as what it was meant"},
    "host/video.py": {
        "clip": "what becomes of a sound is looked at before there is a clip",
        "media.ahead": "a clip is handed on frame by frame",
        "media.formats": "a file's name is the host's matter, its ending the format's",
        "media.sequence": "and the first of a folder of pictures is shown",
        "media.video": "what goes from node to node is written without loss",
    },
}
"""What nodes import from behind the engine's public door, and why."""


@pytest.mark.parametrize(
    "path", sorted((ROOT / "nodes").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT / "nodes"))
)
def test_nodes_come_through_the_public_door(path):
    import sonic_core

    inner = path.relative_to(ROOT / "nodes").as_posix()
    behind = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sonic_core"):
            continue
        _, _, room = (node.module or "").partition(".")
        names = {alias.name for alias in node.names} - set(sonic_core.__all__) - {"__version__"}
        behind |= {room} if room else names
    assert behind == set(INSIDE.get(inner, {}))
