"""Convolutions over time, and residual blocks whole and in pieces."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sonic_core.models.base.attention import AudioTokens, BatchConditioning, Branch, FaceMask, ImageToken
from sonic_core.models.base.calls import call_unet
from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.lean import make_lean
from sonic_core.models.base.networks import empty_unet, empty_vae
from sonic_core.models.base.residual import convolve_flat, convolve_over_time
from sonic_core.models.base.vae import decode_chunk
from tests.parity.make_weights import TINY
from tests.unit.models.base.watching import Watch

META, CPU = torch.device("meta"), torch.device("cpu")
FRAMES = 4


def on_meta(network, dtype=torch.float16):
    """Make a network's weights say what they weigh, and hold nothing."""
    return nn.Module.to(network, device="meta", dtype=dtype)


def draw_call(config, device, *, rows=3, size=(16, 16), frames=FRAMES, dtype=torch.float32, cache=False):
    """Draw the inputs of a UNet call whose last row alone has tokens of its own for every frame."""
    chance = torch.Generator().manual_seed(5)
    width = config.unet["cross_attention_dim"]

    def draw(*shape):
        return torch.randn(shape, generator=chance).to(device, dtype)

    picture = ImageToken(draw(width))
    audio = AudioTokens(draw(frames + 3, 6, width), device, dtype, cache=cache).window(torch.arange(frames))
    silence = AudioTokens(draw(1, 6, width), device, dtype, cache=cache).window()
    branches = [Branch(None, silence), Branch(picture, silence), Branch(picture, audio)]
    branches = [branches[row % 3] for row in range(rows)] if rows > 1 else branches[2:]
    mask = FaceMask((draw(1, 8 * size[0], 8 * size[1]) > 0).to(dtype), size, 4)
    ids = torch.tensor([12.5, 18.0, 15.0], device=device).expand(rows, -1)
    moments = torch.full((rows,), 0.4, device=device)
    return draw(rows, frames, 8, *size), moments, ids, BatchConditioning(branches, mask)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_convolution_over_time_is_one_over_two_dimensions(kernel):
    torch.manual_seed(kernel)
    convolution = nn.Conv3d(6, 4, (kernel, 1, 1), padding=(kernel // 2, 0, 0))
    hidden = torch.randn(2, 5, 6, 7, 3).transpose(1, 2)
    expected = convolution(hidden)
    torch.testing.assert_close(convolve_flat(convolution, hidden), expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(convolve_over_time(convolution, hidden), expected), "a processor keeps its bits"


@pytest.mark.parametrize("lean", [True, False])
def test_no_convolution_of_the_unet_has_three_dimensions_on_a_card(lean):
    config = BaseConfig.read(TINY)
    unet = on_meta(empty_unet(config, lean=lean))
    with torch.inference_mode(), Watch() as watch:
        call_unet(unet, *draw_call(config, META, dtype=torch.float16))
    assert set(watch.dimensions) == {2}
    assert watch.dimensions[2] > 50


@pytest.mark.parametrize("lean", [True, False])
def test_no_convolution_of_the_decoder_has_three_dimensions_on_a_card(lean):
    vae = on_meta(empty_vae(BaseConfig.read(TINY)))
    if lean:
        make_lean(vae)
    latents = torch.empty(FRAMES, 4, 8, 8, device="meta", dtype=torch.float16)
    with torch.inference_mode(), Watch() as watch:
        vae.decode(latents, num_frames=FRAMES)
    assert set(watch.dimensions) == {2}


def test_on_a_processor_they_keep_three():
    config = BaseConfig.read(TINY)
    vae = empty_vae(config).to_empty(device="cpu")
    with torch.inference_mode(), Watch() as watch:
        decode_chunk(vae, torch.zeros(2, 4, 8, 8))
    assert watch.dimensions[3] == sum(isinstance(one, nn.Conv3d) for one in vae.modules())
