from __future__ import annotations

from fractions import Fraction

import torch

from sonic_core import Clip, Face, Placement, Portrait
from sonic_core.post.compose import feather, pasted

FACE = Face((10, 10, 50, 50), ((20, 20), (40, 20), (30, 30), (22, 40), (38, 40)), 1.0)


def portrait_at(box):
    source = torch.rand(3, 90, 120, generator=torch.Generator().manual_seed(1))
    return Portrait(torch.zeros(3, 64, 64), FACE, torch.ones(1, 64, 64), Placement(source, box))


def white(length=3):
    return Clip(lambda: iter([torch.ones(length, 3, 64, 64)]), Fraction(25), length, (64, 64), None)


def test_outside_the_crop_not_a_bit_changes():
    portrait = portrait_at((30, 20, 80, 70))
    clip = pasted(white(), portrait)
    frames = torch.cat(list(clip.read()))
    assert frames.shape == (3, 3, 90, 120)
    assert clip.size == (90, 120)
    outside = torch.ones(90, 120, dtype=torch.bool)
    outside[20:70, 30:80] = False
    assert torch.equal(frames[1][:, outside], portrait.placement.source[:, outside])
    assert torch.allclose(frames[1][:, 40:50, 50:60], torch.ones(3, 10, 10), atol=1e-5)


def test_the_seam_is_soft_inside_the_picture_and_absent_at_its_edge():
    weight = feather(portrait_at((0, 20, 60, 90)).placement)[..., 0]
    assert weight[35, 0] == 1
    assert weight[-1, 30] == 1
    assert weight[0, 30] < 0.1
    assert weight[35, -1] < 0.1
