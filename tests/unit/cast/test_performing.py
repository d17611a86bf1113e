"""Several people in one picture: each moves by its own sound and by nobody else's, and all else stays."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

import sonic_core as sonic
from sonic_core import Settings, Speaker
from sonic_core.faces.landmarks import read_landmarks
from sonic_core.models.preview.model import frame_poses
from tests.unit.cast.conftest import said

SETTINGS = Settings(min_resolution=384)
UPPER, LOWER = 13, 14
"""The middles of the lips' inner rims."""


def frames_of(clip):
    return torch.cat(list(clip.read()))


def box_of(part):
    left, top, right, bottom = part.conditions.puppet.placement.box
    return np.s_[..., top:bottom, left:right]


def prepared(model, picture, speakers, settings=SETTINGS):
    cast = sonic.gather_cast(
        picture, sonic.hear_speakers(speakers, settings), settings, sonic.face_finder("embedded", everybody=True)
    )
    return model.prepare_cast(cast, settings)


@pytest.fixture(scope="module")
def spoken(preview, group, english, chinese):
    """Face 0 speaks English at once, face 1 Chinese a little later."""
    with pytest.warns(sonic.SonicWarning, match="face 2 is too small to move"):
        conditions = prepared(preview, group, {0: english, 1: Speaker(chinese, 0.2)})
    made = preview.animate(conditions, SETTINGS)
    return conditions, made, frames_of(made.clip)


@pytest.fixture(scope="module")
def close(preview, group):
    """Two so close that what moves with one reaches into the other's face."""
    return torch.cat([group[:, :, 60:200], group[:, :, 365:505]], dim=2)


def gaps(frames, face):
    """Measure how far the lips are apart in each frame, in eye distances."""
    found = [read_landmarks(frame, face.box).points for frame in frames]
    return np.array([np.linalg.norm(points[UPPER] - points[LOWER]) for points in found]) / face.eye_distance


def lower_face(face):
    left, top, right, bottom = (round(side) for side in face.box)
    return np.s_[..., (top + bottom) // 2 : bottom, left:right]


def test_each_follows_its_own_sound_and_not_the_others(preview, spoken, group, english):
    conditions, made, frames = spoken
    mine, other = (box_of(part) for part in conditions.parts)
    alike = torch.zeros(group.shape[1:], dtype=torch.bool)
    alike[mine] = True
    alike[other] = False
    assert alike.sum() > 20_000
    again = Speaker(said("sounds/spanish.wav", 0.5, 1.2), 0.2)
    with pytest.warns(sonic.SonicWarning, match="too small"):
        changed = frames_of(preview.animate(prepared(preview, group, {0: english, 1: again}), SETTINGS).clip)
    assert torch.equal(changed[:, :, alike], frames[:, :, alike])
    mouth = lower_face(conditions.parts[1].member.face)
    assert (changed[mouth] - frames[mouth]).abs().max() > 0.2
    assert made.report.reason.startswith("cast: faces 0 and 1 speak; face 2 stays as it is.")


def test_outside_of_all_who_move_not_a_bit_changes(spoken, group):
    conditions, _, frames = spoken
    still = torch.ones(group.shape[1:], dtype=torch.bool)
    for part in conditions.parts:
        still[box_of(part)] = False
    assert still.sum() > 5_000
    assert torch.equal(frames[:, :, still], group[:, still].expand(len(frames), -1, -1))
    for part in conditions.parts:
        assert not torch.equal(frames[-1][box_of(part)], group[box_of(part)])


def test_each_is_drawn_as_if_the_others_were_still(preview, spoken, group, english):
    conditions, _, frames = spoken
    sound = sonic.hear_speakers({0: english, 1: Speaker(english, 0.2)}, SETTINGS)[0]
    alone = frames_of(preview.generate(image=group, speakers={0: sound}, min_resolution=384, listeners="still"))
    mine, other = (box_of(part) for part in conditions.parts)
    assert torch.equal(alone[mine], frames[mine])
    assert torch.equal(alone[other], group[other].expand_as(alone[other]))


def test_what_moves_with_two_heads_that_touch_comes_to_rest_between_them(preview, close, english):
    conditions = prepared(preview, close, {0: english})
    (_, _, right, _), (left, _, _, _) = sorted(part.conditions.puppet.placement.box for part in conditions.parts)
    faces = sorted(part.member.face.box for part in conditions.parts)
    assert right == left == round((faces[0][2] + faces[1][0]) / 2)
    column = frames_of(preview.animate(conditions, SETTINGS).clip)[:, :, :, left - 1 : left + 1]
    assert (column - close[:, :, left - 1 : left + 1]).abs().max() < 0.02


def test_the_longest_decides_and_all_are_heard_from_where_they_begin(spoken, english, chinese):
    clip = spoken[1].clip
    assert (clip.length, clip.size) == (35, (288, 648))
    heard, first, second, begin = clip.audio.samples, english.samples, chinese.samples, round(0.2 * english.rate)
    both = first.shape[1] - begin
    assert torch.equal(heard[:, :begin], first[:, :begin])
    assert torch.allclose(heard[:, begin : begin + both], first[:, begin:] + second[:, :both])
    assert torch.equal(heard[:, begin + both :], second[:, both:])


def test_whoever_has_said_all_listens_with_a_shut_mouth(preview, group, english):
    short = said("speech.wav", 2.0, 0.4)
    with pytest.warns(sonic.SonicWarning, match="too small"):
        conditions = prepared(preview, group, {0: short, 1: english})
    poses = frame_poses(conditions.parts[0].conditions, SETTINGS, 30, Fraction(25))
    assert max(pose.gap for pose in poses[:10]) > 0.05
    assert max(pose.gap for pose in poses[20:]) < 0.001
    assert len({pose.yaw for pose in poses[20:]}) == 10


@pytest.mark.parametrize("speaker", [0, 1])
def test_who_says_nothing_listens_or_stays_still_and_is_not_overlaid(preview, close, english, speaker):
    asked, other = {speaker: english}, 1 - speaker
    listening = preview.generate(image=close, speakers=asked, min_resolution=384)
    still = preview.generate(image=close, speakers=asked, min_resolution=384, listeners="still")
    face = sonic.face_finder("embedded").find(close)[other]
    left, top, right, bottom = (round(side) for side in face.box)
    part = np.s_[..., top:bottom, left:right]
    moved, kept = frames_of(listening)[part], frames_of(still)[part]
    assert torch.equal(kept, close[part].expand_as(kept))
    assert (moved[-1] - close[part]).abs().max() > 0.05
    assert np.ptp(gaps(frames_of(listening)[::4], face)) < 0.03, "its mouth stays as it is"


def test_a_picture_of_one_does_as_well(preview, group, english):
    one = group[:, :, :288]
    clip = preview.generate(image=one, speakers={0: english}, min_resolution=384)
    assert clip.audio is english
    assert torch.equal(frames_of(clip), frames_of(preview.generate(english, one, min_resolution=384, paste_back=True)))


@pytest.mark.filterwarnings("ignore:face 2 is too small")
def test_each_of_several_is_directed_alone(preview, group, english):
    conditions = prepared(preview, group, {0: english})
    plain = frames_of(preview.animate(conditions, SETTINGS).clip)
    led = Settings(min_resolution=384, direction={"1.head_yaw": 8, "1.smile": 0.8})
    frames = frames_of(preview.animate(conditions, led).clip)
    first, second = (box_of(part) for part in conditions.parts)
    assert torch.equal(frames[first][..., :200], plain[first][..., :200])
    assert (frames[second] - plain[second]).abs().amax() > 0.1
    both = Settings(min_resolution=384, direction={"head_yaw": 8})
    assert (frames_of(preview.animate(conditions, both).clip)[first] - plain[first]).abs().amax() > 0.1


@pytest.mark.filterwarnings("ignore:face 2 is too small")
def test_nobody_is_directed_who_stays_as_he_is(preview, group, english):
    with pytest.raises(sonic.SettingsError, match="Face 2 is directed, but those who move in the picture are 0, 1"):
        prepared(preview, group, {0: english}, Settings(min_resolution=384, direction={"2.smile": 1}))
