"""Leaner forms of two stock blocks: the same sums in less memory and time.

The stock blocks of diffusers keep every intermediate and rearrange the whole frame before and after each temporal
layer. Here they compute in place and piece by piece, which changes no number but the order of a few roundings:

- a spatial layer knows nothing of other frames, a temporal one nothing of other pixels, so a block runs over some of
  them at a time, from its first norm to its feed-forward, and only the result is kept;
- α·s + (1 − α)·(s + h) is s + (1 − α)·h;
- attention over time reads queries, keys and values where they lie; nothing is transposed but its small answer;
- image and audio tokens are never repeated per pixel (see ``attention``).

The modules keep their parameters, names and classes; only their ``forward`` is another.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .attention import AttentionContext, attend

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming


def make_lean(network: nn.Module, context: AttentionContext | None = None) -> None:
    """Give the blocks of a stock UNet or VAE their leaner forms; those of a UNet read ``context``."""
    for module in network.modules():
        name = type(module).__name__
        if name == "TransformerSpatioTemporalModel" and context is not None:
            module.forward = partial(_transform, module, context)
        elif name == "SpatioTemporalResBlock":
            module.forward = partial(convolve, module)


def convolve(
    block: Any, hidden_states: torch.Tensor, temb: torch.Tensor | None = None, *, image_only_indicator: torch.Tensor
) -> torch.Tensor:
    """Run ``SpatioTemporalResBlock``: a convolution block over pixels, one over frames, mixed.

    Args:
        block: The stock module.
        hidden_states: (branches · frames, channels, h, w).
        temb: (branches · frames, width), the embedded moment of the denoising, or None.
        image_only_indicator: (branches, frames); only its shape is looked at.

    Returns:
        (branches · frames, channels, h, w).
    """
    frames = image_only_indicator.shape[-1]
    hidden = _resnet(block.spatial_res_block, hidden_states, temb)
    over_time = hidden.unflatten(0, (-1, frames)).transpose(1, 2)
    late = None if temb is None else temb.unflatten(0, (-1, frames))[:, :1]
    change = _temporal_change(block.temporal_res_block, over_time, late)
    alpha = block.time_mixer.mix_factor.sigmoid()
    share = alpha if block.time_mixer.switch_spatial_to_temporal_mix else 1 - alpha
    return hidden.add_(change.mul_(share.to(change.dtype)).transpose(1, 2).flatten(0, 1))


def _resnet(block: Any, hidden: torch.Tensor, temb: torch.Tensor | None) -> torch.Tensor:
    """Run ``ResnetBlock2D``: norm, SiLU, convolution, twice, and the input added."""
    change = block.conv1(functional.silu(block.norm1(hidden), inplace=True))
    if temb is not None:
        change += block.time_emb_proj(functional.silu(temb))[:, :, None, None]
    change = block.conv2(functional.silu(block.norm2(change), inplace=True))
    return change.add_(hidden if block.conv_shortcut is None else block.conv_shortcut(hidden))


def _temporal_change(block: Any, hidden: torch.Tensor, temb: torch.Tensor | None) -> torch.Tensor:
    """Run ``TemporalResnetBlock`` on (branches, channels, frames, h, w) without adding its input."""
    change = block.conv1(functional.silu(block.norm1(hidden), inplace=True))
    if temb is not None:
        change += block.time_emb_proj(functional.silu(temb)).transpose(1, 2)[..., None, None]
    return block.conv2(functional.silu(block.norm2(change), inplace=True))


def _transform(
    model: Any,
    context: AttentionContext,
    hidden_states: torch.Tensor,
    *_unused: Any,
    image_only_indicator: torch.Tensor,
    **_other: Any,
) -> tuple[torch.Tensor]:
    """Run ``TransformerSpatioTemporalModel``: attention over pixels, attention over frames, mixed.

    Args:
        model: The stock module.
        context: Tells how large a piece may be.
        hidden_states: (branches · frames, channels, h, w).
        image_only_indicator: (branches, frames); only its shape is looked at.

    Returns:
        (branches · frames, channels, h, w).
    """
    branches, frames = image_only_indicator.shape
    height, width = hidden_states.shape[2:]
    tokens = model.proj_in(model.norm(hidden_states).permute(0, 2, 3, 1).flatten(1, 2)).unflatten(0, (branches, frames))
    order = model.time_proj(torch.arange(frames, device=tokens.device)).to(tokens.dtype)
    moments = model.time_pos_embed(order)[:, None]
    alpha = model.time_mixer.mix_factor.sigmoid().to(tokens.dtype)
    for over_pixels, over_frames in zip(model.transformer_blocks, model.temporal_transformer_blocks, strict=True):
        for branch in range(branches):
            _attend_over_pixels(over_pixels, tokens[branch], branch, context)
        mixed = tokens + moments
        for branch in range(branches):
            _attend_over_frames(over_frames, mixed[branch], branch, context)
        tokens = mixed.lerp_(tokens, alpha)
    out = model.proj_out(tokens.flatten(0, 1)).transpose(1, 2).unflatten(2, (height, width))
    return (out.contiguous().add_(hidden_states),)  # channels first: group norms over channels last lose digits


def _attend_over_pixels(block: Any, tokens: torch.Tensor, branch: int, context: AttentionContext) -> None:
    """Run ``BasicTransformerBlock`` in place on one branch's tokens (frames, pixels, width), some frames at a time."""
    for frames in _pieces(len(tokens), tokens.shape[1], context.piece):
        part = tokens[frames]
        normal = block.norm1(part)
        part += block.attn1.to_out[0](_self_attention(block.attn1, normal))
        part += block.attn2.processor.attend(block.attn2, block.norm2(part), branch, frames)
        part += block.ff(block.norm3(part))


def _attend_over_frames(block: Any, tokens: torch.Tensor, branch: int, context: AttentionContext) -> None:
    """Run ``TemporalBasicTransformerBlock`` in place on one branch's tokens (frames, pixels, width), piece by piece."""
    for pixels in _pieces(tokens.shape[1], len(tokens), context.piece):
        part = tokens[:, pixels]
        part += block.ff_in(block.norm_in(part))
        part += _attention_over_frames(block.attn1, block.norm1(part))
        part += block.attn2.processor.attend(block.attn2, block.norm2(part), branch)
        part += block.ff(block.norm3(part))


def _self_attention(attn: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Let the tokens (n, a, width) of each of n rows attend to one another."""
    return attend(attn.to_q(hidden), attn.to_k(hidden), attn.to_v(hidden), attn.heads)


def _attention_over_frames(attn: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Let each pixel's tokens attend to one another over time: (frames, pixels, width)."""
    q, k, v = (project(hidden).transpose(0, 1) for project in (attn.to_q, attn.to_k, attn.to_v))
    return attn.to_out[0](attend(q, k, v, attn.heads)).transpose(0, 1)


def _pieces(count: int, weight: int, most: int) -> Iterator[slice]:
    """Cut ``count`` things of ``weight`` pixels each into runs of at most ``most`` pixels, at least one thing a run."""
    step = max(1, most // weight)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))
