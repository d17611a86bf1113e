"""One call of the UNet: rows of branches in, their predictions out."""

from __future__ import annotations

from typing import Any

import torch

from .attention import BatchConditioning


def call_unet(
    unet: Any,  # noqa: ANN401 - diffusers' type, imported late
    inputs: torch.Tensor,
    moments: torch.Tensor,
    ids: torch.Tensor,
    batch: BatchConditioning,
) -> torch.Tensor:
    """Run the UNet over some rows.

    Args:
        unet: The UNet with audio attention, on its device.
        inputs: (rows, n, 8, h, w) scaled noisy latents and image latents, on the device and of the UNet's type.
        moments: (rows,) float32, what the UNet is told of each row's noise level.
        ids: (rows, 3) float32, what it is told of rate and movement.
        batch: Image and sound of each row.

    Returns:
        (rows, n, 4, h, w), of the UNet's type.
    """
    unet.attention_context.batch = batch
    try:
        nothing = inputs.new_zeros(len(inputs), 1, 1)  # image and audio tokens are in the attention context
        return unet(inputs, moments, nothing, ids, return_dict=False)[0]
    finally:
        unet.attention_context.batch = None
