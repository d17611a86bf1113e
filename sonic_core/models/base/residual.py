"""The residual blocks over pixels and frames of UNet and decoder, in leaner forms.

The spatial half knows nothing of other frames; the temporal half knows nothing of other pixels but for the statistics
of its group norms. So a block runs whole where memory allows, else over some frames and then over some pixel rows at a
time, with statistics taken over everything.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming


def flatten_convolutions(network: nn.Module) -> None:
    """Have every convolution over time computed as one over two dimensions where that is wiser.

    Half-precision convolutions over three dimensions leave the fast kernels in some versions of torch (2.9, 2.10) and
    then take several times the memory and up to twenty times the time. Weights keep their names and shapes.
    """
    module: Any
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            module.forward = partial(convolve_over_time, module)


def convolve_over_time(convolution: nn.Conv3d, hidden: torch.Tensor) -> torch.Tensor:
    """Run a convolution over frames, in the form that the device is best at.

    Args:
        convolution: Its kernel reaches over frames only, (k, 1, 1), with stride 1.
        hidden: (branches, channels, frames, h, w). On a processor the form has three dimensions, as published.

    Returns:
        (branches, channels, frames, h, w).
    """
    if hidden.device.type == "cpu":
        return type(convolution).forward(convolution, hidden)
    return convolve_flat(convolution, hidden)


def convolve_flat(convolution: nn.Conv3d, hidden: torch.Tensor) -> torch.Tensor:
    """Run a convolution over frames as one over two dimensions: frames and pixels, (k, 1)."""
    kernel, padding = convolution.weight.squeeze(-1), (int(convolution.padding[0]), 0)
    flat = functional.conv2d(hidden.flatten(3), kernel, convolution.bias, padding=padding)
    return flat.unflatten(3, hidden.shape[3:])
