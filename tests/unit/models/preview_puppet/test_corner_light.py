"""The dark lines in which a shut mouth ends, and what becomes of them where it opens or is rounded."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sonic_core.models.preview.puppet.parting import find_parting
from sonic_core.models.preview.puppet.pose import Pose
from tests.unit.models.preview_puppet.mouths import SEAM, SKIN, Mouth, drawn

ROUND = Pose(gap=0.1, rounding=1.0, width=-0.12, jaw=0.35)


def lined(rows=(0.0,)):
    """A drawn face, with dark lines beyond both corners of its mouth: as many as there are rows, in I below them."""
    image, landmarks = drawn()
    parting = find_parting(np.asarray(image, np.float32), landmarks)
    for end in (-1, 1):
        corner = parting.bite.locate(parting.upper[[0, -1], :2])[0 if end < 0 else 1, 1]
        for row in rows:
            line = parting.bite.place(end * np.array((0.98, 1.14)), np.full(2, corner + row))
            cv2.polylines(image, [np.round(line * 16).astype(np.int32)], False, SEAM, 3, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0), np.float32), landmarks


def darkness(mouth, pose):
    """By how much the darkest place on each line across the skin beside the mouth is darker than skin, mean."""
    frame = mouth.frame(pose)
    corners = mouth.shapes.lines(pose)[0][[0, -1], :2]
    found = []
    for corner, way in zip(corners, (-1, 1), strict=True):
        for step in (0.03, 0.05):
            x, y = round(float(corner[0]) + way * step * mouth.shapes.parting.unit), round(float(corner[1]))
            strip = frame[y - 6 : y + 7, x]
            found.append(np.mean(SKIN) - strip.mean(-1).min())
    return float(np.mean(found))


def test_the_line_in_which_a_mouth_ends_goes_as_it_is_rounded():
    mouth = Mouth(*lined())
    shut, spoken, rounded = (darkness(mouth, pose) for pose in (Pose(), Pose(gap=0.3, jaw=1.0), ROUND))
    assert shut > 0.25
    assert spoken < 0.65 * shut and rounded < 0.3 * shut


def test_hair_beside_a_mouth_stays():
    rows = np.arange(-4, 5) * 0.035
    mouth = Mouth(*lined(rows))
    assert darkness(mouth, ROUND) > 0.7 * darkness(mouth, Pose())


@pytest.mark.parametrize("pose", [Pose(rest=1.0), Pose(), Pose(closure=1.0)])
def test_a_shut_mouth_keeps_its_corners(pose):
    mouth = Mouth(*lined())
    height, width = mouth.image.shape[:2]
    places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    lit = mouth.image.copy()
    mouth.interior.light_corners(lit, places, pose)
    assert np.array_equal(lit, mouth.image)
    mouth.interior.light_corners(lit, places, ROUND)
    assert not np.array_equal(lit, mouth.image)
