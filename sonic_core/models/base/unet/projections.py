"""Queries, keys and values of attention over pixels: by three products, or by one whose weights lie joined."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming

_NAMES = ("to_q", "to_k", "to_v")


def attentions_over_pixels(unet: nn.Module) -> list[Any]:
    """List a UNet's self-attentions over pixels."""
    transformers: list[Any] = [one for one in unet.modules() if type(one).__name__ == "TransformerSpatioTemporalModel"]
    return [block.attn1 for model in transformers for block in model.transformer_blocks]


def projected(attn: Any, hidden: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Make queries, keys and values of ``hidden`` (…, width), each (…, width)."""
    weight = attn._buffers.get("fused_weight")
    if weight is None:
        return attn.to_q(hidden), attn.to_k(hidden), attn.to_v(hidden)
    return functional.linear(hidden, weight).chunk(3, -1)


def fuse(attentions: list[Any]) -> None:
    """Keep the three weights once more, as one, made anew where they moved or changed.

    It is a buffer, which travels with the network and is counted with it, but is never saved.
    """
    for attn in attentions:
        parts = [getattr(attn, name).weight for name in _NAMES]
        if any(getattr(attn, name).bias is not None for name in _NAMES):
            continue
        made_of = [(one.data_ptr(), one.device, one.dtype, _version(one)) for one in parts]
        if vars(attn).get("fused_of") != made_of:
            with torch.inference_mode(False), torch.no_grad():
                attn.register_buffer("fused_weight", torch.cat([one.detach() for one in parts]), persistent=False)
            attn.fused_of = made_of


def part(attentions: list[Any]) -> None:
    """Let the joined weights go."""
    for attn in attentions:
        if "fused_weight" in attn._buffers:
            del attn.fused_weight
        vars(attn).pop("fused_of", None)


def _version(tensor: torch.Tensor) -> int | None:
    """Count a tensor's changes; None where nobody counts them."""
    return None if tensor.is_inference() else tensor._version
