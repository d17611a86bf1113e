"""How much is computed at once: more memory never gives less, and what is planned fits."""

from __future__ import annotations

import itertools

import pytest
import torch

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.plan import LEAST_PIECE, SPARE, Job, lighter, make_plan

GPU, CPU = torch.device("cuda"), torch.device("cpu")
GIGABYTE = 10**9
UNET, DECODER = 3_050_000_000, 130_000_000


def job(side=64, frames=375, overlap=0, dtype=torch.float16):
    return Job(BaseConfig(), (side, side), frames, 25, overlap, dtype)


@pytest.mark.parametrize("device", [GPU, CPU])
@pytest.mark.parametrize("side", [32, 64, 96, 128])
def test_more_memory_never_gives_less(device, side):
    plans = [
        make_plan(job(side), device, int(free * GIGABYTE), UNET, DECODER) for free in (0.5, 2, 4, 6, 8, 12, 24, 80)
    ]
    for less, more in itertools.pairwise(plans):
        assert more.rows >= less.rows
        assert more.windows >= less.windows
        assert more.piece >= less.piece
        assert more.chunk >= less.chunk
        assert more.cache_audio >= less.cache_audio


@pytest.mark.parametrize("free", [6, 8, 12, 16, 24, 48, 80])
@pytest.mark.parametrize("side", [32, 64, 96])
def test_a_plan_fits_or_is_the_least_there_is(free, side):
    work = job(side)
    plan = make_plan(work, GPU, free * GIGABYTE, UNET, DECODER)
    cached = work.audio_cache_bytes() if plan.cache_audio else 0
    least = plan.piece <= LEAST_PIECE << 2
    assert UNET + plan.working + cached <= free * GIGABYTE * SPARE or least
    assert DECODER + plan.decoding <= free * GIGABYTE * SPARE or plan.chunk == 1
    assert plan.working == work.unet_bytes(plan.rows, plan.piece)


def test_a_large_card_does_all_at_once():
    plan = make_plan(job(), GPU, 80 * GIGABYTE, UNET, DECODER)
    assert (plan.windows, plan.rows, plan.chunk, plan.cache_audio) == (1, 3, 8, True)


def test_small_windows_share_a_call_on_a_card():
    plan = make_plan(job(16), GPU, 80 * GIGABYTE, UNET, DECODER)
    assert plan.rows == 3 * plan.windows
    assert 1 < plan.windows <= 4
    assert make_plan(job(16, frames=20), GPU, 80 * GIGABYTE, UNET, DECODER).windows == 1
    assert make_plan(job(16), CPU, 80 * GIGABYTE, UNET, DECODER).windows == 1


@pytest.mark.parametrize("device", [GPU, CPU])
@pytest.mark.parametrize("free", [1, 8, 80])
def test_lightening_ends(device, free):
    work = job()
    plan, steps = make_plan(work, device, free * GIGABYTE, UNET, DECODER), 0
    while (following := lighter(plan, work)) is not None:
        assert following.working <= plan.working
        assert following != plan
        plan, steps = following, steps + 1
        assert steps < 20
    assert (plan.rows, plan.piece, plan.cache_audio) == (1, LEAST_PIECE, False)
    assert "1 of " in str(plan)


def test_estimates_grow_with_what_they_depend_on():
    base = job()
    assert job(96).unet_bytes(1, 4096) > base.unet_bytes(1, 4096)
    assert base.unet_bytes(3, 4096) > base.unet_bytes(1, 4096)
    assert job(dtype=torch.float32).unet_bytes(1, 4096) == pytest.approx(2 * base.unet_bytes(1, 4096))
    assert base.decoder_bytes(8) == pytest.approx(8 * base.decoder_bytes(1))
    assert job(frames=750).audio_cache_bytes() == 2 * base.audio_cache_bytes()


def test_cached_keys_and_values_are_counted_as_they_are():
    """What a UNet's attention processors really cache of a clip."""
    from sonic_core.models.base.attention import AudioTokens
    from sonic_core.models.base.networks import empty_unet
    from tests.parity.make_weights import TINY

    config = BaseConfig.read(TINY)
    tokens = torch.zeros(5, config.audio2token["context_tokens"], config.audio2token["output_dim"])
    unet = empty_unet(config).to_empty(device="cpu")
    audio = AudioTokens(tokens, CPU, torch.float32, cache=True)
    cached = [audio.cached(one) for one in unet.attn_processors.values() if hasattr(one, "to_k_ip")]
    total = sum(keys.nbytes + values.nbytes for keys, values in cached)
    assert total == Job(config, (8, 8), 5, 5, 0, torch.float32).audio_cache_bytes()
