"""What ``doctor`` says where packages are missing: a hook hides them from a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sonic_core.cli.doctor import NEEDED, OPTIONAL, Finding

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = re.findall(r"^([\w-]+)", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
HIDDEN = [
    ["torch"], ["psutil"], ["soxr"], ["transformers", "huggingface_hub", "diffusers"], [*NEEDED, *OPTIONAL]
]  # fmt: skip
HOOK = """
import os
from importlib.machinery import PathFinder

found = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.split(".")[0] in os.environ["HIDDEN"].split() else found(name, path, target)

PathFinder.find_spec = find_spec
"""


def doctor(folder: Path, hidden: dict[str, str], *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the command where the modules of ``hidden`` cannot be imported."""
    (folder / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "HIDDEN": " ".join(hidden.values())}
    command = [sys.executable, "-m", "sonic_core", "doctor", *flags]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)


def test_every_requirement_is_looked_at():
    assert {*NEEDED, *OPTIONAL} == set(REQUIREMENTS)


@pytest.mark.parametrize("names", HIDDEN, ids=" ".join)
def test_missing_packages_are_listed(tmp_path, names):
    modules = {**NEEDED, **OPTIONAL}
    done = doctor(tmp_path, {name: modules[name] for name in names})
    assert done.returncode == 1
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    for name in names:
        assert f"MISSING  {name}: not installed; pip install {name}" in lines
    for name in set(modules) - set(names):
        assert not any(line.startswith(f"MISSING  {name}:") for line in lines)


def test_missing_packages_are_listed_in_json(tmp_path):
    done = doctor(tmp_path, NEEDED, "--json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["ok"] is False
    assert set(NEEDED) <= {found["what"] for found in answer["findings"] if not found["ok"]}


def test_a_package_that_others_stand_in_for_is_not_needed(tmp_path):
    done = doctor(tmp_path, OPTIONAL)
    assert done.returncode == 0
    assert "MISSING  insightface: not installed; pip install insightface" in done.stdout.splitlines()


def test_what_sonic_base_takes_here_is_told(tmp_path):
    done = doctor(tmp_path, {}, "--json")
    findings = {found["what"]: found for found in json.loads(done.stdout)["findings"]}
    assert "TFLOP/s" in findings["device"]["detail"]
    assert findings["attention"]["detail"].startswith("torch's (")
    for side in (512, 768, 1024):
        found = findings[f"sonic-base {side}×{side}"]
        assert not found["needed"]
        assert found["detail"].startswith("fits, in " if found["ok"] else "does not fit: ")


def test_what_does_not_fit_is_not_called_missing():
    assert [Finding("a", good, "", needed=False, installable=False).word for good in (True, False)] == ["ok", "no"]
    assert Finding("a", False, "", needed=False).word == "MISSING"
