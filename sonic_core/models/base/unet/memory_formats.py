"""Convolutions over pixels with channels last: as tensor cores read them.

Maps are channels first between the convolutions: group norms over channels last lose digits, and take copies.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from ....weights.read import is_mapped


def wide_convolutions(network: nn.Module) -> list[nn.Conv2d]:
    """List the convolutions that look at neighbours; the others are products, to which it is all one."""
    return [one for one in network.modules() if isinstance(one, nn.Conv2d) and one.kernel_size != (1, 1)]


def put_channels_last(convolutions: list[nn.Conv2d]) -> None:
    """Lay weights with channels last where they do not lie so, and have inputs laid so around each convolution."""
    for convolution in convolutions:
        weight = convolution.weight
        if not weight.is_contiguous(memory_format=torch.channels_last):
            _lay(weight, channels_last=True)
        if "forward" not in vars(convolution):
            convolution.forward = partial(convolve_channels_last, convolution)  # pyright: ignore[reportAttributeAccessIssue]


def put_channels_first(convolutions: list[nn.Conv2d]) -> None:
    """Lay weights, and have convolutions computed, as before."""
    for convolution in convolutions:
        if vars(convolution).pop("forward", None) is not None and not convolution.weight.is_contiguous():
            _lay(convolution.weight, channels_last=False)


def convolve_channels_last(convolution: nn.Conv2d, hidden: torch.Tensor) -> torch.Tensor:
    """Convolve (n, c, h, w) with channels last; what goes in and what comes out have channels first."""
    turned = hidden.contiguous(memory_format=torch.channels_last)
    return type(convolution).forward(convolution, turned).contiguous()


def _lay(weight: torch.Tensor, *, channels_last: bool) -> None:
    """Change how a weight (out, in, h, w) lies, in the memory that it has.

    In new memory it would not be known any more for the copy of a file that it is, and would be copied back when the
    network leaves its device. A mapped file's memory is left alone.
    """
    with torch.inference_mode(False), torch.no_grad():
        goal = torch.channels_last if channels_last else torch.contiguous_format
        laid = weight.detach().clone(memory_format=goal)
        if not is_mapped(weight) and not weight.is_inference():
            home = weight.data.as_strided(laid.shape, laid.stride())  # detached, it would count as changed
            laid = home.copy_(laid)
        weight.data = laid
