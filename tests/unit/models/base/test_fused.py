"""Blocks with kernels of our own: they compute what the lean blocks compute, and each kernel what torch does."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from sonic_core.errors import SonicWarning
from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_unet, empty_vae
from sonic_core.models.base.unet import acceleration, fused
from sonic_core.models.base.unet.acceleration import Acceleration, accelerate, accelerate_decoder, choose_acceleration
from sonic_core.models.base.unet.calls import call_unet
from sonic_core.models.base.unet.fused import Fused
from sonic_core.models.base.unet.lean import make_lean
from sonic_core.models.base.vae import decode_chunk
from tests.parity.kit import draw
from tests.parity.make_weights import TINY
from tests.unit.models.base.plain_kernels import PlainKernels
from tests.unit.models.base.test_residual import CPU, draw_call, relative

CONFIG = BaseConfig.read(TINY)
SMALL = BaseConfig.of({"unet": {**CONFIG.unet, "layers_per_block": 1}})
ROOT = Path(__file__).resolve().parents[4]
CARD = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CARD else "cpu")


@pytest.fixture(name="unet")
def unet_fixture():
    return draw(empty_unet(SMALL), "fused", "unet")


@pytest.fixture(name="plain_kernels", autouse=True)
def plain_kernels_fixture(monkeypatch):
    """Have every device run the kernels as torch says them."""
    monkeypatch.setattr(acceleration, "card_kernels", lambda _: PlainKernels())


def called(unet, given):
    with torch.inference_mode():
        return call_unet(unet, *given)


def convolutions(network):
    return [one for one in network.modules() if isinstance(one, (nn.Conv2d, nn.Conv3d))]


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("piece", [1 << 40, 100, 1])
def test_a_fused_unet_gives_what_the_lean_one_gives(unet, rows, piece):
    given = draw_call(SMALL, CPU, rows=rows, cache=True)
    wanted = called(unet, given)
    accelerate(unet, Acceleration(fused=True, batched=True))
    unet.attention_context.piece = piece
    got = called(unet, given)
    assert got.is_contiguous(memory_format=torch.channels_last_3d) or got.shape == wanted.shape
    assert relative(got, wanted) < 1e-3
    accelerate(unet, Acceleration())
    unet.attention_context.piece = 1 << 40
    assert torch.equal(called(unet, given), wanted), "to the bit without"
    assert all(one.weight.is_contiguous() for one in convolutions(unet))


def test_a_shallow_call_is_fused_too(unet):
    given = draw_call(SMALL, CPU, rows=3, cache=True)
    with torch.inference_mode():
        wanted, deep = call_unet(unet, *given, keep_deep=True)
        accelerate(unet, Acceleration(fused=True, batched=True))
        got = call_unet(unet, *given, deep=deep)
    assert relative(got, wanted) < 1e-3


def test_maps_and_weights_have_their_channels_last(unet):
    accelerate(unet, Acceleration(fused=True, batched=True))
    seen = []
    for one in convolutions(unet):
        if isinstance(one, nn.Conv2d) and one.kernel_size != (1, 1):
            one.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    called(unet, draw_call(SMALL, CPU, cache=True))
    assert len(seen) > 3  # those outside of the blocks
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in seen[1:]), "all but what comes in"
    over_time = [one.weight for one in unet.modules() if isinstance(one, nn.Conv3d)]
    assert all(one.squeeze(-1).is_contiguous(memory_format=torch.channels_last) for one in over_time)


def test_a_move_is_followed(unet):
    given = draw_call(SMALL, CPU, cache=True)
    wanted = called(unet, given)
    accelerate(unet, Acceleration(fused=True))
    unet._apply(lambda tensor: tensor.clone(memory_format=torch.contiguous_format))
    assert relative(called(unet, given), wanted) < 1e-3
    assert not unet.conv_in.weight.is_contiguous()


def test_fused_comes_before_other_levers_of_the_blocks(unet):
    given = draw_call(SMALL, CPU, cache=True)
    wanted = called(unet, given)
    accelerate(unet, Acceleration(channels_last=True))
    accelerate(unet, Acceleration(fused=True, channels_last=True, compile=True, fused_projections=True))
    assert "forward" not in vars(unet.conv_in)
    assert unet.attention_context.transform is None
    assert relative(called(unet, given), wanted) < 1e-3


@pytest.mark.parametrize("piece", [1 << 40, 300, 1])
def test_a_fused_decoder_gives_what_the_lean_one_gives(piece, monkeypatch):
    vae = draw(empty_vae(CONFIG), "fused", "vae")
    make_lean(vae)
    latents = torch.randn(3, 4, 6, 8, generator=torch.Generator().manual_seed(1))
    wanted = decode_chunk(vae, latents)
    accelerate_decoder(vae, fused=True)
    run = Fused.convolve
    monkeypatch.setattr(
        Fused, "convolve", lambda self, block, maps, temb, frames, _: run(self, block, maps, temb, frames, piece)
    )
    assert relative(decode_chunk(vae, latents), wanted) < 1e-3
    accelerate_decoder(vae, fused=False)
    assert torch.equal(decode_chunk(vae, latents), wanted)


def test_a_decoder_holds_nothing_that_it_has_used():
    """What comes into a block is gone when the block mixes frames: plans count on it."""
    vae = draw(empty_vae(CONFIG), "fused", "vae")
    make_lean(vae)
    accelerate_decoder(vae, fused=True)
    block = vae.decoder.up_blocks[0].resnets[0]
    maps = [torch.zeros(2, block.spatial_res_block.in_channels, 8, 8)]
    with torch.inference_mode():
        block(maps, image_only_indicator=torch.zeros(1, 2))
    assert not maps


def test_a_lever_that_does_not_run_is_let_go_with_a_word(monkeypatch):
    monkeypatch.setattr(acceleration, "card_kernels", fused.card_kernels)
    with pytest.warns(SonicWarning, match=r"acceleration fused=on does not run on cpu \(.+\); going on without"):
        assert choose_acceleration("fused=on", CPU) == Acceleration()


def test_kernels_that_answer_wrongly_are_not_taken():
    class Wrong(PlainKernels):
        def gate(self, projected):
            return super().gate(projected) + 0.1

    assert fused._right(PlainKernels(), CPU)
    assert not fused._right(Wrong(), CPU)


@pytest.fixture(name="kernels")
def kernels_fixture():
    """The kernels on the card that is there, or else by Triton's interpreter (``tests/conftest.py``)."""
    pytest.importorskip("triton", reason="Triton comes with torch's builds for cards")
    return importlib.import_module("sonic_core.models.base.unet.kernels").TritonKernels()


HALF, FULL = torch.float16, torch.float32
NEAR = {HALF: 4e-3, FULL: 1e-5}


@pytest.fixture(name="number", params=[HALF, FULL], ids=["half", "float32"])
def number_fixture(request):
    return request.param


def drawn(*shape, dtype):
    chance = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=chance).to(DEVICE, dtype)


def norm_of(kind, *sizes, dtype):
    norm = kind(*sizes).to(DEVICE, dtype)
    for one in norm.parameters():
        one.data.copy_(drawn(*one.shape, dtype=dtype))
    return norm.requires_grad_(False)


def same(got, wanted):
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    assert (got.float() - wanted.float()).abs().max() < NEAR[wanted.dtype] * max(1, wanted.float().abs().max())


@pytest.mark.parametrize("width", [8, 40, 1100])
def test_gates(kernels, number, width):
    same(kernels.gate(given := drawn(2, 3, 2 * width, dtype=number)), PlainKernels().gate(given))


@pytest.mark.parametrize("width", [8, 40, 1100])
def test_tokens_are_normalised(kernels, number, width):
    norm = norm_of(nn.LayerNorm, width, dtype=number)
    hidden, change = drawn(5, width, dtype=number), drawn(5, width, dtype=number) + 1
    same(kernels.normalise(hidden.clone(), norm), norm(hidden))
    mine, other = hidden.clone(), hidden.clone()
    same(kernels.normalise(mine, norm, change), PlainKernels().normalise(other, norm, change))
    same(mine, other)


def test_moments_are_added_to_their_frames(kernels, number):
    norm, before, moments = (
        norm_of(nn.LayerNorm, 24, dtype=number),
        drawn(2, 3, 5, 24, dtype=number),
        drawn(3, 1, 24, dtype=number),
    )
    kept = before.clone()
    for got, wanted in zip(
        kernels.begin(before, norm, moments), PlainKernels().begin(before, norm, moments), strict=True
    ):
        same(got, wanted)
    assert torch.equal(before, kept)


def test_tokens_are_mixed(kernels, number):
    before, hidden, change = (drawn(2, 3, 5, 24 + one, dtype=number)[..., :24].contiguous() for one in range(3))
    mine, other, share = before.clone(), before.clone(), torch.tensor(0.3, device=DEVICE, dtype=number)
    kernels.mix(mine, hidden, change, share)
    PlainKernels().mix(other, hidden, change, share)
    same(mine, other)


@pytest.mark.parametrize("share", [None, 0.3])
def test_biases_are_added(kernels, number, share):
    maps, bias, other = drawn(2, 7, 40, dtype=number), drawn(40, dtype=number), drawn(2, 7, 40, dtype=number) + 1
    part = None if share is None else torch.tensor(share, device=DEVICE, dtype=number)
    same(kernels.add(maps.clone(), bias, other, part), PlainKernels().add(maps.clone(), bias, other, part))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("images", [0, 1, 3])
def test_masks_and_images_are_given_to_their_pixels(kernels, number, masked, images):
    hidden = drawn(3, 7, 24, dtype=number)
    mask = drawn(1, 7, 1, dtype=number) if masked else None
    image = None if not images else drawn(24, dtype=number) if images == 1 else drawn(3, 1, 24, dtype=number)
    got = kernels.mask_and_add(hidden.clone(), mask, image, 7)
    same(got, PlainKernels().mask_and_add(hidden.clone(), mask, image, 7))


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("silu", [False, True])
@pytest.mark.parametrize("size", [(1, 8, 2), (150, 96, 32), (4200, 10, 1)], ids=str)
def test_maps_are_normalised(kernels, number, size, silu, shifted):
    pixels, channels, groups = size
    norm = norm_of(nn.GroupNorm, groups, channels, dtype=number)
    maps = drawn(2, pixels, channels, dtype=number) + 3
    shift = drawn(2, channels, dtype=number) if shifted else None
    wanted = PlainKernels().group_norm(maps, norm, silu=silu, shift=shift)
    same(kernels.group_norm(maps, norm, silu=silu, shift=shift), wanted)


def test_every_kernel_compiles_for_cards_that_are_not_there(tmp_path):
    pytest.importorskip("triton", reason="Triton comes with torch's builds for cards")
    known = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.models.base.compile_kernels"],
        cwd=ROOT,
        env=known | {"TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 8 * 3 * 3, done.stdout
