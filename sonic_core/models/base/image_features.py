"""From an image to CLIP's embedding of it."""

from __future__ import annotations

from typing import Any

import torch

from ...media.pixels import resize_lanczos

CLIP_SIDE = 224
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation of CLIP's training images (Radford et al., arXiv 2103.00020)."""

# ruff: noqa: ANN401 - transformers' classes are imported late


def clip_pixels(image: torch.Tensor) -> torch.Tensor:
    """Squash an image (3, h, w) in [0, 1] to CLIP's square and normalise it: (1, 3, 224, 224)."""
    squashed = resize_lanczos(image, (CLIP_SIDE, CLIP_SIDE))
    mean, deviation = (torch.tensor(numbers)[:, None, None] for numbers in (CLIP_MEAN, CLIP_DEVIATION))
    return ((squashed - mean) / deviation)[None]


@torch.inference_mode()
def image_embedding(clip: Any, image: torch.Tensor) -> torch.Tensor:
    """Embed an image (3, h, w) in [0, 1] with ``CLIPVisionModelWithProjection``: (1, width) float32 on the CPU."""
    weights = next(clip.parameters())
    pixels = clip_pixels(image).to(weights.device, weights.dtype)
    return clip(pixels).image_embeds.float().cpu()
