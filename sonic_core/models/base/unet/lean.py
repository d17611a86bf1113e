"""Leaner forms of the stock UNet and VAE: the same sums in less memory and time.

The stock blocks of diffusers keep every intermediate and rearrange the whole frame before and after each temporal
layer. Here they compute in place and piece by piece, which changes no number but the order of a few roundings:

- a spatial layer knows nothing of other frames, a temporal one nothing of other pixels, so a block runs over some of
  them at a time, from its first norm to its feed-forward, and only the result is kept;
- attention over time reads queries, keys and values where they lie, and its answer lies where it is wanted;
- image and audio tokens are never repeated per pixel (see ``attention``);
- on graphics cards all branches of a call pass through a layer together; on processors, whose numbers are held to the
  bit, one after the other.

The modules keep their parameters, names and classes; only their ``forward`` is another. Where gradients are wanted the
stock forms run: nothing that a backward pass needs is overwritten.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from ....errors import SonicWarning
from .attend import KernelRefusalError, attend
from .attention import AttentionContext, Given
from .passes import DECODER_WIDTH, decode, predict
from .projections import projected
from .residual import WHOLE, convolve, cut

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming


def make_lean(network: nn.Module, context: AttentionContext | None = None) -> None:
    """Give the blocks of a stock UNet or VAE their leaner forms.

    Args:
        network: ``UNetSpatioTemporalConditionModel`` or ``AutoencoderKLTemporalDecoder``.
        context: What those of a UNet read: conditioning, and how large a piece may be; a decoder gets one of its own.
            It is the network's attribute ``attention_context``.
    """
    vae = context is None
    context = context or AttentionContext(width=DECODER_WIDTH)
    network.attention_context = context  # pyright: ignore[reportArgumentType]
    forms: dict[str, Callable[..., Any]] = {
        "UNetSpatioTemporalConditionModel": predict,
        "TransformerSpatioTemporalModel": _transform,
        "SpatioTemporalResBlock": _convolve,
        "TemporalDecoder": decode,
    }
    if vae:
        forms["Attention"] = _attend_in_vae
    for module in network.modules():
        if form := forms.get(type(module).__name__):
            module.forward = partial(_lean_unless_learning, form, module, context)


def _lean_unless_learning(
    form: Callable[..., Any], module: Any, context: AttentionContext, *args: Any, **options: Any
) -> Any:
    """Run a module's lean form, or its stock form where gradients are wanted."""
    if torch.is_grad_enabled():
        return type(module).forward(module, *args, **options)
    return form(module, context, *args, **options)


def _convolve(
    block: Any,
    context: AttentionContext,
    hidden_states: torch.Tensor | list[torch.Tensor],
    temb: torch.Tensor | None = None,
    *,
    image_only_indicator: torch.Tensor,
) -> torch.Tensor:
    """Run ``SpatioTemporalResBlock`` (``residual.convolve``)."""
    maps = [hidden_states] if isinstance(hidden_states, torch.Tensor) else hidden_states
    piece = context.pixels(context.convolution_piece, block.spatial_res_block.in_channels, maps[0].device)
    frames = image_only_indicator.shape[-1]
    if context.fused is not None:
        return context.fused.convolve(block, maps, temb, frames, piece)
    if context.convolve is None:
        return convolve(block, maps, temb, frames, piece)
    hidden = maps[0] if len(maps) == 1 else torch.cat(maps, 1)
    if hidden_states is maps:
        maps.clear()
    return context.convolve(block, hidden, temb, frames, piece)


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
        context: Conditioning, and how large a piece may be.
        hidden_states: (branches · frames, channels, h, w); the result is put there.
        image_only_indicator: (branches, frames); only its shape is looked at.

    Returns:
        (branches · frames, channels, h, w).
    """
    branches, frames = image_only_indicator.shape
    groups, pixels = context.groups(branches, hidden_states.device), hidden_states.shape[2] * hidden_states.shape[3]
    given = [
        [[context.given(block.attn2, some, frames, pixels) for some in groups] for block in pair]
        for pair in zip(model.transformer_blocks, model.temporal_transformer_blocks, strict=True)
    ]
    device, width = hidden_states.device, model.in_channels
    run = partial(
        context.transform or transform if context.fused is None else context.fused.transform,
        model,
        hidden_states,
        frames=frames,
        groups=groups,
        given=given,
        piece=context.pixels(context.piece, width, device),
        outer_piece=context.pixels(context.convolution_piece, width, device),
    )
    try:
        return (run(back_end=context.back_end),)
    except KernelRefusalError as refusal:  # before anything was put where it came from
        warnings.warn(
            f"attention {context.back_end} does not run here ({refusal}); going on with sdpa.",
            SonicWarning,
            stacklevel=2,
        )
        context.back_end = None
        return (run(back_end=None),)


def transform(
    model: Any,
    hidden: torch.Tensor,
    *,
    frames: int,
    groups: list[slice],
    given: list[list[list[Given]]],
    piece: int = WHOLE,
    outer_piece: int = WHOLE,
    back_end: str | None = None,
) -> torch.Tensor:
    """Run a spatio-temporal transformer in place, with all that it reads handed to it.

    Args:
        model: The stock module.
        hidden: (branches · frames, channels, h, w).
        frames: Frames of a branch.
        groups: Which branches pass through a layer together.
        given: Per pair of blocks, for the spatial one and for the temporal one, what each group attends to.
        piece: Pixels, over all frames, that pass through a block together.
        outer_piece: Pixels, over all frames, that pass through the projections around the blocks together.
        back_end: Kernel of attention over pixels; None is torch's own.

    Returns:
        (branches · frames, channels, h, w).
    """
    tokens = _tokens(model, hidden, outer_piece).unflatten(0, (-1, frames))
    order = model.time_proj(torch.arange(frames, device=tokens.device)).to(tokens.dtype)
    moments = model.time_pos_embed(order)[:, None]
    alpha = model.time_mixer.mix_factor.sigmoid().to(tokens.dtype)
    blocks = zip(model.transformer_blocks, model.temporal_transformer_blocks, given, strict=True)
    for over_pixels, over_frames, (spatial, temporal) in blocks:
        for some, known in zip(groups, spatial, strict=True):
            _attend_over_pixels(over_pixels, tokens[some].flatten(0, 1), known, piece, back_end)
        for some, known in zip(groups, temporal, strict=True):
            _attend_over_frames(over_frames, tokens[some], known, piece=piece, moments=moments, alpha=alpha)
    return _put_back(model, tokens.flatten(0, 1), hidden, outer_piece)


def _tokens(model: Any, hidden: torch.Tensor, piece: int) -> torch.Tensor:
    """Make tokens (n, pixels, width) of maps (n, channels, h, w), some at a time."""

    def project(some: torch.Tensor) -> torch.Tensor:
        return model.proj_in(model.norm(some).permute(0, 2, 3, 1).flatten(1, 2))

    pieces = list(cut(len(hidden), hidden.shape[2] * hidden.shape[3], piece))
    if len(pieces) == 1:
        return project(hidden)
    tokens = hidden.new_empty(len(hidden), hidden.shape[2] * hidden.shape[3], model.proj_in.out_features)
    for some in pieces:
        tokens[some] = project(hidden[some])
    return tokens


def _put_back(model: Any, tokens: torch.Tensor, hidden: torch.Tensor, piece: int) -> torch.Tensor:
    """Add tokens (n, pixels, width) to the maps (n, channels, h, w) they came from, some at a time."""
    pieces = list(cut(len(hidden), tokens.shape[1], piece))
    if len(pieces) == 1:
        out = model.proj_out(tokens).transpose(1, 2).unflatten(2, hidden.shape[2:])
        return out.contiguous().add_(hidden)  # channels first: group norms over channels last lose digits
    for some in pieces:
        hidden[some] += model.proj_out(tokens[some]).transpose(1, 2).unflatten(2, hidden.shape[2:])
    return hidden


def _attend_over_pixels(block: Any, tokens: torch.Tensor, given: Given, piece: int, back_end: str | None) -> None:
    """Run ``BasicTransformerBlock`` in place on tokens (n, pixels, width) of some branches' frames, some at a time."""
    for some in cut(len(tokens), tokens.shape[1], piece):
        part = tokens[some]
        part += _attention_over_pixels(block.attn1, block.norm1(part), back_end)
        part += block.attn2.processor.attend(block.attn2, block.norm2(part), given, some)
        part += block.ff(block.norm3(part))


def _attend_over_frames(
    block: Any, tokens: torch.Tensor, given: Given, *, piece: int, moments: torch.Tensor, alpha: torch.Tensor
) -> None:
    """Run ``TemporalBasicTransformerBlock`` on tokens (branches, frames, pixels, width), and mix the result into them.

    Args:
        block: The stock module.
        tokens: Changed in place, some pixels at a time.
        given: What is attended to.
        piece: Pixels, over all frames, that pass through together.
        moments: (frames, 1, width), added to the tokens that the block sees.
        alpha: Share of the tokens as they were.
    """
    for some in cut(tokens.shape[2], tokens.shape[0] * tokens.shape[1], piece):
        before = tokens[:, :, some]
        part = before + moments
        part += block.ff_in(block.norm_in(part))
        part += _attention_over_frames(block.attn1, block.norm1(part))
        part += block.attn2.processor.attend(block.attn2, block.norm2(part), given)
        part += block.ff(block.norm3(part))
        before.copy_(part.lerp_(before, alpha))


def _attend_in_vae(
    attn: Any, context: AttentionContext, hidden_states: torch.Tensor, *_unused: Any, **_other: Any
) -> torch.Tensor:
    """Run the VAE's ``Attention`` over pixels (n, channels, h, w): one wide head, which not every kernel takes."""
    del context
    normal = attn.group_norm(hidden_states.flatten(2)).transpose(1, 2)
    made = _attention_over_pixels(attn, normal).transpose(1, 2).unflatten(2, hidden_states.shape[2:])
    return made + hidden_states


def _attention_over_pixels(attn: Any, hidden: torch.Tensor, back_end: str | None = None) -> torch.Tensor:
    """Let the tokens (n, pixels, width) of each of n frames attend to one another."""
    q, k, v = projected(attn, hidden)
    return attn.to_out[0](attend(q, k, v, attn.heads, back_end))


def _attention_over_frames(attn: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Let each pixel's tokens attend to one another over time: (branches, frames, pixels, width).

    A pixel's heads are heads among those of all the pixels, so that nothing is transposed before or after.
    """
    pixels = hidden.shape[2]
    q, k, v = (one.flatten(2) for one in projected(attn, hidden))
    return attn.to_out[0](attend(q, k, v, pixels * attn.heads).unflatten(2, (pixels, -1)))
