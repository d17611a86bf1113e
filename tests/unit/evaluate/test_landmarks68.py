"""Sixty-eight landmarks of any tracker tell what lips, head and eyes do, however the head is turned."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sonic_core.evaluate.landmarks68.frame import INNER_LIPS, LEFT_EYE, RIGHT_EYE
from sonic_core.evaluate.landmarks68.head import BROWS, RIGID, angles, brow_height, fit_head, project
from sonic_core.evaluate.landmarks68.measures import (
    DEGREE,
    Asked,
    compare_gaps,
    count_changed,
    look_inside,
    measure_points,
)

SCALE, MIDDLE = 90.0, (160.0, 120.0)
SIZE = 280, 320
SKIN = 160


def face(gap=0.0, brows=0.0, lids=0.16, turn=(0.0, 0.0, 0.0)):
    """Points (68, 3) in I; the jaw, which nothing reads, lies at the origin."""
    shape = np.zeros((68, 3))
    shape[list(RIGID)] = list(RIGID.values())
    shape[list(BROWS)] = np.array(list(BROWS.values())) - (0, brows, 0)
    for eye in (LEFT_EYE, RIGHT_EYE):
        outer, inner = shape[eye[0]], shape[eye[3]]
        for upper, lower, part in ((1, 5, 1 / 3), (2, 4, 2 / 3)):
            between, half = outer + part * (inner - outer), np.array([0, lids / 2, 0])
            shape[eye[upper]], shape[eye[lower]] = between - half, between + half
    across = np.array([-0.4, -0.2, 0.0, 0.2, 0.4])
    for number, x in zip((60, 61, 62, 63, 64), across, strict=True):
        shape[number] = x, 1.05 - gap / 2 * (abs(x) < 0.3), -0.4
    for number, x in zip((67, 66, 65), across[1:4], strict=True):
        shape[number] = x, 1.05 + gap / 2, -0.4
    shape[48], shape[54] = (-0.5, 1.05, -0.3), (0.5, 1.05, -0.3)
    return project(np.array([*np.radians(turn), SCALE, *MIDDLE]), shape)


def drawn(points, gaze=0.0, inside=80):
    """Draw skin, open eyes whose irises lie ``gaze`` I to the right, and the mouth's inside."""
    frame = np.full((*SIZE, 3), SKIN, np.uint8)
    for eye in (LEFT_EYE, RIGHT_EYE):
        cv2.fillPoly(frame, [points[eye].round().astype(np.int32)], (235, 235, 235))
        x, y = points[[eye[0], eye[3]]].mean(0) + np.array([SCALE * gaze, 0])
        cv2.circle(frame, (round(16 * x), round(16 * y)), round(16 * 0.06 * SCALE), (30, 30, 30), -1, cv2.LINE_AA, 4)
    cv2.fillPoly(frame, [points[INNER_LIPS].round().astype(np.int32)], (inside, inside, inside))
    return frame


@pytest.mark.parametrize("turn", [(0, 0, 0), (8, 0, 0), (0, 12, 0), (0, 0, -10)], ids=str)
def test_a_head_is_found_however_it_is_turned(turn):
    (head,) = fit_head(face(turn=turn)[None])
    assert head[3:] == pytest.approx([SCALE, *MIDDLE], abs=0.05)
    pitch, yaw, roll = turn
    assert angles(head[None])[0] == pytest.approx([yaw, pitch, roll], abs=0.05)
    assert brow_height(head, face(brows=0.05, turn=turn)) == pytest.approx(0.05, abs=2e-3)


def test_frames_without_a_face_are_gaps():
    points = np.array([face(), np.full((68, 2), np.nan), face()])
    assert np.isfinite(fit_head(points)[:, 0]).tolist() == [True, False, True]
    assert measure_points([drawn(face())] * 3, points, 25.0) == {}, "three frames tell nothing of movement"


def test_a_clip_is_measured_as_it_was_drawn():
    times = np.arange(100) / 25
    gap = 0.1 + 0.1 * np.sin(2 * np.pi * 1.5 * times)
    yaw, gaze = 4 * np.sin(2 * np.pi * 0.5 * times), 6 * DEGREE * np.sin(2 * np.pi * 0.4 * times)
    lids = np.where(np.isin(np.arange(100), (30, 31, 70)), 0.03, 0.16)
    points = np.array([face(gap[i], 0.02 * np.sin(times[i]), lids[i], (0, yaw[i], 0)) for i in range(100)])
    frames = [drawn(points[i], gaze[i]) for i in range(100)]
    figures = measure_points(frames, points, 25.0, Asked(gap=np.roll(gap, -2), blink=np.zeros(100)))
    assert figures["yaw"] == pytest.approx(yaw.std(), rel=0.05)
    assert figures["pitch"] < 0.1 and figures["roll"] < 0.1
    assert figures["gaze"] == pytest.approx((gaze / DEGREE).std(), rel=0.2)
    assert figures["blinks"] == 2 and figures["blinks_a_minute"] == pytest.approx(30)
    assert figures["shut"] == pytest.approx(0.03 / 0.16, abs=0.02)
    assert figures["widest"] == pytest.approx(np.percentile(gap, 95), abs=0.01)
    assert (figures["lag"], figures["best_r"]) == (2, pytest.approx(1, abs=0.01)) and figures["r"] < 0.9
    assert figures["reach"] == pytest.approx(1, abs=0.05)
    assert figures["inside"] == pytest.approx(80 / SKIN, abs=0.05) and figures["black"] == 0
    assert figures["open_frames"] == pytest.approx((gap > 0.1).sum(), abs=2)


def test_a_black_mouth_is_told():
    points = np.array([face(0.3)])
    told = [look_inside([drawn(points[0], inside=inside)], points, np.array([0.3])) for inside in (5, 100)]
    assert [one["black"] for one in told] == [pytest.approx(1, abs=0.1), 0.0]
    assert told[0]["inside"] < 0.05 and told[1]["inside"] > 0.5
    shut = look_inside([drawn(points[0])], points, np.array([0.05]))
    assert shut["open_frames"] == 0 and np.isnan(shut["inside"])


def test_lips_that_stay_open_are_told():
    asked = np.maximum(np.sin(np.arange(100) / 5), 0.0)
    figures = compare_gaps(0.1 + asked / 2, asked)
    assert figures["shut_gap"] == pytest.approx(0.1, abs=5e-3) and figures["reach"] == pytest.approx(0.5)
    assert (figures["lag"], figures["r"]) == (0, pytest.approx(1))


def test_corners_and_rim_that_ever_changed_are_counted():
    changed = np.zeros((80, 80), np.uint8)
    assert count_changed(changed) == {"corners": 0.0, "rim": 0.0}
    changed[:10, :10] = 3
    changed[30:50, 30:50] = 255
    figures = count_changed(changed)
    assert figures["corners"] == 0.5 and figures["rim"] == pytest.approx(36 / (80**2 - 76**2))
    assert count_changed(np.full((80, 80), 2, np.uint8)) == {"corners": 0.0, "rim": 0.0}, "encoding alone"
