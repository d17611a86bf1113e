"""The residual blocks over pixels and frames of UNet and decoder, in leaner forms.

The spatial half knows nothing of other frames; the temporal half knows nothing of other pixels but for the statistics
of its group norms. So a block runs whole where memory allows, else over some frames and then over some pixel rows at a
time, with statistics taken over everything. α·s + (1 − α)·(s + h) is s + (1 − α)·h.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming

WHOLE = 1 << 40
"""Pixels of a piece that holds everything."""

Statistics = tuple[torch.Tensor, torch.Tensor]
"""What a group norm multiplies by and adds, per branch and channel: (branches, channels, 1, 1, 1) float32 each."""


def flatten_convolutions(network: nn.Module) -> None:
    """Have every convolution over time computed as one over two dimensions where that is wiser.

    Half-precision convolutions over three dimensions leave the fast kernels in some versions of torch (2.9, 2.10) and
    then take several times the memory and up to twenty times the time. Weights keep their names and shapes.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            module.forward = partial(convolve_over_time, module)  # pyright: ignore[reportAttributeAccessIssue]


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


def convolve(
    block: Any,
    maps: torch.Tensor | list[torch.Tensor],
    temb: torch.Tensor | None,
    frames: int,
    piece: int = WHOLE,
) -> torch.Tensor:
    """Run ``SpatioTemporalResBlock``: a convolution block over pixels, one over frames, mixed.

    Args:
        block: The stock module.
        maps: (branches · frames, channels, h, w), or several such that are joined along their channels. A list is
            emptied, so that whoever gave it holds their memory no longer than needed.
        temb: (branches · frames, width), the embedded moment of the denoising, or None.
        frames: Frames of a branch.
        piece: Pixels, over all frames, that are convolved together.

    Returns:
        (branches · frames, channels, h, w), newly made.
    """
    if isinstance(maps, torch.Tensor):
        maps = [maps]
    hidden = _over_pixels(block.spatial_res_block, maps, temb, piece)
    late = None if temb is None else temb.unflatten(0, (-1, frames))[:, :1]
    alpha = block.time_mixer.mix_factor.sigmoid()
    share = alpha if block.time_mixer.switch_spatial_to_temporal_mix else 1 - alpha
    over_time = hidden.unflatten(0, (-1, frames)).transpose(1, 2)
    if _fits(hidden, piece):
        change = _temporal_change(block.temporal_res_block, over_time, late)
        return hidden.add_(change.mul_(share.to(change.dtype)).transpose(1, 2).flatten(0, 1))
    for branch, part in enumerate(over_time.split(1)):
        moment = None if late is None else late[branch : branch + 1]
        _add_temporal_change(block.temporal_res_block, part, moment, share, piece)
    return hidden


def upsample(upsampler: Any, maps: list[torch.Tensor], size: Any, piece: int = WHOLE) -> torch.Tensor:
    """Run ``Upsample2D`` on the only map (n, channels, h, w) of a list, which is emptied, some frames at a time.

    Args:
        upsampler: The stock module.
        maps: One map.
        size: (H, W) of the result, or None to double both sides.
        piece: Pixels of the result, over all frames, that are made together.
    """
    hidden = maps.pop()
    height, width = size or (2 * hidden.shape[2], 2 * hidden.shape[3])
    pieces = list(cut(len(hidden), height * width, piece))
    if len(pieces) == 1:
        return upsampler(hidden, size)
    last = not hidden.is_contiguous() and hidden.is_contiguous(memory_format=torch.channels_last)
    laid = torch.channels_last if last else torch.contiguous_format
    shape = len(hidden), upsampler.out_channels, height, width
    made = torch.empty(shape, dtype=hidden.dtype, device=hidden.device, memory_format=laid)
    for some in pieces:
        made[some] = upsampler(hidden[some], size)
    return made


def cut(count: int, weight: int, most: int) -> Iterator[slice]:
    """Cut ``count`` things of ``weight`` pixels each into runs of at most ``most`` pixels, at least one thing a run."""
    step = max(1, most // weight)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _fits(hidden: torch.Tensor, piece: int) -> bool:
    return len(hidden) * hidden.shape[2] * hidden.shape[3] <= piece


def _over_pixels(block: Any, maps: list[torch.Tensor], temb: torch.Tensor | None, piece: int) -> torch.Tensor:
    """Run the spatial half on maps that are joined along their channels, and empty their list."""
    count, _, height, width = maps[0].shape
    if _fits(maps[0], piece):
        hidden = maps[0] if len(maps) == 1 else torch.cat(maps, 1)
        maps.clear()
        return _resnet(block, hidden, temb)
    made = maps[0].new_empty(count, block.out_channels, height, width)
    for some in cut(count, height * width, piece):
        parts = [one[some] for one in maps]
        hidden = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        made[some] = _resnet(block, hidden, None if temb is None else temb[some])
    maps.clear()
    return made


def _resnet(block: Any, hidden: torch.Tensor, temb: torch.Tensor | None) -> torch.Tensor:
    """Run ``ResnetBlock2D``: norm, SiLU, convolution, twice, and the input added."""
    change = block.conv1(functional.silu(block.norm1(hidden), inplace=True))
    if temb is not None:
        change += block.time_emb_proj(functional.silu(temb))[:, :, None, None]
    change = block.conv2(functional.silu(block.norm2(change), inplace=True))
    return change.add_(hidden if block.conv_shortcut is None else block.conv_shortcut(hidden))


def _temporal_change(block: Any, hidden: torch.Tensor, temb: torch.Tensor | None) -> torch.Tensor:
    """Run ``TemporalResnetBlock`` on (branches, channels, frames, h, w) without adding its input."""
    change = block.conv1(functional.silu(block.norm1(hidden), inplace=True))
    if temb is not None:
        change += _moment(block, temb)
    return block.conv2(functional.silu(block.norm2(change), inplace=True))


def _add_temporal_change(
    block: Any, hidden: torch.Tensor, temb: torch.Tensor | None, share: torch.Tensor, piece: int
) -> None:
    """Add ``share`` of ``TemporalResnetBlock`` to one branch (1, channels, frames, h, w), some rows at a time."""
    _, _, frames, height, width = hidden.shape
    rows = list(cut(height, frames * width, piece))
    between, known = hidden.new_empty(hidden.shape), _statistics(block.norm1, hidden)
    for some in rows:
        change = block.conv1(_normalised(hidden[..., some, :], known))
        between[..., some, :] = change if temb is None else change.add_(_moment(block, temb))
    known = _statistics(block.norm2, between)
    for some in rows:
        change = block.conv2(_normalised(between[..., some, :], known))
        hidden[..., some, :] += change.mul_(share.to(change.dtype))


def _moment(block: Any, temb: torch.Tensor) -> torch.Tensor:
    return block.time_emb_proj(functional.silu(temb)).transpose(1, 2)[..., None, None]


def _statistics(norm: nn.GroupNorm, hidden: torch.Tensor) -> Statistics:
    """Take a group norm's statistics over all of (branches, channels, frames, h, w), one frame at a time.

    The mean of equally many numbers' means is their mean, and the variance is the mean variance plus the variance of
    the means (Chan et al., "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979).
    """
    frames = (frame.unflatten(1, (norm.num_groups, -1)).flatten(2).float() for frame in hidden.unbind(2))
    variances, means = zip(*(torch.var_mean(frame, 2, correction=0) for frame in frames), strict=True)
    spread, mean = torch.var_mean(torch.stack(means), 0, correction=0)
    scale = (torch.stack(variances).mean(0) + spread + norm.eps).rsqrt()
    each = hidden.shape[1] // norm.num_groups
    scale, mean = (one.repeat_interleave(each, 1) for one in (scale, mean))
    factor = scale * norm.weight.float()
    return tuple(one[..., None, None, None] for one in (factor, norm.bias.float() - mean * factor))  # type: ignore[return-value]


def _normalised(hidden: torch.Tensor, known: Statistics) -> torch.Tensor:
    """Apply a group norm's statistics and SiLU to a part: (branches, channels, frames, h, w), dense."""
    factor, addend = known
    normal = hidden.float().mul_(factor) if hidden.dtype != torch.float32 else hidden * factor
    return functional.silu(normal.add_(addend), inplace=True).to(hidden.dtype).contiguous()
