"""How much is computed at once: more memory never gives less, and what is planned fits."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.plan import LEAST_PIECE, MARGIN, SPARE, Workload, _options, lighter, make_plan

GPU, CPU = torch.device("cuda"), torch.device("cpu")
GIGABYTE = 10**9
UNET, DECODER = 3_050_000_000, 130_000_000


def job(side=64, frames=375, overlap=0, dtype=torch.float16):
    return Workload(BaseConfig(), (side, side), frames, 25, overlap, dtype)


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
        assert more.convolution_piece >= less.convolution_piece
        assert more.chunk >= less.chunk
        assert more.cache_audio >= less.cache_audio


@pytest.mark.parametrize("free", [6, 8, 12, 16, 24, 48, 80])
@pytest.mark.parametrize("side", [32, 64, 96])
def test_a_plan_fits_or_is_the_least_there_is(free, side):
    work = job(side)
    plan = make_plan(work, GPU, free * GIGABYTE, UNET, DECODER)
    cached = work.audio_cache_bytes() if plan.cache_audio else 0
    least = lighter(replace(plan, cache_audio=False), work) is None
    assert UNET + plan.working + cached <= free * GIGABYTE * SPARE or least
    assert DECODER + plan.decoding <= free * GIGABYTE * SPARE or plan.chunk == 1
    assert plan.working == work.unet_bytes(plan.rows, plan.piece, plan.convolution_piece)


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
        taken = plan.working + (work.audio_cache_bytes() if plan.cache_audio else 0)
        assert following.working + (work.audio_cache_bytes() if following.cache_audio else 0) < taken
        plan, steps = following, steps + 1
        assert steps < 20
    assert (plan.rows, plan.cache_audio) == (1, False)
    assert LEAST_PIECE < plan.piece < 1 << 15, "less would save nothing"
    assert "1 of " in str(plan)


@pytest.mark.parametrize("side", [64, 96, 128])
def test_where_convolutions_bound_the_memory_they_are_cut(side):
    plans, plan = [], make_plan(job(side), GPU, 80 * GIGABYTE, UNET, DECODER)
    while plan is not None:
        plans.append(plan)
        plan = lighter(plan, job(side))
    assert len({one.working for one in plans}) >= len(plans) - 1, "each but the cached sound's saves working memory"
    assert plans[-1].working < 0.75 * job(side).unet_bytes(1, LEAST_PIECE)


@pytest.mark.parametrize(("side", "gigabytes", "frames"), [(128, 8, 4), (96, 6, 4)])
def test_large_pictures_fit_small_cards(side, gigabytes, frames):
    weights = 3_150_000_000
    plan = make_plan(job(side), GPU, gigabytes * GIGABYTE, weights, 2 * DECODER)
    cached = job(side).audio_cache_bytes() if plan.cache_audio else 0
    assert weights + plan.working + cached <= gigabytes * GIGABYTE * SPARE
    assert 2 * DECODER + plan.decoding <= gigabytes * GIGABYTE * SPARE
    assert plan.chunk >= frames


@pytest.mark.slow
@pytest.mark.parametrize("size", [512, 768, 1024])
def test_estimates_are_what_is_alive(size):
    """Every option that a plan may choose, counted at full size without computing."""
    from benchmarks.unet import count_alive, count_decoder

    work = job(size // 8)
    options = list(_options(work, host=False))[: 5 if size == 512 else 4]  # smaller pieces take minutes to count
    for rows, piece, cut in options:
        alive = count_alive(size, rows, piece, cut)
        assert work.unet_bytes(rows, piece, cut) / MARGIN == pytest.approx(alive, rel=0.1), (rows, piece, cut)
    for frames in (1, 2, 4, 8):
        assert 0.9 < work.decoder_bytes(frames) / MARGIN / count_decoder(size, frames) < 1.2, frames


def test_estimates_grow_with_what_they_depend_on():
    base = job()
    assert job(96).unet_bytes(1, 4096) > base.unet_bytes(1, 4096)
    assert base.unet_bytes(3, 4096) > base.unet_bytes(1, 4096)
    assert job(dtype=torch.float32).unet_bytes(1, 4096) == pytest.approx(2 * base.unet_bytes(1, 4096))
    assert base.decoder_bytes(4) == pytest.approx(4 * base.decoder_bytes(1))
    assert job(128).decoder_bytes(8) < 8 * job(128).decoder_bytes(1)
    assert job(frames=750).audio_cache_bytes() == 2 * base.audio_cache_bytes()


def test_cached_keys_and_values_are_counted_as_they_are():
    """What a UNet's attention processors really cache of a clip."""
    from sonic_core.models.base.networks import empty_unet
    from sonic_core.models.base.unet.attention import AudioTokens
    from tests.parity.make_weights import TINY

    config = BaseConfig.read(TINY)
    tokens = torch.zeros(5, config.audio2token["context_tokens"], config.audio2token["output_dim"])
    unet = empty_unet(config).to_empty(device="cpu")
    audio = AudioTokens(tokens, CPU, torch.float32, cache=True)
    cached = [audio.cached(one) for one in unet.attn_processors.values() if hasattr(one, "to_k_ip")]
    total = sum(keys.nbytes + values.nbytes for keys, values in cached)
    assert total == Workload(config, (8, 8), 5, 5, 0, torch.float32).audio_cache_bytes()
