"""Every pixel is rounded the same way, wherever it goes, and comes back as it went."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sonic_core.media.pixels import as_bytes, as_frames, as_words, resize_bytes, resize_lanczos, shrink


def steps_between(levels: int) -> torch.Tensor:
    """The floats nearest to where rounding to ``levels`` steps turns, and what lies outside of [0, 1]."""
    turns = ((np.arange(levels) + 0.5) / levels).astype(np.float32)
    beside = [np.nextafter(turns, np.float32(way)) for way in (-1, 2)]
    values = np.concatenate([turns, *beside, np.linspace(-0.5, 1.5, 3 * 997, dtype=np.float32)])
    return torch.from_numpy(values[: len(values) // 3 * 3].reshape(3, 1, -1))


def test_bytes_are_rounded_and_clipped_as_torch_does_it():
    image = steps_between(255)
    wanted = (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
    assert np.array_equal(as_bytes(image), wanted.numpy())
    assert as_bytes(image).flags.c_contiguous and as_bytes(image[:1]).shape == (1, image.shape[2], 1)


def test_words_are_rounded_and_clipped_as_torch_does_it():
    image = steps_between(65535)
    wanted = (image.clamp(0, 1) * 65535).round().permute(1, 2, 0).numpy().astype(np.uint16)
    assert np.array_equal(as_words(image), wanted)


@pytest.mark.parametrize(("kind", "back"), [(np.uint8, as_bytes), (np.uint16, as_words)])
@pytest.mark.parametrize("turned", [False, True])
def test_what_comes_from_whole_numbers_goes_back_to_them(kind, back, turned):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (5, 7, 3), kind, endpoint=True)
    pixels = np.rot90(pixels) if turned else pixels
    frames = as_frames([pixels, pixels[::-1]])
    assert frames.shape == (2, 3, *pixels.shape[:2]) and frames.dtype == torch.float32
    assert torch.equal(frames[0], torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32)) / np.iinfo(kind).max)
    assert np.array_equal(back(frames[0]), pixels) and np.array_equal(back(frames[1]), pixels[::-1])


@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_is_pillows_on_bytes(channels):
    image = torch.rand(channels, 40, 60, generator=torch.Generator().manual_seed(0))
    pixels = as_bytes(image)
    theirs = Image.fromarray(pixels[..., 0] if channels == 1 else pixels).resize((33, 50), Image.Resampling.LANCZOS)
    assert np.array_equal(resize_bytes(pixels, (50, 33)), np.asarray(theirs).reshape(50, 33, channels))
    resized = resize_lanczos(image, (50, 33))
    assert resized.shape == (channels, 50, 33) and np.array_equal(as_bytes(resized), resize_bytes(pixels, (50, 33)))
    same = resize_lanczos(image, (40, 60))
    assert torch.equal(same, image) and same is not image


def test_what_is_shrunk_by_halves_is_the_mean_of_what_it_covers():
    blocks = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    pixels = np.kron(blocks, np.ones((16, 16, 1), np.uint8))
    assert np.array_equal(shrink(pixels, (5, 6)), blocks)
    odd = np.pad(pixels, ((0, 1), (0, 1), (0, 0)), mode="edge")
    assert np.abs(shrink(odd, (5, 6)).astype(int) - blocks).max() <= 1
    assert shrink(pixels[:1], (1, 2)).shape == (1, 2, 3)
