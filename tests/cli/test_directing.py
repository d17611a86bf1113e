"""A face is directed from the command line."""

from __future__ import annotations

import argparse
import json

import pytest

from sonic_core.cli.main import main
from sonic_core.cli.options import add_settings, settings_of
from sonic_core.direction import Direction
from sonic_core.media.wav import write_wav
from sonic_core.speech.beat import follow_beat
from tests.unit.speech.test_beat import song


def test_flags_add_up_and_the_last_counts(tmp_path):
    (tmp_path / "file.json").write_text(json.dumps({"blinks": [1, 2], "smile": 0.1}))
    parser = argparse.ArgumentParser()
    add_settings(parser)
    flags = ["--direct", str(tmp_path / "file.json"), "--direct", "head_yaw=0:0, 2:15", "--direct", "smile=.6"]
    expected = Direction.of({"blinks": [1, 2], "head_yaw": "0:0, 2:15", "smile": 0.6})
    assert settings_of(parser.parse_args(flags)).direction == expected
    assert settings_of(parser.parse_args([])).direction is None


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("grin=1", "'grin' cannot be directed"),
        ("smile=2", "smile must be between 0 and 1"),
        ("absent.json", "no file is there"),
        ("dynamic_scale=9", "dynamic_scale must be between 0 and 4"),
    ],
)
def test_what_cannot_be_directed_is_said_in_a_line(capsys, tmp_path, written, told):
    assert main(["demo", "--output", str(tmp_path / "o.mp4"), "--direct", written]) == 2
    said = capsys.readouterr().err.strip()
    assert told in said and "\n" not in said and said.startswith("sonic: ")


def test_a_head_follows_the_one_of_a_video_unless_it_is_told_otherwise(talking, tmp_path):
    video = talking.cut(0, 12).export(tmp_path / "head.mp4", crf=20)
    parser = argparse.ArgumentParser()
    add_settings(parser)
    flags = ["--pose-from", str(video), "--pose-scale", "2", "--pose-longer", "hold", "--direct", "head_roll=0"]
    found = settings_of(parser.parse_args(flags)).direction
    assert [name for name, _ in found.curves] == ["head_pitch", "head_roll", "head_yaw"]
    assert len(found.curve("head_yaw").values) == 12 and not found.curve("head_yaw").bounces
    assert found.curve("head_roll").values == (0.0,)


def test_a_head_nods_to_a_song_before_it_follows_a_video(talking, tmp_path):
    video = talking.cut(0, 6).export(tmp_path / "head.mp4", crf=20)
    heard = song(100, 8.0)
    write_wav(tmp_path / "song.wav", heard)
    parser = argparse.ArgumentParser()
    add_settings(parser)
    flags = ["--pose-from", str(video), "--beat-from", str(tmp_path / "song.wav"), "--beat-scale", "2"]
    found = settings_of(parser.parse_args(flags)).direction
    nods = follow_beat(tmp_path / "song.wav", scale=2.0)
    assert [name for name, _ in found.curves] == ["head_pitch", "head_roll", "head_yaw"]
    assert found.curve("head_pitch") == nods.curve("head_pitch") != follow_beat(heard).curve("head_pitch")
