"""Retiming keeps the pace: every moment shows what it showed."""

from fractions import Fraction

import pytest
import torch

from sonic_core.clip import Clip
from sonic_core.devices import OwnKeeper
from sonic_core.errors import InputError, SettingsError
from sonic_core.post.interpolators.dis import DisInterpolator
from sonic_core.post.interpolators.flownet import FlowInterpolator, IFNet
from sonic_core.post.retime import Retime, best_interpolator, interpolate
from sonic_core.types import Audio

SLOW = Fraction(25, 2)


class Blend:
    """Draws the mixture of two frames, and counts how often it is asked."""

    def __init__(self):
        self.moments = []

    def between(self, first, second, moment):
        self.moments.append(moment)
        return torch.lerp(first, second, moment)


def counting(length, fps=SLOW, audio=None):
    """A clip whose frame i is i / 100 all over."""
    frames = (torch.arange(length) / 100)[:, None, None, None].expand(length, 3, 8, 10)
    return Clip(lambda: iter([frames]), fps, length, (8, 10), audio)


def values(clip):
    return torch.cat(list(clip.read()))[:, 0, 0, 0] * 100


def test_the_published_doubling_keeps_originals_at_even_places():
    source, blend = counting(7), Blend()
    frames = torch.cat(list(interpolate(source, Fraction(25), 13, blend).read()))
    assert torch.equal(frames[::2], torch.cat(list(source.read())))
    assert blend.moments == [0.5] * 6
    assert torch.allclose(frames[1::2, 0, 0, 0] * 100, torch.arange(6) + 0.5)


@pytest.mark.parametrize("fps", [24, 25, Fraction(30000, 1001), 30, 50, 60, 10, 5])
def test_every_moment_shows_what_it_showed(fps):
    fps = Fraction(fps)
    length = 60
    shown = values(interpolate(counting(25), fps, length, Blend()))
    assert len(shown) == length
    wanted = [min(float(number / fps * SLOW), 24) for number in range(length)]
    assert torch.allclose(shown, torch.tensor(wanted), atol=1e-4)


def test_frames_that_fall_together_are_the_very_frames():
    blend = Blend()
    source = counting(20, Fraction(25))
    frames = torch.cat(list(interpolate(source, Fraction(25, 3), 7, blend).read()))
    assert torch.equal(frames, torch.cat(list(source.read()))[::3]) and not blend.moments
    frames = torch.cat(list(interpolate(counting(3, Fraction(30000, 1001)), Fraction(60000, 1001), 5, blend).read()))
    assert torch.equal(frames[::2], torch.cat(list(counting(3).read()))) and blend.moments == [0.5, 0.5]


def test_the_last_frame_is_held():
    blend = Blend()
    assert values(interpolate(counting(3), Fraction(25), 9, blend)).tolist() == pytest.approx(
        [0, 0.5, 1, 1.5, 2, 2, 2, 2, 2]
    )
    assert len(blend.moments) == 2
    assert values(interpolate(counting(1), Fraction(24), 5, blend)).tolist() == [0] * 5
    assert len(blend.moments) == 2


def test_equal_frames_need_no_drawing():
    still = Clip(lambda: (torch.ones(1, 3, 8, 8) for _ in range(5)), SLOW, 5, (8, 8), None)
    blend = Blend()
    assert torch.cat(list(interpolate(still, Fraction(60), 24, blend).read())).shape == (24, 3, 8, 8)
    assert not blend.moments


def test_what_is_right_already_comes_back():
    clip = counting(5)
    assert interpolate(clip, SLOW, 5, Blend()) is clip


def test_same_rate_other_length():
    assert values(interpolate(counting(5), SLOW, 3, Blend())).tolist() == pytest.approx([0, 1, 2])
    assert values(interpolate(counting(2), SLOW, 4, Blend())).tolist() == pytest.approx([0, 1, 1, 1])


def test_rate_length_size_and_sound():
    sound = Audio(torch.zeros(1, 100), 16000)
    clip = interpolate(counting(5, audio=sound), Fraction(30), 12, Blend())
    assert (clip.fps, clip.length, clip.size) == (30, 12, (8, 10)) and clip.audio is sound


@pytest.mark.parametrize(("fps", "length"), [(0, 5), (-1, 5), (25, 0)])
def test_a_rate_and_a_length_are_needed(fps, length):
    with pytest.raises(InputError):
        interpolate(counting(5), Fraction(fps), length, Blend())


def test_changing_what_is_given_changes_nothing_later():
    clip = interpolate(counting(4), Fraction(50), 13, Blend())
    wanted, given = values(clip), []
    for chunk in clip.read():
        given.append(chunk[:, 0, 0, 0] * 100)
        chunk.zero_()
    assert torch.equal(torch.cat(given), wanted)


def test_the_network_draws_each_missing_frame_once():
    network, runs = IFNet(), []
    network.register_forward_hook(lambda *_: runs.append(1))
    source = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    clip = Clip(lambda: iter(source.split(1)), SLOW, 3, (32, 32), None)
    interpolator = FlowInterpolator(network, OwnKeeper(torch.device("cpu")))
    frames = torch.cat(list(interpolate(clip, Fraction(50), 9, interpolator).read()))
    assert len(runs) == 6 and torch.equal(frames[::4], source)
    assert frames.min() >= 0 and frames.max() <= 1


def test_the_published_interpolator_is_taken_where_it_is_found(tiny_set, empty_place):
    assert isinstance(best_interpolator([tiny_set]), FlowInterpolator)
    assert isinstance(best_interpolator(), DisInterpolator)


def test_the_published_interpolator_computes_where_it_is_told_to(tiny_set):
    own = OwnKeeper(torch.device("cpu"))
    assert best_interpolator([tiny_set], "cpu").keeper.device == torch.device("cpu")
    assert best_interpolator([tiny_set], keeper=lambda: own).keeper is own
    with pytest.raises(SettingsError, match="device must be auto or one that is here"):
        best_interpolator([tiny_set], "cuda:99")


@pytest.mark.parametrize("fps", [1e6, 1e12, 1e300, Fraction(10**6), 241, 0.5])
def test_no_rate_is_beyond_what_settings_allow(fps):
    with pytest.raises(SettingsError, match="fps must be between 1 and 240"):
        Retime(fps)
