"""The head moves as a solid thing before a background that does not move at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sonic_core import Settings
from sonic_core.media.image import read_image
from sonic_core.models.preview.anatomy import Anatomy, measure_anatomy
from sonic_core.models.preview.head import Head
from sonic_core.models.preview.person import depth_inside
from sonic_core.models.preview.pose import Pose
from sonic_core.pipeline import prepare_portrait

ASSETS = Path(__file__).resolve().parents[3] / "assets"
POSES = [Pose(yaw=1.2), Pose(yaw=-1.2, pitch=1.2), Pose(pitch=-1.2, roll=1.0), Pose(roll=-1.2, lift=1.0)]


@pytest.fixture(scope="module")
def portrait() -> tuple[np.ndarray, Anatomy]:
    made = prepare_portrait(read_image(ASSETS / "portrait.png"), Settings(min_resolution=384))
    return np.ascontiguousarray(made.image.permute(1, 2, 0).numpy()), measure_anatomy(made)


@pytest.fixture(scope="module")
def inside(portrait) -> np.ndarray:
    return depth_inside(*portrait)


@pytest.fixture(scope="module")
def head(portrait, inside) -> Head:
    return Head(portrait[1], inside)


@pytest.fixture(scope="module")
def free(portrait) -> Head:
    """A head with no background near."""
    return Head(portrait[1], np.ones(portrait[0].shape[:2], np.float32))


@pytest.mark.parametrize("pose", POSES)
def test_outside_the_head_every_pixel_is_the_portraits_own(head, portrait, inside, pose):
    x, y = head.undo(pose)
    away = inside == 0
    assert away.mean() > 0.1
    assert np.array_equal(x[away], head.x[away])
    assert np.array_equal(y[away], head.y[away])
    frame = cv2.remap(portrait[0], x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    assert np.array_equal(frame[away], portrait[0][away])
    assert not np.array_equal(frame, portrait[0])


@pytest.mark.parametrize("size", [(384, 384), (391, 517), (96, 64)])
@pytest.mark.parametrize("pose", POSES)
def test_nothing_moves_at_the_edge_of_the_crop_even_where_the_person_fills_it(portrait, size, pose):
    head = Head(portrait[1], np.ones(size, np.float32))
    for found, own in zip(head.undo(pose), (head.x, head.y), strict=True):
        for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
            assert np.array_equal(found[edge], own[edge])


@pytest.mark.parametrize(("scale", "least"), [(1.0, 0.4), (2.0, 0.05)])
def test_movements_never_fold(head, scale, least):
    for pose in POSES:
        x, y = head.undo(Pose(*(scale * value for value in vars(pose).values())))
        assert np.diff(x, axis=1).min() > least
        assert np.diff(y, axis=0).min() > least


def moved(head: Head, pose: Pose, along: float, down: float) -> np.ndarray:
    """How far the head carries a place of the frame, in face units right and down."""
    unit, frame = head.anatomy.unit, head.anatomy.head
    dx, dy = frame.turned(along * unit, down * unit)
    column, row = round(frame.centre[0] + float(dx)), round(frame.centre[1] + float(dy))
    x, y = head.undo(pose)
    right, fall = column - float(x[row, column]), row - float(y[row, column])
    c, s = frame.along
    return np.array([right * c + fall * s, fall * c - right * s]) / unit


def test_a_turn_moves_the_nose_more_than_the_eyes_and_the_eyes_more_than_the_cheeks(free):
    nose, eye, cheek = (moved(free, Pose(yaw=1), *place)[0] for place in ((0, 0.05), (0.35, -0.5), (0.9, 0.1)))
    assert nose > 1.1 * eye > 1.1 * cheek > 0


def test_a_nod_goes_down_and_a_breath_up(free):
    assert moved(free, Pose(pitch=1), 0, 0.05)[1] > 0.04
    assert -0.02 < moved(free, Pose(lift=1), 0, 0.05)[1] < -0.005


def test_a_tilt_of_one_is_two_degrees_clockwise(free):
    left, right = moved(free, Pose(roll=1), -0.3, 0.0), moved(free, Pose(roll=1), 0.3, 0.0)
    angle = np.degrees(np.arctan2(right[1] - left[1], 0.6 + right[0] - left[0]))
    assert angle == pytest.approx(2.0, abs=0.5)


@pytest.mark.parametrize("pose", [Pose(pitch=1), Pose(yaw=1)])
def test_the_eyes_move_as_one(head, pose):
    """Inner and outer corners go nearly as far, even where hair near an eye counts as background: no eye slants."""
    for side in (-1, 1):
        inner, outer = moved(head, pose, side * 0.3, -0.5), moved(head, pose, side * 0.68, -0.5)
        assert np.abs(inner - outer).max() < 0.3 * np.abs(inner).max()


def test_no_pose_no_movement(head):
    x, y = head.undo(Pose())
    assert np.array_equal(x, head.x)
    assert np.array_equal(y, head.y)
