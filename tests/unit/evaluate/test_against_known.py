"""Readings, frames in between and sounds are measured against what is known of them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core import Audio, read_audio, read_image
from sonic_core.evaluate.between import find_phase, measure_between
from sonic_core.evaluate.following import compare_motions, find_closures
from sonic_core.evaluate.labels import (
    KEYS,
    LOOSE,
    MISSED,
    compare_with_label,
    loosen,
    measure_looseness,
    summarise_reading,
)
from sonic_core.evaluate.strangers import are_one_recording, separate
from sonic_core.faces.embedded import EmbeddedFinder
from sonic_core.media.mixing import cut, shift
from sonic_core.speech import Speech
from sonic_core.speech.motion import Motion
from sonic_core.types import Face

ASSETS = Path(__file__).resolve().parents[3] / "assets"
POINTS = ((40.0, 50.0), (80.0, 50.0), (60.0, 70.0), (48.0, 90.0), (72.0, 90.0))
FACE = Face((20.0, 30.0, 100.0, 110.0), POINTS, 1.0)


def label(**moved):
    places = dict(zip(KEYS, (POINTS[0], POINTS[1], POINTS[3], POINTS[4]), strict=True))
    return places | {name: (places[name][0] + by[0], places[name][1] + by[1]) for name, by in moved.items()}


def test_errors_are_told_in_eye_distances():
    same = compare_with_label(FACE, label())
    assert (same.eye, same.corners, same.mouth) == (0, 0, 0) and same.found
    off = compare_with_label(FACE, label(mouth_left=(0, 8), mouth_right=(0, -8)))
    assert (off.corners, off.mouth) == (pytest.approx(0.2), pytest.approx(0)) and off.eye == 0
    assert compare_with_label(FACE, label(eye_left=(10, 0))).eye == pytest.approx(10 / 50), "the label's own distance"


def test_what_was_missed_counts_as_not_near():
    near, far = compare_with_label(FACE, label()), compare_with_label(FACE, label(eye_right=(0, 20)))
    told = summarise_reading([near, near, far, MISSED])
    assert (told.found, told.faces) == (3, 4)
    assert told.near == (0.5, 0.75, 0.75)
    assert told.medians[1:] == (0, 0)


def test_a_loose_box_is_a_third_off_and_the_points_are_read_all_the_same():
    boxes = loosen((0.0, 0.0, 10.0, 20.0))
    assert len(boxes) == len(LOOSE) and boxes[0] == pytest.approx((-1.5, -3, 11.5, 23))
    assert boxes[2] == pytest.approx((3, 0, 13, 20)) and boxes[4] == pytest.approx((0, 6, 10, 26))
    picture = read_image(ASSETS / "portrait.png")
    (face, *_) = EmbeddedFinder().find(picture)
    assert 0 < measure_looseness(picture, face) < 0.05
    assert measure_looseness(picture, FACE) == float("inf"), "it has no landmarks"


class Blending:
    """Draws nothing: what stands between two frames is their mean."""

    def between(self, first, second, part):
        return first + part * (second - first)


class Knowing:
    """Draws what was there."""

    def __init__(self, middles):
        self.middles = iter(middles)

    def between(self, first, second, part):
        return next(self.middles)


@pytest.fixture(scope="module")
def wall():
    """A wall that goes by, 3 pixels a frame; the fourth frame comes twice."""
    chance = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, 10, 24, generator=chance)
    wide = torch.nn.functional.interpolate(coarse, (80, 192), mode="bicubic").clamp(0, 1)[0]
    frames = [wide[:, :, 3 * number : 3 * number + 96] for number in range(9)]
    return [*frames[:4], frames[3], *frames[4:]]


class Nobody:
    name = "nobody"

    def find(self, image):
        return []


def test_drawing_is_measured_by_what_it_gains_over_blending(wall):
    kept = [*wall[:4], *wall[5:]]
    blended = list(measure_between(wall, Blending(), 10, Nobody()))
    assert len(blended) == 4, "of nine frames, every second between two"
    assert all(one.frame == pytest.approx(0, abs=0.01) and one.even for one in blended)
    assert all(np.isnan(one.face) for one in blended)
    known = list(measure_between(wall, Knowing(kept[1::2]), 2, Nobody()))
    assert len(known) == 2 and min(one.frame for one in known) > 20


def test_a_frame_that_comes_early_is_not_even(wall):
    assert find_phase(wall[0], wall[1], wall[2]) == pytest.approx(0.5, abs=0.05)
    assert find_phase(wall[0], wall[1], wall[5]) == pytest.approx(0.25, abs=0.05)
    assert [one.even for one in measure_between([wall[0], wall[1], wall[5]], Blending(), 1, Nobody())] == [False]


def test_right_sounds_are_told_from_wrong_ones_by_their_evidence():
    wrong = np.linspace(0, 1, 101).tolist()
    told = separate([0.5, 0.96, 2.0], wrong)
    assert told.area == pytest.approx((50.5 + 96.5 + 101) / 303)
    assert (told.usual, told.high) == (pytest.approx(0.95), pytest.approx(0.99))
    assert (told.above_usual, told.above_high) == (2, 1)
    share = lambda evidence: 1 / (1 + np.exp(-(evidence - told.middle) / told.spread))  # noqa: E731
    assert (share(told.usual), share(told.high)) == (pytest.approx(0.95), pytest.approx(0.99))


def test_a_recording_is_known_again_when_it_is_moved_and_no_other_is_taken_for_it():
    sound = read_audio(ASSETS / "speech.wav", duration=3.0)
    one = Speech.of(sound)
    assert are_one_recording(one, one)
    assert are_one_recording(one, Speech.of(shift(sound, 0.06)))
    assert not are_one_recording(one, Speech.of(read_audio(ASSETS / "sounds/english.wav")))
    assert not are_one_recording(one, Speech.of(cut(sound, 0.5))), "too short to tell"
    assert not are_one_recording(one, Speech.of(Audio(sound.samples.flip(1), sound.rate)))


def motion(opening, closure):
    still = np.zeros(len(opening))
    names = {one.name: still for one in fields(Motion)}
    return Motion(**names | {"opening": np.asarray(opening, float), "closure": np.asarray(closure, float)})


def test_a_mouth_that_follows_half_is_told_so():
    shut = np.zeros(40)
    shut[[5, 15, 25, 35]] = 1.0
    opening = 0.1 + 0.05 * np.sin(np.arange(40))
    wanted = motion(opening, shut)
    same = compare_motions(motion(2 * opening, np.roll(shut, 1)), wanted)
    assert (same.correlation, same.closures) == (pytest.approx(1), 1), "a frame beside is near enough"
    lost = shut * (np.arange(40) < 20)
    assert compare_motions(motion(opening, lost), wanted).closures == pytest.approx(2 * 0.5 / 1.5)
    assert compare_motions(motion(opening, np.roll(shut, 2)), wanted).closures == 0
    assert compare_motions(motion(np.zeros(40), shut), wanted).correlation == 0, "it stands still"
    assert find_closures(np.zeros(40), shut) == 1, "nothing was to be shut"
