"""The command line: the main job, its answers, and one helpful line for every bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from sonic_core.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PORTRAIT, SPEECH = ROOT / "assets" / "portrait.png", ROOT / "assets" / "speech.wav"


def write_wav(path: Path, samples: np.ndarray, rate: int = 16_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def write_float_wav(path: Path, samples: np.ndarray, rate: int = 16_000) -> Path:
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream("pcm_f32le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def noise_picture(path: Path, width: int, height: int) -> Path:
    Image.fromarray(np.full((height, width, 3), 128, np.uint8)).save(path)
    return path


def bad_input(name: str, folder: Path) -> dict[str, Any]:
    """Options that differ from a good call in one thing."""
    made = folder / "made"
    made.mkdir()
    truncated = made / "cut.jpg"
    Image.open(PORTRAIT).convert("RGB").save(truncated)
    truncated.write_bytes(truncated.read_bytes()[:9000])
    text = made / "text.png"
    text.write_text("this is no picture")
    empty = made / "empty.wav"
    empty.write_bytes(b"")
    file = made / "a_file"
    file.write_text("")
    return {
        "missing picture": {"image": str(made / "nothing.png")},
        "missing sound": {"audio": str(made / "nothing.wav")},
        "a folder as picture": {"image": str(made)},
        "text named png": {"image": str(text)},
        "truncated jpeg": {"image": str(truncated)},
        "empty wav": {"audio": str(empty)},
        "wav without samples": {"audio": str(write_wav(made / "none.wav", np.zeros(0)))},
        "nan samples": {"audio": str(write_float_wav(made / "nan.wav", np.full(16_000, np.nan)))},
        "a hundredth of a second": {"audio": str(write_wav(made / "short.wav", np.full(160, 0.1)))},
        "no face": {"image": str(noise_picture(made / "grey.png", 300, 300))},
        "ten by ten": {"image": str(noise_picture(made / "tiny.png", 10, 10))},
        "far too wide": {"image": str(noise_picture(made / "wide.png", 20_000, 20))},
        "folder that is a file": {"output": str(file / "out.mp4")},
        "missing folder": {"output": str(made / "no" / "such" / "out.mp4")},
        "output without mp4": {"output": str(made / "out.avi")},
        "output that is a folder's name": {"output": f"{made / 'out.mp4'}/"},
        "a pipe that nothing comes through": {"audio": os.devnull},
        "duration -1": {"duration": "-1"},
        "duration 0": {"duration": "0"},
        "duration nan": {"duration": "nan"},
        "duration too long": {"duration": "500"},
        "unknown model": {"model": "sonic-huge"},
        "face off the picture": {"face": "5000,5000,6000,6000"},
        "face that is no box": {"face": "1,2,3"},
        "no such face": {"face_index": "7"},
        "fps 0": {"fps": "0"},
        "not a number": {"seed": "often"},
        "missing weights folder": {"weights": str(made / "no_weights")},
        "a sound for one and for several": {"speaker": f"0={SPEECH}"},
        "no sound at all": {"audio": None},
        "a speaker without a number": {"audio": None, "speaker": str(SPEECH)},
        "a speaker without a sound": {"audio": None, "speaker": "0="},
        "a speaker who is not there": {"audio": None, "speaker": f"7={SPEECH}"},
        "a speaker with two sounds": {"audio": None, "speaker": [f"0={SPEECH}", f"0={SPEECH}@1"]},
        "a speaker whose sound is missing": {"audio": None, "speaker": f"0={made / 'nothing.wav'}"},
        "a speaker whose sound is text": {"audio": None, "speaker": f"0={text}"},
        "a speaker who begins too late": {"audio": None, "speaker": f"0={SPEECH}@3", "duration": "2"},
        "listeners who dance": {"audio": None, "speaker": f"0={SPEECH}", "listeners": "dance"},
    }[name]


BAD = [
    "missing picture", "missing sound", "a folder as picture", "text named png", "truncated jpeg", "empty wav",
    "wav without samples", "nan samples", "a hundredth of a second", "no face", "ten by ten", "far too wide",
    "folder that is a file", "missing folder", "output without mp4",
    "output that is a folder's name", "a pipe that nothing comes through", "duration -1", "duration 0", "duration nan",
    "duration too long", "unknown model", "face off the picture", "face that is no box", "no such face",
    "fps 0", "not a number", "missing weights folder", "a sound for one and for several", "no sound at all",
    "a speaker without a number", "a speaker without a sound", "a speaker who is not there",
    "a speaker with two sounds", "a speaker whose sound is missing", "a speaker whose sound is text",
    "a speaker who begins too late", "listeners who dance",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_exit_2_one_line_and_no_file(name, tmp_path, capsys):
    options = {"image": str(PORTRAIT), "audio": str(SPEECH), "output": str(tmp_path / "out.mp4")}
    options.update(bad_input(name, tmp_path))
    before = set(tmp_path.rglob("*"))
    said = [(key, one) for key, value in options.items() for one in (value if isinstance(value, list) else [value])]
    flags = [f"--{key.replace('_', '-')}={value}" for key, value in said if value is not None]
    assert main(["generate", *flags]) == 2
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if "warning" not in line]
    assert shown.out == ""
    assert len(lines) == 1
    assert lines[0].startswith("sonic: ")
    assert len(lines[0]) > 40
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["doctor", "--nosuch", "3"], "unrecognized arguments: --nosuch 3; see 'python -m sonic_core doctor --help'."),
        (["generate", "--fps"], "argument --fps: expected one argument; see 'python -m sonic_core generate --help'."),
        (["--nosuch"], "required: COMMAND; see 'python -m sonic_core --help'."),
    ],
)
def test_wrong_use_names_the_help_that_there_is(capsys, arguments, words):
    assert main(arguments) == 2
    assert capsys.readouterr().err.rstrip().endswith(words)


@pytest.mark.skipif(os.name != "posix", reason="write permission is a POSIX matter")
def test_an_unwritable_folder_is_said_before_any_work():
    """Root may write anywhere, so a test run by root becomes nobody before it calls the program."""
    with tempfile.TemporaryDirectory() as outer:
        locked = Path(outer) / "locked"
        locked.mkdir()
        Path(outer).chmod(0o755)
        locked.chmod(0o555)
        arguments = ["generate", f"--image={PORTRAIT}", f"--audio={SPEECH}", f"--output={locked / 'out.mp4'}"]
        become = "os.getuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534))"
        code = f"import os, sys, sonic_core.cli.main as c, sonic_core.pipeline; {become}; sys.exit(c.main({arguments}))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("sonic: ")
        assert "locked" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert not list(locked.iterdir())


def test_the_main_job(tmp_path, capsys):
    output = tmp_path / "out.mp4"
    flags = ["--image", str(PORTRAIT), "--audio", str(SPEECH), "--output", str(output), "--duration", "1.0", "--json"]
    assert main(["generate", *flags, "--min-resolution", "384"]) == 0
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert answer["frames"] == 25
    assert answer["model"] == "sonic-preview"
    assert "encode 25/25" in shown.err
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 25
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.audio[0].codec_context.name == "aac"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_face_can_be_given_where_none_is_found(tmp_path):
    picture = tmp_path / "plain.png"
    shade = np.linspace(60, 200, 320, dtype=np.uint8)
    Image.fromarray(np.repeat(np.repeat(shade[:, None, None], 320, 1), 3, 2)).save(picture)
    output = tmp_path / "out.mp4"
    flags = [f"--image={picture}", f"--audio={SPEECH}", f"--output={output}", "--face=80,60,240,260", "--duration=0.4"]
    assert main(["generate", *flags]) == 0
    assert output.is_file()


def test_faces_answers_in_json(capsys):
    assert main(["faces", str(PORTRAIT), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    face = answer["faces"][0]
    assert answer["finder"] in {"embedded", "insightface", "yoloface"}
    assert len(face["box"]) == 4
    assert len(face["points"]) == 5
    (left, right), mouth = face["points"][:2], face["points"][3:]
    assert left[0] < right[0]
    assert mouth[0][0] < mouth[1][0]
    assert mouth[0][1] > left[1]


def test_faces_tells_every_point_when_asked(capsys):
    assert main(["faces", str(PORTRAIT), "--finder", "embedded", "--landmarks", "--json"]) == 0
    (face,) = json.loads(capsys.readouterr().out)["faces"]
    assert len(face["landmarks"]) == 468
    left, top, right, bottom = face["box"]
    assert all(left - 30 < x < right + 30 and top - 60 < y < bottom + 30 for x, y in face["landmarks"])
    assert main(["faces", str(PORTRAIT), "--finder", "embedded", "--json"]) == 0
    assert "landmarks" not in json.loads(capsys.readouterr().out)["faces"][0]


def test_faces_draws_a_picture(tmp_path, capsys):
    output = tmp_path / "seen.png"
    assert main(["faces", str(PORTRAIT), "--picture", str(output), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["picture"] == str(output)
    with Image.open(output) as drawn, Image.open(PORTRAIT) as plain:
        assert drawn.size == (768, 768)
        corner, before = (picture.convert("L").getpixel((20, 20)) for picture in (drawn, plain))
    assert corner == pytest.approx(before / 2, abs=2)


def test_faces_leaves_no_picture_where_there_is_nothing_to_draw(tmp_path, capsys):
    grey = noise_picture(tmp_path / "grey.png", 300, 300)
    assert main(["faces", str(grey), "--picture", str(tmp_path / "seen.png")]) == 2
    assert main(["faces", str(PORTRAIT), "--picture", str(tmp_path / "seen.jpg")]) == 2
    assert "ends in .png" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["grey.png"]


def test_models_and_doctor_answer(capsys):
    assert main(["models", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["models"]]
    assert "sonic-preview" in names
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_models_finds_what_the_finder_would_use(tmp_path, capsys):
    pack = tmp_path / "insightface" / "models" / "own"
    pack.mkdir(parents=True)
    (pack / "det_500m.onnx").write_bytes(b"")
    assert main(["models", "--json", "--weights", str(tmp_path)]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert rows["insightface"]["found"] == str(pack / "det_500m.onnx")
    assert rows["yoloface"]["found"] is None


@pytest.mark.parametrize("flags", [["--fps=0"], ["--model=sonic-huge"], ["--duration=500"], ["--format=gif"]])
def test_a_refused_demo_leaves_no_folder(tmp_path, monkeypatch, capsys, flags):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", *flags]) == 2
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "outputs").mkdir()
    assert main(["demo", *flags]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    capsys.readouterr()


@pytest.mark.parametrize("name", ["seed", "duration", "min-resolution", "inference-steps", "fps", "crf"])
def test_numbers_of_309_digits_are_one_line(tmp_path, capsys, name):
    flags = [f"--image={PORTRAIT}", f"--audio={SPEECH}", f"--output={tmp_path / 'x.mp4'}", f"--{name}={'9' * 309}"]
    assert main(["generate", *flags]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and f"{name.replace('-', '_')} must be" in said


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "sonic_core", "generate"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("sonic: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "options", "made"),
    [("out.webm", [], "vp9"), ("out.mp4", ["--format=mp4-av1", "--crf=40"], "av1"), ("out", ["--format=png16"], "png")],
)
def test_other_formats(tmp_path, capsys, name, options, made):
    output = tmp_path / name
    flags = [f"--image={PORTRAIT}", f"--audio={SPEECH}", f"--output={output}", "--duration=0.2", "--min-resolution=128"]
    assert main(["generate", *flags, *options]) == 0
    with av.open(str(output / "00001.png" if output.is_dir() else output)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == made
    assert len(list(output.iterdir())) == 6 if output.is_dir() else output.is_file()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--format=mkv"], "format must be one of mp4-h264"),
        (["--crf=99"], "crf must be from 0"),
        (["--format=gif"], "ends in .gif"),
    ],
)
def test_formats_that_do_not_fit(tmp_path, capsys, options, words):
    flags = [f"--image={PORTRAIT}", f"--audio={SPEECH}", f"--output={tmp_path / 'x.mp4'}"]
    assert main(["generate", *flags, *options]) == 2
    said = capsys.readouterr().err
    assert words in said and len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())
