"""What the kernels of the fused blocks compute, said in torch's own words."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class PlainKernels:
    """The protocol ``fused.Kernels``, counted in float32 and rounded once."""

    def gate(self, projected: torch.Tensor) -> torch.Tensor:
        value, gate = projected.float().chunk(2, -1)
        return (value * functional.gelu(gate)).to(projected.dtype)

    def normalise(self, hidden: torch.Tensor, norm: nn.LayerNorm, change: torch.Tensor | None = None) -> torch.Tensor:
        if change is not None:
            hidden += change
        return norm(hidden)

    def begin(
        self, before: torch.Tensor, norm: nn.LayerNorm, moments: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = before + moments
        return hidden, norm(hidden)

    def mix(self, before: torch.Tensor, hidden: torch.Tensor, change: torch.Tensor, share: torch.Tensor) -> None:
        value = hidden.float() + change.float()
        before.copy_(value.lerp(before.float(), share.float()))

    def add(
        self, maps: torch.Tensor, bias: torch.Tensor, other: torch.Tensor, share: torch.Tensor | None = None
    ) -> torch.Tensor:
        value = maps.float() + bias.float()
        return maps.copy_((value if share is None else value * share.float()) + other.float())

    def mask_and_add(
        self, hidden: torch.Tensor, mask: torch.Tensor | None, image: torch.Tensor | None, pixels: int
    ) -> torch.Tensor:
        value = hidden.float().reshape(-1, pixels, hidden.shape[-1])
        if mask is not None:
            value = value * mask.float().reshape(1, pixels, 1)
        if image is not None:
            value = value + image.float().reshape(-1, 1, hidden.shape[-1])
        return hidden.copy_(value.reshape(hidden.shape))

    def group_norm(
        self, maps: torch.Tensor, norm: nn.GroupNorm, *, silu: bool, shift: torch.Tensor | None = None
    ) -> torch.Tensor:
        value = maps.float() if shift is None else maps.float() + shift.float()[:, None]
        weight, bias = norm.weight.float(), norm.bias.float()
        normal = functional.group_norm(value.transpose(1, 2), norm.num_groups, weight, bias, norm.eps).transpose(1, 2)
        return (functional.silu(normal) if silu else normal).to(maps.dtype).contiguous()
