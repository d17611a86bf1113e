"""The tiny decoder: its published names and shapes, its sums, and that a clip may be cut anywhere."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from sonic_core.errors import CheckpointError
from sonic_core.models.base.tiny_vae import decode_tiny, empty_tiny_vae, load_tiny_vae


def drawn_tensors() -> dict[str, torch.Tensor]:
    """Draw the decoder's tensors, as large as keeps the size of what passes through them."""
    chance = torch.Generator().manual_seed(3)
    return {
        name: torch.randn(like.shape, generator=chance) * (like[0].numel() ** -0.5 if like.ndim > 1 else 0.1)
        for name, like in empty_tiny_vae().state_dict().items()
    }


@pytest.fixture(scope="module")
def tensors():
    return drawn_tensors()


@pytest.fixture
def path(tmp_path, tensors):
    """A file as published: with an encoder beside the decoder."""
    torch.save({**tensors, "encoder.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "taesdv.pth")
    return tmp_path / "taesdv.pth"


def latents(frames: int, side: int = 3) -> torch.Tensor:
    return torch.randn(frames, 4, side, side + 1, generator=torch.Generator().manual_seed(frames)) * 2


def plain(tensors: dict[str, torch.Tensor], frames: torch.Tensor) -> torch.Tensor:
    """Decode a clip frame by frame, layer by layer, straight from the published layout."""

    def convolved(name: str, values: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(values, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"), padding=1)

    pictures, before = [], {}
    for frame in frames:
        hidden = convolved("decoder.1", 3 * torch.tanh(frame[None] / 3)).relu()
        for number in range(3, 20):
            name = f"decoder.{number}"
            if number in (6, 11, 16):
                hidden = hidden.repeat_interleave(2, -1).repeat_interleave(2, -2)
            elif number in (7, 12, 17, 19):
                hidden = convolved(name, hidden)
            else:
                both = torch.cat([hidden, before.get(number, torch.zeros_like(hidden))], 1)
                before[number] = hidden
                inner = convolved(f"{name}.conv.2", convolved(f"{name}.conv.0", both).relu()).relu()
                hidden = (convolved(f"{name}.conv.4", inner) + hidden).relu()
        pictures.append(hidden[0])
    return torch.stack(pictures).clamp(0, 1)


def test_names_and_shapes_are_the_published_ones():
    shapes = {name: tuple(tensor.shape) for name, tensor in empty_tiny_vae().state_dict().items()}
    expected = {"decoder.1.weight": (64, 4, 3, 3), "decoder.1.bias": (64,)}
    for number in (3, 4, 5, 8, 9, 10, 13, 14, 15, 18):
        for layer, inputs in ((0, 128), (2, 64), (4, 64)):
            expected[f"decoder.{number}.conv.{layer}.weight"] = (64, inputs, 3, 3)
            expected[f"decoder.{number}.conv.{layer}.bias"] = (64,)
    for number in (7, 12, 17):
        expected[f"decoder.{number}.weight"] = (64, 64, 3, 3)
    assert shapes == {**expected, "decoder.19.weight": (3, 64, 3, 3), "decoder.19.bias": (3,)}


def test_it_computes_what_the_published_layout_says(path, tensors):
    frames, _ = decode_tiny(load_tiny_vae(path), latents(5))
    expected = plain(tensors, latents(5))
    assert frames.shape == (5, 3, 24, 32)
    assert frames.dtype == torch.float32
    assert float(expected.std()) > 0.05
    assert torch.allclose(frames, expected, atol=1e-5)


def test_frames_at_once_are_the_same_frames(path, tensors):
    with torch.no_grad():
        pixels, memory = load_tiny_vae(path)(latents(5))
        more, _ = load_tiny_vae(path)(latents(2), memory)
    expected = plain(tensors, torch.cat([latents(5), latents(2)]))
    assert torch.allclose(torch.cat([pixels, more]).clamp(0, 1), expected, atol=1e-5)


@pytest.mark.parametrize("sizes", [[1] * 7, [3, 4], [6, 1]])
def test_chunk_by_chunk_is_all_at_once_to_the_bit(path, sizes):
    network, clip = load_tiny_vae(path), latents(7)
    whole, left = decode_tiny(network, clip)
    memory, parts = None, []
    for part in clip.split(sizes):
        frames, memory = decode_tiny(network, part, memory)
        parts.append(frames)
    assert torch.equal(torch.cat(parts), whole)
    assert len(memory) == len(left) == 10
    assert all(map(torch.equal, memory, left))
    alone, _ = decode_tiny(network, clip[6:])
    assert not torch.allclose(alone[0], whole[6], atol=1e-3), "a frame depends on the one before it"


def test_half_precision_is_close(path):
    whole, _ = decode_tiny(load_tiny_vae(path), latents(3))
    half = load_tiny_vae(path, torch.bfloat16)
    assert {parameter.dtype for parameter in half.parameters()} == {torch.bfloat16}
    frames, memory = decode_tiny(half, latents(3))
    assert (frames.dtype, memory[0].dtype) == (torch.float32, torch.bfloat16)
    assert torch.allclose(frames, whole, atol=0.1)


def test_it_may_lie_in_safetensors_and_other_networks_are_refused(tmp_path, tensors):
    save_file(tensors, tmp_path / "taesdv.safetensors")
    assert torch.equal(load_tiny_vae(tmp_path / "taesdv.safetensors").decoder[1].bias, tensors["decoder.1.bias"])
    save_file({**tensors, "decoder.1.weight": torch.zeros(64, 16, 3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"other\.safetensors is of another network: decoder\.1\.weight"):
        load_tiny_vae(tmp_path / "other.safetensors")
