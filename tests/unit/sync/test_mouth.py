"""A mouth's movement is measured where there is one."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from sonic_core.clip import Clip, open_clip
from sonic_core.errors import FaceNotFoundError
from sonic_core.faces.embedded import EmbeddedFinder
from sonic_core.speech import Speech
from sonic_core.sync.lip_shape import lip_shape, look_at_lips
from sonic_core.sync.mouth import SIGNALS, MouthMeter, mouth_motion


def still(picture, length):
    return Clip(lambda: (picture[None] for _ in range(length)), Fraction(25), length, tuple(picture.shape[1:]), None)


def test_the_opening_is_what_the_model_made(talking, talking_mouth):
    assert talking_mouth.signals.shape == (len(SIGNALS), talking.length)
    assert talking_mouth.seen.all() and talking_mouth.cuts == 0
    made = Speech.of(talking.audio).motion.at(np.arange(talking.length) / float(talking.fps)).opening
    signals = dict(zip(SIGNALS, talking_mouth.signals, strict=True))
    assert np.corrcoef(np.diff(signals["gap"]), np.diff(made))[0, 1] > 0.8
    assert np.corrcoef(np.diff(signals["jaw"]), np.diff(made))[0, 1] > 0.5
    assert np.corrcoef(signals["gap"], made)[0, 1] > 0.7, "drifts away"


def test_a_photograph_does_not_speak(astronaut):
    motion = mouth_motion(still(astronaut, 10), EmbeddedFinder())
    assert np.ptp(motion.signals, axis=1).max() < 1e-3


def test_the_face_that_was_followed_is_told_frame_by_frame(astronaut):
    meter = MouthMeter(Fraction(25), 5, EmbeddedFinder())
    shifted = torch.roll(astronaut, (3, 2), dims=(2, 1))
    for frame in (astronaut, shifted, torch.full_like(astronaut, 0.5)):
        meter.see(frame)
    found = np.array(EmbeddedFinder().find(astronaut)[0].points)
    assert np.allclose(meter.points[0], found, atol=1e-3)
    assert np.allclose(meter.points[1], found + np.array([3, 2]), atol=0.5)
    assert np.isnan(meter.points[2:]).all()


def test_no_face_is_said():
    with pytest.raises(FaceNotFoundError, match="0 of 8 frames"):
        mouth_motion(still(torch.full((3, 96, 128), 0.5), 8), EmbeddedFinder())


def test_progress_is_told_and_stops_it(astronaut):
    told = []

    def stop(stage, done, total):
        told.append((stage, done, total))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mouth_motion(still(astronaut, 10), EmbeddedFinder(), stop)
    assert told == [("mouth", number, 10) for number in (1, 2, 3)]


def test_a_face_that_nobody_read_point_by_point_is_looked_at_where_an_average_one_lies(astronaut):
    face = EmbeddedFinder().find(astronaut)[0]
    read, guessed = look_at_lips(astronaut, face), look_at_lips(astronaut, replace(face, landmarks=None))
    assert np.allclose(read, lip_shape(face.landmarks.points), atol=0.05)
    assert np.allclose(read, guessed, atol=0.06)
    assert look_at_lips(torch.full_like(astronaut, 0.5), face) is None


def test_a_mouth_has_one_shape_however_its_head_lies_in_the_picture(astronaut):
    points = EmbeddedFinder().find(astronaut)[0].landmarks.points.astype(float)
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    assert np.allclose(lip_shape(points), lip_shape(2.5 * points @ turn.T + 40), atol=1e-3)


def test_a_large_file_is_looked_at_smaller_and_gives_the_same(astronaut, tmp_path):
    large = torch.nn.functional.interpolate(astronaut[None], scale_factor=2, mode="bilinear")[0]
    whole = still(large[:, :1024, :1024], 6)
    whole.export(tmp_path / "large.mp4", crf=4)
    clip = open_clip(tmp_path / "large.mp4")
    sizes = []

    class Watched(EmbeddedFinder):
        def find(self, image):
            sizes.append(tuple(image.shape[1:]))
            return super().find(image)

    small = mouth_motion(clip, Watched())
    assert sizes[0] == clip.size and min(sizes[-1]) < min(clip.size)
    assert np.allclose(small.signals, mouth_motion(whole, EmbeddedFinder()).signals, atol=0.03)
