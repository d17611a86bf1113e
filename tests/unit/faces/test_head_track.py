"""A head's movement is taken from a video, as far as it can be measured, and moves another head."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import sonic_core as sonic
from sonic_core import Clip, Settings
from sonic_core.models.preview.model import make_puppet
from sonic_core.models.preview.puppet.pose import Pose

PORTRAIT = Path(__file__).resolve().parents[3] / "assets" / "portrait.png"
FPS, FRAMES = Fraction(10), 20
TIMES = np.arange(FRAMES) / 10
YAW, PITCH, ROLL = (5 * np.sin(2 * np.pi * TIMES * speed) for speed in (0.5, 1.0, 0.75))


def clip_of(frames) -> Clip:
    return Clip(lambda: (frame[None] for frame in frames), FPS, len(frames), tuple(frames[0].shape[1:]), None)


@pytest.fixture(scope="module")
def turning() -> Clip:
    """The bundled portrait, its head turned, lifted and tilted."""
    puppet = make_puppet(sonic.prepare_portrait(PORTRAIT, Settings(min_resolution=384)))
    poses = [Pose(rest=1.0, yaw=-y, pitch=-p, roll=r) for y, p, r in zip(YAW, PITCH, ROLL, strict=True)]
    return clip_of([torch.from_numpy(puppet.frame(pose)).permute(2, 0, 1) for pose in poses])


def test_angles_are_measured_as_they_are_directed(turning):
    found = sonic.follow_head(turning, smoothing=0)
    for name, asked in (("head_yaw", YAW), ("head_pitch", PITCH), ("head_roll", ROLL)):
        read = found.at(name, TIMES)
        assert np.corrcoef(read, asked)[0, 1] > 0.9, name
        assert 0.5 < np.std(read) / np.std(asked) < 1.3, name


def test_they_are_scaled_smoothed_and_go_on(turning):
    plain, half = (sonic.follow_head(turning, smoothing=0, scale=scale).curve("head_yaw") for scale in (1.0, 0.5))
    assert np.allclose(np.array(half.values), 0.5 * np.array(plain.values))
    calm = sonic.follow_head(turning, smoothing=0.3, when_longer="hold").curve("head_yaw")
    assert np.abs(np.diff(calm.values)).max() < 0.7 * np.abs(np.diff(plain.values)).max()
    assert calm.at(np.array([9.0])) == calm.values[-1]
    assert plain.at(np.array([3.8])) == pytest.approx(plain.values[0]), "bounced back to its beginning"


def test_where_the_face_is_not_seen_the_head_goes_straight_on(turning):
    frames = list(turning.frames())
    for number in range(8, 11):
        frames[number] = torch.zeros_like(frames[number])
    found = sonic.follow_head(clip_of(frames), smoothing=0).curve("head_yaw").values
    assert np.isfinite(found).all() and np.allclose(np.diff(found[7:12], n=2), 0, atol=1e-6)


def test_a_video_without_a_face_and_what_is_not_possible_are_refused(turning):
    with pytest.raises(sonic.FaceNotFoundError, match="none was found in any frame"):
        sonic.follow_head(clip_of([torch.zeros(3, 64, 64)] * 2))
    with pytest.raises(sonic.SettingsError, match="scaled by 0 to 4; got -1"):
        sonic.follow_head(turning, scale=-1)
    with pytest.raises(sonic.SettingsError, match="bounce or hold; got 'loop'"):
        sonic.follow_head(turning, when_longer="loop")
    with pytest.raises(sonic.SettingsError, match="smoothing must be 0"):
        sonic.follow_head(turning, smoothing=-1)
