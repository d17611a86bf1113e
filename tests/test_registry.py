"""What the registry of ComfyUI nodes and its managers ask of a pack."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from PIL import Image

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # which pytest brings along

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = ("tests", "benchmarks", ".ci", "Makefile", "sonic_core/learn")
"""What nobody needs who installs the pack."""
NEEDED = (
    "__init__.py", "LICENSE", "README.md", "pyproject.toml", "requirements.txt", "nodes/*.py", "nodes/host/*.py",
    "sonic_core/**/*.py", "sonic_core/py.typed", "sonic_core/speech/mouth.safetensors",
    "sonic_core/speech/voice/*.safetensors", "web/**/*",
    "locales/**/*.json", "workflows/*", "subgraphs/*", "assets/portrait.png", "assets/speech.wav", "assets/video.mp4",
    "assets/sounds/*.wav", "assets/prompts/*.json", "docs/client.py",
)  # fmt: skip
"""What the pack reads when it runs, and what its people read."""


def declared() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def shipped() -> set[str]:
    """What goes to the registry: tracked files that ``.comfyignore`` does not name."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: nothing says which files are published")
    listed = [
        subprocess.run(
            ["git", "ls-files", "-z", "-c", *more], cwd=ROOT, capture_output=True, check=True
        ).stdout.decode()
        for more in ([], ["-i", "--exclude-from=.comfyignore"])
    ]
    everything, ignored = (set(one.split("\0")) - {""} for one in listed)
    return everything - ignored


def test_the_code_passes_the_registrys_own_check() -> None:
    asked = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "S102,S307,E702", "."]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_requirement_can_be_installed_by_itself() -> None:
    lines = [line.strip() for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()]
    named = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert named
    for one in named:
        assert one.url is None, f"{one.name} comes from the index"
        bounds = {bound.operator for bound in one.specifier}
        assert bounds <= {">="}, f"{one.name} lives beside what others install: it is not pinned"
    assert len({one.name for one in named}) == len(named)


def test_managers_find_the_nodes_without_running_anything() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    tables = {
        ast.unparse(node.targets[0]): node.value.keys
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    }
    ids = [ast.literal_eval(key) for key in tables["NODE_CLASS_MAPPINGS"] if key]
    assert len(ids) == len(tables["NODE_CLASS_MAPPINGS"]), "every id is written out"
    assert "VideoCombine" in ids
    assert ids == [ast.literal_eval(key) for key in tables["NODE_DISPLAY_NAME_MAPPINGS"] if key]


def test_the_pack_says_who_and_what_it_is() -> None:
    project, comfy = declared()["project"], declared()["tool"]["comfy"]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", project["name"])
    assert "comfy" not in project["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert project["license"] == "MIT AND Apache-2.0 AND BSD-2-Clause"  # SPDX; networks in it are under the other two
    assert all((ROOT / name).is_file() for name in project["license-files"])
    assert project["description"]
    assert re.fullmatch(r"[a-z0-9-]+", comfy["PublisherId"])
    assert comfy["DisplayName"]
    assert "0.3.64" in SpecifierSet(comfy["requires-comfyui"])
    assert "web" not in comfy, "WEB_DIRECTORY says it already; said twice, the scripts are loaded twice"


@pytest.mark.parametrize(("field", "name"), [("Icon", "icon.png"), ("Banner", "banner.png")])
def test_its_pictures_are_there_and_have_the_right_shape(field: str, name: str) -> None:
    repository = declared()["project"]["urls"]["Repository"]
    raw = repository.replace("https://github.com", "https://raw.githubusercontent.com")
    assert declared()["tool"]["comfy"][field] == f"{raw}/main/assets/{name}"
    path = ROOT / "assets" / name
    assert path.stat().st_size < 300_000
    with Image.open(path) as picture:
        width, height = picture.size
    assert (width == height <= 400) if field == "Icon" else (width * 9 == height * 21)


@pytest.mark.parametrize("pattern", NEEDED)
def test_what_the_pack_needs_is_shipped(pattern: str) -> None:
    there = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern) if path.is_file()}
    there = {name for name in there if not name.startswith(LEFT_OUT)}
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False).stdout.decode()
    wanted = there & set(tracked.split("\0"))
    assert there
    assert wanted <= shipped()


def test_what_nobody_needs_is_not_shipped() -> None:
    assert not any(name.startswith((*LEFT_OUT, "assets/make_")) for name in shipped())


def test_an_installed_package_makes_the_demo_in_any_folder(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    install = [*pip, "install", "--no-deps", "--target", str(packages), "--no-index", "--find-links", str(tmp_path)]
    for step in (
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)],
        [*install, "sonic-portrait"],
        [sys.executable, "-m", "sonic_core", "demo", "--duration", "0.2", "--min-resolution", "128"],
    ):
        environment = {**os.environ, "PYTHONPATH": str(packages)}
        done = subprocess.run(step, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "outputs" / "demo.mp4").is_file()
    assert (packages / f"sonic_portrait-{declared()['project']['version']}.dist-info").is_dir()


def test_what_is_shipped_does_without_the_rest(tmp_path: Path) -> None:
    for name in shipped():
        if name.startswith(("sonic_core/", "assets/")):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        asked = [sys.executable, "-m", "sonic_core", *arguments]
        return subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)

    made = run("demo", "--duration", "0.2", "--min-resolution", "128", "--output", "made.mp4")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "made.mp4").is_file()
    told = run("evaluate", "made.mp4", "--portrait", "assets/portrait.png")
    assert told.returncode == 0, told.stderr
    assert "lips and sound" in told.stdout
    asked = run("learn", "lipreading", "data")
    assert asked.returncode == 2
    assert asked.stderr == (
        "sonic: learn: the folder sonic_core/learn is not part of this installation, which only animates; clone the "
        "repository.\n"
    )
