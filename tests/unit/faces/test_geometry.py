"""Where a head looks, and what its points are called."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sonic_core.faces import geometry
from sonic_core.faces.geometry import (
    align,
    average_face,
    eye_distance,
    face_box,
    head_pose,
    mirror_points,
    move_landmarks,
)
from sonic_core.types import Landmarks


def turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The average face, nodded, turned, tilted: in the picture x goes right, y down and z away."""
    a, b, c = (math.radians(angle) for angle in (yaw, pitch, roll))
    nod = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    side = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    tilt = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return 100 * average_face() @ (tilt @ side @ nod).T + (300, 200, 0)


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (20, 0, 0), (-20, 0, 0), (0, 15, 0), (0, -15, 0), (0, 0, 30), (0, 0, -100)]
)
def test_each_angle_is_read_off(angles):
    assert head_pose(turned(*angles)) == pytest.approx(angles, abs=0.01)


def test_signs_are_those_of_the_picture():
    nose, front = geometry.NOSE_TIP, turned(0, 0, 0)
    assert turned(20, 0, 0)[nose, 0] < front[nose, 0] - 10, "positive yaw faces the picture's left"
    assert turned(0, 20, 0)[nose, 1] > front[nose, 1] + 10, "positive pitch looks down"
    assert turned(0, 0, 20)[263, 1] > turned(0, 0, 20)[33, 1] + 10, "positive roll is clockwise"


def test_the_average_face_is_symmetric_and_its_unit_the_eye_distance():
    shape = average_face()
    assert np.abs(shape - shape[mirror_points()] * (-1, 1, 1)).max() < 2e-3  # half precision
    assert eye_distance(shape) == pytest.approx(1, abs=2e-3)
    assert [mirror_points()[number] for number in (33, 133, 61, 13)] == [263, 362, 291, 13]


def test_an_alignment_goes_both_ways():
    points = turned(12, -7, 9)
    found = align(points)
    assert found.scale == pytest.approx(100, abs=0.1)
    assert np.allclose(found.place(average_face()), points, atol=0.05)
    assert np.allclose(found.unplace(points), average_face(), atol=1e-3)


@pytest.mark.parametrize("name", [name for name in vars(geometry) if "LIPS" in name or "LID" in name or "BROW" in name])
def test_contours_go_from_left_to_right_and_lie_where_they_are_called(name):
    contour = average_face()[list(getattr(geometry, name))]
    assert (np.diff(contour[:, 0]) > 0).all()
    if name.startswith(("LEFT", "RIGHT")):
        assert (contour[:, 0] < 0).all() == name.startswith("LEFT")
    other = name.replace("UPPER", "@").replace("LOWER", "UPPER").replace("@", "LOWER")
    above, below = sorted((name, other), reverse=True)
    upper, lower = (average_face()[list(getattr(geometry, one))[2], 1] for one in (above, below))
    assert upper <= lower


def test_the_left_iris_belongs_to_the_left_eye():
    assert average_face()[list(geometry.EYE_ENDS[0]), 0].max() < 0 < average_face()[list(geometry.EYE_ENDS[1]), 0].min()


def test_a_box_reaches_from_the_forehead_to_the_chin():
    left, top, right, bottom = face_box(turned(0, 0, 0))
    points = turned(0, 0, 0)
    assert (left, right) == pytest.approx((points[:, 0].min(), points[:, 0].max()), abs=3)
    assert bottom == pytest.approx(points[152, 1]) and points[10, 1] < top < points[9, 1]


def test_landmarks_move_with_their_picture():
    points = turned(5, 5, 5).astype(np.float32)
    landmarks = Landmarks(points, np.zeros((2, 5, 2), np.float32) + 7, 0.9)
    moved = move_landmarks(landmarks, np.array([[0.0, -2.0, 30.0], [2.0, 0.0, 40.0]]))
    assert moved.points[3].tolist() == pytest.approx([30 - 2 * points[3, 1], 40 + 2 * points[3, 0], 2 * points[3, 2]])
    assert moved.irises[0, 0].tolist() == [16, 54] and moved.score == 0.9
