"""Faces read point by point, and found: of any size, turned, among others."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from sonic_core.errors import FaceNotFoundError
from sonic_core.faces.geometry import face_box
from sonic_core.faces.landmarks import detect, find_landmarks, read_landmarks, segment_person

ROOT = Path(__file__).resolve().parents[3]
EYES = (33, 133), (362, 263)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.array(Image.open(ROOT / "assets/portrait.png").convert("RGB"))


@pytest.fixture(scope="module")
def read(portrait):
    return read_landmarks(portrait)


def eye_distance(landmarks) -> float:
    first, second = (landmarks.points[list(ends), :2].mean(0) for ends in EYES)
    return float(np.hypot(*(second - first)))


def apart(landmarks, other) -> float:
    """Mean distance of two readings' points, in eye distances."""
    return float(np.hypot(*(landmarks.points[:, :2] - other[:, :2]).T).mean() / eye_distance(landmarks))


def test_a_portrait_is_read(portrait, read):
    assert read.points.shape == (468, 3) and read.points.dtype == np.float32
    assert read.irises.shape == (2, 5, 2) and read.score > 0.95
    for iris, ends in zip(read.irises, EYES, strict=True):
        assert np.hypot(*(iris[0] - read.points[list(ends), :2].mean(0))) < 0.1 * eye_distance(read)
    assert read.points[4, 2] < read.points[[234, 454], 2].min(), "the tip of the nose is nearer than the ears"


def test_a_tensor_reads_as_bytes_do(portrait, read):
    image = torch.from_numpy(portrait).permute(2, 0, 1).float() / 255
    assert np.array_equal(read_landmarks(image).points, read.points)


@pytest.mark.parametrize(
    ("size", "across", "down"),
    [
        (1.0, 0.0, 0.0),
        (1.3, 0.0, 0.0),
        (0.7, 0.0, 0.0),
        (1.0, 0.3, 0.0),
        (1.0, 0.0, 0.3),
        (1.0, 0.0, -0.3),
        (1.3, 0.15, 0.15),
    ],
)
def test_a_box_need_not_be_exact(portrait, read, size, across, down):
    left, top, right, bottom = face_box(read.points)
    width, height = right - left, bottom - top
    x, y = (left + right) / 2 + across * width, (top + bottom) / 2 + down * height
    box = (x - size * width / 2, y - size * height / 2, x + size * width / 2, y + size * height / 2)
    assert apart(read, read_landmarks(portrait, box).points) < 0.03


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_picture_is_read(portrait, read, quarters):
    found = find_landmarks(np.ascontiguousarray(np.rot90(portrait, quarters)))
    assert len(found) == 1
    points = found[0].points[:, :2]
    for _ in range(quarters):  # back, clockwise
        points = np.column_stack([767 - points[:, 1], points[:, 0]])
    assert apart(read, points) < 0.03
    irises = found[0].irises[:, 0]
    assert np.sign(irises[1] - irises[0]).tolist() in ([1, -1], [-1, -1], [-1, 1], [1, 1])


@pytest.mark.parametrize("tilt", [-150, -135, -45, 45, 110, 165])
def test_a_tilted_head_is_read(portrait, read, tilt):
    matrix = cv2.getRotationMatrix2D((384, 384), -tilt, 0.7)
    turned = np.asarray(cv2.warpAffine(portrait, matrix, (768, 768), borderMode=cv2.BORDER_REPLICATE))
    found = find_landmarks(turned)
    assert len(found) == 1
    expected = read.points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    assert np.hypot(*(found[0].points[:, :2] - expected).T).mean() < 0.03 * 0.7 * eye_distance(read)


@pytest.mark.parametrize("width", [24, 60])
def test_small_faces_are_found_in_a_large_picture(portrait, read, width):
    left, _, right, _ = face_box(read.points)
    scale = width / (right - left)
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    large = np.full((900, 1200, 3), 120, np.uint8)
    large[600 : 600 + small.shape[0], 150 : 150 + small.shape[1]] = small
    found = find_landmarks(large)
    assert len(found) == 1
    expected = read.points[:, :2] * scale + (150, 600)
    assert np.hypot(*(found[0].points[:, :2] - expected).T).mean() < 0.1 * scale * eye_distance(read)


def test_a_face_that_fills_the_picture_is_found(portrait, read):
    left, top, right, bottom = (round(side) for side in face_box(read.points))
    close = np.ascontiguousarray(portrait[top:bottom, left:right])
    found = find_landmarks(close)
    assert len(found) == 1
    assert apart(read, found[0].points[:, :2] + (left, top)) < 0.06


def test_several_faces_are_found_once_each(portrait):
    small = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    row = np.ascontiguousarray(np.hstack([small, small[:, ::-1], small]))
    assert len(find_landmarks(row)) == 3
    assert sorted(round(found.box[0] / 256) for found in detect(row)) == [0, 1, 2]


@pytest.mark.parametrize("size", [(40, 900), (900, 40), (8, 8), (1, 1)])
def test_a_picture_without_a_face_has_none(size):
    noise = np.random.default_rng(5).integers(0, 255, (*size, 3), np.uint8)
    assert find_landmarks(noise) == []
    with pytest.raises(FaceNotFoundError, match="No face was found"):
        read_landmarks(noise)


def test_a_box_around_nothing_has_a_low_score():
    flat = np.full((300, 300, 3), 128, np.uint8)
    assert read_landmarks(flat, (80, 80, 220, 220)).score < 0.3


def test_a_person_is_told_from_the_background(portrait, read):
    mask = segment_person(portrait)
    assert mask.shape == (768, 768) and mask.dtype == np.float32
    left, top, right, bottom = (round(side) for side in face_box(read.points))
    assert mask[top:bottom, left:right].mean() > 0.9
    assert mask[:100, :100].mean() < 0.1
