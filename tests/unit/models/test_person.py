"""The background is told from the person, and nothing beyond the person counts as inside."""

from pathlib import Path

import numpy as np
import pytest

from sonic_core import Settings
from sonic_core.media.image import read_image
from sonic_core.models.preview.anatomy import measure_anatomy
from sonic_core.models.preview.person import depth_inside
from sonic_core.pipeline import prepare_portrait

ASSETS = Path(__file__).resolve().parents[3] / "assets"


@pytest.fixture(scope="module")
def measured():
    portrait = prepare_portrait(read_image(ASSETS / "portrait.png"), Settings(min_resolution=384))
    return np.ascontiguousarray(portrait.image.permute(1, 2, 0).numpy()), measure_anatomy(portrait)


def test_the_face_is_deep_inside(measured):
    image, anatomy = measured
    depth = depth_inside(image, anatomy)
    assert depth.shape == image.shape[:2]
    assert depth.min() == 0
    x, y = (round(part) for part in anatomy.head.centre)
    assert depth[y, x] > 0.3
    x, y = (round(part) for part in anatomy.mouth.frame.centre)
    assert depth[y, x] > 0.15


def test_the_wall_beside_the_neck_is_outside(measured):
    image, anatomy = measured
    depth = depth_inside(image, anatomy)
    corners = depth[-40:, :20], depth[-40:, -20:]
    assert max(float(corner.max()) for corner in corners) == 0


def test_the_same_portrait_has_the_same_outline_every_time(measured):
    assert np.array_equal(depth_inside(*measured), depth_inside(*measured))


def test_a_picture_of_one_colour_still_has_its_face_inside(measured):
    image, anatomy = measured
    depth = depth_inside(np.full_like(image, 0.5), anatomy)
    x, y = (round(part) for part in anatomy.head.centre)
    assert depth[y, x] > 0.2
