"""IFNet: the network that draws the frame halfway between two frames, and the interpolator that asks it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from ...weights.read import load_into

if TYPE_CHECKING:
    from ...devices import Keeper

_WIDTH = 90
"""Channels inside a block, which works at a quarter of its input's sides; half as many on the way there and back."""
_SCALES = (4, 2, 1)
"""How many times smaller than the frames the picture is that each block looks at."""
_SIDE = 32
"""Sides of a frame are filled up to multiples of this, so that every block's pictures have whole quarters."""
_WORKING = 1024
"""Bytes that one run needs per pixel: 600 to 800 were measured."""


class IFBlock(nn.Module):
    """Guesses how flow and mask should change, from what the present flow makes of the two frames."""

    def __init__(self) -> None:
        super().__init__()
        half = _WIDTH // 2
        self.conv0 = nn.Sequential(_convolution(11, half, stride=2), _convolution(half, _WIDTH, stride=2))
        self.convblock0 = _residual()
        self.convblock1 = _residual()
        self.convblock2 = _residual()
        self.convblock3 = _residual()
        self.conv1 = _head(4)
        self.conv2 = _head(1)

    def forward(self, state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the change of the flow (n, 4, h, w) and of the mask (n, 1, h, w).

        Args:
            state: (n, 11, h, w), sides divisible by 4: the frame warped, the other frame warped, the mask, the flow to
                the frame, the flow to the other.
        """
        if state.device.type == "cpu":
            state = state.contiguous(memory_format=torch.channels_last)  # a fifth less time
        hidden = self.conv0(state)
        for residual in (self.convblock0, self.convblock1, self.convblock2, self.convblock3):
            hidden = residual(hidden).add_(hidden)
        return self.conv1(hidden), self.conv2(hidden)


class IFNet(nn.Module):
    """Draws the frame halfway between two frames: both are warped along a flow towards the middle, and mixed by a mask.

    The flow grows coarse to fine, and each block looks at the pair in both orders, so that exchanging the frames
    changes nothing. Here the two orders are two halves of one batch.

    Source: Huang et al., Real-Time Intermediate Flow Estimation for Video Frame Interpolation, ECCV 2022; the published
    network HDv3, whose ``block_tea``, a teacher needed in training only, is left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.block0 = IFBlock()
        self.block1 = IFBlock()
        self.block2 = IFBlock()

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Draw the middle.

        Args:
            first: (n, 3, h, w) in [0, 1], sides divisible by 16.
            second: The same shape.

        Returns:
            (n, 3, h, w) in [0, 1].
        """
        pairs = len(first)
        frames = warped = torch.cat((first, second))
        flow = frames.new_zeros(2 * pairs, 2, *frames.shape[2:])
        mask = frames.new_zeros(2 * pairs, 1, *frames.shape[2:])
        for block, scale in zip((self.block0, self.block1, self.block2), _SCALES, strict=True):
            own = _resized(torch.cat((warped, mask, flow / scale), dim=1), 1 / scale)
            other = own.roll(pairs, dims=0)
            flows, masks = block(torch.cat((own[:, :3], other[:, :3], own[:, 3:], other[:, 4:]), dim=1))
            flow_change = (flows[:, :2] + flows[:, 2:].roll(pairs, dims=0)) / 2
            mask_change = (masks - masks.roll(pairs, dims=0)) / 2
            flow = flow + _resized(flow_change, scale) * scale
            mask = mask + _resized(mask_change, scale)
            warped = _warped(frames, flow)
        from_first, from_second = (mask.sigmoid() * warped).chunk(2)  # σ(−mask) = 1 − σ(mask)
        return (from_first + from_second).clamp(0, 1)


class FlowInterpolator:
    """Draws any frame between two frames, of any size, out of middles of middles.

    What was drawn between the last two frames is remembered, so that asking for 1/4, 1/2 and 3/4 of a pair runs the
    network three times. The network computes in float32 whatever the device: flow needs the bits.
    """

    def __init__(self, network: IFNet, keeper: Keeper) -> None:
        self.network = network
        self.keeper = keeper
        self._drawn: dict[int, torch.Tensor] = {}

    def between(self, first: torch.Tensor, second: torch.Tensor, moment: float) -> torch.Tensor:
        """Draw the frame at ``moment``, to the nearest eighth: the network knows the middle only, three times halved.

        Args:
            first: (3, h, w) float32 in [0, 1] on the CPU.
            second: The same shape.
            moment: From 0, where ``first`` is, to 1, where ``second`` is.

        Returns:
            (3, h, w) float32 in [0, 1] on the CPU. It is remembered, so change a copy only.
        """
        drawn = self._drawn
        if drawn.get(0) is not first or drawn.get(8) is not second:
            drawn = self._drawn = {0: first, 8: second}  # a new one each time: other threads may still fill theirs
        return self._at(drawn, min(max(round(moment * 8), 0), 8))

    def _at(self, drawn: dict[int, torch.Tensor], eighth: int) -> torch.Tensor:
        if eighth not in drawn:
            step = eighth & -eighth  # 4 is between 0 and 8, 6 between 4 and 8, 5 between 4 and 6
            drawn[eighth] = self._middle(self._at(drawn, eighth - step), self._at(drawn, eighth + step))
        return drawn[eighth]

    def _middle(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        height, width = first.shape[1:]
        below, right = -height % _SIDE, -width % _SIDE
        self.keeper.bring(self.network, _WORKING * (height + below) * (width + right))
        middle = torch.empty(first.shape)  # outside inference mode: an ordinary tensor
        with torch.inference_mode():
            pair = torch.stack((first, second)).to(self.keeper.device)
            pair = functional.pad(pair, (0, right, 0, below), mode="replicate")
            middle.copy_(self.network(pair[:1], pair[1:])[0, :, :height, :width])
        return middle


def load_flownet(path: Path) -> IFNet:
    """Load the published weights (``flownet.pkl``), or what they were converted to, in float32.

    Raises:
        CheckpointError: The file is missing, damaged, or holds another network.
    """
    with torch.device("meta"):
        network = IFNet()
    load_into(network, path, dtype=torch.float32, prefix="module.", ignore=("block_tea.",))
    return network.eval().requires_grad_(False)


def _convolution(inward: int, outward: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inward, outward, 3, stride, padding=1), nn.PReLU(outward))


def _residual() -> nn.Sequential:
    return nn.Sequential(_convolution(_WIDTH, _WIDTH), _convolution(_WIDTH, _WIDTH))


def _head(outward: int) -> nn.Sequential:
    half = _WIDTH // 2
    return nn.Sequential(
        nn.ConvTranspose2d(_WIDTH, half, 4, 2, padding=1),
        nn.PReLU(half),
        nn.ConvTranspose2d(half, outward, 4, 2, padding=1),
    )


def _resized(values: torch.Tensor, factor: float) -> torch.Tensor:
    if factor == 1:
        return values
    return functional.interpolate(values, scale_factor=factor, mode="bilinear", align_corners=False)


def _warped(frames: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Take each pixel of ``frames`` (n, c, h, w) from where ``flow`` (n, 2, h, w), in pixels, points; edges go on."""
    height, width = frames.shape[2:]
    rows = torch.linspace(-1, 1, height, device=flow.device)[:, None]
    columns = torch.linspace(-1, 1, width, device=flow.device)
    places = torch.stack((columns + flow[:, 0] * (2 / (width - 1)), rows + flow[:, 1] * (2 / (height - 1))), dim=-1)
    places = places.clamp_(-1, 1)  # the same as padding_mode="border", which older torch lacks on Apple's chips
    return functional.grid_sample(frames, places, mode="bilinear", padding_mode="zeros", align_corners=True)
