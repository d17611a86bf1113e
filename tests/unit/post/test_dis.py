"""Frames between frames by flow: things move where they should, nothing becomes a ghost, cuts stay cuts."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from sonic_core.clip import Clip, frame_count
from sonic_core.errors import InputError
from sonic_core.post.interpolators.dis import DisInterpolator
from sonic_core.post.retime import retime

SIZE = (96, 128)


def texture(seed, size=SIZE, grain=2.5):
    """A picture of blobs in [0, 1], (h, w, 3)."""
    noise = np.random.default_rng(seed).standard_normal((*size, 3)).astype(np.float32)
    blobs = cv2.GaussianBlur(noise, (0, 0), grain)
    return np.clip(0.5 + 0.2 * blobs / blobs.std(), 0, 1)


def shifted(pixels, right, down):
    matrix = np.float32([[1, 0, right], [0, 1, down]])
    return cv2.warpAffine(pixels, matrix, pixels.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def scene(number, cut=None):
    """Frame ``number``: a wall that drifts, a disc in front of it that moves faster; another wall from ``cut`` on."""
    wall = shifted(texture(1 if cut is None or number < cut else 3), 0.4 * number, 0)
    disc = shifted(texture(2, grain=2.0), 2 * number - 20, 0.5 * number)
    rows, columns = np.indices(SIZE)
    away = np.hypot(rows - 40 - 0.5 * number, columns - 30 - 2 * number)
    front = np.clip(20 - away, 0, 1)[..., None].astype(np.float32)
    return torch.from_numpy(np.clip(wall + front * (disc - wall), 0, 1)).permute(2, 0, 1).contiguous()


def clip_of(frames, fps=Fraction(25), chunk=4):
    return Clip(lambda: iter(torch.stack(frames).split(chunk)), fps, len(frames), SIZE, None)


def psnr(one, other):
    return float(-10 * torch.log10((one - other).square().mean()))


@pytest.mark.parametrize("moment", [0.25, 0.5, 0.7])
def test_two_motions_arrive_where_they_should(moment):
    first, second, true = scene(4), scene(6), scene(4 + 2 * moment)
    drawn = DisInterpolator().between(first, second, moment)
    assert drawn.shape == first.shape and drawn.dtype == torch.float32 and drawn.min() >= 0 and drawn.max() <= 1
    assert psnr(drawn, true) > psnr(torch.lerp(first, second, moment), true) + 3


def test_what_appears_costs_no_more_than_blending():
    first, second = scene(4), scene(4)
    second[:, 60:80, 90:110] = torch.from_numpy(texture(9)).permute(2, 0, 1)[:, 60:80, 90:110]
    drawn = DisInterpolator().between(first, second, 0.5)
    around = torch.ones(SIZE, dtype=torch.bool)
    around[54:86, 84:116] = False
    assert (drawn - first)[:, around].abs().max() < 0.02
    middle = torch.lerp(first, second, 0.5)
    assert psnr(drawn[:, 60:80, 90:110], middle[:, 60:80, 90:110]) > 20


def test_exchanging_the_frames_mirrors_the_moment():
    first, second = scene(4), scene(6)
    one, other = DisInterpolator().between(first, second, 0.3), DisInterpolator().between(second, first, 0.7)
    assert (one - other).abs().max() < 1e-4


@pytest.mark.parametrize("moment", [0.2, 0.45, 0.5, 0.9])
def test_a_cut_is_no_ghost(moment):
    first, second = scene(4), 1 - scene(7, cut=5)
    drawn = DisInterpolator().between(first, second, moment)
    assert torch.equal(drawn, first if moment < 0.5 else second)


def test_light_and_noise_are_no_cut():
    first = scene(4)
    second = (0.8 * scene(5) + 0.02 * torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    drawn = DisInterpolator().between(first, second, 0.4)
    assert not torch.equal(drawn, first) and not torch.equal(drawn, second)


def test_frames_are_not_changed_and_what_is_given_belongs_to_the_taker():
    first, second, interpolator = scene(4), scene(6), DisInterpolator()
    kept = first.clone(), second.clone()
    once = interpolator.between(first, second, 0.5)
    wanted = once.clone()
    once.zero_()
    assert torch.equal(interpolator.between(first, second, 0.5), wanted)
    assert torch.equal(first, kept[0]) and torch.equal(second, kept[1])


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (17, 16), (33, 47)])
def test_any_size(size):
    first, second = (torch.rand(3, *size, generator=torch.Generator().manual_seed(seed)) * 0.1 for seed in (1, 2))
    drawn = DisInterpolator().between(first, second, 0.5)
    assert drawn.shape == first.shape and drawn.isfinite().all()


@pytest.mark.parametrize("fps", [24, 25, Fraction(30000, 1001), 30, 50, 60])
@pytest.mark.parametrize("length", [1, 2, 7, 26])
def test_retiming_is_just_as_long(fps, length):
    clip = clip_of([scene(number) for number in range(length)])
    fps = Fraction(fps)
    shown = retime(clip, fps).clip
    if fps == clip.fps:
        assert shown is clip
    else:
        assert shown.length == frame_count(clip.duration, fps)
        assert 0 <= shown.duration - clip.duration < 1 / fps and shown.fps == fps


def test_retiming_keeps_originals_and_draws_between():
    frames = [scene(number) for number in range(0, 16, 2)]
    shown = torch.cat(list(retime(clip_of(frames, Fraction(25, 2)), Fraction(25)).clip.read()))
    assert len(shown) == 16 and torch.equal(shown[::2], torch.stack(frames))
    for number in range(1, 15, 2):
        blend = (shown[number - 1] + shown[number + 1]) / 2
        assert psnr(shown[number], scene(number)) > psnr(blend, scene(number)) + 3


def test_retiming_across_a_cut_shows_either_scene():
    frames = [scene(number, cut=4) if number < 4 else 1 - scene(number, cut=4) for number in range(8)]
    shown = torch.cat(list(retime(clip_of(frames), Fraction(100)).clip.read()))
    assert torch.equal(shown[13], frames[3]) and torch.equal(shown[14], frames[4]) and torch.equal(shown[15], frames[4])


@pytest.mark.parametrize("fps", [0, -25])
def test_retiming_needs_a_rate(fps):
    with pytest.raises(InputError, match="above 0"):
        retime(clip_of([scene(1)]), Fraction(fps))
