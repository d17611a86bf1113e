"""Where pixels have gone, told for pictures of every shape, and the thumbnails on which scenes are compared."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sonic_core.post.flow import FINE, dense_flow, fitted, resized, thumbnail


def texture(height, width, seed=0):
    """Draw soft spots, (height, width) in 0 ... 255."""
    noise = np.random.default_rng(seed).random((height // 8 + 1, width // 8 + 1), np.float32)
    return np.clip(cv2.resize(255 * noise, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "side", "wanted"),
    [
        ((270, 480), 96, (54, 96)),
        ((480, 270), 96, (96, 54)),
        ((60, 40), 96, (60, 40)),
        ((40, 4000), 96, (16, 96)),
        ((4000, 8), 96, (96, 8)),
    ],
)
def test_the_longer_side_is_fitted_and_none_becomes_a_line(size, side, wanted):
    assert fitted(np.zeros((*size, 3), np.float32), side).shape == (*wanted, 3)


def test_scenes_are_compared_on_pictures_of_96():
    assert thumbnail(np.zeros((360, 640, 3), np.float32)).shape == (54, 96, 3)


def test_pictures_shrink_by_the_mean_and_grow_evenly():
    rows = np.repeat(np.array([[0.0], [1.0], [0.0], [1.0]], np.float32), 6, axis=1)
    assert resized(rows, (2, 3)) == pytest.approx(np.full((2, 3), 0.5))
    grown = resized(np.array([[0.0, 1.0]], np.float32), (1, 8))
    assert grown.shape == (1, 8) and (np.diff(grown[0]) >= 0).all() and 0 < grown[0, 3] < grown[0, 4] < 1


@pytest.mark.parametrize("size", [(96, 128), (270, 480)])
def test_pictures_of_usual_shapes_are_searched_as_they_are(size):
    first, second = texture(*size), np.roll(texture(*size), 3, 1)
    assert np.array_equal(dense_flow(first, second), cv2.DISOpticalFlow.create(FINE).calc(first, second, None))


@pytest.mark.parametrize("size", [(40, 1280), (16, 640), (360, 1280), (1280, 24)])
def test_a_shift_is_found_in_pictures_of_any_shape(size):
    flow = dense_flow(texture(*size), np.roll(texture(*size), 2, 1))
    middle = flow[:, size[1] // 4 : 3 * size[1] // 4]
    assert flow.shape == (*size, 2) and np.median(middle, (0, 1)) == pytest.approx((2, 0), abs=0.2)


def test_below_two_patches_nothing_is_said_to_move():
    assert not dense_flow(texture(15, 400), np.roll(texture(15, 400), 2, 1)).any()
