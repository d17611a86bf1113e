"""sonic-base on the command line, with random weights of a few megabytes."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sonic_core.cli.main import main
from sonic_core.weights.read import open_tensors

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


@pytest.fixture
def lora(tiny_set, tmp_path):
    """A LoRA that turns the UNet's input upside down."""
    chance = torch.Generator().manual_seed(3)
    weight = open_tensors(tiny_set / "Sonic" / "unet.pth")["conv_in.weight"]
    down, up = -weight, torch.randn(len(weight), len(weight), 1, 1, generator=chance)
    path = tmp_path / "changes.safetensors"
    save_file({"unet.conv_in.lora_A.weight": down, "unet.conv_in.lora_B.weight": up}, path)
    return path


def test_a_lora_changes_the_video_as_much_as_it_is_told_to(tiny_set, tmp_path, lora, capsys):
    made = {}
    for name, flags in {
        "plain": (),
        "nothing": (f"--lora={lora}:0", f"--lora={lora}:0"),
        "half": (f"--lora={lora}:0.5",),
        "two quarters": (f"--lora={lora}:0.25", f"--lora={lora}:0.25"),
    }.items():
        output = tmp_path / f"{name}.mp4"
        assert main(generate(output, f"--weights={tiny_set}", "--seed=7", "--fps=12.5", *flags)) == 0
        with av.open(str(output)) as container:
            made[name] = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]).astype(int)
    capsys.readouterr()
    assert (made["nothing"] == made["plain"]).all()
    assert abs(made["half"] - made["plain"]).mean() > 1
    assert abs(made["two quarters"] - made["half"]).mean() < 0.1 * abs(made["half"] - made["plain"]).mean()


def test_what_is_no_lora_of_this_model_is_one_sentence(tiny_set, tmp_path, lora, capsys):
    other = tmp_path / "other.safetensors"
    save_file({"up.7.lora_A.weight": torch.zeros(1, 2), "up.7.lora_B.weight": torch.zeros(2, 1)}, other)
    for flags, said in {
        (f"--lora={tmp_path / 'none.safetensors'}",): "Expected weights at",
        (f"--lora={tiny_set / 'Sonic' / 'unet.pth'}",): "holds no low-rank changes (LoRA)",
        (f"--lora={other}:0",): "is of another network: it changes up.7, which is not in this one.",
        (f"--lora={lora}", "--model=sonic-preview"): "A LoRA changes sonic-base, and sonic-preview was loaded",
    }.items():
        assert main(generate(tmp_path / "out.mp4", f"--weights={tiny_set}", *flags)) == 2
        shown = capsys.readouterr()
        assert [said in line for line in shown.err.splitlines() if line.startswith("sonic: ") and "warn" not in line][
            -1
        ], said
        assert "Traceback" not in shown.err
        assert "denoise" not in shown.err, "told before the work"
    assert not (tmp_path / "out.mp4").exists()


QUICKLY = ("--appearance-guidance=1", "--audio-guidance=1", "--fps=12.5", "--window=5")
"""A tenth of the work, for what is about when frames come and not how they look: one branch, nothing drawn between."""


def live(*flags):
    command = [sys.executable, "-m", "sonic_core", *(flag for flag in generate("-", *flags) if flag != "--json")]
    # unbuffered, so that nothing is read beyond what is asked for
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)


def test_a_stream_plays_on_to_a_pipe_before_its_last_frames_are_begun(tiny_set):
    flags = ("--stream", "--duration=2", "--window-shift=2", *QUICKLY)
    with live(f"--weights={tiny_set}", *flags) as running:
        assert running.stdout is not None and running.stderr is not None
        head = running.stdout.read(4096)  # the first fragments
        still = running.poll() is None
        rest, said = running.communicate(timeout=300)
    assert running.returncode == 0, said.decode()
    assert still, "the first bytes come while the rest is made"
    assert head[4:8] == b"ftyp"
    assert (head + rest).count(b"moof") >= 4  # of half a second each
    with av.open(io.BytesIO(head + rest)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 25
    with av.open(io.BytesIO(head + rest)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 2 * 16000


def test_a_reader_that_leaves_is_one_sentence(tiny_set):
    with live(f"--weights={tiny_set}", "--stream", "--duration=2", *QUICKLY) as running:
        assert running.stdout is not None
        running.stdout.read(16)
        running.stdout.close()
        running.wait(timeout=300)
        assert running.stderr is not None
        said = running.stderr.read().decode()
    assert running.returncode == 2
    assert "Cannot write standard output (Broken pipe)" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("flags", "said"), [(["--json"], "--json would"), (["--format=webp"], "it comes; got --format webp")]
)
def test_what_cannot_go_to_a_pipe_is_refused(capsys, flags, said):
    assert main([flag for flag in generate("-", *flags) if flag != "--json" or "--json" in flags]) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


def test_qualities_reach_the_model(tiny_set, tmp_path, capsys):
    assert main(generate(tmp_path / "out.mp4", f"--weights={tiny_set}", "--quality=fast")) == 0
    assert "denoise 10/10" in capsys.readouterr().err
    assert main(generate(tmp_path / "out.mp4", f"--weights={tiny_set}", "--quality=best")) == 2
    assert "quality must be one of exact, fast, live; got 'best'" in capsys.readouterr().err
    assert main(generate(tmp_path / "out.mp4", f"--weights={tiny_set}", "--device=cpu,cpu")) == 2
    assert "device must name each one once; got 'cpu,cpu'" in capsys.readouterr().err


def test_a_sound_that_is_still_coming_is_answered_before_it_ends(tiny_set):
    with wave.open(str(SPEECH)) as file:
        form = struct.pack("<HHIIHH", 1, 1, file.getframerate(), 2 * file.getframerate(), 2, 16)
        spoken = file.readframes(file.getframerate() * 3)
        rate = file.getframerate()
    head = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<I", 16) + form + b"data\xff\xff\xff\xff"
    flags = ("--stream", "--window-shift=2", "--no-temporal-smoothing", *QUICKLY)
    command = [flag for flag in generate("-", f"--weights={tiny_set}", *flags)
               if flag not in {"--json", "--duration=0.4", f"--audio={SPEECH}"}]  # fmt: skip
    running = subprocess.Popen(
        [sys.executable, "-m", "sonic_core", *command, "--audio=-"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
    )  # fmt: skip
    with running:
        assert running.stdin is not None and running.stdout is not None
        running.stdin.write(head + spoken)
        shown = running.stdout.read(1024)  # while the pipe is open
        running.stdin.write(spoken[: rate * 2])
        rest, said = running.communicate(timeout=300)
    assert running.returncode == 0, said.decode()
    assert b"of the sound have come, or its end" in said
    assert b"4.00 s of video" in said
    with av.open(io.BytesIO(shown + rest)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 50


def test_a_piped_sound_that_goes_into_a_file_is_read_to_its_end_first(tiny_set, tmp_path, monkeypatch, capsys):
    with wave.open(str(SPEECH)) as file:
        rate, spoken = file.getframerate(), file.readframes(file.getframerate())
    piped = io.BytesIO()
    with wave.open(piped, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(spoken)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped.getvalue())))
    flags = [flag for flag in generate(tmp_path / "out.mp4", f"--weights={tiny_set}", "--stream", "--window=5")
             if flag not in {f"--audio={SPEECH}", "--duration=0.4"}]  # fmt: skip
    assert main([*flags, "--audio=-"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 25
