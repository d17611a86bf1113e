"""A clean installation, rehearsed: a new environment, a ComfyUI's requirements, ours, and a host that makes a video.

    python -m tests.host.rehearse COMFYUI

It does so twice, each time in an environment of its own: with all that our requirements bring along, and with
``--no-deps``. It prints what each adds, and ends with status 1 where the host does not know all our nodes or makes no
video. ``--with torch==2.11.0`` pins what a ComfyUI leaves open. An environment takes six gigabytes and some minutes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.host.harness import ROOT, Comfy, started
from tests.host.prompts import bundled

WAYS: dict[str, list[str]] = {"with all they bring along": [], "with --no-deps": ["--no-deps"]}
"""How our requirements are installed."""
BIN = "Scripts" if sys.platform == "win32" else "bin"
MEGABYTE = 1e6
BRIEF = {"duration": 1.0, "min_resolution": 256}


def our_nodes() -> set[str]:
    """List the nodes that a host must know: each has a page of help."""
    return {page.stem for page in (ROOT / "web/docs").glob("*.md")}


def weigh(folder: Path) -> float:
    """Add up what lies in a folder, in megabytes."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / MEGABYTE


class Environment:
    """A new environment of this Python in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        self.python = str(folder / BIN / "python")

    def install(self, *words: str) -> float:
        """Have pip install something; gives the megabytes that came.

        Raises:
            CalledProcessError: pip could not; it has said why.
        """
        before = weigh(self.folder)
        quiet = ["--quiet", "--no-warn-conflicts", "--disable-pip-version-check"]
        subprocess.run([self.python, "-m", "pip", "install", *quiet, *words], check=True)
        return weigh(self.folder) - before

    def packages(self) -> int:
        """Count what is installed."""
        asked = [self.python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"]
        listed = subprocess.run(asked, check=True, stdout=subprocess.PIPE)
        return len(listed.stdout.splitlines())


def try_host(comfy: Comfy) -> list[str]:
    """Ask a running host for our nodes, and for a short video; gives what is wrong."""
    absent = sorted(our_nodes() - comfy.read("/object_info").keys())
    if absent:
        return [f"the host does not know {', '.join(absent)}:\n{comfy.log[-3000:]}"]
    prompt = bundled("fast_digital_human")
    prompt["6"]["inputs"] |= BRIEF
    made = comfy.run(prompt)
    if made.complaint:
        return [f"no video was made: {made.complaint}"]
    return [] if comfy.path(made.file("8")).stat().st_size else ["the video is empty"]


def rehearse(checkout: Path, pins: Sequence[str], way: str) -> list[str]:
    """Install and try one way; gives what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        environment = Environment(Path(folder) / "venv")
        base = environment.install("-r", str(checkout / "requirements.txt"), *pins)
        count = environment.packages()
        ours = environment.install(*WAYS[way], "-r", str(ROOT / "requirements.txt"), *pins)
        count = environment.packages() - count
        home = Path(folder) / "home"
        home.mkdir()
        with started(checkout, environment.python, home) as comfy:
            wrong = try_host(comfy)
        told = "; ".join(wrong) or f"the host knows all {len(our_nodes())} nodes and makes a video"
        seconds = time.monotonic() - began
        sys.stdout.write(
            f"our requirements {way}: {ours:.0f} MB in {count} packages more than ComfyUI's {base:.0f} MB; "
            f"{told} ({seconds:.0f} s)\n"
        )
        sys.stdout.flush()
        return wrong


def main() -> int:
    """Rehearse every way, and say what was seen."""
    asked = argparse.ArgumentParser(description="Install into a new environment, and try it in a ComfyUI.")
    asked.add_argument("checkout", type=Path, help="the folder of a ComfyUI")
    asked.add_argument("--with", dest="pins", nargs="+", default=[], metavar="REQUIREMENT", help="installed besides")
    options = asked.parse_args()
    wrong = [line for way in WAYS for line in rehearse(options.checkout.resolve(), options.pins, way)]
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
