"""The VAE: from an image to latents, and from latents to a stream of frames.

The decoder mixes neighbouring frames and normalises over all frames it is given, so that each chunk comes out a little
different. The release decodes chunk by chunk and flickers once a chunk; here chunks share frames and fade into each
other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from ...types import Frames
from .config import LATENT_SCALE

PUBLISHED_CHUNK = 8
"""Frames that the release decodes together."""
FADE = 2
"""Frames that chunks share. Where two chunks differ, no frame shows more than a third of the step to the next; and
eight frames are decoded for every six that are shown, where a fade over half a chunk decodes two for one."""

Decode = Callable[[torch.Tensor], Frames]
"""From latents (n, 4, h, w) to frames (n, 3, 8h, 8w) in [0, 1] on the CPU."""


def signed(image: torch.Tensor) -> torch.Tensor:
    """Bring pixels from [0, 1] to the VAE's [−1, 1]."""
    return image * 2 - 1


@torch.inference_mode()
def reference_latents(vae: Any, image: torch.Tensor) -> torch.Tensor:  # noqa: ANN401 - diffusers' type, imported late
    """Encode an image (3, h, w) in [0, 1]: the distribution's mode, unscaled, (4, h/8, w/8) float32 on the CPU."""
    weights = next(vae.parameters())
    pixels = signed(image)[None].to(weights.device, weights.dtype)
    return vae.encode(pixels).latent_dist.mode()[0].float().cpu()


@dataclass(eq=False)
class ChunkLayout:
    """Which frames are decoded together; it remembers what it once did, so that reading twice gives the same."""

    chunk: int = PUBLISHED_CHUNK
    """Frames of the next chunk; lowered when memory runs out."""
    fade: int = FADE
    """Frames that a chunk shares with the next one, at most half of its own; 0 shares none, as published."""
    done: dict[int, int] = field(default_factory=dict)
    """Sizes of the chunks that were decoded, by their first frame."""

    def size(self, start: int) -> int:
        """Tell how many frames are decoded together from ``start`` on."""
        return self.done.get(start, self.chunk)

    def overlap(self, start: int) -> int:
        """Tell how many frames the chunk at ``start`` shares with the next one."""
        return min(self.fade, self.size(start) // 2)


def decoded(
    latents: torch.Tensor | Iterator[torch.Tensor], count: int, layout: ChunkLayout, decode: Decode
) -> Iterator[Frames]:
    """Decode a clip chunk by chunk.

    Args:
        latents: (frames, 4, h, w) on the CPU, or (4, h, w) one after the other.
        count: How many there are.
        layout: Which frames are decoded together; ``decode`` may lower ``layout.chunk`` and give fewer frames.
        decode: Decodes some frames.

    Yields:
        (n, 3, 8h, 8w) in [0, 1], ``count`` frames in all.
    """
    waiting, start, tail = _Waiting(iter(latents)), 0, None
    while True:
        frames = decode(waiting.between(start, min(count, start + layout.size(start))))
        layout.done[start] = len(frames)
        end = start + len(frames)
        if tail is not None and len(tail):
            frames[: len(tail)] = _faded(tail, frames[: len(tail)])
        if end == count:
            yield frames
            return
        overlap = layout.overlap(start)
        following = end - overlap
        if overlap:  # the last chunk is as long as the others
            following = max(min(following, count - layout.size(following)), start + 1)
        yield frames[: following - start]
        tail, start = frames[following - start :], following


class _Waiting:
    """Latents that were made and are not decoded for the last time."""

    def __init__(self, latents: Iterator[torch.Tensor]) -> None:
        self.latents = latents
        self.held: list[torch.Tensor] = []
        self.first = 0

    def between(self, start: int, end: int) -> torch.Tensor:
        """Return some, (n, 4, h, w); what is before ``start`` is forgotten."""
        del self.held[: start - self.first]
        self.first = start
        while self.first + len(self.held) < end:
            self.held.append(next(self.latents))
        return torch.stack(self.held[: end - start])


def _faded(old: Frames, new: Frames) -> Frames:
    """Fade from ``old`` to ``new`` over their frames, neither quite there at either end."""
    shares = torch.arange(1, len(old) + 1) / (len(old) + 1)
    return old.lerp(new[: len(old)], shares[:, None, None, None])


@torch.no_grad()
def decode_chunk(vae: Any, latents: torch.Tensor) -> Frames:  # noqa: ANN401
    """Decode latents (n, 4, h, w) with ``AutoencoderKLTemporalDecoder``: (n, 3, 8h, 8w) in [0, 1] on the CPU.

    Half precision can overflow inside the decoder; then it is turned to float32, for good, and the chunk done again.
    """
    weights = next(vae.decoder.parameters())
    pixels = vae.decode((latents / LATENT_SCALE).to(weights.device, weights.dtype), num_frames=len(latents)).sample
    if weights.dtype == torch.float16 and not bool(pixels.isfinite().all()):
        vae.decoder.float()
        return decode_chunk(vae, latents)
    return pixels.float().mul_(0.5).add_(0.5).clamp_(0, 1).cpu()
