"""A face is followed, found again after a cut, and not searched for in every frame that has none."""

import cv2
import numpy as np
import pytest
import torch

from sonic_core.faces.embedded import EmbeddedFinder
from sonic_core.faces.track import PATIENCE, SIDE, FaceTracker
from tests.unit.conftest import as_picture


class Counting(EmbeddedFinder):
    """Counts how often it is asked."""

    def __init__(self):
        self.asked = 0

    def find(self, image):
        self.asked += 1
        return super().find(image)


def moved(picture, x=0.0, y=0.0, *, turn=0.0, scale=1.0, light=1.0):
    """Move, turn (degrees), enlarge and brighten a picture (3, h, w) around its face; return it and the (2, 3) map."""
    matrix = cv2.getRotationMatrix2D((225.0, 120.0), turn, scale)
    matrix[:, 2] += (x, y)
    pixels = np.ascontiguousarray(picture.permute(1, 2, 0).numpy())
    size = pixels.shape[1::-1]
    bent = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return torch.from_numpy(bent).permute(2, 0, 1).mul(light).clamp(0, 1), matrix


def grass():
    noise = np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8)
    return as_picture(cv2.GaussianBlur(noise, (0, 0), 2))


def test_a_moving_face_is_followed(astronaut):
    finder = Counting()
    tracker, begin = FaceTracker(finder), None
    for number in range(60):
        sway = np.sin(2 * np.pi * number / 60)
        frame, matrix = moved(
            astronaut,
            40 * sway,
            20 * np.sin(4 * np.pi * number / 60),
            turn=12 * sway,
            scale=1 + 0.2 * sway,
            light=1 + 0.03 * (-1) ** number,
        )
        face = tracker.follow(frame)
        assert face is not None
        begin = begin or face
        expected = np.array(begin.points) @ matrix[:, :2].T + matrix[:, 2]
        errors = np.hypot(*(np.array(face.points) - expected).T) / face.eye_distance
        assert errors.max() < 0.05, number
        assert tracker.patch.shape == (SIDE, SIDE)
    assert (finder.asked, tracker.cuts) == (1, 0)


def test_the_patch_keeps_still_while_the_head_moves(astronaut):
    tracker = FaceTracker(EmbeddedFinder())
    patches = []
    for number in range(12):
        tracker.follow(moved(astronaut, 3.0 * number, 1.5 * number, turn=number)[0])
        patches.append(tracker.patch.astype(float)[20:130, 30:120])
    assert max(np.abs(patch - patches[0]).mean() for patch in patches) < 4


def test_after_a_cut_the_face_is_found_anew(astronaut):
    tracker = FaceTracker(EmbeddedFinder())
    first = tracker.follow(astronaut)
    assert tracker.follow(grass()) is None
    assert tracker.cuts == 1
    other = moved(astronaut, 150, 120)[0]
    found = [tracker.follow(other) for _ in range(PATIENCE[0] + 1)]
    assert found[0] is None and found[-1] is not None
    assert np.array(found[-1].points).mean() - np.array(first.points).mean() == pytest.approx(135, abs=8)


def test_no_face_is_searched_for_now_and_then_only():
    finder = Counting()
    tracker, picture = FaceTracker(finder), torch.full((3, 96, 128), 0.5)
    assert all(tracker.follow(picture) is None for _ in range(100))
    assert 2 <= finder.asked <= 6


@pytest.mark.parametrize("size", [(200, 200), (1024, 1024)])
def test_small_and_large_faces(astronaut, size):
    frame = torch.nn.functional.interpolate(astronaut[None], size=size, mode="bilinear", antialias=True)[0]
    tracker = FaceTracker(EmbeddedFinder())
    first = tracker.follow(frame)
    shifted = torch.roll(frame, (3, 2), dims=(2, 1))
    second = tracker.follow(shifted)
    assert np.allclose(np.array(second.points) - np.array(first.points), (3, 2), atol=0.35)
