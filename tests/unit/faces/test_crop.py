"""The crop is the published one, to the pixel."""

import json

import numpy as np
import pytest
import torch

from sonic_core.errors import InputError
from sonic_core.faces.crop import crop_box, crop_portrait, face_mask, working_size
from sonic_core.media.pixels import resize_lanczos
from sonic_core.settings import Settings
from sonic_core.types import Face
from tests.parity.kit import SHARED_KIT, needs_kit


@pytest.mark.parametrize(
    ("size", "box", "ratio", "expected"),
    [
        ((100, 200), (80, 30, 120, 70), 0.0, (80, 30, 120, 70)),
        ((100, 200), (80, 30, 120, 70), 0.5, (60, 10, 140, 90)),
        ((100, 200), (80, 30, 120, 90), 0.5, (60, 20, 140, 100)),
        ((100, 200), (0, 0, 40, 40), 0.5, (0, 0, 60, 60)),
        ((300, 300), (100, 10, 160, 110), 0.5, (70, 0, 190, 120)),
    ],
)
def test_crop_box_is_the_square_nearest_to_the_face(size, box, ratio, expected):
    assert crop_box(size, box, ratio) == expected


def test_crop_box_stays_inside_and_square_up_to_rounding():
    generator = np.random.default_rng(3)
    for _ in range(200):
        height, width = (int(side) for side in generator.integers(40, 900, 2))
        left, top = generator.uniform(0, 0.6, 2) * (width, height)
        across, down = generator.uniform(0.1, 0.4, 2) * (width, height)
        box = (left, top, left + across, top + down)
        x, y, right, bottom = crop_box((height, width), box, float(generator.uniform(0, 1)))
        assert 0 <= x < right <= width
        assert 0 <= y < bottom <= height
        assert abs((right - x) - (bottom - y)) <= 1


@needs_kit
def test_crop_box_equals_the_kit():
    for row in np.load(SHARED_KIT / "crop_boxes.npz")["rows"]:
        box = tuple(float(value) for value in row[2:6])
        assert crop_box((int(row[0]), int(row[1])), box, float(row[6])) == tuple(row[7:])


@needs_kit
def test_working_picture_and_mask_equal_the_kit():
    for case in json.loads((SHARED_KIT / "index.json").read_text())["cases"]:
        kit = np.load(SHARED_KIT / f"pipeline_{case['name']}.npz")
        image = torch.from_numpy(kit["image"]).permute(2, 0, 1).float() / 255
        size = working_size(tuple(case["image"]), case["image_size"])
        assert np.abs(resize_lanczos(image, size).numpy() * 2 - 1 - kit["ref_img"][0]).max() < 1e-6
        x, y, width, height = case["box"]
        mask = resize_lanczos(face_mask(tuple(case["image"]), (x, y, x + width, y + height)), size)
        assert np.abs(mask.numpy() - kit["face_mask"][0]).max() < 1e-6


@pytest.mark.parametrize("size", [(200, 200), (200, 201), (201, 200)])
def test_a_square_crop_stays_square_at_every_resolution(size):
    shapes = {resolution: working_size(size, resolution) for resolution in range(128, 1100)}
    assert [resolution for resolution, (height, width) in shapes.items() if height != width] == []


def test_face_mask_is_the_box_grown_by_a_tenth():
    mask = face_mask((100, 100), (30, 40, 50, 60))
    assert mask.shape == (1, 100, 100)
    rows, columns = torch.where(mask[0] == 1)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (29, 39, 51, 61)
    assert mask.sum() == 22 * 22


def _face() -> Face:
    return Face((60, 50, 130, 130), ((80, 80), (110, 80), (95, 95), (83, 110), (107, 110)), 0.9)


def test_portrait_has_the_working_size_and_knows_where_it_came_from():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, 200, 180, generator=generator)
    portrait = crop_portrait(image, _face(), Settings(min_resolution=384, expand_ratio=0.2))
    assert portrait.image.shape == (3, 384, 384)
    assert portrait.mask.shape == (1, 384, 384)
    left, top, right, bottom = portrait.placement.box
    assert portrait.placement.source is image or torch.equal(portrait.placement.source, image)
    scale = 384 / (right - left), 384 / (bottom - top)
    for (x, y), (moved_x, moved_y) in zip(_face().points, portrait.face.points, strict=True):
        assert moved_x == pytest.approx((x - left) * scale[0])
        assert moved_y == pytest.approx((y - top) * scale[1])
    inside = portrait.face.points[2]
    assert portrait.mask[0, int(inside[1]), int(inside[0])] == 1
    assert portrait.mask[0, 0, 0] == 0


def test_a_crop_of_a_few_pixels_is_an_error():
    with pytest.raises(InputError, match="at least 16×16"):
        crop_portrait(torch.zeros(3, 50, 50), Face((10, 10, 15, 15), _face().points, 1.0), Settings(expand_ratio=0.1))
