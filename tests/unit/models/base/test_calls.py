"""Calls of the UNet: shallow ones that reuse an earlier call's depths, and calls that learn."""

from __future__ import annotations

import pytest
import torch

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_unet
from sonic_core.models.base.unet.calls import call_unet
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


@pytest.mark.parametrize("lean", [True, False])
def test_gradients_reach_every_parameter(lean):
    """But the keys of the image: attention over one token is that token's value, whatever its key."""
    unet = draw(empty_unet(CONFIG, lean=lean), "calls", "unet").requires_grad_(True)
    given = draw_call(CONFIG, CPU)
    for _ in range(2):  # nothing that the first pass kept is in the way of the second
        call_unet(unet, *given).square().mean().backward()
    keys = {name for name, _ in unet.named_parameters() if ".attn2.to_k." in name}
    without = {name for name, one in unet.named_parameters() if one.grad is None or not one.grad.any()}
    assert without == keys
    assert all(one.grad.isfinite().all() for one in unet.parameters() if one.grad is not None)
    with torch.inference_mode():
        expected = call_unet(unet, *given)
    assert relative(call_unet(unet, *given).detach(), expected) < 1e-5
