"""Attention where no fused kernel takes the heads as they are."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from sonic_core.models.base.unet import attend as kernels
from sonic_core.models.base.unet.attend import attend, kernel_width, taken_width


@pytest.fixture
def case():
    """Queries, keys, values, and what attention over three heads of 20 channels gives."""
    chance = torch.Generator().manual_seed(3)
    q, k, v = (torch.randn(2, count, 60, generator=chance) for count in (37, 11, 11))
    apart = [one.unflatten(-1, (3, 20)).transpose(1, 2) for one in (q, k, v)]
    return q, k, v, functional.scaled_dot_product_attention(*apart).transpose(1, 2).flatten(2)


@pytest.mark.parametrize("wide", [20, 24, 64, 0])
def test_heads_that_are_refused_are_filled_up_or_sliced(case, monkeypatch, wide):
    *given, expected = case
    monkeypatch.setattr(kernels, "kernel_width", lambda *_: wide)
    monkeypatch.setattr(kernels, "MOST_SCORES", 100)
    seen, run = [], functional.scaled_dot_product_attention
    monkeypatch.setattr(
        kernels.functional, "scaled_dot_product_attention",
        lambda q, k, v, **options: seen.append(q.shape) or run(q, k, v, **options),
    )  # fmt: skip
    torch.testing.assert_close(attend(*given, 3), expected, rtol=1e-5, atol=1e-6)
    assert {shape[-1] for shape in seen} == {wide or 20}
    assert len(seen) == (1 if wide else 19), "scores are held for few queries at a time"


def test_more_heads_than_a_grid_has_blocks_are_split(case, monkeypatch):
    *given, expected = case
    monkeypatch.setattr(kernels, "MOST_HEADS", 2)
    assert torch.equal(attend(*given, 3), expected)


def test_widths_are_asked_for_in_order_of_cost():
    asked = []
    assert taken_width(72, lambda wide: asked.append(wide) or wide == 128) == 128
    assert asked == [72, 72, 128]
    assert taken_width(100, lambda wide: wide % 8 == 0) == 104
    assert taken_width(512, lambda wide: wide <= 256) == 0


def test_devices_without_fused_kernels_hold_few_scores():
    assert kernel_width(torch.device("mps"), torch.float16, 64) == 0
    assert kernel_width(torch.device("cpu"), torch.float32, 20) == 20
    assert kernel_width(torch.device("cuda"), torch.float16, 64) == 64
