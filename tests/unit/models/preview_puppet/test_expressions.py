"""Expressions move what they should on drawn faces, as the mesh reads them, and leave speech its closures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from sonic_core import Settings
from sonic_core.faces.geometry import LEFT_BROW_LOWER, LEFT_LID_LOWER, LEFT_LID_UPPER, align, eye_distance
from sonic_core.faces.landmarks import read_landmarks
from sonic_core.media.image import read_image
from sonic_core.models.preview.model import make_puppet
from sonic_core.models.preview.puppet.canvas import lay_canvas
from sonic_core.models.preview.puppet.drawing import Puppet
from sonic_core.models.preview.puppet.lip_curves import Limits, measure_amounts
from sonic_core.models.preview.puppet.pose import Pose
from sonic_core.preparing import prepare_portrait

PORTRAIT = Path(__file__).resolve().parents[4] / "assets" / "portrait.png"
EXPRESSIONS = ("smile", "sad", "surprise", "anger")
INNER, OUTER = LEFT_BROW_LOWER[-1], LEFT_BROW_LOWER[0]
STILL = (1, 4, 168, 33, 133, 263, 362)
"""Nose and corners of the eyes."""


class Face(NamedTuple):
    """Heights and widths in eye distances; up counts."""

    corners: float
    width: float
    gap: float
    inner_brow: float
    outer_brow: float
    eye: float
    lower_lid: float
    points: np.ndarray


@pytest.fixture(scope="module")
def sitter():
    return prepare_portrait(read_image(PORTRAIT), Settings())


@pytest.fixture(scope="module")
def puppet(sitter):
    return make_puppet(sitter)


@pytest.fixture(scope="module")
def look(sitter, puppet):
    def measured(**pose) -> Face:
        frame = torch.from_numpy(puppet.frame(Pose(**{"rest": 1.0, **pose}))).permute(2, 0, 1)
        points = read_landmarks(frame, sitter.face.box).points.astype(np.float64)
        points = (points - align(points, STILL).shift) / eye_distance(points)
        x, up = points[:, 0], -points[:, 1]
        lids = LEFT_LID_UPPER[4], LEFT_LID_LOWER[4]
        return Face(
            up[[61, 291]].mean(), x[291] - x[61], up[13] - up[14], up[INNER], up[OUTER],
            up[lids[0]] - up[lids[1]], up[lids[1]], points,
        )  # fmt: skip

    return measured


def ways_of(puppet, pose, number):
    """Say in I how far right and down a point of the mesh goes."""
    x, y = np.floor(puppet.lips.points[number, :2] / puppet.grid.step).astype(int)
    return puppet.expressions.field(pose)[y, x, :2] / puppet.unit


@pytest.fixture(scope="module")
def neutral(look):
    return look()


def test_a_smile_lifts_and_widens_the_corners_and_raises_the_lower_lids(look, neutral):
    half, whole = look(smile=0.5), look(smile=1.0)
    assert whole.corners - neutral.corners > 0.02 and whole.width - neutral.width > 0.05
    assert 0.3 < (half.width - neutral.width) / (whole.width - neutral.width) < 0.7
    assert whole.lower_lid > neutral.lower_lid and abs(whole.inner_brow - neutral.inner_brow) < 0.012


def test_sadness_lowers_the_corners_and_lifts_the_brows_inner_ends(look, neutral):
    sad = look(sad=1.0)
    assert sad.corners - neutral.corners < -0.025
    assert sad.inner_brow - neutral.inner_brow > 0.025 > sad.outer_brow - neutral.outer_brow


def test_surprise_lifts_the_brows_and_opens_eyes_and_mouth(look, neutral):
    surprised = look(surprise=1.0)
    assert surprised.inner_brow - neutral.inner_brow > 0.025 < surprised.outer_brow - neutral.outer_brow
    assert surprised.eye > 1.05 * neutral.eye
    opened = [look(surprise=amount, rest=0.0, closure=0.0).gap for amount in (0.0, 1.0)]
    assert opened[1] - opened[0] > 0.03


def test_anger_lowers_the_brows_draws_them_together_and_tightens_the_lids(look, neutral, puppet):
    angry = look(anger=1.0)
    assert angry.inner_brow - neutral.inner_brow < -0.02
    assert angry.eye < 0.95 * neutral.eye
    inward = [ways_of(puppet, Pose(anger=1.0), number)[0] for number in (55, 285)]
    assert inward[0] > 0.012 and inward[1] < -0.012


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_the_nose_and_the_corners_of_the_eyes_stay(look, neutral, name):
    assert np.abs(look(**{name: 1.0}).points[list(STILL), :2] - neutral.points[list(STILL), :2]).max() < 0.035


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_lips_close_as_they_do_without(name):
    limits, shut = Limits(), {"gap": 0.0, "closure": 1.0}
    plain, led = (measure_amounts(Pose(**shut, **more), 0.0, 0.01, limits) for more in ({}, {name: 1.0}))
    assert led.gap == plain.gap == 0
    tucked = {"gap": 0.02, "lower": -1.0}
    plain, led = (measure_amounts(Pose(**tucked, **more), 0.0, 0.01, limits) for more in ({}, {name: 1.0}))
    assert led.gap == plain.gap and led.tuck == 1


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_drawn_face_that_expresses_something_is_whole(puppet, name):
    """No pixel is torn: the grid is bent by less than what would fold it, in speech too."""
    for pose in ({"rest": 1.0}, {"gap": 0.25, "jaw": 1.0}, {"gap": 0.1, "rounding": 1.0, "width": -0.2}):
        drawn = Pose(**pose, **{name: 1.0}, brows=-0.3)
        moved = puppet._moved(drawn, upper=True, window=(slice(None), slice(None)))
        high = slice(0, int(puppet.lips.points[1, 1] / puppet.grid.step))  # above the mouth, where one field is seen
        for axis in (0, 1):
            slope = np.gradient(moved[..., axis], axis=1 - axis)[high] / puppet.grid.step
            assert slope.min() > -0.6 and slope.max() < 0.9


def test_what_lies_before_a_mouth_does_not_smile(sitter, puppet):
    masked = Puppet(lay_canvas(sitter, sitter.face.landmarks), mouth_hidden=True)
    rest, smiling, sad = (masked.frame(Pose(rest=1.0, **more)) for more in ({}, {"smile": 1.0}, {"sad": 1.0}))
    below = slice(int(masked.lips.points[2, 1]), None)
    assert np.array_equal(smiling[below], rest[below]) and np.array_equal(sad[below], rest[below])
    assert np.abs(sad - rest).max() > 0.1, "its brows are seen"


def test_a_face_that_expresses_nothing_is_drawn_as_it_was_and_as_fast(puppet):
    plain, nothing = Pose(gap=0.1, brows=0.5), Pose(gap=0.1, brows=0.5, smile=0.0)
    assert np.array_equal(puppet.frame(plain), puppet.frame(nothing))
    assert not puppet.expressions.field(plain).any()

    def cost(pose):
        least = 9.0
        for _ in range(12):
            began = time.process_time()
            puppet.frame(pose)
            least = min(least, time.process_time() - began)
        return least

    assert cost(Pose(gap=0.1, smile=0.5, anger=0.5)) < cost(plain) + 0.004
