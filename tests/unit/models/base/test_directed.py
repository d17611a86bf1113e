"""Of a direction the diffusion model hears the scales; that it can be told no more is said before it begins."""

from __future__ import annotations

import pytest
import torch

import sonic_core as sonic
from sonic_core.models.base.conditions import FrameSound, PassingSound, WholeSound, movement_scales


def test_scales_are_read_at_every_frame(settings):
    fixed = movement_scales(settings(dynamic_scale=1.2, motion_scale=0.5), 4)
    assert torch.allclose(fixed, torch.tensor([0.6, 1.2]))
    moving = settings(dynamic_scale=1.2, direction={"motion_scale": "linear 0:0, .24:3"})
    assert torch.allclose(movement_scales(moving, 4), torch.tensor([[0.0, 1.2], [1.2, 1.2], [2.4, 1.2], [3.6, 1.2]]))


def test_a_sound_that_is_still_coming_is_scaled_as_a_whole_one(settings):
    import threading

    heard = FrameSound(torch.zeros(6, 1), torch.rand(6, 2, generator=torch.Generator().manual_seed(0)))
    scales = movement_scales(settings(direction="dynamic_scale=0:1, .4:2"), 6)
    parts = iter([FrameSound(heard.tokens[:4], heard.buckets[:4]), FrameSound(heard.tokens[4:], heard.buckets[4:])])
    passing, whole = PassingSound(parts, scales, threading.RLock()), WholeSound(heard, scales)
    passing.reach(5)
    assert torch.equal(passing.buckets[torch.arange(6)], whole.buckets[torch.arange(6)])
    assert whole.buckets[5, 1] > 1.9 * heard.buckets[5, 1]


def test_directed_scales_change_the_clip_and_constant_ones_do_not(tiny_model, conditions, settings):
    def made(**options):
        return torch.cat(list(tiny_model.animate(conditions, settings(**options)).read()))

    plain = made()
    assert torch.equal(made(direction={"dynamic_scale": 1, "motion_scale": 1}), plain)
    assert not torch.equal(made(direction={"dynamic_scale": "0:1, .5:4"}), plain)


def test_what_it_cannot_be_told_is_refused_before_anything_is_read(tiny_model, settings):
    model = sonic.TalkingPortrait("sonic-base", tiny_model)
    with pytest.raises(
        sonic.SettingsError, match="sonic-base can be directed by dynamic_scale and motion_scale alone, got head_yaw, s"
    ):
        model.generate(image="absent.png", audio="absent.wav", direction={"head_yaw": 5, "smile": 1})
