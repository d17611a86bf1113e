"""Convolutions over time, and residual blocks whole and in pieces."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_unet, empty_vae
from sonic_core.models.base.unet import passes
from sonic_core.models.base.unet.attention import AudioTokens, BatchConditioning, Branch, FaceMask, ImageToken
from sonic_core.models.base.unet.calls import call_unet
from sonic_core.models.base.unet.lean import make_lean
from sonic_core.models.base.unet.residual import WHOLE, _statistics, convolve_flat, convolve_over_time
from sonic_core.models.base.vae import decode_chunk
from tests.parity.kit import draw
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


def relative(got, expected):
    return float((got - expected).norm() / expected.norm())


@pytest.fixture(scope="module")
def tiny_unet():
    return draw(empty_unet(BaseConfig.read(TINY)), "residual", "unet")


@pytest.fixture
def context(tiny_unet):
    """The UNet's context, put back as it was."""
    context = tiny_unet.attention_context
    yield context
    context.piece = context.convolution_piece = WHOLE
    context.batched = None


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("cut", [1, 100, 700])
def test_a_call_in_pieces_gives_what_it_gives_whole(tiny_unet, context, rows, cut):
    given = draw_call(BaseConfig.read(TINY), CPU, rows=rows, size=(24, 20))
    with torch.inference_mode():
        whole = call_unet(tiny_unet, *given)
        context.convolution_piece = cut
        got = call_unet(tiny_unet, *given)
    assert relative(got, whole) < 1e-5
    assert not torch.equal(got, whole), "it was cut"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_pieces_lose_no_digits_in_half_precision(dtype):
    """Statistics are taken over numbers far from zero, whose squares would lose theirs."""
    norm = nn.GroupNorm(4, 16).to(dtype).requires_grad_(False)
    torch.manual_seed(0)
    hidden = (torch.randn(1, 16, 5, 12, 10) * 0.5 + 30).to(dtype)
    factor, addend = _statistics(norm, hidden)
    exact = functional.group_norm(hidden.double(), 4, eps=norm.eps)
    assert relative(hidden.double() * factor + addend, exact) < 1e-4


@pytest.mark.parametrize("batched", [False, True])
def test_all_branches_together_give_what_each_gives(tiny_unet, context, batched):
    """Also where windows share a call, and a branch has tokens of its own in every frame."""
    given = draw_call(BaseConfig.read(TINY), CPU, rows=6, size=(16, 24), cache=True)
    with torch.inference_mode():
        apart = torch.cat(
            [
                call_unet(tiny_unet, *(one[row : row + 1] for one in given[:3]), replace(given[3], branches=[branch]))
                for row, branch in enumerate(given[3].branches)
            ]
        )
        context.batched, context.piece = batched, 1000
        assert relative(call_unet(tiny_unet, *given), apart) < 1e-5


def test_together_branches_take_fewer_kernels():
    unet, counts = on_meta(empty_unet(BaseConfig.read(TINY))), []
    for batched in (False, None):
        unet.attention_context.batched = batched
        with torch.inference_mode(), Watch() as watch:
            call_unet(unet, *draw_call(BaseConfig.read(TINY), META, dtype=torch.float16))
        counts.append(watch.count)
    apart, together = counts
    assert together < 0.7 * apart


@pytest.mark.parametrize("piece", [1, 300, 5000])
def test_a_decoder_in_pieces_gives_what_it_gives_whole(monkeypatch, piece):
    vae = draw(empty_vae(BaseConfig.read(TINY)), "residual", "vae")
    latents = torch.randn(3, 4, 6, 8, generator=torch.Generator().manual_seed(2))
    stock = decode_chunk(vae, latents)
    make_lean(vae)
    whole = decode_chunk(vae, latents)
    torch.testing.assert_close(whole, stock, rtol=1e-5, atol=1e-5)
    monkeypatch.setattr(passes, "DECODER_PIECE", piece)
    monkeypatch.setattr(passes, "WHOLE", piece)  # what a processor takes
    cut = decode_chunk(vae, latents)
    torch.testing.assert_close(cut, stock, rtol=1e-5, atol=1e-5)
    assert not torch.equal(cut, whole), "it was cut"
