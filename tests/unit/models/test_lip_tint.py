"""Lips of a reference are as light as they usually are in the scene that it is drawn into."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from sonic_core import Clip, face_finder
from sonic_core.faces.geometry import LIPS_LOWER_INNER, LIPS_LOWER_OUTER, LIPS_UPPER_OUTER
from sonic_core.faces.landmarks import read_landmarks
from sonic_core.models.preview.dub.lip_tint import MOST, measure_tint, tint_lips
from sonic_core.models.preview.dub.painting import measure_double
from sonic_core.models.preview.dub.survey import survey
from sonic_core.models.preview.puppet.pose import Pose
from tests.unit.models.preview_puppet.mouths import Mouth, photograph

SKIN = np.full((5, 3), 0.6, np.float32)


def lips_of(*levels):
    """Frames (n, 2, 3) whose two lips have these levels."""
    return np.repeat(np.array(levels, np.float32)[:, :, None], 3, -1)


def test_lips_that_are_darker_than_usual_are_lightened_and_others_left():
    seen = lips_of((0.4, 0.5), (0.4, 0.5), (0.4, 0.5), (0.32, 0.6))
    tint = measure_tint(seen, np.stack([SKIN] * 4), 3)
    assert tint == pytest.approx((1.25, 1.0))
    tint = measure_tint(lips_of((0.4, 0.5), (0.4, 0.5), (0.1, 0.1)), np.stack([SKIN] * 3), 2)
    assert tint == pytest.approx((MOST, MOST))


def test_light_that_falls_on_all_of_a_face_is_no_tint():
    seen, light = lips_of((0.4, 0.5), (0.4, 0.5), (0.2, 0.25)), np.stack((SKIN, SKIN, SKIN / 2))
    assert measure_tint(seen, light, 2) == pytest.approx((1, 1))


def test_a_tint_touches_the_lips_alone():
    image, landmarks = photograph()
    before = image.copy()
    tinted = tint_lips(image, landmarks, np.array((1.0, 0.8)))
    assert np.array_equal(image, before)
    changed = np.abs(tinted - image).max(-1)
    rims = (landmarks.points[list(LIPS_UPPER_OUTER), :2], landmarks.points[list(LIPS_LOWER_OUTER), :2][::-1])
    outer = np.concatenate(rims)
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.int32(outer)], 1)
    assert changed[cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0].max() == 0
    middle = landmarks.points[[LIPS_LOWER_INNER[5], LIPS_LOWER_OUTER[5]], :2].mean(0).astype(int)
    assert tinted[middle[1], middle[0]] / image[middle[1], middle[0]] == pytest.approx(0.8, abs=0.03)
    assert np.array_equal(tint_lips(image, landmarks, np.ones(2)), image)


@pytest.fixture(scope="module")
def pressed():
    """A film of 12 frames; the only one with a shut mouth has lips at two thirds of the light of the others'."""
    image, landmarks = photograph(384)
    mouth = Mouth(image, landmarks)
    frames = [mouth.frame(Pose(gap=gap, jaw=gap / 0.3)) for gap in (0.0, *np.linspace(0.12, 0.25, 11))]
    found = read_landmarks(torch.from_numpy(frames[0]).permute(2, 0, 1))
    frames[0] = tint_lips(frames[0], found, np.full(2, 2 / 3))
    shown = [torch.from_numpy(np.clip(frame, 0, 1)).permute(2, 0, 1)[None].float() for frame in frames]
    return Clip(lambda: iter(shown), Fraction(25), len(shown), (384, 384), None)


def test_a_reference_with_pressed_lips_is_drawn_as_light_as_the_scenes_lips(pressed):
    found = survey(pressed, face_finder("embedded"), [0], lambda *_: None)[0]
    candidate = found.candidate(5)
    assert candidate.number == 0, "no other frame's mouth is shut"
    tint = found.tint(5)
    assert 1.15 < tint[1] <= MOST
    with_tint, without = (measure_double(candidate, asked).reference for asked in (tuple(map(float, tint)), (1.0, 1.0)))
    assert with_tint.interior._palette.lip.mean() > 1.1 * without.interior._palette.lip.mean()
