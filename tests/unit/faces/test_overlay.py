"""What is drawn on a picture lies where it belongs, at every size and shape."""

from __future__ import annotations

import pytest
import torch

from sonic_core.faces import crop_portrait, draw_crop, draw_search
from sonic_core.faces.overlay import LEAST_SIDE, MOST_SIDE
from sonic_core.settings import Settings
from sonic_core.types import Box, Face

GREY = 0.4


def face(left: float, top: float, side: float) -> Face:
    """A face as it looks from the front."""
    places = ((0.3, 0.35), (0.7, 0.35), (0.5, 0.55), (0.35, 0.75), (0.65, 0.75))
    eye, other_eye, nose, corner, other_corner = ((left + x * side, top + y * side) for x, y in places)
    return Face((left, top, left + side, top + side), (eye, other_eye, nose, corner, other_corner), 1.0)


def grey(height: int, width: int) -> torch.Tensor:
    return torch.full((3, height, width), GREY)


def changed(picture: torch.Tensor, other: torch.Tensor, box: Box) -> bool:
    left, top, right, bottom = (round(side) for side in box)
    return bool((picture - other)[:, top:bottom, left:right].abs().amax() > 0.1)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((600, 500), (600, 500)), ((3000, 1500), (768, 384)), ((90, 60), (384, 256)), ((400, 8000), (38, 768))],
)
def test_the_longer_side_is_within_bounds(size: tuple[int, int], expected: tuple[int, int]) -> None:
    for picture in (draw_crop(crop_portrait(grey(*size), face(10, 5, 40), Settings())), draw_search(grey(*size))):
        assert picture.shape == (3, *expected)
        assert LEAST_SIDE <= max(picture.shape) <= MOST_SIDE
        assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
        assert picture.dtype == torch.float32


def test_the_crop_stays_bright_the_rest_is_darkened_and_the_face_is_tinted() -> None:
    speaker = face(300, 200, 100)
    portrait = crop_portrait(grey(500, 700), speaker, Settings(expand_ratio=0.3))
    picture = draw_crop(portrait)
    assert portrait.placement.box == (270, 170, 430, 330)
    assert picture[:, 50, 50].tolist() == pytest.approx([GREY / 2] * 3, abs=0.01)
    assert picture[:, 180, 280].tolist() == pytest.approx([GREY] * 3, abs=0.01)
    red, green, blue = picture[:, 225, 315].tolist()
    assert green > GREY > red - 0.03
    assert green > blue


def test_in_a_picture_that_is_drawn_smaller_the_crop_lies_where_it_is() -> None:
    """As above, three times as large, and shown at 768 pixels."""
    portrait = crop_portrait(grey(1500, 2100), face(900, 600, 300), Settings(expand_ratio=0.3))
    picture, scale = draw_crop(portrait), 768 / 2100
    assert portrait.placement.box == (810, 510, 1290, 990)
    for x, y, bright in ((840, 540, 1.0), (1260, 960, 1.0), (780, 600, 0.5), (1320, 900, 0.5), (900, 480, 0.5)):
        assert picture[:, round(y * scale), round(x * scale)].tolist() == pytest.approx([GREY * bright] * 3, abs=0.02)
    red, green, blue = picture[:, round(675 * scale), round(945 * scale)].tolist()
    assert green > GREY + 0.02 and green > blue > red - 0.03


def test_outline_face_and_points_lie_where_they_are() -> None:
    """A wrong scale or a wrong origin would draw them elsewhere."""
    speaker = face(300, 200, 100)
    picture = draw_crop(crop_portrait(grey(500, 700), speaker, Settings(expand_ratio=0.3)))
    assert picture[:, 170, 350].min() > 0.8
    assert picture[:, 250, 430].min() > 0.8
    for x, y in [(300, 250), (400, 250), (350, 200), (350, 300), *speaker.points]:
        red, green, blue = picture[:, round(y), round(x)].tolist()
        assert green > 0.7
        assert green - red > 0.2
        assert green - blue > 0.1


def test_the_corners_of_a_crop_are_strong_and_end_with_it() -> None:
    picture = draw_crop(crop_portrait(grey(500, 700), face(300, 200, 100), Settings(expand_ratio=0.3)))
    left, top, right, bottom = 270, 170, 430, 330
    for x, inward in ((left, 1), (right, -1)):
        for y, down in ((top, 1), (bottom, -1)):
            for along in ((9 * inward, 0), (0, 9 * down)):
                assert picture[:, y + along[1], x + along[0]].min() > 0.8
                assert picture[:, y - along[1], x - along[0]].max() < 0.5


def test_the_size_is_told_below_the_crop_and_inside_where_there_is_no_room() -> None:
    small, large = (
        draw_crop(crop_portrait(grey(500, 500), face(150, 100, 150), Settings(min_resolution=size)))
        for size in (512, 1024)
    )
    left, top, right, bottom = crop_portrait(grey(500, 500), face(150, 100, 150), Settings()).placement.box
    assert changed(small, large, (left, bottom, right, bottom + 40))
    assert not changed(small, large, (left, top, right, bottom))
    small, large = (
        draw_crop(crop_portrait(grey(500, 500), face(20, 20, 460), Settings(min_resolution=size)))
        for size in (512, 1024)
    )
    assert changed(small, large, (0, 450, 500, 500))


def test_other_faces_are_numbered_as_face_index_counts_them() -> None:
    faces = [face(400, 60, 200), face(60, 80, 150)]
    portrait = crop_portrait(grey(400, 700), faces[1], Settings(expand_ratio=0.1))
    alone, both, turned = (draw_crop(portrait, listed) for listed in ([faces[1]], faces, faces[::-1]))
    assert changed(alone, both, (395, 55, 605, 265))
    assert changed(alone, both, (60, 55, 100, 80))
    for number in ((400, 25, 460, 58), (60, 45, 100, 80)):
        assert changed(both, turned, number)
    assert not changed(both, turned, (460, 0, 700, 400))


def test_the_speaker_is_not_framed_twice() -> None:
    """The finder's box and the one that went through the crop differ by a rounding."""
    speaker = face(201.3, 99.7, 133.37)
    portrait = crop_portrait(grey(500, 500), speaker, Settings())
    assert torch.equal(draw_crop(portrait), draw_crop(portrait, [speaker]))


@pytest.mark.parametrize("other", [face(450, 350, 150), face(230, 80, 150), face(69, 80, 150), face(60, 80, 158)])
def test_another_face_is_framed_however_near_or_far_it_is(other: Face) -> None:
    """Far away in both directions, beside, overlapping by most of it, around it."""
    speaker = face(60, 80, 150)
    portrait = crop_portrait(grey(560, 700), speaker, Settings(expand_ratio=0.1))
    alone, both = draw_crop(portrait, [speaker]), draw_crop(portrait, [speaker, other])
    right = other.box[2]
    assert changed(alone, both, (right - 2, other.box[1] + 60, right + 2, other.box[3] - 20))


def test_a_picture_without_a_face_has_a_caption_and_a_ruler() -> None:
    picture = draw_search(grey(1000, 2000), "No face found")
    caption = picture[:, -60:, :]
    assert changed(caption, caption.new_full(caption.shape, float(caption[0, 2, 2])), (200, 0, 560, 60))
    assert not torch.equal(picture, draw_search(grey(1000, 2000), "Another word"))
    marks = (picture[:, 1] - GREY / 2).amax(0) > 0.3
    places = marks.nonzero()[:, 0].float() / 768 * 2000
    assert {round(float(place), -2) for place in places} == {500, 1000, 1500}


def test_faces_that_are_there_are_shown_with_their_numbers() -> None:
    plain = draw_search(grey(400, 600))
    shown = draw_search(grey(400, 600), faces=[face(300, 100, 120)])
    assert changed(plain, shown, (295, 95, 425, 225))
    assert changed(plain, shown, (300, 60, 340, 97))
    assert not changed(plain, shown, (0, 0, 290, 400))
