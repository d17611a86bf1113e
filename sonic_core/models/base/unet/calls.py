"""One call of the UNet: rows of branches in, their predictions out."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Literal, overload

import torch

from ....memory import is_out_of_memory
from .attention import BatchConditioning
from .switches import AUTOTUNING

# ruff: noqa: ANN401 - diffusers' type is imported late


@overload
def call_unet(
    unet: Any,
    inputs: torch.Tensor,
    moments: torch.Tensor,
    ids: torch.Tensor,
    batch: BatchConditioning,
    *,
    deep: torch.Tensor | None = None,
    keep_deep: Literal[False] = False,
) -> torch.Tensor: ...


@overload
def call_unet(
    unet: Any,
    inputs: torch.Tensor,
    moments: torch.Tensor,
    ids: torch.Tensor,
    batch: BatchConditioning,
    *,
    deep: torch.Tensor | None = None,
    keep_deep: Literal[True],
) -> tuple[torch.Tensor, torch.Tensor]: ...


def call_unet(
    unet: Any,
    inputs: torch.Tensor,
    moments: torch.Tensor,
    ids: torch.Tensor,
    batch: BatchConditioning,
    *,
    deep: torch.Tensor | None = None,
    keep_deep: bool = False,
) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
    """Run the UNet over some rows.

    Args:
        unet: The UNet with audio attention, on its device.
        inputs: (rows, n, 8, h, w) scaled noisy latents and image latents, on the device and of the UNet's type.
        moments: (rows,) float32, what the UNet is told of each row's noise level.
        ids: (rows, 3) float32, what it is told of rate and movement.
        batch: Image and sound of each row.
        deep: What ``keep_deep`` gave for the same rows at a noise level nearby: then the first level alone is computed,
            36 % of the operations at 512², 48 % at 1024², and the deeper ones are taken to be what they were.
        keep_deep: Give that for later calls. It takes two feature maps of the first level's size a row.

    Returns:
        (rows, n, 4, h, w), of the UNet's type; with ``keep_deep`` also what entered the last up block,
        (rows · n, channels, h, w).

    Source: Ma et al., "DeepCache: Accelerating Diffusion Models for Free", arXiv 2312.00858.
    """
    context = unet.attention_context
    context.batch = batch
    options = {"deep": deep, "keep_deep": keep_deep} if keep_deep or deep is not None else {}

    def run(inputs: torch.Tensor, moments: torch.Tensor, ids: torch.Tensor) -> Any:
        nothing = inputs.new_zeros(len(inputs), 1, 1)  # image and audio tokens are in the attention context
        made = unet(inputs, moments, nothing, ids, return_dict=False, **options)
        return made if keep_deep else made[0]

    try:
        if context.renew is not None:
            context.renew()
        with AUTOTUNING.held() if context.autotune else nullcontext():
            if context.graphs is not None and not options:
                return context.graphs.run(unet, run, (inputs, moments, ids))
            return run(inputs, moments, ids)
    except Exception as error:
        if context.graphs is not None and is_out_of_memory(error):
            context.graphs.forget()  # their memory is what the next try may need
        raise
    finally:
        context.batch = None
