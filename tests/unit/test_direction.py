"""What a director asks for is read as people write it, and refused where it is not possible."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from sonic_core import MediaError, Settings, SettingsError
from sonic_core.direction import CHANNELS, NAMES, Direction, combined
from sonic_core.keyframes import Curve


def test_texts_mappings_and_files_say_the_same(tmp_path):
    expected = Direction((("head_yaw", Curve.of("0:0, 2:15")), ("smile", Curve.of(0.6))))
    (tmp_path / "all.json").write_text(json.dumps({"head_yaw": "0:0, 2:15", "smile": 0.6}))
    (tmp_path / "columns.json").write_text(json.dumps({"seconds": [0, 2], "head_yaw": [0, 15], "smile": 0.6}))
    (tmp_path / "table.csv").write_text("seconds, head_yaw\n0, 0\n2, 15\n")
    for written in (
        "smile=.6; head_yaw=0:0, 2:15",
        ["head_yaw=0:3", "head_yaw=0:0, 2:15", "smile=.6"],
        {"smile": 0.6, "head_yaw": [[0, 0], [2, 15]]},
        "all.json",
        tmp_path / "all.json",
        "columns.json",
        ["table.csv", "smile=.6"],
        {"smile": 0.6, "head_yaw": "table.csv"},
    ):
        assert Direction.of(written, tmp_path) == expected


def test_fields_of_a_table_may_be_empty(tmp_path):
    (tmp_path / "table.csv").write_text("seconds,smile,head_yaw\n0,0,1\n1,,\n2,1,\n3,,4\n")
    found = Direction.of("table.csv", tmp_path)
    assert (found.curve("smile"), found.curve("head_yaw")) == (Curve.of("0:0,2:1"), Curve.of("0:1,3:4"))


def test_blinks_are_lids_that_shut_at_the_moments_named():
    lids = Direction.of({"blinks": "0, 1.5, 2.2"}).curve("blink")
    assert lids is not None
    times = np.arange(0, 4, 0.02)
    shut = times[lids.at(times) > 0.99]
    assert {round(moment, 1) for moment in shut} == {0.0, 1.5, 2.2}
    assert lids.at(np.array([0.6, 1.35, 2.0, 3.0])).tolist() == [0, 0, 0, 0]


def test_what_is_meant_for_one_face_counts_before_what_is_meant_for_all():
    both = Direction.of({"smile": 0.2, "1.smile": 0.8, "1.blinks": [1], "3.anger": 1})
    assert both.faces == {1, 3}
    assert both.for_face(0) == Direction.of({"smile": 0.2})
    assert both.for_face(1) == Direction.of({"smile": 0.8, "blinks": [1]})
    assert Direction.of({"smile": 0.2}).of_face(2) == Direction.of({"2.smile": 0.2})


def test_of_several_directions_the_last_counts():
    assert combined({"smile": 0.1, "sad": 0.2}, None, "smile=.3") == Direction.of({"smile": 0.3, "sad": 0.2})
    assert combined(None, Direction()) is None


def test_settings_carry_a_direction():
    made = Settings(direction="smile=.5")
    assert made.direction == Direction.of({"smile": 0.5})
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own bytes
    assert hash(made) != hash(Settings()) and Settings(direction=Direction()).direction is None


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("grin=1", "'grin' cannot be directed; there are dynamic_scale"),
        ("x.smile=1", "'x.smile' cannot be directed"),
        ("smile=1.2", "smile must be between 0 and 1 .how much the face smiles.; got 1.2"),
        ("2.head_yaw=0:0, 3:50", "2.head_yaw must be between -45 and 45"),
        ("dynamic_scale=0:1, 2:5", "dynamic_scale must be between 0 and 4"),
        ("1.motion_scale=-1", "1.motion_scale must be between 0 and"),
        ("smile=0:1, 0:0", "smile: Keyframes go forward in time"),
        ("smile", "expected NAME=CURVE"),
        ({}, "got nothing"),
        ("blinks=1, 1.05", "further apart and in order"),
        ("blinks=soon", "expected moments in seconds"),
        ({"blink": 0, "blinks": [1]}, "two ways"),
        ({"seconds": [0, 1], "smile": [1]}, "as many rows as seconds; got 1"),
    ],
)
def test_what_cannot_be_directed_is_refused(written, told):
    with pytest.raises(SettingsError, match=told):
        Settings(direction=written)


def test_files_that_are_no_direction_are_refused(tmp_path):
    for name, text, told in (
        ("a.json", "[1]", "a.json should name curves"),
        ("b.json", "{", "b.json cannot be read as JSON"),
        ("c.csv", "seconds,smile\n0,much\n", "smile: expected a number, or keyframes"),
        ("d.csv", "seconds\n0\n", "got nothing"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(SettingsError, match=told):
            Direction.of(name, tmp_path)
    (tmp_path / "e.csv").write_text("seconds,sad\n0,1\n")
    with pytest.raises(SettingsError, match=r"smile: e.csv has no curve of that name; it has seconds, sad"):
        Direction.of({"smile": "e.csv"}, tmp_path)
    with pytest.raises(MediaError, match="no file is there"):
        Direction.of("absent.json", tmp_path)
    with pytest.raises(SettingsError, match=r".csv or a .json file; got e.txt"):
        (tmp_path / "e.txt").write_text("smile=1")
        Direction.of(tmp_path / "e.txt")


def test_every_channel_says_what_it_is():
    assert all(one.help and one.least < one.most for one in CHANNELS.values())
    assert {*NAMES} == {*CHANNELS, "blinks"}
