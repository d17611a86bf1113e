"""sonic-base on the command line, with random weights of a few megabytes."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from sonic_core.cli import main

ROOT = Path(__file__).resolve().parents[2]
PORTRAIT, SPEECH = ROOT / "assets" / "portrait.png", ROOT / "assets" / "speech.wav"
FILES = ("unet.pth", "audio2token.pth", "audio2bucket.pth", "whisper-tiny", "flownet.pkl", "svd_xt.safetensors")


def generate(output, *flags):
    return [
        "generate", f"--image={PORTRAIT}", f"--audio={SPEECH}", f"--output={output}", "--model=sonic-base", "--json",
        "--duration=0.4", "--min-resolution=128", "--inference-steps=2", *flags,
    ]  # fmt: skip


@pytest.mark.parametrize("layout", ["tiny_set", "tiny_single_file_set"])
def test_the_main_job(request, tmp_path, capsys, layout):
    folder, output = request.getfixturevalue(layout), tmp_path / "out.mp4"
    assert main(generate(output, f"--weights={folder}")) == 0
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert (answer["model"], answer["frames"]) == ("sonic-base", 10)
    assert "runs on the processor here" in shown.err
    assert "Traceback" not in shown.err
    for stage in ("listen", "denoise", "encode 10/10"):
        assert stage in shown.err
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_missing_weights_are_all_listed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SONIC_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(generate(tmp_path / "out.mp4")) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "sonic: sonic-base needs files that are missing" in shown.err
    assert "Traceback" not in shown.err
    for name in FILES[:-1]:
        assert name in shown.err
    assert "stable-video-diffusion" in shown.err
    assert "python -m sonic_core download sonic-base" in shown.err
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_listed(tiny_set, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SONIC_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    for path in tiny_set.iterdir():
        if path.name != "RIFE":
            (tmp_path / "set" / path.name).symlink_to(path)
    assert main(generate(tmp_path / "out.mp4", f"--weights={tmp_path / 'set'}")) == 2
    said = capsys.readouterr().err
    assert "flownet.pkl" in said
    assert not any(name in said for name in FILES if name != "flownet.pkl")
