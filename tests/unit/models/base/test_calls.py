"""Calls of the UNet: shallow ones that reuse an earlier call's depths, and calls that learn."""

from __future__ import annotations

import pytest
import torch

from sonic_core.models.base.calls import call_unet
from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_unet
from tests.parity.kit import draw
from tests.parity.make_weights import TINY
from tests.unit.models.base.test_residual import CPU, FRAMES, draw_call, relative

CONFIG = BaseConfig.read(TINY)


@pytest.fixture(scope="module")
def unet():
    return draw(empty_unet(CONFIG), "calls", "unet")


@pytest.mark.parametrize("size", [(16, 24), (12, 10)])
def test_a_shallow_call_with_its_own_depths_is_the_whole_call(unet, size):
    given = draw_call(CONFIG, CPU, size=size)
    with torch.inference_mode():
        plain = call_unet(unet, *given)
        whole, deep = call_unet(unet, *given, keep_deep=True)
        shallow = call_unet(unet, *given, deep=deep)
        again, same = call_unet(unet, *given, deep=deep, keep_deep=True)
    assert torch.equal(whole, plain)
    assert deep.shape == (3 * FRAMES, CONFIG.unet["block_out_channels"][1], *size)
    assert relative(shallow, whole) < 1e-5
    assert torch.equal(again, shallow)
    assert same is deep


def test_a_shallow_call_sees_the_present_noise(unet):
    given = draw_call(CONFIG, CPU)
    with torch.inference_mode():
        _, deep = call_unet(unet, *given, keep_deep=True)
        later = call_unet(unet, given[0] * 0.9, given[1] - 0.2, *given[2:])
        shallow = call_unet(unet, given[0] * 0.9, given[1] - 0.2, *given[2:], deep=deep)
        before = call_unet(unet, *given)
    assert relative(shallow, later) < relative(before, later)


@pytest.mark.slow
def test_a_shallow_call_is_a_third_of_the_work():
    from benchmarks.unet import count_operations

    whole, shallow = (count_operations(512, 1, shallow=shallow) for shallow in (False, True))
    assert 0.3 < shallow / whole < 0.4
