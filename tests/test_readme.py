"""The README's commands and code run as they are written."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for line in README.splitlines() if line.startswith("python -m sonic_core ")]
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "assets").symlink_to(ROOT / "assets")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command, tmp_path):
    done = run([sys.executable, *shlex.split(command)[1:]], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--output" not in command or (tmp_path / "talking.mp4").stat().st_size > 10_000


@pytest.mark.parametrize("program", PROGRAMS)
def test_python(program, tmp_path):
    done = run([sys.executable, "-W", "error::UserWarning", "-c", program], tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "talking.mp4").stat().st_size > 10_000


def test_there_is_something_to_run():
    assert len(COMMANDS) >= 4
    assert len(PROGRAMS) == 1


def test_the_two_commands_are_on_the_first_screen():
    first_screen = "\n".join(README.splitlines()[:12])
    assert "make demo" in first_screen
    assert "make test" in first_screen
