"""Lids where something is painted on them, stands before them, or where eyes are drawn bigger than any mesh."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sonic_core.faces.geometry import eye_distance
from sonic_core.models.preview.puppet.eye_frame import UPPER_LIDS, eye_frames
from sonic_core.models.preview.puppet.eye_light import face_brightness, fill, fit_frame, look_around
from sonic_core.models.preview.puppet.eyes import Eyes

from .test_eyes import BROWN, SKIN, apply, draw_face, load, opening


@pytest.fixture(scope="module")
def landmarks():
    return load()[1]


@pytest.fixture(scope="module")
def face(landmarks):
    return draw_face(landmarks, (1024, 1024))


def hue(colour):
    return np.asarray(colour) / np.mean(colour)


def test_eye_shadow_stays_on_a_shut_lid(landmarks, face):
    paint, unit = np.float32((0.75, 0.4, 0.75)), eye_distance(landmarks.points)
    made_up = np.zeros(face.shape[:2], np.float32)
    for number in (0, 1):
        line = np.rint(landmarks.points[list(UPPER_LIDS[number]), :2] - (0, 0.05 * unit)).astype(np.int32)
        cv2.polylines(made_up, [line], False, 1.0, int(0.14 * unit), cv2.LINE_AA)
        made_up[opening(face.shape, landmarks, number)] = 0
    made_up = cv2.GaussianBlur(made_up, (0, 0), 2)[..., None]
    texture = (face * (1 - made_up) + paint * made_up).astype(np.float32)
    shut = apply(texture, Eyes(texture, landmarks), 1.0, 0.0, 0.0)
    for number, middle in ((0, 159), (1, 386)):
        x, y = np.rint(landmarks.points[middle, :2] + (0, 0.02 * unit)).astype(int)
        lid = hue(shut[y - 3 : y + 4, x - 10 : x + 11].mean((0, 1)))
        assert opening(face.shape, landmarks, number)[y, x]
        assert np.abs(lid - hue(paint)).max() < np.abs(lid - hue(SKIN)).max()


def test_the_frame_of_glasses_stays_before_the_lids(landmarks, face):
    unit, texture = eye_distance(landmarks.points), face.copy()
    rim = np.zeros(face.shape[:2], np.uint8)
    for middle in (landmarks.points[[33, 133], :2].mean(0), landmarks.points[[263, 362], :2].mean(0)):
        low, high = middle - np.array([0.42, 0.24]) * unit, middle + np.array([0.42, 0.28]) * unit
        cv2.rectangle(rim, *(tuple(int(part) for part in end) for end in (low, high)), 1, int(0.05 * unit))
    cv2.line(rim, (0, int(low[1])), (1023, int(low[1])), 1, int(0.05 * unit))
    texture[rim > 0] = (0.05, 0.05, 0.06)
    eyes = Eyes(texture, landmarks)
    assert eyes.readable
    change = np.abs(apply(texture, eyes, 1.0, 0.0, 0.0) - texture).max(2)
    kept = cv2.erode(rim, np.ones((3, 3), np.uint8)) > 0
    assert float((change[kept] > 0.1).mean()) < 0.01
    assert change[opening(face.shape, landmarks, 0)].mean() > 0.1


def test_eyes_drawn_far_bigger_than_the_mesh_shut_whole(landmarks):
    unit, texture = eye_distance(landmarks.points), np.empty((1024, 1024, 3), np.float32)
    texture[:] = SKIN
    balls = np.zeros((1024, 1024), np.uint8)
    for number in (0, 1):
        x, y = landmarks.irises[number, 0] + (0, 0.08 * unit)
        cv2.ellipse(balls, ((float(x), float(y)), (0.5 * unit, 0.48 * unit), 0), 1, -1)
        cv2.ellipse(texture, ((float(x), float(y)), (0.5 * unit, 0.48 * unit), 0), (0.92, 0.92, 0.92), -1)
        cv2.circle(texture, (int(x), int(y)), int(0.15 * unit), BROWN, -1)
    texture = cv2.GaussianBlur(texture, (0, 0), 1.5)
    eyes = Eyes(texture, landmarks)
    assert eyes.readable
    shut = apply(texture, eyes, 1.0, 0.0, 0.0)
    inside = cv2.erode(balls, np.ones((15, 15), np.uint8)) > 0
    assert float((np.abs(shut - np.float32(SKIN)).max(2)[inside] > 0.15).mean()) < 0.06


def test_an_eye_ends_where_the_picture_has_it_end(landmarks, face):
    unit = eye_distance(landmarks.points)
    lower = landmarks.points.copy()
    for number in (7, 163, 144, 145, 153, 154, 155, 382, 381, 380, 374, 373, 390, 249):
        lower[number, 1] -= 0.04 * unit
    wrong = type(landmarks)(lower, landmarks.irises, landmarks.score)
    for right, mesh in zip(eye_frames(landmarks), eye_frames(wrong), strict=True):
        fitted = fit_frame(look_around(mesh, face))
        truth, before, after = (float(frame.bottom.max()) for frame in (right, mesh, fitted))
        assert abs(after - truth) < 0.5 * abs(before - truth)


def test_a_hole_is_filled_smoothly_from_its_border():
    y, x = np.mgrid[:40, :60].astype(np.float32)
    slope = np.stack([x / 60, y / 40, 0.5 + 0 * x], -1)
    weight = np.ones((40, 60), np.float32)
    weight[12:28, 20:40] = 0
    spoilt = slope.copy()
    spoilt[12:28, 20:40] = 9.0
    assert np.abs(fill(spoilt, weight) - slope)[12:28, 20:40].max() < 0.12


def test_the_skins_brightness_is_that_of_the_cheeks(landmarks, face):
    expected = float(np.float32(SKIN) @ np.float32([0.299, 0.587, 0.114]))
    assert face_brightness(landmarks, face) == pytest.approx(expected, abs=0.01)
