"""What is directed happens, and hardly anything else; without direction all is as it was."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import sonic_core as sonic
from sonic_core import Settings
from sonic_core.direction import EXPRESSIONS, Direction
from sonic_core.media.audio import read_audio
from sonic_core.models.preview.live import live_poses
from sonic_core.models.preview.posing import poses
from sonic_core.models.preview.puppet.pose import Pose
from sonic_core.speech import Speech
from sonic_core.types import Audio

ASSETS = Path(__file__).resolve().parents[3] / "assets"
SPEECH, PORTRAIT = ASSETS / "speech.wav", ASSETS / "portrait.png"
FPS, FRAMES = Fraction(25), 100
TIMES = np.arange(FRAMES) / 25
EYES = ("gaze_x", "gaze_y")


@pytest.fixture(scope="module")
def sound() -> Audio:
    audio = read_audio(SPEECH, duration=4.0)
    return Audio(audio.samples[:1], audio.rate)


@pytest.fixture(scope="module")
def heard(sound) -> Speech:
    return Speech.of(sound)


def curves(heard, direction=None, **settings) -> dict[str, np.ndarray]:
    posed = poses(heard, Settings(direction=direction, **settings), FRAMES, FPS, seed=3)
    return {field.name: np.array([getattr(pose, field.name) for pose in posed]) for field in fields(Pose)}


def changed(one, other) -> set[str]:
    return {name for name in one if not np.array_equal(one[name], other[name])}


@pytest.fixture(scope="module")
def usual(heard):
    return curves(heard)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"head_yaw": "0:0, 2:8"}, {"yaw", "sway_x", "gaze_x"}),
        ({"head_pitch": "0:0, 2:5"}, {"pitch", "sway_y", "gaze_y"}),
        ({"head_roll": "0:0, 2:5"}, {"roll", "sway_x"}),
        ({"gaze_x": 8}, {"gaze_x"}),
        ({"gaze_y": "0:0, 1:-8"}, {"gaze_y"}),
        ({"blinks": [1.0]}, {"blink"}),
        ({"smile": 0.5}, {"smile"}),
        ({"anger": "0:0, 1:1", "sad": 0.2}, {"anger", "sad", "brows"}),
        ({"surprise": 1}, {"surprise", "brows"}),
    ],
)
def test_a_channel_moves_what_it_names_and_nothing_else(heard, usual, written, expected):
    assert changed(curves(heard, written), usual) == expected


def test_a_directed_head_goes_right_up_and_clockwise_on_top_of_its_own_movement(heard, usual):
    led = curves(heard, {"head_yaw": "0:0, 2:8", "head_pitch": 4, "head_roll": "linear 0:0, 4:4"})
    assert np.allclose((led["yaw"] - usual["yaw"])[[0, 50, 99]], (0, -8, -8))
    assert np.allclose(led["pitch"] - usual["pitch"], -4)
    assert np.allclose(led["roll"] - usual["roll"], TIMES)


def test_eyes_look_where_they_are_told_however_the_head_is_turned(heard):
    still = curves(heard, {"gaze_x": 6, "gaze_y": 3, "head_yaw": 0}, motion_scale=0)
    turned = curves(heard, {"gaze_x": 6, "gaze_y": 3, "head_yaw": 5}, motion_scale=0)
    assert still["gaze_x"][9] == pytest.approx(6, abs=0.1) and still["gaze_y"][9] == pytest.approx(-3, abs=0.1)
    assert turned["gaze_x"][9] == pytest.approx(6 - 0.8 * 5, abs=0.1), "the head's turn is taken back"


def test_what_is_directed_happens_where_all_else_is_still(heard):
    led = curves(heard, {"head_yaw": 5, "smile": 0.5, "blinks": [2.0]}, motion_scale=0)
    plain = curves(heard, motion_scale=0)
    assert changed(led, plain) == {"yaw", "sway_x", "gaze_x", "smile", "blink"}
    assert set(led["yaw"].tolist()) == {-5.0} and led["blink"][50] == 1 and led["blink"][:45].max() == 0


def test_lids_stay_open_where_they_are_told_to(heard, usual):
    assert usual["blink"].max() == 1 and curves(heard, {"blink": 0})["blink"].max() == 0


def test_scales_change_over_time(heard, usual):
    quiet = curves(heard, {"dynamic_scale": "linear 0:0, 2:1", "motion_scale": "0:1, 1:1, 2:0"})
    assert set(quiet["gap"][:1]) == {0.0} and np.array_equal(quiet["gap"][50:], usual["gap"][50:])
    assert 0.05 < quiet["gap"][10:40].max() < usual["gap"][10:40].max()
    assert np.allclose(quiet["yaw"][:26], usual["yaw"][:26]) and not quiet["yaw"][50:].any()
    assert not quiet["blink"][50:].any() and not quiet["gaze_x"][50:].any()


def test_a_direction_of_what_is_set_anyway_changes_nothing(heard, usual):
    same = curves(heard, {"dynamic_scale": 1, "motion_scale": 1, "head_yaw": 0, "smile": 0})
    assert all(np.allclose(same[name], usual[name], atol=1e-12) for name in usual)


def test_a_sound_that_is_still_coming_is_directed_alike(sound, heard):
    written = {"head_yaw": "0:0, 2:8", "smile": "1:0, 2:.7", "blinks": [1, 3], "gaze_x": 4, "motion_scale": 0}
    settings = Settings(direction=written)
    live = [pose for some in live_poses(sound, settings, FRAMES, FPS, seed=3) for pose in some]
    whole = curves(heard, written)
    assert len(live) == FRAMES
    for name in ("yaw", "blink", *EYES, *EXPRESSIONS):
        assert np.allclose([asdict(pose)[name] for pose in live], whole[name], atol=1e-3), name


@pytest.fixture(scope="module")
def model():
    return sonic.load_model("sonic-preview")


def test_a_clip_without_direction_is_the_same_to_the_bit_as_with_one_of_nothing(model, sound):
    settings = Settings(min_resolution=384, duration=0.4)
    plain, empty = (
        torch.cat(list(model.generate(sound, PORTRAIT, settings=one).read()))
        for one in (settings, replace(settings, direction=Direction()))
    )
    assert torch.equal(plain, empty)


def test_what_a_call_directs_counts_before_the_settings(model, sound):
    settings = Settings(min_resolution=384, duration=0.4, motion_scale=0, direction="head_yaw=6; smile=1")
    once, again = (
        torch.cat(list(model.generate(sound, PORTRAIT, settings=settings, direction={"smile": 0}).read()))
        for _ in range(2)
    )
    assert torch.equal(once, again)
    turned = replace(settings, direction="head_yaw=6; smile=0")
    assert torch.equal(once, torch.cat(list(model.generate(sound, PORTRAIT, settings=turned).read())))


def test_a_head_that_is_turned_further_than_it_can_be_is_told_of(model, sound):
    with pytest.warns(sonic.SonicWarning, match=r"head_yaw asks for 40 degrees to one side, and this portrait's head"):
        model.generate(sound, PORTRAIT, duration=0.4, min_resolution=384, direction={"head_yaw": "0:0, 1:-40"})


def test_another_face_than_the_one_that_moves_is_not_directed(model, sound):
    with pytest.raises(sonic.SettingsError, match="Face 1 is directed, and face 0 alone moves"):
        model.generate(sound, PORTRAIT, direction={"1.smile": 1})
