"""The UNet in a form that learns: stock blocks, small changes beside frozen weights, memory for one block at a time.

The numbers are those of the form that animates; only what is kept differs. A change is a low-rank layer beside a frozen
one: W·x + scale · up(down(x)), which ``weights.lora`` later merges into W.

Source: Hu et al., "LoRA", arXiv 2106.09685; Chen et al., "Training Deep Nets with Sublinear Memory Cost",
arXiv 1604.06174.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ...errors import SettingsError
from ...models.base.config import BaseConfig
from ...models.base.networks import empty_unet
from ...models.base.unet.attention import BatchConditioning

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming

_AUDIO = ("attn2.to_q", "attn2.to_out.0", "attn2.processor.to_k_ip.0", "attn2.processor.to_v_ip.0")
"""Ends of the layers' names with which pixels and frames attend to the sound."""
_TEMPORAL = tuple(f"attn1.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0"))
"""And of those with which frames attend to one another, in the blocks over time."""
_OVER_TIME = "temporal_transformer_blocks"
_UNUSED = "attn2.to_k"
"""Keys of the image: attention over one token is that token's value, whatever its key."""
_CHECKPOINTED = ("SpatioTemporalResBlock", "TransformerSpatioTemporalModel")
"""Blocks whose inside is computed once more on the way back."""
_CONVOLUTIONS: dict[type, Any] = {nn.Conv2d: functional.conv2d, nn.Conv3d: functional.conv3d}
_OPTIONS = ("stride", "padding", "dilation", "groups")
_KINDS = (nn.Linear, *_CONVOLUTIONS)


class LowRank(nn.Module):
    """What is added to one layer; at the beginning nothing."""

    def __init__(self, layer: nn.Module, rank: int, scale: float, chance: torch.Generator) -> None:
        """Make it for a linear layer or a convolution.

        Args:
            layer: A layer with a weight; it is not held.
            rank: Values between the two small layers.
            scale: What their answer is multiplied by.
            chance: Draws ``down``; ``up`` is zero.
        """
        super().__init__()
        weight: Any = layer.weight
        shape: torch.Size = weight.shape
        bound = math.sqrt(3 / shape[1:].numel())  # of a variance that keeps the size of what passes
        self.down = nn.Parameter(torch.empty(rank, *shape[1:]).uniform_(-bound, bound, generator=chance))
        self.up = nn.Parameter(torch.zeros(shape[0], rank, *[1] * len(shape[2:])))
        self.scale, self.counts = scale, True
        self.convolve = _CONVOLUTIONS.get(type(layer))
        self.options = {name: getattr(layer, name) for name in _OPTIONS if hasattr(layer, name)}

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Return what is added to the layer's answer, in the type of ``given``."""
        down, up = self.down.to(given.dtype), self.up.to(given.dtype)
        if self.convolve is None:
            return self.scale * functional.linear(functional.linear(given, down), up)
        return self.scale * self.convolve(self.convolve(given, down, None, **self.options), up)


class Changes(nn.Module):
    """All low-rank layers of a UNet, by the names of the layers they are beside."""

    def __init__(self, layers: dict[str, LowRank]) -> None:
        super().__init__()
        self.names = tuple(layers)
        self.layers = nn.ModuleList(layers.values())

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the parameters by the names under which files keep them."""
        found = {}
        for name, layer in zip(self.names, self.layers, strict=True):
            found |= {f"{name}.lora_A.weight": layer.down, f"{name}.lora_B.weight": layer.up}
        return found  # type: ignore[return-value]

    @contextmanager
    def out(self) -> Iterator[None]:
        """Let the UNet answer without them while the block runs: as it was, to the bit."""
        self._count(counts=False)
        try:
            yield
        finally:
            self._count(counts=True)

    @contextmanager
    def being(self, values: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Let the UNet answer with other values of ``tensors`` while the block runs; they are lent, not copied."""
        own = self.tensors()
        learned = {name: parameter.data for name, parameter in own.items()}
        for name, parameter in own.items():
            parameter.data = values[name]
        try:
            yield
        finally:
            for name, parameter in own.items():
                parameter.data = learned[name]

    def _count(self, *, counts: bool) -> None:
        for layer in self.layers:
            cast("LowRank", layer).counts = counts


def chosen_layers(unet: nn.Module, layers: str) -> list[str]:
    """Name the layers that are changed.

    Args:
        unet: The UNet with audio attention.
        layers: One of ``plan.LAYERS``.
    """
    every = [name for name, module in unet.named_modules() if isinstance(module, _KINDS)]
    if layers == "all":
        return [name for name in every if not name.endswith(_UNUSED)]
    found = [name for name in every if name.endswith(_AUDIO)]
    if layers == "audio+temporal":
        found += [name for name in every if _OVER_TIME in name and name.endswith(_TEMPORAL)]
    return [name for name in every if name in set(found)]


def add_changes(unet: nn.Module, layers: str, rank: int, scale: float, seed: int) -> Changes:
    """Put low-rank layers beside those of a UNet, which then answers with both; at first nothing changes.

    Args:
        unet: Its own weights stay frozen.
        layers: Which, as of ``chosen_layers``.
        rank: Values between two small layers.
        scale: What the changes are multiplied by.
        seed: Of their beginning.

    Returns:
        The changes, in float32 on the processor; where the UNet moves, they are to be moved too.
    """
    chance = torch.Generator().manual_seed(seed)
    made = {}
    for name in chosen_layers(unet, layers):
        layer = unet.get_submodule(name)
        made[name] = LowRank(layer, rank, scale, chance)
        layer.register_forward_hook(partial(_add, made[name]))
    return Changes(made)


def _add(change: LowRank, _layer: nn.Module, given: tuple[torch.Tensor, ...], answer: torch.Tensor) -> torch.Tensor:
    return answer + change(given[0]) if change.counts else answer


def trainable_unet(config: BaseConfig, *, checkpointing: bool) -> Any:
    """Build the UNet, empty, in the form that learns.

    Args:
        config: Sizes.
        checkpointing: Keep nothing of a block's inside for the way back.
    """
    unet = empty_unet(config, lean=False)
    if checkpointing:
        for module in unet.modules():
            if type(module).__name__ in _CHECKPOINTED:
                module.forward = partial(_checkpointed, module)
    return unet


def _checkpointed(module: Any, *args: Any, **options: Any) -> Any:
    """Run a stock block; where something learns, its inside is computed once more on the way back."""
    run = partial(type(module).forward, module)
    if not torch.is_grad_enabled():
        return run(*args, **options)
    return checkpoint(run, *args, use_reentrant=False, preserve_rng_state=False, **options)


@contextmanager
def conditioned(unet: Any, batch: BatchConditioning) -> Iterator[None]:
    """Give the UNet its conditioning for the block, in which the way back has to end: it asks once more."""
    unet.attention_context.batch = batch
    try:
        yield
    finally:
        unet.attention_context.batch = None


def choose_number_type(device: torch.device, precision: str) -> torch.dtype:
    """Choose the UNet's number type: bfloat16 where a device has it and is asked for it, else float32.

    Raises:
        SettingsError: bf16 is asked for and is not there.
    """
    there = device.type != "cpu" and _has_bfloat16(device)
    if precision == "bf16" and not there:
        raise SettingsError(f"precision bf16 is not there on {device}; choose fp32, or auto.")
    return torch.bfloat16 if there and precision != "fp32" else torch.float32


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "xpu"
