"""The commands about any talking video."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from sonic_core.cli.main import main
from sonic_core.clip import Clip, open_clip
from sonic_core.media.mixing import shift


@pytest.fixture(scope="module")
def late(talking, tmp_path_factory):
    """A talking video whose sound comes 40 ms late."""
    path = tmp_path_factory.mktemp("late") / "late.mp4"
    return replace(talking, audio=shift(talking.audio, 0.04)).export(path, crf=23)


@pytest.fixture(scope="module")
def silent(talking, tmp_path_factory):
    path = tmp_path_factory.mktemp("silent") / "silent.mp4"
    return replace(talking, audio=None).export(path, crf=30)


@pytest.fixture(scope="module")
def shaken(tmp_path_factory):
    """A picture that shakes, with a strange rate."""
    generator = np.random.default_rng(0)
    base = torch.from_numpy(generator.random((3, 40, 50), np.float32))[None]
    base = torch.nn.functional.interpolate(base, size=(200, 240), mode="bicubic").clamp(0, 1)[0]

    def read():
        for x, y in generator.integers(-1, 2, (30, 2)):
            yield torch.roll(base, (int(x), int(y)), dims=(1, 2))[None, :, 20:180, 20:220]

    frames = torch.cat(list(read()))
    clip = Clip(lambda: iter([frames]), Fraction(25), 30, (160, 200), None)
    return clip.export(tmp_path_factory.mktemp("shaken") / "shaken.mp4", crf=8)


@pytest.fixture
def videos(late, silent, shaken):
    return {"LATE": late, "SILENT": silent, "SHAKEN": shaken}


def run(capsys, *arguments):
    status = main([str(one) for one in arguments])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_sync_measures(capsys, late):
    status, out, _ = run(capsys, "sync", late, "--json")
    told = json.loads(out)
    assert status == 0
    assert told["offset_seconds"] == pytest.approx(0.04, abs=0.012)
    assert told["confidence"] > 0.99 and told["verdict"] == "constant"
    curve = told["curve"]
    assert len(curve["offset_seconds"]) == len(curve["agreement"])
    best = curve["offset_seconds"][int(np.argmax(curve["agreement"]))]
    assert best == pytest.approx(0.04, abs=0.02)


def test_sync_takes_another_sound(capsys, silent, late):
    status, out, _ = run(capsys, "sync", silent, "--audio", late)
    assert status == 0
    assert "late (confidence" in out


def test_refine_corrects(capsys, late, tmp_path):
    output = tmp_path / "out.mp4"
    status, out, err = run(capsys, "refine", late, "--output", output, "--json")
    told = json.loads(out)
    assert status == 0 and told["moved_seconds"] == pytest.approx(told["offset_seconds"], abs=1e-4)
    assert "lip sync: the sound was moved" in err
    before, after = open_clip(late), open_clip(output)
    assert (before.length, before.fps, before.size) == (after.length, after.fps, after.size)
    assert after.audio.duration == pytest.approx(before.audio.duration, abs=0.001)
    assert json.loads(run(capsys, "sync", output, "--json")[1])["offset_seconds"] == pytest.approx(0, abs=0.012)


def test_refine_leaves_what_is_too_far(capsys, late, tmp_path):
    output = tmp_path / "out.mp4"
    status, out, _ = run(capsys, "refine", late, "--output", output, "--max-offset", "0.01")
    assert status == 0 and "nothing was changed" in out and "more than the 10 ms" in out
    assert output.is_file()


def test_smooth_steadies_and_retimes(capsys, shaken, tmp_path):
    output = tmp_path / "out.mp4"
    status, out, _ = run(capsys, "smooth", shaken, "--output", output, "--fps", "50", "--json")
    told = json.loads(out)
    assert status == 0
    assert told["jitter_left"] < 0.6 * told["jitter"]
    with av.open(str(output)) as file:
        assert file.streams.video[0].average_rate == 50
        assert sum(1 for _ in file.decode(video=0)) == told["frames"] == 60


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sync", "SILENT"], "without"),
        (["sync", "SHAKEN", "--audio", "LATE"], "face"),
        (["sync", "nothing.mp4"], "no file is there"),
        (["refine", "LATE", "--output", "x.txt"], "ends in"),
        (["refine", "LATE", "--output", "OUT", "--max-offset", "3"], "max_offset"),
        (["refine", "SILENT", "--output", "OUT"], "without"),
        (["smooth", "LATE", "--output", "OUT", "--strength", "9"], "strength"),
        (["smooth", "LATE", "--output", "OUT", "--method", "magic"], "method"),
        (["smooth", "LATE", "--output", "OUT", "--fps", "0"], "fps"),
        (["smooth", "LATE", "--output", "OUT", "--fps", "1e6"], "fps must be between 1 and 240"),
        (["smooth", "LATE", "--output", "OUT", "--fps", "1e12"], "fps must be between 1 and 240"),
        (["smooth", "LATE", "--output", "OUT", "--device", "abacus"], "device must be"),
        (["smooth", "LATE", "--output", "out.mp4/"], "got the folder"),
        (["refine", "LATE", "--output", "OUT", "--crf", "9" * 309], "crf must be"),
        (["smooth", "LATE", "--output", "OUT", "--format", "betamax"], "mp4-h264"),
    ],
)
def test_bad_input_is_one_line_and_no_file(capsys, tmp_path, videos, arguments, words):
    places = {**videos, "OUT": tmp_path / "out.mp4"}
    status, out, err = run(capsys, *(places.get(one, one) for one in arguments))
    assert (status, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("sonic: ") and words in last
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["smooth", "no.mp4", "--output", "OUT", "--strength", "9"], "strength"),
        (["smooth", "no.mp4", "--output", "OUT", "--fps", "1e6"], "fps"),
        (["smooth", "no.mp4", "--output", "OUT", "--device", "abacus"], "device"),
        (["smooth", "no.mp4", "--output", "OUT", "--weights", "BAD"], "no file is there"),
        (["refine", "no.mp4", "--output", "OUT", "--max-offset", "3"], "max_offset"),
        (["refine", "no.mp4", "--output", "OUT", "--weights", "BAD"], "no file is there"),
        (["sync", "no.mp4", "--weights", "BAD"], "no file is there"),
    ],
)
def test_options_are_looked_at_before_files_and_files_before_a_finder_is_made(capsys, tmp_path, arguments, words):
    """A finder's file that is none would be said first if a finder were made first."""
    bad = tmp_path / "yoloface_v5m.pt"
    bad.write_text("no network")
    status, _, err = run(capsys, *({"OUT": tmp_path / "out.mp4", "BAD": bad}.get(one, one) for one in arguments))
    assert status == 2 and words in err.splitlines()[-1]
