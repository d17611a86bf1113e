"""Weights that belong to the package: where they are damaged, that is said, and by ``doctor`` too."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sonic_core import CheckpointError
from sonic_core.faces import networks
from sonic_core.speech.motion import WEIGHTS as MOUTH
from sonic_core.speech.network import load_network
from sonic_core.weights.read import bundled

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "text", "another"])
def test_damaged_weights_are_one_sentence(tmp_path, damage):
    path = tmp_path / "mouth.safetensors"
    content = {"empty": b"", "cut": MOUTH.read_bytes()[:5000], "text": b"x" * 9000}.get(damage)
    if content is not None:
        path.write_bytes(content)
    elif damage == "another":
        shutil.copyfile(networks.WEIGHTS, path)
    with pytest.raises(CheckpointError, match=r"belongs to this package.*; install the package again\.$") as said:
        load_network(path)
    assert "\n" not in str(said.value)


def test_whole_weights_are_read():
    with bundled(MOUTH) as file:
        assert list(file.keys())


NO_ROOM = """
import resource, sys
from pathlib import Path
from sonic_core import OutOfMemoryError
from sonic_core.faces.networks import WEIGHTS
from sonic_core.weights.read import bundled, open_tensors
def read_bundled(path):
    with bundled(path) as file:
        return [file.get_tensor(name) for name in file.keys()]
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken, taken))
for read in (read_bundled, open_tensors):
    try:
        read(WEIGHTS)
    except OutOfMemoryError:
        continue
    sys.exit(1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the addresses of a process as Linux does")
def test_whole_weights_for_which_there_is_no_room_are_not_called_damaged():
    done = subprocess.run([sys.executable, "-c", NO_ROOM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_damaged_package_is_said_by_the_command_line(tmp_path):
    """A copy of the package, of which a file was cut off."""
    shutil.copytree(ROOT / "sonic_core", tmp_path / "sonic_core", ignore=shutil.ignore_patterns("learn", "__pycache__"))
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    cut = tmp_path / "sonic_core" / "faces" / "landmarks.safetensors"
    cut.write_bytes(cut.read_bytes()[:70_000])
    portrait = ROOT / "assets" / "portrait.png"
    code = f"import sonic_core.cli.main as c; print(c.main(['faces', {str(portrait)!r}]), c.main(['doctor']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "2 1", done.stderr
    assert "MISSING  face finder: cannot be told: " in done.stdout
    assert done.stderr.startswith("sonic: ") and "install the package again" in done.stderr
    assert len(done.stderr.splitlines()) == 1
