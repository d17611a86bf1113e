"""The UNet with its economies gives what the stock UNet gives when everything is spelt out."""

from __future__ import annotations

import pytest
import torch

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import empty_unet
from sonic_core.models.base.unet.attention import AudioTokens, BatchConditioning, Branch, FaceMask, ImageToken
from tests.parity.kit import draw, relative_error
from tests.parity.plain import call_unet, plain_unet

CPU = torch.device("cpu")
WIDTH, TOKENS, FRAMES = 32, 6, 3
ONE = {"block_out_channels": [32, 64, 64, 64], "num_attention_heads": [1, 2, 4, 2], "layers_per_block": 1}
TWO = {"block_out_channels": [32, 32, 64, 64], "num_attention_heads": [2, 1, 2, 8], "layers_per_block": 2}


def config_of(sizes):
    others = {
        "cross_attention_dim": WIDTH,
        "addition_time_embed_dim": 16,
        "projection_class_embeddings_input_dim": 48,
        "transformer_layers_per_block": 1,
        "in_channels": 8,
        "out_channels": 4,
        "sample_size": 8,
    }
    return BaseConfig.of({"unet": others | sizes})


@pytest.fixture(scope="module")
def pairs():
    """Lean and plain UNets of two sizes."""
    made = {}
    for name, sizes in (("one", ONE), ("two", TWO)):
        config = config_of(sizes)
        made[name] = draw(empty_unet(config), "plain", "unet"), *plain_unet(config, "plain")
    return made


def draw_inputs(rows, size):
    """Draw what ``rows`` branches get; the first has no image, only the last has other audio tokens for every frame."""
    chance = torch.Generator().manual_seed(rows * 1000 + size[0])
    sample = torch.randn(rows, FRAMES, 8, *size, generator=chance)
    pictures = torch.randn(rows, WIDTH, generator=chance)
    pictures[0] = 0
    sounds = torch.randn(rows, FRAMES, TOKENS, WIDTH, generator=chance)
    sounds[:-1] = sounds[:-1, :1]
    mask = torch.zeros(1, 8 * size[0], 8 * size[1])
    mask[:, 20 : 5 * size[0], 11 : 4 * size[1]] = 1
    return sample, pictures, sounds, mask


@pytest.mark.parametrize(
    ("sizes", "rows", "size", "how"),
    [
        ("one", 1, (16, 16), (1, True)),
        ("one", 2, (16, 24), (100, False)),
        ("one", 3, (24, 20), (1 << 40, True)),  # 24 × 20, 12 × 10, 6 × 5, 3 × 3
        ("one", 3, (20, 36), (333, False)),
        ("two", 2, (24, 20), (50, True)),
        ("two", 3, (16, 24), (1 << 12, False)),
    ],
)
def test_one_call(pairs, sizes, rows, size, how):
    """``how``: pixels of a piece, and whether keys and values are cached."""
    piece, cache = how
    lean, stock, plain = pairs[sizes]
    sample, pictures, sounds, mask = draw_inputs(rows, size)
    branches = [
        Branch(
            ImageToken(picture) if picture.any() else None,
            (
                AudioTokens(sound, CPU, torch.float32, cache=cache)
                if last
                else AudioTokens(sound[:1], CPU, torch.float32, cache=cache)
            ).window(),
        )
        for picture, sound, last in zip(pictures, sounds, [row == rows - 1 for row in range(rows)], strict=True)
    ]
    ids = torch.tensor([[12.5, 18.0, 15.0]]).expand(rows, -1)
    lean.attention_context.batch = BatchConditioning(branches, FaceMask(mask, size, len(ONE["block_out_channels"])))
    lean.attention_context.piece = piece
    with torch.inference_mode():
        got = lean(sample, torch.tensor(0.4), torch.zeros(rows, 1, 1), ids, return_dict=False)[0]
    lean.attention_context.batch = None
    expected = call_unet(
        stock,
        plain,
        sample=sample,
        image_tokens=pictures[:, None].repeat_interleave(FRAMES, 0),
        audio_tokens=sounds.flatten(0, 1),
        mask=mask[None],
        ids=ids,
        timestep=torch.tensor(0.4).item(),
    )
    assert relative_error(got, expected.numpy()) < 1e-5


@pytest.mark.parametrize("cache", [True, False])
def test_a_window_of_a_longer_sound(pairs, cache):
    """Frames of a clip in any order, one of them twice, give what they give alone."""
    lean, _, _ = pairs["one"]
    sample, pictures, _, mask = draw_inputs(2, (16, 16))
    indices = torch.tensor([4, 0, 4])
    clip = torch.randn(6, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))
    answers = []
    for window in (
        AudioTokens(clip, CPU, torch.float32, cache=cache).window(indices),
        AudioTokens(clip[indices], CPU, torch.float32, cache=False).window(),
    ):
        lean.attention_context.batch = BatchConditioning(
            [Branch(ImageToken(pictures[1]), window)], FaceMask(mask, (16, 16), 4)
        )
        with torch.inference_mode():
            answers.append(
                lean(sample[:1], torch.tensor(0.4), torch.zeros(1, 1, 1), torch.ones(1, 3), return_dict=False)[0]
            )
    lean.attention_context.batch = None
    assert relative_error(answers[0], answers[1].numpy()) < 1e-5


def test_the_stock_forms_with_audio_attention_give_the_same(pairs):
    """Without the leaner forms the attention processors compute the same in the stock UNet."""
    lean, _, _ = pairs["one"]
    stock = draw(empty_unet(config_of(ONE), lean=False), "plain", "unet")
    sample, pictures, sounds, mask = draw_inputs(3, (16, 16))
    answers = []
    for unet in (lean, stock):
        branches = [
            Branch(ImageToken(picture), AudioTokens(sound, CPU, torch.float32, cache=True).window())
            for picture, sound in zip(pictures, sounds, strict=True)
        ]
        unet.attention_context.batch = BatchConditioning(branches, FaceMask(mask, (16, 16), 4))
        with torch.inference_mode():
            answers.append(
                unet(sample, torch.tensor(0.4), torch.zeros(3, 1, 1), torch.ones(3, 3), return_dict=False)[0]
            )
        unet.attention_context.batch = None
    assert relative_error(answers[0], answers[1].numpy()) < 1e-5
