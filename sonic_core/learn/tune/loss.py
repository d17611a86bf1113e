"""How far a prediction is from what it should have been: v-prediction at a noise level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from ...models.base.config import MODEL_FPS
from ...models.base.denoise import deviation, timestep
from ...models.base.unet.attention import AudioTokens, BatchConditioning, Branch, FaceMask, ImageToken
from .examples import Example
from .network import conditioned

# ruff: noqa: ANN401 - diffusers' type is imported late


def velocity(clean: torch.Tensor, noise: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return what the UNet should say of ``clean + sigma · noise``: (noise − sigma · clean) / √(sigma² + 1).

    With it ``denoise.denoised`` gives ``clean``. Its plain squared error is that of the denoised estimate weighted by
    (sigma² + 1) / sigma², so that every noise level counts alike.

    Source: Karras et al., arXiv 2206.00364, section 5, for data of deviation 1; Salimans and Ho, arXiv 2202.00512.
    """
    return (noise - sigma * clean) / deviation(sigma)


def predict(unet: Any, example: Example) -> torch.Tensor:
    """Ask the UNet, which must be conditioned by ``conditioning_of``, for the velocity of an example: (n, 4, h, w)."""
    return answer_of(unet, example, example.clean + example.sigma * example.noise, example.sigma)


def answer_of(unet: Any, example: Example, noisy: torch.Tensor, sigma: float) -> torch.Tensor:
    """Ask it for the velocity of other noisy frames, (n, 4, h, w) at noise level ``sigma``, in an example's place."""
    weights = unet.conv_in.weight
    image = torch.zeros_like(example.clean[0]) if example.image is None else example.image
    inputs = torch.cat([noisy / deviation(sigma), image.expand_as(noisy)], 1)[None].to(weights)
    moment = torch.full((1,), timestep(sigma), device=weights.device)
    ids = torch.tensor([[MODEL_FPS, *example.buckets]], device=weights.device)
    nothing = inputs.new_zeros(1, 1, 1)  # image and audio tokens are in the attention context
    return unet(inputs, moment, nothing, ids, return_dict=False)[0][0]


def conditioning_of(unet: Any, example: Example) -> BatchConditioning:
    """Make what the UNet's attention reads of an example."""
    weights = unet.conv_in.weight
    device, dtype, (height, width) = weights.device, weights.dtype, example.clean.shape[2:]
    tokens = AudioTokens(example.tokens.to(device, dtype), device, dtype, cache=False).window()
    picture = None if example.embedding is None else ImageToken(example.embedding.to(device, dtype))
    levels = len(unet.config.block_out_channels)
    mask = FaceMask(example.mask.to(device, dtype), (height, width), levels)
    return BatchConditioning([Branch(picture, tokens)], mask)


def errors_of(unet: Any, example: Example) -> torch.Tensor:
    """Return the weighted squared errors of an example, (n, 4, h, w) float32 on the UNet's device."""
    said = predict(unet, example).float()
    wanted = velocity(example.clean, example.noise, example.sigma).to(said.device)
    return (said - wanted).square() * example.weight.to(said.device)


def learn_from(unet: Any, examples: Sequence[Example], count: int) -> float:
    """Add the gradients of some examples to those that are there, one example after the other.

    Args:
        unet: What learns.
        examples: Those to learn from here.
        count: Examples of the step, those that are learned from elsewhere included.

    Returns:
        Their share in the step's loss.
    """
    total = 0.0
    for example in examples:
        with conditioned(unet, conditioning_of(unet, example)):
            loss = errors_of(unet, example).mean() / count
            loss.backward()
        total += float(loss.detach())
    return total


@torch.no_grad()
def judge(unet: Any, examples: Sequence[Example]) -> dict[float, float]:
    """Return the mean loss of some examples at each of their noise levels."""
    losses: dict[float, list[float]] = {}
    for example in examples:
        with conditioned(unet, conditioning_of(unet, example)):
            losses.setdefault(example.sigma, []).append(float(errors_of(unet, example).mean()))
    return {sigma: math.fsum(found) / len(found) for sigma, found in losses.items()}
