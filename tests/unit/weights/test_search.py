"""Where weights are looked for: homes that nobody has and folders that nobody may see are a sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sonic_core import CheckpointError, load_model
from sonic_core.cli.main import main
from sonic_core.faces.insightface import locate_pack
from sonic_core.weights.search import folders, home_folder

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("~nosuchuser/weights", "no home folder for ~nosuchuser"),
        ("y" * 300, "cannot be looked into"),
        ("z/" * 3000, "cannot be looked into"),
        ("nul\0", "cannot be looked into"),
        ("nothing", "is not there"),
    ],
)
def test_what_cannot_be_looked_into_is_one_sentence(empty_place, capsys, named, words):
    for ask in (folders, locate_pack, lambda name: load_model("sonic-preview", weights=name) and folders(name)):
        with pytest.raises(CheckpointError, match=words):
            ask(named)
    for command in ("models", f"faces {ROOT / 'assets' / 'portrait.png'}"):
        assert main([*command.split(), f"--weights={named}"]) == 2
        said = capsys.readouterr().err
        assert words in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("home", ["~nosuchuser/sonic", "/" + "x" * 300])
def test_a_home_that_cannot_be_is_told_by_doctor_too(empty_place, monkeypatch, capsys, home):
    monkeypatch.setenv("SONIC_HOME", home)
    assert main(["doctor"]) in {0, 1}
    assert "Traceback" not in capsys.readouterr().err
    status = main(["models"])
    assert status == (2 if home.startswith("~") else 0)
    assert len(capsys.readouterr().err.splitlines()) == (status == 2)


@pytest.mark.skipif(not hasattr(os, "setuid") or os.getuid() != 0, reason="only root can become nobody")
def test_nobody_in_a_place_that_may_not_be_seen_gets_answers():
    """No home, an unknown user, and every folder on the way shut."""
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        shut = Path(outer) / "models"
        (shut / "sonic").mkdir(parents=True)
        shut.chmod(0o700)
        code = (
            "import json, os, sys, sonic_core.cli.main as c, sonic_core.faces, sonic_core.pipeline\n"
            f"os.chdir({outer!r}); os.environ.pop('HOME', None); os.environ['SONIC_HOME'] = {str(shut)!r}\n"
            "os.setgroups([]); os.setgid(4242); os.setuid(424242)\n"
            "asked = ['models'], ['doctor'], ['models', '--weights', os.environ['SONIC_HOME']]\n"
            "print(json.dumps([c.main(one) for one in asked]))"
        )
        environment = {name: value for name, value in os.environ.items() if name not in {"HOME", "SONIC_HOME"}}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    models, doctor, named = json.loads(done.stdout.splitlines()[-1])
    assert (models, named) == (0, 2), done.stdout
    assert doctor in {0, 1}, done.stdout  # 1 where Python's packages too lie in a folder that is shut to nobody
    assert "cannot be looked into (Permission denied)" in done.stderr


def test_without_a_home_weights_need_a_place(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("SONIC_HOME", "~nosuchuser")
    with pytest.raises(CheckpointError, match="--weights or SONIC_HOME"):
        home_folder()
