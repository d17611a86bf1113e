"""Decoding chunk by chunk: nothing is lost, no seam shows, and reading twice gives the same."""

from __future__ import annotations

import pytest
import torch

from sonic_core.models.base.config import LATENT_SCALE
from sonic_core.models.base.image_features import clip_pixels
from sonic_core.models.base.vae import ChunkLayout, decode_chunk, decoded, signed


def ramp(count):
    """Latents that carry their number."""
    return torch.arange(count, dtype=torch.float32)[:, None, None, None].expand(count, 4, 2, 2)


def show(latents):
    """Decode each frame by itself."""
    return latents[:, :3].repeat_interleave(2, 2).repeat_interleave(2, 3).clone()


class Uneven:
    """A decoder that adds a constant of its own to every chunk, alternating, and remembers what it was given."""

    def __init__(self):
        self.given = []

    def __call__(self, latents):
        self.given.append([int(number) for number in latents[:, 0, 0, 0]])
        return show(latents) + len(self.given) % 2


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 16, 37])
@pytest.mark.parametrize(("chunk", "fade"), [(8, 4), (8, 0), (6, 4), (3, 4), (2, 4), (1, 4), (1, 0), (5, 2), (40, 4)])
def test_every_frame_comes_once_and_in_its_place(count, chunk, fade):
    decoder = Uneven()
    given = decoder.given
    frames = torch.cat(list(decoded(ramp(count), count, ChunkLayout(chunk, fade), show)))
    assert torch.equal(frames, show(ramp(count))) or torch.allclose(frames, show(ramp(count)), atol=1e-5)
    assert sum(map(len, decoded(ramp(count), count, ChunkLayout(chunk, fade), decoder))) == count
    assert {number for numbers in given for number in numbers} == set(range(count))
    assert all(len(numbers) <= chunk for numbers in given)
    assert [numbers[0] for numbers in given] == sorted({numbers[0] for numbers in given})


def test_the_published_layout_is_plain_chunks():
    decoder = Uneven()
    sizes = [len(part) for part in decoded(ramp(20), 20, ChunkLayout(8, fade=0), decoder)]
    assert sizes == [8, 8, 4]
    assert decoder.given == [list(range(8)), list(range(8, 16)), list(range(16, 20))]


def test_the_last_chunk_is_as_long_as_the_others():
    decoder = Uneven()
    list(decoded(ramp(15), 15, ChunkLayout(8), decoder))
    assert all(len(numbers) == 8 for numbers in decoder.given)
    assert decoder.given[-1][-1] == 14


@pytest.mark.parametrize(("chunk", "fade", "count"), [(8, 2, 38), (8, 4, 33), (6, 1, 16), (4, 2, 12), (12, 3, 61)])
def test_no_seam_shows(chunk, fade, count):
    """Chunks that differ by 1 fade into each other: no step is larger than 1 / (overlap + 1)."""
    frames = torch.cat(list(decoded(ramp(count), count, ChunkLayout(chunk, fade), Uneven()))) - show(ramp(count))
    steps = frames[:, 0, 0, 0].diff().abs()
    assert float(steps.max()) <= 1 / (fade + 1) + 1e-5
    hard = torch.cat(list(decoded(ramp(count), count, ChunkLayout(chunk, fade=0), Uneven()))) - show(ramp(count))
    assert float(hard[:, 0, 0, 0].diff().abs().max()) == 1


@pytest.mark.parametrize(("count", "most"), [(125, 168), (38, 52), (250, 336)])
def test_little_is_decoded_twice(count, most):
    decoder = Uneven()
    list(decoded(ramp(count), count, ChunkLayout(), decoder))
    assert sum(map(len, decoder.given)) <= most


@pytest.mark.parametrize("count", [1, 7, 8, 9, 37])
def test_frames_are_decoded_as_they_become_final(count):
    """What is not yet needed is not asked for, and what comes is the same."""
    asked = []

    def passing():
        for number, frame in enumerate(ramp(count)):
            asked.append(number)
            yield frame

    reader = decoded(passing(), count, ChunkLayout(8), Uneven())
    chunks = [next(reader)]
    assert len(asked) == min(8, count)
    chunks += reader
    assert torch.equal(torch.cat(chunks), torch.cat(list(decoded(ramp(count), count, ChunkLayout(8), Uneven()))))
    assert asked == list(range(count))


def test_reading_twice_gives_the_same_even_after_memory_ran_out():
    layout, left = ChunkLayout(8), [2]

    class Running(Uneven):
        """Runs out of memory at the third chunk of the first reading, and decodes half from then on."""

        def __call__(self, latents):
            left[0] -= 1
            if left[0] == -1:
                latents = latents[: len(latents) // 2]
                layout.chunk = len(latents)
            return super().__call__(latents)

    first, second = Running(), Running()
    once = torch.cat(list(decoded(ramp(37), 37, layout, first)))
    again = torch.cat(list(decoded(ramp(37), 37, layout, second)))
    assert len(once) == 37
    assert [len(numbers) for numbers in first.given[:4]] == [8, 8, 4, 4]
    assert first.given == second.given
    assert torch.equal(once, again)


@pytest.mark.parametrize("others", [0, 1, 5])
def test_readers_at_the_same_time_do_not_disturb_each_other(others):
    layout = ChunkLayout(8)
    alone = torch.cat(list(decoded(ramp(30), 30, layout, Uneven())))
    readers = [decoded(ramp(30), 30, layout, Uneven()) for _ in range(others + 1)]
    read = [[next(reader) for reader in readers]]
    read += zip(*readers, strict=True)
    for parts in zip(*read, strict=True):
        assert torch.equal(torch.cat(parts), alone)


class Decoder(torch.nn.Module):
    """The VAE's form: its decoder overflows in half precision once latents are large."""

    def __init__(self):
        super().__init__()
        self.decoder = torch.nn.Linear(1, 1)

    def decode(self, latents, num_frames):
        assert num_frames == len(latents)
        weights = next(self.decoder.parameters())
        assert latents.dtype == weights.dtype
        sample = latents[:, :3] * torch.tensor(60000.0, dtype=weights.dtype) / 60000
        return type("Output", (), {"sample": sample})


def test_pixels_are_scaled_and_clamped():
    latents = torch.tensor([-5.0, -1, 0, 0.5, 5])[:, None, None, None].expand(5, 4, 1, 1) * LATENT_SCALE
    pixels = decode_chunk(Decoder(), latents)
    assert torch.allclose(pixels[:, 0, 0, 0], torch.tensor([0, 0, 0.5, 0.75, 1]))


def test_a_decoder_that_overflows_goes_on_in_float32():
    vae = Decoder().half()
    pixels = decode_chunk(vae, torch.full((2, 4, 1, 1), 4 * LATENT_SCALE))
    assert next(vae.decoder.parameters()).dtype == torch.float32
    assert bool((pixels == 1).all())


def test_pictures_are_brought_to_what_networks_saw():
    assert torch.equal(signed(torch.tensor([0.0, 0.5, 1.0])), torch.tensor([-1.0, 0.0, 1.0]))
    grey = clip_pixels(torch.full((3, 100, 60), 102 / 255))
    assert grey.shape == (1, 3, 224, 224)
    expected = (102 / 255 - torch.tensor([0.48145466, 0.4578275, 0.40821073])) / torch.tensor(
        [0.26862954, 0.26130258, 0.27577711]
    )
    torch.testing.assert_close(grey[0, :, 100, 100], expected)
