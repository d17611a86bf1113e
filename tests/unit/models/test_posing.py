"""Mouth, head and eyes are put together into poses: still to the bit where asked, one's own for each picture."""

from __future__ import annotations

from dataclasses import astuple, fields, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core import Settings
from sonic_core.media.audio import read_audio
from sonic_core.media.mixing import cut
from sonic_core.models.preview.posing import mixed_seed, poses
from sonic_core.models.preview.puppet.pose import Pose
from sonic_core.speech import Speech
from sonic_core.types import Audio, Face, Placement, Portrait

SPEECH = Path(__file__).resolve().parents[3] / "assets" / "speech.wav"
FPS = Fraction(25)
MOUTH = ("gap", "width", "rounding", "upper", "lower", "jaw", "closure", "rest")
STILL = [field.name for field in fields(Pose) if field.name not in MOUTH]


@pytest.fixture(scope="module")
def speech() -> Audio:
    return read_audio(SPEECH)


@pytest.fixture(scope="module")
def heard(speech) -> Speech:
    return Speech.of(speech)


def portrait(seed: int = 0, size: int = 64, box: tuple[int, int, int, int] = (0, 0, 300, 300)) -> Portrait:
    source = torch.rand(3, 300, 300, generator=torch.Generator().manual_seed(seed))
    points = ((20.0, 25.0), (44.0, 25.0), (32.0, 35.0), (24.0, 45.0), (40.0, 45.0))
    image = torch.nn.functional.interpolate(source[None], (size, size))[0]
    return Portrait(image, Face((8.0, 8.0, 56.0, 60.0), points, 1.0), torch.ones(1, size, size), Placement(source, box))


def curve(posed: list[Pose], name: str) -> np.ndarray:
    return np.array([getattr(pose, name) for pose in posed])


def test_at_motion_scale_0_all_but_the_mouth_is_still_to_the_bit(heard):
    posed = poses(heard, Settings(motion_scale=0), 190, FPS, seed=3)
    for name in STILL:
        assert set(curve(posed, name).tolist()) == {0.0}
    alive = poses(heard, Settings(motion_scale=1), 190, FPS, seed=3)
    for name in MOUTH:
        assert np.array_equal(curve(posed, name), curve(alive, name))
        assert np.ptp(curve(posed, name)) > 0 or name == "rest"


def test_the_first_frame_is_the_portrait_but_for_the_mouth(heard):
    first = poses(heard, Settings(), 1, FPS, seed=3)[0]
    assert all(getattr(first, name) == 0 for name in STILL)


def test_motion_scale_scales_the_head_and_dynamic_scale_the_mouth(heard):
    one, other = (
        poses(heard, Settings(motion_scale=m, dynamic_scale=d), 190, FPS, seed=3) for m, d in ((1, 1), (0.5, 1.2))
    )
    for name in ("yaw", "pitch", "roll", "sway_x", "sway_y", "brows"):
        assert np.allclose(curve(other, name), 0.5 * curve(one, name))
    assert curve(other, "blink").max() == curve(one, "blink").max()
    assert curve(other, "gap").mean() > 1.1 * curve(one, "gap").mean()


def test_gaps_are_spread_as_real_speakers_are_and_no_wider_than_lips_bear(heard):
    """Percentiles of two filmed speakers' gaps in speech: half of them at .12 to .2, nine of ten below .2 to .33."""
    gap = curve(poses(heard, Settings(), 190, FPS, seed=3), "gap")
    assert 0.1 < np.percentile(gap, 50) < 0.2
    assert 0.17 < np.percentile(gap, 90) < 0.33
    assert gap.min() == 0
    assert curve(poses(heard, Settings(dynamic_scale=1.2), 190, FPS, seed=3), "gap").max() < 0.36


def test_every_field_keeps_its_range(heard):
    low = {
        "width": -0.24,
        "lower": -1,
        "brows": -1,
        "gaze_x": -14,
        "gaze_y": -9,
        "yaw": -6.5,
        "pitch": -5.5,
        "roll": -4.5,
    }
    high = {"gap": 0.36, "width": 0.15, "gaze_x": 14, "gaze_y": 9, "yaw": 6.5, "pitch": 5.5, "roll": 4.5, "brows": 1.15}
    for seed in range(4):
        posed = poses(heard, Settings(), 190, FPS, seed=seed)
        for field in fields(Pose):
            values = curve(posed, field.name)
            least = -0.05 if field.name.startswith("sway") else low.get(field.name, 0)
            assert least <= values.min() and values.max() <= high.get(field.name, 1), field.name
            assert all(type(value) is float for value in astuple(posed[7]))


def test_eyes_stay_on_the_camera_while_the_head_turns(heard):
    for bounded in (None, lambda yaw, pitch, roll: (0.5 * yaw, 0.25 * pitch, roll)):
        posed = poses(heard, Settings(), 190, FPS, seed=5, bounded=bounded)
        free = poses(heard, Settings(), 190, FPS, seed=5, bounded=lambda *_: (0.0, 0.0, 0.0))
        turned = curve(posed, "gaze_x") - curve(free, "gaze_x")
        bowed = curve(posed, "gaze_y") - curve(free, "gaze_y")
        share = (0.8, 0.8) if bounded is None else (0.4, 0.2)
        assert np.polyfit(curve(posed, "yaw"), turned, 1)[0] == pytest.approx(share[0], abs=0.1)
        assert np.polyfit(curve(posed, "pitch"), bowed, 1)[0] == pytest.approx(-share[1], abs=0.1)


def test_no_two_portraits_and_no_two_sounds_move_in_unison(speech, heard):
    later = Audio(speech.samples[:, 3 * speech.rate :], speech.rate)
    mixed = [mixed_seed(0, portrait(picture), audio) for picture in (0, 1) for audio in (speech, later)]
    mixed += [mixed_seed(1, portrait(), speech), mixed_seed(0, portrait(box=(100, 0, 200, 100)), speech)]
    assert len(set(mixed)) == len(mixed)
    blinks = [curve(poses(heard, Settings(), 190, FPS, seed=seed), "blink") for seed in mixed]
    assert np.abs(np.corrcoef(blinks) - np.eye(len(blinks))).max() < 0.8


def test_the_same_seed_sound_and_picture_move_alike_at_any_working_size_and_length(speech):
    same = mixed_seed(7, portrait(), speech)
    assert mixed_seed(7, portrait(size=96), speech) == same
    assert mixed_seed(7, portrait(), cut(speech, 3.0)) == same
    assert mixed_seed(7, portrait(), replace(speech, samples=speech.samples.clone())) == same
    quiet = Audio(torch.zeros(1, 2 * speech.rate), speech.rate)
    assert mixed_seed(7, portrait(), quiet) == mixed_seed(7, portrait(), cut(quiet, 1.0)) != same


def test_a_sound_cut_shorter_begins_alike(speech):
    short = cut(speech, 5.0)
    one, two = (poses(Speech.of(audio), Settings(), 100, FPS, seed=4) for audio in (speech, short))
    for name in STILL:
        assert np.abs(curve(one, name) - curve(two, name)).mean() < 0.25 * curve(one, name).std() + 1e-9, name


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_every_seed_is_honoured(heard, speech, seed):
    assert 0 <= mixed_seed(seed, portrait(), speech) < 2**64
    assert len(poses(heard, Settings(), 3, FPS, seed=mixed_seed(seed, portrait(), speech))) == 3
