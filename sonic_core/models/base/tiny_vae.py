"""A tiny decoder in place of the VAE's: 0.18 TFLOP a frame of 512² where that one takes 3.04, and fine detail lost.

Its temporal blocks look one frame back and nowhere else, so it decodes a stream as it comes: what a chunk leaves behind
is the last frame's input of each such block, and nothing has to be decoded twice.

Source: TAESDV by Ollin Boer Bohan (github.com/madebyollin/taesdv, MIT); names and shapes as in its ``taesdv.pth``.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from ...types import Frames
from ...weights.read import load_into

LEVELS = 3
"""How often the picture doubles its sides."""
BLOCKS = 3
"""Temporal blocks before each doubling; one more follows the last."""
WIDTH = 64
"""Channels everywhere inside."""
SOFT_LIMIT = 3.0
"""Latents are drawn softly inside ± this before anything else."""
ENCODER = "encoder."
"""Beginning of the names in the file that are not the decoder's."""

TinyMemory = tuple[torch.Tensor, ...]
"""What each temporal block saw of the last frame, (1, 64, h, w) each, the first block first."""


class SoftClamp(nn.Module):
    """Keep values inside ± ``SOFT_LIMIT``, nearly unchanged around 0."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return values of the same shape."""
        return torch.tanh(values / SOFT_LIMIT) * SOFT_LIMIT


class LookBack(nn.Module):
    """A residual block of three convolutions over a frame and the one before it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, frames: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        """Go through frames (n, width, h, w), each beside what came before it, of the same shape."""
        return functional.relu_(self.conv(torch.cat([frames, before], 1)).add_(frames))


class TinyDecoder(nn.Module):
    """TAESDV's decoder; its parameters are the published ``decoder.…``."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        layers: list[nn.Module] = [SoftClamp(), nn.Conv2d(channels, WIDTH, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(LEVELS):
            layers += [LookBack(WIDTH) for _ in range(BLOCKS)]
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)]
        self.decoder = nn.Sequential(*layers, LookBack(WIDTH), nn.Conv2d(WIDTH, 3, 3, padding=1))

    def forward(self, latents: torch.Tensor, memory: TinyMemory | None = None) -> tuple[torch.Tensor, TinyMemory]:
        """Decode frames that follow one another.

        Args:
            latents: (n, 4, h, w), scaled as inside the diffusion process.
            memory: What the frames before these left behind; None before a clip's first frame.

        Returns:
            (n, 3, 8h, 8w), about [0, 1], and what the frames after these need.
        """
        hidden, left = latents, []
        for layer in self.decoder:
            if isinstance(layer, LookBack):
                first = torch.zeros_like(hidden[:1]) if memory is None else memory[len(left)]
                left.append(hidden[-1:].clone())
                hidden = layer(hidden, torch.cat([first, hidden[:-1]]))
            else:
                hidden = layer(hidden)
        return hidden, tuple(left)


def empty_tiny_vae() -> TinyDecoder:
    """Build the decoder on the meta device, waiting for its weights."""
    with torch.device("meta"):
        return TinyDecoder().eval().requires_grad_(False)


def load_tiny_vae(path: Path, dtype: torch.dtype = torch.float32) -> TinyDecoder:
    """Read the decoder from TAESDV's file, whose encoder is left alone.

    Args:
        path: ``taesdv.pth``, or the same tensors as ``.safetensors``.
        dtype: Type it computes in; half precision suffices.

    Raises:
        CheckpointError: The file cannot be read, or is of another network.
    """
    network = empty_tiny_vae()
    load_into(network, path, dtype=dtype, ignore=(ENCODER,))
    return network


@torch.no_grad()
def decode_tiny(
    network: TinyDecoder, latents: torch.Tensor, memory: TinyMemory | None = None
) -> tuple[Frames, TinyMemory]:
    """Decode a chunk of a clip; chunk by chunk gives what the whole clip at once gives.

    On the processor frames go one by one: it costs no time there, and the sums are the same to the bit however a clip
    is cut. Elsewhere a chunk goes at once.

    Args:
        network: From ``load_tiny_vae``, on any device.
        latents: (n, 4, h, w), n ≥ 1, scaled as inside the diffusion process: they are not divided by ``LATENT_SCALE``.
        memory: From the chunk before; None for a clip's first.

    Returns:
        (n, 3, 8h, 8w) float32 in [0, 1] on the CPU, and the memory for the next chunk, on the network's device.
    """
    weights = next(network.parameters())
    parts = []
    for part in latents.split(1 if weights.device.type == "cpu" else len(latents)):
        pixels, memory = network(part.to(weights.device, weights.dtype), memory)
        parts.append(pixels.float().clamp_(0, 1).cpu())
    return torch.cat(parts), memory if memory is not None else ()
