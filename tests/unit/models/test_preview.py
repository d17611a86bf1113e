"""sonic-preview on the bundled portrait: it speaks when there is speech, rests when there is none, and no more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core import Audio, Settings, load_model
from sonic_core.errors import SonicWarning
from sonic_core.faces import EmbeddedFinder
from sonic_core.faces.doubts import examine
from sonic_core.media.audio import read_audio
from sonic_core.media.image import read_image
from sonic_core.models.preview.model import make_puppet
from sonic_core.models.preview.puppet.pose import Pose
from sonic_core.pipeline import prepare_portrait
from sonic_core.post.compose import paste

ASSETS = Path(__file__).resolve().parents[3] / "assets"
SETTINGS = Settings(min_resolution=384)


@pytest.fixture(scope="module")
def portrait():
    return prepare_portrait(read_image(ASSETS / "portrait.png"), SETTINGS)


@pytest.fixture(scope="module")
def speech():
    return read_audio(ASSETS / "speech.wav")


def clip_of(portrait, audio, **options):
    model = load_model("sonic-preview").model
    settings = Settings(min_resolution=384, **options)
    return model.animate(model.prepare(portrait, audio, settings), settings)


@pytest.fixture(scope="module")
def puppet(portrait):
    return make_puppet(portrait)


SPEAKING = {"gap": 0.25, "jaw": 1.0, "upper": 0.5, "lower": 0.5}


def test_at_rest_the_frame_is_the_portrait_to_the_bit(puppet):
    assert np.array_equal(puppet.frame(Pose(rest=1.0)), puppet.image)


@pytest.mark.parametrize(
    "pose",
    [SPEAKING, {"yaw": 6.0, "pitch": 5.0, "roll": 4.0}, {"blink": 1.0}, {"rounding": 1.0, "gap": 0.1}, {"brows": 1.0}],
)
def test_nothing_moves_at_the_edge_of_a_crop_that_is_put_back(portrait, pose):
    puppet = make_puppet(portrait, put_back=True)
    change = np.abs(puppet.frame(Pose(rest=0.0 if "gap" in pose else 1.0, **pose)) - puppet.image)
    assert change.max() > 0.1
    assert max(change[0].max(), change[-1].max(), change[:, 0].max(), change[:, -1].max()) < 0.004


@pytest.mark.parametrize(
    "pose",
    [
        {"yaw": 6.0, "pitch": 4.0},
        {"yaw": -6.0, "pitch": -4.0, "roll": 3.0},
        {"rounding": 1.0},
        {"lower": -1.0},
        {"brows": 1.0, "pitch": 4.0},
    ],
)
def test_a_face_that_speaks_and_turns_never_folds_over(puppet, pose):
    """Going along a row or a column of nodes, none overtakes its neighbour."""
    whole = Pose(**{**SPEAKING, **pose})
    for field in puppet.lips.displace(whole):
        moved = puppet.head.turn(whole, field + puppet.brows.basis * whole.brows)
        for axis in (0, 1):
            step = 1 + np.diff(moved[..., axis], axis=1 - axis) / puppet.grid.step
            assert (step > 0.05).mean() > 0.999
            assert step.min() > -0.3


def test_a_mouth_that_speaks_leaves_eyes_and_forehead_alone_to_the_bit(puppet, portrait):
    frame = puppet.frame(Pose(**SPEAKING))
    eyes = int(portrait.face.points[0][1] - 0.1 * portrait.face.eye_distance)
    assert np.array_equal(frame[:eyes], puppet.image[:eyes])


def test_frames_can_be_drawn_side_by_side(puppet):
    asked = [Pose(gap=0.02 * step, yaw=step - 4.0, blink=step / 8) for step in range(8)]
    alone = [puppet.frame(pose) for pose in asked]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(puppet.frame, asked * 4))
    for index, frame in enumerate(together):
        assert np.array_equal(frame, alone[index % 8])


def test_a_clip_that_is_put_back_shows_hair_and_shoulders_and_leaves_the_rest_of_the_picture_to_the_bit(
    portrait, speech
):
    part = Audio(speech.samples[:, : 2 * speech.rate], speech.rate)
    clip = clip_of(portrait, part, paste_back=True)
    assert clip.placement is not None
    left, top, right, bottom = clip.placement.box
    inner = portrait.placement.box
    assert left < inner[0]
    assert right > inner[2]
    assert bottom > inner[3]
    frames = torch.cat(list(paste(clip, portrait).clip.read()))
    changed = (frames - portrait.placement.source).abs().amax((0, 1)) > 0
    assert changed[:, : inner[0]].any(), "hair beside the crop moves along"
    changed[top:bottom, left:right] = False
    assert not changed.any()


def test_what_is_drawn_heeds_what_was_said_about_the_picture(monkeypatch):
    seen = []
    monkeypatch.setattr("sonic_core.models.preview.model.examine", lambda *given: seen.append(given) or examine(*given))
    picture = read_image(ASSETS / "portrait.png")
    portrait = prepare_portrait(picture, SETTINGS)
    make_puppet(portrait)
    found = EmbeddedFinder().find(picture)[0].landmarks
    assert torch.equal(seen[0][0], picture)
    assert np.abs(seen[0][1].points - found.points).max() < 0.01
    assert np.abs(seen[0][1].irises - found.irises).max() < 0.01


def test_a_portrait_without_landmarks_is_read_when_it_is_animated(portrait, speech):
    plain = replace(portrait, face=replace(portrait.face, landmarks=None))
    part = Audio(speech.samples[:, : speech.rate // 2], speech.rate)
    assert clip_of(plain, part).length == 13


def test_a_clip_has_the_sounds_length_and_reads_the_same_twice(portrait, speech):
    short = Audio(speech.samples[:, : int(1.03 * speech.rate)], speech.rate)
    clip = clip_of(portrait, short)
    first, second = torch.cat(list(clip.read())), torch.cat(list(clip.read()))
    assert len(first) == clip.length == 26
    assert torch.equal(first, second)
    assert first.min() >= 0
    assert first.max() <= 1
    assert clip.audio is short


def test_the_asked_duration_counts_the_frames_even_where_the_sound_ends_within_the_last(portrait, speech):
    short = Audio(speech.samples[:, : speech.rate], speech.rate)
    assert clip_of(portrait, short, duration=1.03).length == 26


def test_scales_drive_what_they_name(portrait, speech):
    part = Audio(speech.samples[:, : 2 * speech.rate], speech.rate)
    still = torch.cat(list(clip_of(portrait, part, dynamic_scale=0.5, motion_scale=0.0).read()))
    lively = torch.cat(list(clip_of(portrait, part, dynamic_scale=1.2, motion_scale=0.0).read()))
    eyes = slice(0, int(portrait.face.points[0][1] - 0.1 * portrait.face.eye_distance))
    assert torch.equal(still[:, :, eyes], still[:1, :, eyes].expand_as(still[:, :, eyes]))
    assert lively.std(0).mean() > 1.3 * still.std(0).mean()
    moved = torch.cat(list(clip_of(portrait, part, motion_scale=1.0).read()))
    assert (moved[:, :, eyes] - portrait.image[:, eyes]).abs().max() > 0.02


def test_any_frame_rate_shows_the_same_moments(portrait, speech):
    part = Audio(speech.samples[:, : speech.rate], speech.rate)
    slow, fast = clip_of(portrait, part, fps=25), clip_of(portrait, part, fps=50)
    assert (slow.length, fast.length) == (25, 50)
    assert fast.fps == Fraction(50)
    for index, (one, two) in enumerate(zip(slow.frames(), list(fast.frames())[::2], strict=True)):
        assert torch.allclose(one, two, atol=1e-4), index


def test_eyes_that_do_not_blink_since_lids_would_look_wrong_are_told_of(portrait, speech):
    picture = portrait.image.clone()
    (right, left), unit = portrait.face.points[:2], portrait.face.eye_distance
    for x, y in (right, left):
        rows = slice(round(y + 0.10 * unit), round(y + 0.20 * unit))
        columns = slice(round(x - 0.25 * unit), round(x + 0.25 * unit))
        picture[:, rows, columns] = torch.tensor((13, 115, 153))[:, None, None] / 255
    painted = replace(portrait, image=picture)
    with pytest.warns(SonicWarning, match="they do not blink"):
        conditions = load_model("sonic-preview").model.prepare(painted, speech, SETTINGS)
    puppet = conditions.puppet
    assert np.array_equal(puppet.frame(Pose(rest=1.0, blink=1.0)), puppet.image)
