"""Faces laid over a picture or a video: each is whole, and what lies beside them stays to the bit."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from sonic_core import Audio, Clip, Face, InputError, Placement, Portrait, Source
from sonic_core.post.compose import Compose, Layer, compose, feather, paste, weigh

FACE = Face((10, 10, 50, 50), ((20, 20), (40, 20), (30, 30), (22, 40), (38, 40)), 1.0)
SIZE = (90, 120)
RATE = Fraction(25)


def picture(seed=1):
    return torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(seed))


def portrait_at(box):
    return Portrait(torch.zeros(3, 64, 64), FACE, torch.ones(1, 64, 64), Placement(picture(), box))


def shade(value, length=3, size=(64, 64), chunk=2):
    """A clip of one shade."""
    frames = torch.full((length, 3, *size), float(value))
    return Clip(lambda: iter(frames.split(chunk)), RATE, length, size, None)


def video(length=5):
    frames = torch.stack([picture(seed) for seed in range(length)])
    return Clip(lambda: iter(frames.split(2)), RATE, length, SIZE, None), frames


def read(staged):
    frames = torch.cat(list(staged.clip.read()))
    assert frames.shape == (staged.clip.length, 3, *staged.clip.size)
    return frames


def outside(*places):
    beside = torch.ones(SIZE, dtype=torch.bool)
    for left, top, right, bottom in places:
        beside[top:bottom, left:right] = False
    return beside


def test_outside_the_crop_not_a_bit_changes():
    portrait = portrait_at((30, 20, 80, 70))
    frames = read(paste(shade(1), portrait))
    assert frames.shape == (3, 3, *SIZE)
    beside = outside((30, 20, 80, 70))
    assert torch.equal(frames[1][:, beside], portrait.placement.source[:, beside])
    assert torch.allclose(frames[1][:, 40:50, 50:60], torch.ones(3, 10, 10), atol=1e-5)


def test_a_clip_that_shows_more_than_the_crop_is_laid_where_it_says():
    portrait = portrait_at((30, 20, 80, 70))
    wide = replace(shade(1), placement=Placement(portrait.placement.source, (10, 5, 110, 85)))
    for staged in (paste(wide, portrait), Compose(Source(picture()), ((30, 20, 80, 70),)).apply(wide)):
        frames = read(staged)
        assert torch.equal(frames[0][:, outside((10, 5, 110, 85))], picture()[:, outside((10, 5, 110, 85))])
        assert torch.allclose(frames[0][:, 15:75, 20:100], torch.ones(3, 60, 80), atol=1e-5)
        assert staged.clip.placement is None


def test_the_seam_is_soft_inside_the_picture_and_absent_at_its_edge():
    weight = feather((0, 20, 60, 90), SIZE)[..., 0]
    assert weight[35, 0] == 1
    assert weight[-1, 30] == 1
    assert weight[0, 30] < 0.1
    assert weight[35, -1] < 0.1
    assert (feather((0, 0, 120, 90), SIZE) == 1).all()


def test_two_faces_in_one_picture_do_not_overwrite_each_other():
    """Two crops that overlap by a third of their width: the middle of each, where its face is, is its own alone."""
    places = (10, 20, 60, 70), (43, 10, 93, 60)
    layers = [(shade(value), (place,), None) for value, place in zip((0, 1), places, strict=True)]
    frames = read(compose(Source(picture()), layers))
    assert torch.equal(frames[0][:, outside(*places)], picture()[:, outside(*places)])
    for value, (left, top, right, bottom) in zip((0, 1), places, strict=True):
        middle = frames[:, :, top + 10 : bottom - 10, left + 10 : right - 10]
        assert torch.allclose(middle, torch.full_like(middle, value), atol=1e-6)
    assert torch.allclose(read(compose(Source(picture()), layers[::-1])), frames, atol=1e-6), "in whichever order"


def test_neighbours_share_a_pixel_and_no_pixel_is_given_twice():
    places = [(10, 10, 70, 70), (30, 15, 90, 75), (20, 25, 80, 85)]
    layers = [Layer(shade(0), (place,)) for place in places]
    total = torch.zeros(SIZE)
    alone = torch.zeros(SIZE)
    for (left, top, right, bottom), weight in zip(places, weigh(layers, places, SIZE), strict=True):
        assert weight.min() >= 0
        total[top:bottom, left:right] += torch.from_numpy(weight[..., 0])
        cover = torch.from_numpy(feather((left, top, right, bottom), SIZE)[..., 0])
        alone[top:bottom, left:right] = torch.maximum(alone[top:bottom, left:right], cover)
    assert total.max() <= 1 + 1e-6
    assert total[25:70, 30:70].min() > 0.7, "what all cover shows little of the picture behind"
    pair = weigh(layers[:2], places[:2], SIZE)
    inner = pair[0][10:50, 25:50, 0] + pair[1][5:45, 5:30, 0]
    assert inner == pytest.approx(1, abs=1e-6), "of two, what both cover whole is shared out whole"


def test_outside_the_masks_not_a_bit_changes():
    place, mask = (30, 20, 80, 70), torch.zeros(1, 50, 50)
    mask[:, 15:35, 10:40] = 1
    frames = read(compose(Source(picture()), [(shade(1), (place,), mask)]))
    beside = outside((40, 35, 70, 55))
    assert torch.equal(frames[2][:, beside], picture()[:, beside])
    assert torch.allclose(frames[2][:, 36:54, 41:69], torch.ones(3, 18, 28), atol=1e-6)


def test_faces_whose_masks_are_apart_are_whole_however_their_crops_lie():
    places = [(10, 10, 70, 70), (20, 10, 80, 70)]
    masks = torch.zeros(2, 1, 60, 60)
    masks[0, :, 20:40, 10:25], masks[1, :, 20:40, 30:50] = 1, 1
    layers = [(shade(value), (place,), mask) for value, place, mask in zip((0, 1), places, masks, strict=True)]
    frames = read(compose(Source(picture()), layers))
    beside = outside((20, 30, 35, 50), (50, 30, 70, 50))
    assert torch.equal(frames[0][:, beside], picture()[:, beside])
    assert frames[0][:, 30:50, 20:35].abs().max() < 1e-6
    assert (frames[0][:, 30:50, 50:70] - 1).abs().max() < 1e-6


def test_a_face_goes_with_the_video_and_is_laid_only_where_it_is_seen():
    behind, frames = video()
    places = [(5, 5, 45, 45), (15, 15, 55, 55), None, (60, 40, 110, 90)]
    staged = compose(Source(behind), [(shade(1, length=4, size=(40, 40)), places, None)])
    made = read(staged)
    assert len(made) == 5
    for number, place in enumerate([*places, None]):
        beside = outside(*filter(None, [place]))
        assert torch.equal(made[number][:, beside], frames[number][:, beside])
        if place is not None:
            left, top, right, bottom = place
            inner = made[number][:, top + 5 : bottom - 5, left + 5 : right - 5]
            assert torch.allclose(inner, torch.ones_like(inner), atol=1e-5)
    assert torch.equal(read(staged), made), "it can be read again"


def test_two_faces_of_a_video_are_laid_over_every_frame():
    behind, frames = video()
    layers = [(shade(0, 5), ((5, 5, 45, 45),), None), (shade(1, 5), ((50, 30, 100, 80),), None)]
    made = read(compose(Source(behind), layers))
    beside = outside((5, 5, 45, 45), (50, 30, 100, 80))
    assert torch.equal(made[:, :, beside], frames[:, :, beside])
    assert (made[:, :, 20, 20] == 0).all()
    assert torch.allclose(made[:, :, 55, 75], torch.ones(5, 3), atol=1e-6)


def test_a_picture_lasts_as_long_as_its_longest_face_and_has_the_first_one_s_sound():
    sound = Audio(torch.zeros(1, 100), 16000)
    first = replace(shade(0, 2), audio=sound)
    staged = compose(Source(picture()), [(first, ((0, 0, 40, 40),), None), (shade(1, 6), ((60, 0, 100, 40),), None)])
    frames = read(staged)
    assert len(frames) == 6 and staged.clip.audio is sound
    assert (frames[1][:, 20, 20] == 0).all() and torch.equal(frames[2][:, :50, :50], picture()[:, :50, :50])
    assert "2 faces laid over a picture" in staged.report.reason


def test_the_picture_behind_stays_as_it_was():
    behind = picture()
    read(compose(Source(behind), [(shade(1), ((30, 20, 80, 70),), None)]))
    assert torch.equal(behind, picture())


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([], "at least one"),
        ([(shade(0, 6), ((0, 0, 9, 9),), None)], "no more than the video's 5 frames, got 6"),
        ([(shade(0), ((0, 0, 9, 9), None), None)], "1 placement or 3, one per frame; got 2"),
        ([(shade(0), ((0, 0, 121, 9),), None)], "inside 120×90 pixels"),
        ([(shade(0), ((9, 0, 9, 9),), None)], "inside 120×90 pixels"),
        ([(replace(shade(0), fps=Fraction(30)), ((0, 0, 9, 9),), None)], "25 frames per second, got 30"),
    ],
)
def test_what_does_not_fit_is_one_sentence(layers, words):
    with pytest.raises(InputError, match=words):
        compose(Source(video()[0]), layers)


def test_leaving_early_ends_background_and_faces():
    log = []

    def logged(clip, name):
        def frames():
            try:
                yield from clip.read()
            finally:
                log.append(name)

        return replace(clip, read=frames)

    staged = compose(Source(logged(video()[0], "behind")), [(logged(shade(1, 5), "face"), ((0, 0, 9, 9),), None)])
    reader = staged.clip.read()
    next(reader)
    reader.close()
    assert sorted(log) == ["behind", "face"]


def test_a_face_that_ends_before_it_said_so_ends_the_video_too():
    short = replace(shade(1, 3), length=5)
    made = compose(Source(video()[0]), [(short, ((0, 0, 9, 9),), None)]).clip
    assert sum(map(len, made.read())) == 3


def test_a_source_has_as_many_frames_in_its_track():
    assert Source(picture(), (FACE,)).length == 1
    assert Source(video()[0], (FACE, None, FACE, FACE, None)).size == SIZE
    with pytest.raises(InputError, match="each of 5 frames; got 2"):
        Source(video()[0], (FACE, None))
