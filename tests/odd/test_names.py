"""Names that are no UTF-8, as old disks and archives have them: pictures, outputs and folders may be called so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from tests.odd.made import ASSETS, portrait

PICTURE, SOUND, VIDEO = (os.fsdecode(name) for name in (b"p\xff.png", b"s\xff.wav", b"o\xe9.mp4"))


@pytest.fixture
def place(tmp_path):
    """A folder with a picture of such a name, and a sound of an ordinary one."""
    Image.fromarray(portrait()).save(tmp_path / "plain.png")
    try:
        (tmp_path / "plain.png").rename(tmp_path / PICTURE)
    except OSError:
        pytest.skip("this file system takes no such names")
    shutil.copyfile(ASSETS / "speech.wav", tmp_path / "s.wav")
    return tmp_path


def run(place, *arguments):
    """Run the program: its status, its answer, what it said."""
    command = [sys.executable, "-m", "sonic_core", *arguments]
    told = {**os.environ, "PYTHONPATH": str(ASSETS.parent)}
    done = subprocess.run(command, cwd=place, env=told, capture_output=True, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_faces(place):
    status, answer, _ = run(place, "faces", PICTURE, "--picture", f"q{PICTURE}")
    assert status == 0 and "picture: qp\\udcff.png" in answer
    assert (place / f"q{PICTURE}").exists()


def test_generate_and_a_sound_that_ffmpeg_cannot_open(place):
    short = ("--model", "sonic-preview", "--duration", "0.2", "--min-resolution", "128")
    status, answer, said = run(place, "generate", "--image", PICTURE, "--audio", "s.wav", "--output", VIDEO, *short)
    assert status == 0 and answer.startswith("o\\udce9.mp4: 0.20 s of video"), said
    assert (place / VIDEO).stat().st_size > 1000
    (place / "s.wav").rename(place / SOUND)
    status, _, said = run(place, "generate", "--image", PICTURE, "--audio", SOUND, "--output", "o.mp4", *short)
    assert status == 2 and "has a name that is not UTF-8, by which FFmpeg opens nothing; rename it." in said


def test_batch_and_its_report(place):
    short = ("--model", "sonic-preview", "--duration", "0.2", "--min-resolution", "128")
    command = ("batch", "--images", ".", "--sounds", ".", "--output", "out", *short, "--json")
    status, answer, said = run(place, *command)
    assert status == 0, said
    assert (json.loads(answer)["made"], json.loads(answer)["failed"]) == (1, 0)
    page = (place / "out" / "report.html").read_text("utf-8")
    assert '.mp4">' in page and "%FF" in page and "\\udcff" in page
    status, answer, said = run(place, *command)
    assert status == 0 and json.loads(answer)["already_there"] == 1, said
