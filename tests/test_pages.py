"""What README and the other pages tell people to type runs as it is written, and what they point at is there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sonic_core import open_clip
from sonic_core.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = {
    "git clone": "fetches from the network; a fresh clone is what the checks themselves run in",
    "cd ": "goes with git clone",
    "make ": "sets up an environment; the checks themselves are started so",
    "python3 -m venv": "sets up an environment, as make does",
    "pip ": "fetches from the network",
    ".venv/bin/pip": "fetches from the network, as make does",
    "apt ": "changes the machine",
    "curl ": "needs a server; tests/host asks all of these",
    "python docs/client.py": "needs a server; tests/host/test_client.py runs it",
    "python benchmarks/card.py": "wants a graphics card; tests/test_card.py and .ci/run rehearse it",
}
"""Beginnings of lines that are not run here, and why."""
LONG = (
    "python -m sonic_core learn",
    "python -m sonic_core generate --lora",
    "python -m sonic_core batch list",
    "python -m sonic_core batch --images portraits",
    "python -m sonic_core batch s3:",
    "python -m sonic_core generate --model sonic-base",
    "python -m sonic_core evaluate made",
)
"""Beginnings of commands that take an hour, or files that are not here: only what they are called with is checked."""


def blocks(page: Path, kind: str) -> list[str]:
    """List the fenced blocks of a page that are of a kind: "" for what is typed into a shell."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == kind]


def typed() -> list[str]:
    """List every line of every shell block once, without remarks."""
    lines = [
        line.split("  #")[0].strip() for page in PAGES for block in blocks(page, "") for line in block.splitlines()
    ]
    return list(dict.fromkeys(line for line in lines if line))


PROGRAMS = list(dict.fromkeys(program for page in PAGES for program in blocks(page, "python")))
COMMANDS = [line for line in typed() if not line.startswith(tuple(ELSEWHERE))]


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is bundled, with the first three seconds of the video, which commands treat as they do eight."""
    folder = tmp_path_factory.mktemp("bundled")
    for path in (ROOT / "assets").iterdir():
        if path.name != "video.mp4":
            (folder / path.name).symlink_to(path)
    open_clip(ROOT / "assets/video.mp4").cut(0, 75).export(folder / "video.mp4")
    return folder


def run(command: list[str], folder: Path, assets: Path) -> subprocess.CompletedProcess[str]:
    (folder / "assets").symlink_to(assets)
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder), "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs(
    command: str, tmp_path: Path, assets: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program, *arguments = shlex.split(command)
    assert program in ("python", ".venv/bin/python"), f"{command}: neither run here nor listed in ELSEWHERE"
    if command.startswith(LONG):  # in this process, which has all loaded
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as ended:
            main([*arguments[2:], "--help"])
        assert ended.value.code == 0 and "usage: " in capsys.readouterr().out
        return
    done = run([sys.executable, *arguments], tmp_path, assets)
    assert done.returncode == 0, done.stderr
    assert "talking.mp4" not in command or (tmp_path / "talking.mp4").stat().st_size > 10_000


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_runs(program: str, tmp_path: Path, assets: Path) -> None:
    done = run(
        [sys.executable, "-W", "error::UserWarning", "-W", "error::DeprecationWarning:__main__", "-c", program],
        tmp_path,
        assets,
    )
    assert done.returncode == 0, done.stderr
    assert "talking.mp4" not in program or (tmp_path / "talking.mp4").stat().st_size > 10_000


def test_there_is_something_to_run() -> None:
    assert len(COMMANDS) >= 8
    assert len(PROGRAMS) >= 3


@pytest.mark.parametrize("beginning", ELSEWHERE)
def test_what_is_not_run_is_still_written_somewhere(beginning: str) -> None:
    assert any(line.startswith(beginning) for line in typed())


def test_the_two_commands_are_on_the_first_screen() -> None:
    first_screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:12])
    assert "make demo" in first_screen
    assert "make test" in first_screen


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_at_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', text):
        path, _, anchor = (target[0] or target[1]).partition("#")
        if path.startswith("http"):
            continue
        there = page.parent / path if path else page
        assert there.exists(), f"{page.name}: {path}"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}, target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_file_of_this_project_that_a_page_names_is_there(page: Path) -> None:
    for name in re.findall(
        r"`((?:sonic_core|nodes|tests|benchmarks|docs|assets|web|workflows|locales)/[\w./-]+)`", page.read_text("utf-8")
    ):
        assert (ROOT / name.rstrip("/")).exists(), f"{page.name}: {name}"
