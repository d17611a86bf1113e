"""Movement is read off a mesh in the units that it has, however the head is turned."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sonic_core.evaluate.face import (
    BROWS,
    DEGREE,
    FaceRecorder,
    proportions_apart,
    read_face,
)
from sonic_core.faces.geometry import EYE_ENDS, LIPS_LOWER_INNER, RIGID, average_face
from sonic_core.types import Landmarks

SCALE = 90.0
"""Pixels for I."""


def turned(yaw=0.0, pitch=0.0, roll=0.0):
    """Turn as ``pose_of`` reads it: roll last, then yaw, pitch first."""
    a, b, c = (math.radians(angle) for angle in (-yaw, -pitch, roll))
    across = np.array([[1, 0, 0], [0, math.cos(b), math.sin(b)], [0, -math.sin(b), math.cos(b)]])
    down = np.array([[math.cos(a), 0, -math.sin(a)], [0, 1, 0], [math.sin(a), 0, math.cos(a)]])
    out = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
    return out @ down @ across


def mesh(shape, turn=None, gaze=(0.0, 0.0)):
    """Put a shape in I into a picture; ``gaze`` is where the irises lie, in I from the middles of the eyes."""
    points = SCALE * shape @ (np.eye(3) if turn is None else turn).T + (300, 200, 0)
    middles = np.array([points[list(ends), :2].mean(0) for ends in EYE_ENDS])
    irises = np.repeat((middles + SCALE * np.array(gaze))[:, None], 5, axis=1)
    return Landmarks(points.astype(np.float32), irises.astype(np.float32), 1.0)


def speaking(gap, brows=0.0):
    shape = average_face().copy()
    shape[list(LIPS_LOWER_INNER), 1] += gap
    shape[list(BROWS), 1] -= brows
    return shape


@pytest.mark.parametrize("turn", [{}, {"yaw": 20.0}, {"pitch": -15.0}, {"roll": 12.0}], ids=str)
def test_a_turned_head_opens_no_mouth_and_lifts_no_brow(turn):
    values = [read_face(mesh(speaking(gap, brows), turned(**turn)))[1] for gap, brows in ((0, 0), (0.2, 0.03))]
    assert values[1][0] - values[0][0] == pytest.approx(0.2, abs=1e-3)
    assert values[1][4] - values[0][4] == pytest.approx(0.03, abs=1e-3)
    yaw, pitch, roll = values[1][1:4]
    assert (yaw, pitch, roll) == pytest.approx([turn.get(name, 0.0) for name in ("yaw", "pitch", "roll")], abs=0.2)


def test_gaze_is_told_in_degrees_of_the_eye():
    at_rest, away = (read_face(mesh(average_face(), gaze=(across, 0.0)))[1] for across in (0.0, 10 * DEGREE))
    assert away[6] - at_rest[6] == pytest.approx(10, abs=0.1)
    assert away[7] == pytest.approx(at_rest[7], abs=0.1)


def test_frames_without_a_face_are_gaps():
    recorder = FaceRecorder(4)
    for one in (mesh(speaking(0.1)), None, mesh(speaking(0.2)), None):
        recorder.see(one)
    curves = recorder.curves()
    assert curves.seen.tolist() == [True, False, True, False]
    assert curves.opening[2] - curves.opening[0] == pytest.approx(0.1, abs=1e-3)
    assert curves.shape is not None and curves.shape.shape == (468, 3)


def test_a_face_is_itself_at_any_size_and_tilt_and_nobody_else():
    shape = average_face()
    assert proportions_apart(shape, 3 * shape @ turned(roll=30).T + 5) < 1e-6
    assert proportions_apart(speaking(0.3), shape) < 1e-6, "an open mouth makes nobody another"
    wider = shape * np.array([1.1, 1, 1])
    assert proportions_apart(wider, shape) > 1
    assert proportions_apart(wider, shape) == pytest.approx(proportions_apart(shape, wider), rel=0.2)
    assert set(RIGID) <= set(range(468))
