"""The command ``dub``: a video, a sound, and what came of it."""

from __future__ import annotations

import json

import pytest
import torch

from sonic_core.cli.main import main
from sonic_core.clip import Clip, open_clip
from sonic_core.media.mark import Mark
from tests.cli.test_video import run


@pytest.fixture(scope="module")
def video(talking, tmp_path_factory):
    return talking.cut(25, 20).export(tmp_path_factory.mktemp("video") / "video.mp4", crf=12)


@pytest.fixture(scope="module")
def sound(talking, tmp_path_factory):
    """A file whose sound is 1.2 s."""
    return talking.cut(100, 30).export(tmp_path_factory.mktemp("sound") / "sound.mp4", crf=40)


def test_dub_tells_what_it_did(capsys, video, sound, tmp_path):
    out = tmp_path / "out.mp4"
    status, shown, told = run(
        capsys, "dub", video, "--audio", sound, "--output", out, "--when-longer", "bounce", "--json"
    )
    made = json.loads(shown)
    assert status == 0 and "sonic: track 20/20" in told
    assert 0 < made.pop("changed_share") < 0.5 and made.pop("took_seconds") > 0
    assert made.pop("lips")["words"] in told
    assert made == {
        "output": str(out),
        "model": "sonic-preview",
        "frames": 30,
        "frames_without_face": 0,
        "frames_left": 0,
        "frames_behind": 0,
        "hidden": [],
        "scenes": 1,
        "fps": 25.0,
        "seconds": 1.2,
        "size": [384, 384],
    }
    clip = open_clip(out)
    assert (clip.length, clip.size) == (30, (384, 384)) and clip.audio is not None
    assert clip.mark == Mark("sonic-preview", dubbed=True)
    status, shown, _ = run(capsys, "dub", video, "--audio", sound, "--output", out, "--when-longer", "cut", "--no-mark")
    assert open_clip(out).mark is None
    assert status == 0 and f"{out}: dubbing: the mouth is new in 20 of 20 frames; " in shown


@pytest.fixture
def given(video, sound, tmp_path, monkeypatch):
    """An empty folder, and what is asked for there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path, {"VIDEO": str(video), "--audio": str(sound), "--output": "out.mp4"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"VIDEO": "nothing.mp4"}, "nothing.mp4"),
        ({"--audio": "nothing.wav"}, "nothing.wav"),
        ({"--output": "out.avi"}, "ends in"),
        ({"--when-longer": "rewind"}, "when_longer must be one of hold, loop, bounce, cut; got 'rewind'"),
        ({"--face-index": "3"}, "Expected face 3 in the video"),
        ({"--duration": "99"}, "99"),
    ],
)
def test_what_cannot_be_dubbed_is_one_sentence_and_leaves_nothing(capsys, given, changed, said):
    folder, given = given
    given = given | changed
    arguments = [given.pop("VIDEO"), *(part for pair in given.items() for part in pair)]
    status, out, err = run(capsys, "dub", *arguments)
    lines = [line for line in err.splitlines() if not line.startswith("sonic: track")]
    assert (status, out, len(lines)) == (2, "", 1) and said in lines[0]
    assert list(folder.iterdir()) == []


def test_two_people_of_a_video_are_dubbed_at_once(capsys, talking, sound, tmp_path):
    frames = [torch.cat((frame, frame.flip(0).flip(2)), 2) for frame in talking.cut(25, 10).frames()]
    video = Clip(lambda: (frame[None] for frame in frames), talking.fps, len(frames), (384, 768), None)
    video.export(tmp_path / "two.mp4", crf=12)
    flags = "--speaker", f"0={sound}", "--speaker", f"1={sound}@0.1", "--when-longer", "cut"
    out = tmp_path / "out.mp4"
    status, shown, told = run(capsys, "dub", tmp_path / "two.mp4", *flags, "--output", out, "--json")
    made = json.loads(shown)
    assert status == 0, told
    assert sorted(made["faces"]) == ["0", "1"] and "changed_share" not in made
    assert [one["frames_without_face"] for one in made["faces"].values()] == [0, 0]
    assert all(0 < one["changed_share"] < 0.3 for one in made["faces"].values())
    status, shown, _ = run(capsys, "dub", tmp_path / "two.mp4", *flags, "--output", out)
    assert "dubbing face 0: the mouth is new in 10 of 10 frames" in shown and "dubbing face 1: " in shown


def test_a_sound_is_wanted(capsys, video):
    assert main(["dub", str(video), "--output", "out.mp4"]) == 2
    assert "--audio" in capsys.readouterr().err


def test_a_dubbed_video_is_directed_by_the_mouth_alone(capsys, video, sound, tmp_path):
    flags = ("--audio", sound, "--output", tmp_path / "out.mp4", "--direct")
    status, _, told = run(capsys, "dub", video, *flags, "smile=1")
    assert status == 2
    assert "A dubbed video can be directed by dynamic_scale alone, got smile: leave those out" in told
    assert run(capsys, "dub", video, *flags, "dynamic_scale=0:1, 1:.5")[0] == 0
