"""What is painted between the lips, and how a frame's mouth is put together."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sonic_core.models.preview.puppet.cavity import shows_teeth
from sonic_core.models.preview.puppet.light import LUMA, measure_light
from sonic_core.models.preview.puppet.parting import find_parting
from sonic_core.models.preview.puppet.pose import Pose
from sonic_core.models.preview.puppet.teeth import draw_teeth
from tests.unit.models.preview_puppet.mouths import Mouth, drawn, paint_lips, photograph


def brightness_inside(mouth, pose):
    """Brightness of all pixels between the lips against the skin's."""
    light = measure_light(mouth.image, mouth.landmarks)
    return (mouth.frame(pose) @ LUMA)[mouth.inside(pose)] / light.level


@pytest.mark.parametrize("name", ["shut", "smiling"])
def test_a_mouth_at_rest_is_the_portraits_to_the_bit(name, request):
    mouth = request.getfixturevalue(name)
    pose = Pose(gap=0.2, jaw=0.5, rounding=1, rest=1)
    assert np.array_equal(mouth.frame(pose), mouth.warp(np.zeros((*mouth.nodes.shape[:2], 3), np.float32)))


def test_a_mouth_touches_nothing_outside_its_window(shut):
    pose = Pose(gap=0.3, jaw=1)
    frame, lower = (shut.warp(field) for field in shut.shapes.displace(pose))
    before = frame.copy()
    window = shut.interior.window(shut.project, pose, *shut.image.shape[:2])
    shut.interior.paint(frame, np.ascontiguousarray(lower[window]), window, shut.project, pose)
    assert not np.array_equal(frame[window], before[window])
    frame[window] = before[window]
    assert np.array_equal(frame, before)


@pytest.mark.parametrize("gap", [0.1, 0.2, 0.3])
def test_the_inside_is_as_bright_as_real_mouths_are(shut, gap):
    inside = brightness_inside(shut, Pose(gap=gap, jaw=gap / 0.3))
    assert 0.35 < np.median(inside) < 0.75
    assert (inside < 0.08).mean() < 0.12


def test_the_inside_darkens_towards_the_corners(shut):
    pose = Pose(gap=0.25, jaw=0.8)
    frame, mask = shut.frame(pose) @ LUMA, shut.inside(pose)
    columns = np.flatnonzero(mask.any(0))
    means = [frame[:, column][mask[:, column]].mean() for column in columns]
    sixth = len(means) // 6
    assert max(np.mean(means[:sixth]), np.mean(means[-sixth:])) < 0.75 * np.mean(means[2 * sixth : -2 * sixth])


def test_the_opening_tapers_to_the_corners(shut):
    upper, lower = shut.shapes.lines(Pose(gap=0.3, jaw=1))
    heights = (lower - upper)[:, 1]
    centre = len(heights) // 2
    assert heights[0] == pytest.approx(0, abs=1e-3) and heights[-1] == pytest.approx(0, abs=1e-3)
    assert heights[3] < 0.6 * heights[centre] and (np.diff(heights[: centre - 3]) > -0.3).all()


@pytest.mark.parametrize("name", ["shut", "smiling"])
def test_frames_follow_the_gap_without_a_jump(name, request):
    mouth = request.getfixturevalue(name)
    frames = [mouth.frame(Pose(gap=gap, jaw=gap / 0.3)) for gap in np.linspace(0, 0.06, 13)]
    rows, columns = mouth.interior.window(mouth.project, Pose(gap=0.06), *mouth.image.shape[:2])
    changes = [np.abs(b - a)[rows, columns].mean() for a, b in pairwise(frames)]
    assert max(changes) < 3 * np.median(changes) + 1e-3


def test_lips_that_hardly_part_hardly_change_the_picture(shut):
    still, parted = shut.frame(Pose()), shut.frame(Pose(gap=1e-4))
    assert np.abs(still - parted).max() < 0.02


def test_own_teeth_are_shown_and_stand_still(smiling):
    gap = smiling.shapes.own_gap
    shown = brightness_inside(smiling, Pose(gap=gap))
    own = (smiling.image @ LUMA)[smiling.inside(Pose(rest=1))] / measure_light(smiling.image, smiling.landmarks).level
    assert np.median(shown) == pytest.approx(np.median(own), abs=0.12)
    wider = smiling.frame(Pose(gap=0.3, jaw=1))
    teeth = smiling.inside(Pose(gap=0.12), shrink=0.35)
    assert np.abs(wider - smiling.frame(Pose(gap=gap)))[teeth].mean() < 0.08


def test_a_grey_portrait_gets_a_grey_mouth():
    mouth = Mouth(*photograph(grey=True))
    frame = mouth.frame(Pose(gap=0.3, jaw=1))
    assert np.ptp(frame, axis=-1).max() < 0.02


@pytest.mark.parametrize("size", [384, 1024])
def test_a_mouth_is_drawn_at_any_size(size):
    mouth = Mouth(*drawn(size))
    inside = brightness_inside(mouth, Pose(gap=0.2, jaw=0.6))
    assert 0.35 < np.median(inside) < 0.75


def test_a_mouth_that_leaves_the_frame_is_cut_off(shut):
    pose = Pose(gap=0.2)

    def away(points):
        return np.asarray(points)[:, :2] + (400.0, 0.0)

    frame = shut.image.copy()
    window = shut.interior.window(away, pose, *frame.shape[:2])
    shut.interior.paint(frame, np.ascontiguousarray(frame[window]), window, away, pose)
    assert np.isfinite(frame).all()


@pytest.mark.parametrize(("teeth", "kept"), [(1.0, True), (0.25, False), (0.0, False)])
def test_single_teeth_and_pieces_of_lip_in_a_narrow_mouth_are_painted_anew(teeth, kept):
    image, landmarks = photograph()
    parting = replace(find_parting(image, landmarks), gap=0.10, shown=True)
    lips = np.ascontiguousarray(image)
    paint_lips(lips, landmarks.points)
    white = lips.copy()
    paint_lips(white, landmarks.points, inside=(0.85, 0.83, 0.78))
    left, right = landmarks.points[[78, 308], 0]
    until = int(left + teeth * (right - left))
    lips[:, :until] = white[:, :until]
    assert shows_teeth(lips, measure_light(lips, landmarks), parting) == kept


def test_painted_lips_tell_a_coloured_picture_where_the_skin_is_pale():
    image, landmarks = photograph(grey=True)
    assert measure_light(image, landmarks).tint < 0.1
    paint_lips(image, landmarks.points)
    assert measure_light(image, landmarks).tint > 0.9


def test_gaps_between_teeth_are_as_soft_as_the_portraits_edges():
    image, landmarks = photograph()
    light = measure_light(image, landmarks)
    x, y = np.arange(-0.6, 0.6, 0.006, np.float32), np.arange(-0.2, 0.2, 0.006, np.float32)

    def steepest(softness):
        teeth = draw_teeth(x, y, light, lip=light.skin, half=0.4, whitest=1.0, softness=softness)
        row = teeth[np.searchsorted(y, -0.02), np.abs(x) < 0.2, :3] @ LUMA
        return np.abs(np.diff(row)).max()

    assert steepest(0.03) < 0.3 * steepest(0.005)
    assert steepest(0.005) == pytest.approx(steepest(0.003), rel=0.01)
