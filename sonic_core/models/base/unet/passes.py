"""One pass through the UNet, and one through the decoder, in which every map goes as soon as it has been used.

The stock classes hold a block's input and all maps that skip to it until the block is done; here a block gets its maps
in a list, and empties it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn import functional

from .attention import AttentionContext
from .residual import WHOLE, upsample

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming

DECODER_WIDTH = 256
"""Channels by which the decoder's pieces are measured."""
DECODER_PIECE = 1 << 20
"""Pixels of that width that a card decodes together in a layer: a frame of 1024², four of 512², which keep it busy.
``benchmarks/unet.py --count`` counts what is alive."""


def predict(  # noqa: PLR0917 - as the stock class is called
    unet: Any,
    context: AttentionContext,
    sample: torch.Tensor,
    timestep: torch.Tensor,
    encoder_hidden_states: torch.Tensor,
    added_time_ids: torch.Tensor,
    return_dict: bool = False,
    *,
    deep: torch.Tensor | None = None,
    keep_deep: bool = False,
) -> tuple[torch.Tensor, ...]:
    """Run ``UNetSpatioTemporalConditionModel``.

    Args:
        unet: The stock module, its blocks in their lean forms.
        context: How large a piece may be.
        sample: (rows, frames, channels, h, w).
        timestep: () or (rows,), what the UNet is told of the noise level.
        encoder_hidden_states: Not looked at: image and audio tokens are in the context.
        added_time_ids: (rows, 3), what it is told of rate and movement.
        return_dict: Not looked at: the answer is a tuple.
        deep: What entered the last up block in an earlier call, (rows · frames, channels, h, w); then only the first
            level is computed.
        keep_deep: Also return what entered the last up block.

    Returns:
        (rows, frames, channels, h, w), and, where it is to be kept, what entered the last up block.

    Source: the shallow pass is DeepCache (Ma et al., arXiv 2312.00858).
    """
    del encoder_hidden_states, return_dict
    rows, frames = sample.shape[:2]
    temb = _embedded(unet, sample, timestep, added_time_ids)
    indicator = sample.new_empty(rows, frames)  # only its shape is looked at
    skips = [unet.conv_in(sample.flatten(0, 1))]
    if deep is None:
        for block in unet.down_blocks:
            _descend(block, skips, temb, indicator)
        maps = [_through_the_middle(unet.mid_block, skips[-1], temb, indicator)]
        for block in unet.up_blocks[:-1]:
            _ascend(block, context, maps, skips, temb=temb, indicator=indicator)
    else:
        _descend(unet.down_blocks[0], skips, temb, indicator, shrink=False)
        maps = [deep]
    kept = (maps[0],) if keep_deep else ()
    _ascend(unet.up_blocks[-1], context, maps, skips, temb=temb, indicator=indicator)
    return _finished(unet, context, maps).unflatten(0, (rows, frames)), *kept


def decode(
    decoder: Any,
    context: AttentionContext,
    sample: torch.Tensor,
    image_only_indicator: torch.Tensor,
    num_frames: int = 1,
) -> torch.Tensor:
    """Run ``TemporalDecoder``: (n, 4, h, w) to (n, 3, 8h, 8w); on a card few frames at a time in every layer."""
    context.convolution_piece = piece = WHOLE if sample.device.type == "cpu" else DECODER_PIECE
    maps = [decoder.mid_block(decoder.conv_in(sample), image_only_indicator=image_only_indicator)]
    for block in decoder.up_blocks:
        for resnet in block.resnets:
            maps.append(resnet(maps, image_only_indicator=image_only_indicator))
        for upsampler in block.upsamplers or ():
            width = upsampler.channels
            maps.append(upsample(upsampler, maps, None, context.pixels(piece, width, sample.device)))
    pixels = _finished(decoder, context, maps).unflatten(0, (-1, num_frames)).transpose(1, 2)
    return decoder.time_conv_out(pixels).transpose(1, 2).flatten(0, 1)


def _embedded(unet: Any, sample: torch.Tensor, timestep: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Embed the noise level and what is told beside it: (rows · frames, width)."""
    rows, frames = sample.shape[:2]
    moment = unet.time_embedding(unet.time_proj(timestep.expand(rows)).to(sample.dtype))
    told = unet.add_embedding(unet.add_time_proj(ids.flatten()).unflatten(0, (rows, -1)).flatten(1).to(moment.dtype))
    return (moment + told).repeat_interleave(frames, 0, output_size=rows * frames)


def _layers(block: Any) -> Iterator[tuple[Any, Any]]:
    """List a block's residual blocks, each with the transformer that follows it, or None."""
    return zip(block.resnets, getattr(block, "attentions", None) or [None] * len(block.resnets), strict=True)


def _descend(
    block: Any, skips: list[torch.Tensor], temb: torch.Tensor, indicator: torch.Tensor, *, shrink: bool = True
) -> None:
    """Go through a down block from the last of ``skips`` on; every layer's map joins them, the smaller one at last."""
    for resnet, transformer in _layers(block):
        hidden = resnet(skips[-1], temb, image_only_indicator=indicator)
        skips.append(hidden if transformer is None else transformer(hidden, image_only_indicator=indicator)[0])
    for downsampler in (block.downsamplers or ()) if shrink else ():
        skips.append(downsampler(skips[-1]))


def _through_the_middle(block: Any, hidden: torch.Tensor, temb: torch.Tensor, indicator: torch.Tensor) -> torch.Tensor:
    hidden = block.resnets[0](hidden, temb, image_only_indicator=indicator)
    for transformer, resnet in zip(block.attentions, block.resnets[1:], strict=True):
        hidden = transformer(hidden, image_only_indicator=indicator)[0]
        hidden = resnet(hidden, temb, image_only_indicator=indicator)
    return hidden


def _ascend(
    block: Any,
    context: AttentionContext,
    maps: list[torch.Tensor],
    skips: list[torch.Tensor],
    *,
    temb: torch.Tensor,
    indicator: torch.Tensor,
) -> None:
    """Go through an up block from the only one of ``maps``, which is exchanged; the last of ``skips`` are used up."""
    for resnet, transformer in _layers(block):
        maps.append(skips.pop())
        hidden = resnet(maps, temb, image_only_indicator=indicator)
        maps.append(hidden if transformer is None else transformer(hidden, image_only_indicator=indicator)[0])
        del hidden
    for upsampler in block.upsamplers or ():
        size = skips[-1].shape[2:]
        doubled = size == tuple(2 * side for side in maps[0].shape[2:])
        piece = context.pixels(context.convolution_piece, upsampler.channels, temb.device)
        maps.append(upsample(upsampler, maps, None if doubled else size, piece))


def _finished(network: Any, context: AttentionContext, maps: list[torch.Tensor]) -> torch.Tensor:
    """Run the last norm and convolution on the only one of ``maps``, which goes."""
    if context.fused is not None:
        return context.fused.finished(network, maps.pop())
    return network.conv_out(functional.silu(network.conv_norm_out(maps.pop()), inplace=True))
