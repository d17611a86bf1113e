"""Convolutions over pixels with channels last: as tensor cores read them.

Maps are channels first between the convolutions: group norms over channels last lose digits, and take copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from ....weights.read import is_mapped

FLAT = 4
"""Dimensions of the weight of a convolution over two dimensions."""


def wide_convolutions(network: nn.Module) -> list[nn.Conv2d]:
    """List the convolutions that look at neighbours; the others are products, to which it is all one."""
    return [one for one in network.modules() if isinstance(one, nn.Conv2d) and one.kernel_size != (1, 1)]


def convolutions_over_time(network: nn.Module) -> list[nn.Conv3d]:
    """List the convolutions that look at neighbouring frames."""
    return [one for one in network.modules() if isinstance(one, nn.Conv3d)]


def put_channels_last(convolutions: list[nn.Conv2d]) -> None:
    """Lay weights with channels last where they do not lie so, and have inputs laid so around each convolution."""
    lay_channels_last(convolutions)
    for convolution in convolutions:
        if "forward" not in vars(convolution):
            convolution.forward = partial(convolve_channels_last, convolution)  # pyright: ignore[reportAttributeAccessIssue]


def lay_channels_last(convolutions: Sequence[nn.Conv2d | nn.Conv3d]) -> None:
    """Lay weights with channels last where they do not lie so: for inputs that lie so anyway."""
    for convolution in convolutions:
        if not convolution.weight.is_contiguous(memory_format=_format(convolution.weight)):
            _lay(convolution.weight, _format(convolution.weight))


def put_channels_first(convolutions: Sequence[nn.Conv2d | nn.Conv3d]) -> None:
    """Lay weights, and have convolutions over pixels computed, as before."""
    for convolution in convolutions:
        if isinstance(convolution, nn.Conv2d):
            vars(convolution).pop("forward", None)
        if not convolution.weight.is_contiguous():
            _lay(convolution.weight, torch.contiguous_format)


def convolve_channels_last(convolution: nn.Conv2d, hidden: torch.Tensor) -> torch.Tensor:
    """Convolve (n, c, h, w) with channels last; what goes in and what comes out have channels first."""
    turned = hidden.contiguous(memory_format=torch.channels_last)
    return type(convolution).forward(convolution, turned).contiguous()


def _format(weight: torch.Tensor) -> torch.memory_format:
    """Name how a weight with two or three dimensions of kernel lies with channels last."""
    return torch.channels_last if weight.dim() == FLAT else torch.channels_last_3d


def _lay(weight: torch.Tensor, goal: torch.memory_format) -> None:
    """Change how a weight (out, in, …) lies, in the memory that it has.

    In new memory it would not be known any more for the copy of a file that it is, and would be copied back when the
    network leaves its device. A mapped file's memory is left alone.
    """
    with torch.inference_mode(False), torch.no_grad():
        laid = weight.detach().clone(memory_format=goal)
        if not is_mapped(weight) and not weight.is_inference():
            home = weight.data.as_strided(laid.shape, laid.stride())  # detached, it would count as changed
            laid = home.copy_(laid)
        weight.data = laid
