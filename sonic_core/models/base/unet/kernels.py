"""Kernels of our own for graphics cards, written in Triton: what lies between products and convolutions.

Half of a lean call's time goes into reading and writing maps for norms, gates, biases and sums. Each kernel here reads
its maps once and writes one; it counts in float32 and rounds once. Maps have their channels last: (n, pixels,
channels), dense.

The module needs Triton, which comes with torch's builds for cards; ``fused.card_kernels`` asks before it is imported.
"""

from __future__ import annotations

import torch
import triton  # pyright: ignore[reportMissingImports]
import triton.language as tl  # pyright: ignore[reportMissingImports]
from torch import nn

# ruff: noqa: ANN001, ANN202, PLR0917 - as Triton's kernels are written
# pyright: reportIndexIssue=false

ROW = 512
"""Channels that a program handles at once where it goes along a row."""
TILE = (64, 64)
"""Pixels and channels that a program normalises at once."""
MEASURED = 128
"""Pixels over which a program takes statistics: fewer numbers to join for more of them."""
JOINED = 32
"""Statistics of so many pixels' runs that are joined at once."""
HALF = 0.7071067811865476
"""1 / √2, of the Gaussian's distribution."""


@triton.jit
def _gate(projected, made, width: tl.constexpr, half: tl.constexpr, block: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    for start in range(0, width, block):
        columns = start + tl.arange(0, block)
        inside = columns < width
        value = tl.load(projected + row * 2 * width + columns, mask=inside, other=0).to(tl.float32)
        gate = tl.load(projected + row * 2 * width + width + columns, mask=inside, other=0).to(tl.float32)
        gated = value * (0.5 * gate * (1 + tl.erf(gate * half)))
        tl.store(made + row * width + columns, gated.to(made.dtype.element_ty), mask=inside)


@triton.jit
def _add_and_normalise(
    hidden,
    change,
    kept,
    normal,
    weight,
    bias,
    period,
    count,
    epsilon,
    width: tl.constexpr,
    add: tl.constexpr,
    block: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    columns = tl.arange(0, block)
    inside = columns < width
    value = tl.load(hidden + row * width + columns, mask=inside, other=0).to(tl.float32)
    if add:
        other = (row // period) % count
        value += tl.load(change + other * width + columns, mask=inside, other=0).to(tl.float32)
        tl.store(kept + row * width + columns, value.to(kept.dtype.element_ty), mask=inside)
    away = tl.where(inside, value - tl.sum(value, 0) / width, 0.0)
    scale = 1 / tl.sqrt(tl.sum(away * away, 0) / width + epsilon)
    factor = tl.load(weight + columns, mask=inside, other=0).to(tl.float32) * scale
    addend = tl.load(bias + columns, mask=inside, other=0).to(tl.float32)
    tl.store(normal + row * width + columns, (away * factor + addend).to(normal.dtype.element_ty), mask=inside)


@triton.jit
def _mix(before, hidden, change, share, width: tl.constexpr, block: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    part = tl.load(share).to(tl.float32)
    for start in range(0, width, block):
        columns = start + tl.arange(0, block)
        inside = columns < width
        at = row * width + columns
        value = tl.load(hidden + at, mask=inside, other=0).to(tl.float32)
        value += tl.load(change + at, mask=inside, other=0).to(tl.float32)
        old = tl.load(before + at, mask=inside, other=0).to(tl.float32)
        tl.store(before + at, (value + part * (old - value)).to(before.dtype.element_ty), mask=inside)


@triton.jit
def _add(maps, bias, other, share, made, width: tl.constexpr, shared: tl.constexpr, block: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    for start in range(0, width, block):
        columns = start + tl.arange(0, block)
        inside = columns < width
        at = row * width + columns
        value = tl.load(maps + at, mask=inside, other=0).to(tl.float32)
        value += tl.load(bias + columns, mask=inside, other=0).to(tl.float32)
        if shared:
            value *= tl.load(share).to(tl.float32)
        value += tl.load(other + at, mask=inside, other=0).to(tl.float32)
        tl.store(made + at, value.to(made.dtype.element_ty), mask=inside)


@triton.jit
def _mask_and_add(
    hidden,
    face,
    image,
    pixels,
    stride,
    width: tl.constexpr,
    masked: tl.constexpr,
    seen: tl.constexpr,
    block: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    for start in range(0, width, block):
        columns = start + tl.arange(0, block)
        inside = columns < width
        at = row * width + columns
        value = tl.load(hidden + at, mask=inside, other=0).to(tl.float32)
        if masked:
            value *= tl.load(face + row % pixels).to(tl.float32)
        if seen:
            value += tl.load(image + (row // pixels) * stride + columns, mask=inside, other=0).to(tl.float32)
        tl.store(hidden + at, value.to(hidden.dtype.element_ty), mask=inside)


@triton.jit
def _measure(
    maps,
    shift,
    means,
    squares,
    pixels,
    channels,
    shifted: tl.constexpr,
    run: tl.constexpr,
    block: tl.constexpr,
):
    first, n = tl.program_id(0), tl.program_id(2).to(tl.int64)
    rows = first * run + tl.arange(0, run)
    columns = tl.program_id(1) * block + tl.arange(0, block)
    there = columns < channels
    inside = (rows[:, None] < pixels) & there[None, :]
    at = n * pixels * channels + rows[:, None].to(tl.int64) * channels + columns[None, :]
    values = tl.load(maps + at, mask=inside, other=0).to(tl.float32)
    if shifted:
        values += tl.load(shift + n * channels + columns, mask=there, other=0).to(tl.float32)[None, :]
    values = tl.where(inside, values, 0.0)
    mean = tl.sum(values, 0) / tl.minimum(run, pixels - first * run).to(tl.float32)
    away = tl.where(inside, values - mean[None, :], 0.0)
    to = (n * tl.num_programs(0) + first) * channels + columns
    tl.store(means + to, mean, mask=there)
    tl.store(squares + to, tl.sum(away * away, 0), mask=there)


@triton.jit
def _join(
    means,
    squares,
    weight,
    bias,
    shift,
    factor,
    addend,
    pixels,
    channels,
    epsilon,
    runs: tl.constexpr,
    each: tl.constexpr,
    shifted: tl.constexpr,
    run: tl.constexpr,
    joined: tl.constexpr,
    block: tl.constexpr,
):
    n = tl.program_id(1).to(tl.int64)
    inner = tl.arange(0, block)
    columns = tl.program_id(0) * each + inner
    there = inner < each
    sums = tl.zeros((joined, block), tl.float32)
    for start in range(0, runs, joined):
        rows = start + tl.arange(0, joined)
        inside = (rows[:, None] < runs) & there[None, :]
        counts = tl.minimum(run, pixels - rows * run).to(tl.float32)[:, None]
        at = (n * runs + rows[:, None]) * channels + columns[None, :]
        sums += tl.where(inside, tl.load(means + at, mask=inside, other=0) * counts, 0.0)
    number = pixels * each * 1.0
    mean = tl.sum(tl.sum(sums, 1), 0) / number
    spread = tl.zeros((joined, block), tl.float32)
    for start in range(0, runs, joined):
        rows = start + tl.arange(0, joined)
        inside = (rows[:, None] < runs) & there[None, :]
        counts = tl.minimum(run, pixels - rows * run).to(tl.float32)[:, None]
        at = (n * runs + rows[:, None]) * channels + columns[None, :]
        away = tl.load(means + at, mask=inside, other=0) - mean
        spread += tl.where(inside, tl.load(squares + at, mask=inside, other=0) + away * away * counts, 0.0)
    scale = 1 / tl.sqrt(tl.sum(tl.sum(spread, 1), 0) / number + epsilon)
    multiplied = tl.load(weight + columns, mask=there, other=0).to(tl.float32) * scale
    added = tl.load(bias + columns, mask=there, other=0).to(tl.float32) - mean * multiplied
    if shifted:
        added += tl.load(shift + n * channels + columns, mask=there, other=0).to(tl.float32) * multiplied
    tl.store(factor + n * channels + columns, multiplied, mask=there)
    tl.store(addend + n * channels + columns, added, mask=there)


@triton.jit
def _apply(maps, made, factor, addend, pixels, channels, silu: tl.constexpr, run: tl.constexpr, block: tl.constexpr):
    n = tl.program_id(2).to(tl.int64)
    rows = tl.program_id(0) * run + tl.arange(0, run)
    columns = tl.program_id(1) * block + tl.arange(0, block)
    there = columns < channels
    inside = (rows[:, None] < pixels) & there[None, :]
    at = n * pixels * channels + rows[:, None].to(tl.int64) * channels + columns[None, :]
    multiplied = tl.load(factor + n * channels + columns, mask=there, other=0)
    added = tl.load(addend + n * channels + columns, mask=there, other=0)
    values = tl.load(maps + at, mask=inside, other=0).to(tl.float32) * multiplied[None, :] + added[None, :]
    if silu:
        values = values / (1 + tl.exp(-values))
    tl.store(made + at, values.to(made.dtype.element_ty), mask=inside)


class TritonKernels:
    """The kernels, as ``fused`` calls them (protocol ``fused.Kernels``)."""

    def gate(self, projected: torch.Tensor) -> torch.Tensor:
        """Multiply the first half of the channels by GELU of the second."""
        width = projected.shape[-1] // 2
        made = projected.new_empty(*projected.shape[:-1], width)
        _gate[(made.numel() // width,)](projected, made, width, HALF, 2 * ROW, num_warps=4)
        return made

    def normalise(self, hidden: torch.Tensor, norm: nn.LayerNorm, change: torch.Tensor | None = None) -> torch.Tensor:
        """Add a change to tokens in place, and return their layer norm."""
        normal = torch.empty_like(hidden)
        self._normalise(hidden, hidden if change is None else change, hidden, normal, norm, change is not None)
        return normal

    def begin(
        self, before: torch.Tensor, norm: nn.LayerNorm, moments: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add each frame's moment to copies of its tokens, and return them and their layer norm."""
        hidden, normal = torch.empty_like(before), torch.empty_like(before)
        period, count = before.shape[-2], len(moments)
        self._normalise(before, moments, hidden, normal, norm, True, period, count)
        return hidden, normal

    def _normalise(
        self,
        hidden: torch.Tensor,
        change: torch.Tensor,
        kept: torch.Tensor,
        normal: torch.Tensor,
        norm: nn.LayerNorm,
        add: bool,
        period: int = 1,
        count: int = 0,
    ) -> None:
        width = hidden.shape[-1]
        rows = hidden.numel() // width
        wide = triton.next_power_of_2(width)
        _add_and_normalise[(rows,)](
            hidden, change, kept, normal, norm.weight, norm.bias, period, count or rows, norm.eps, width, add, wide,
            num_warps=_warps(wide),
        )  # fmt: skip

    def mix(self, before: torch.Tensor, hidden: torch.Tensor, change: torch.Tensor, share: torch.Tensor) -> None:
        """Put share · before + (1 − share) · (hidden + change) where ``before`` lies."""
        width = before.shape[-1]
        _mix[(before.numel() // width,)](before, hidden, change, share, width, ROW, num_warps=2)

    def add(
        self, maps: torch.Tensor, bias: torch.Tensor, other: torch.Tensor, share: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return share · (maps + bias) + other, where ``maps`` lie."""
        width = maps.shape[-1]
        given = bias if share is None else share
        _add[(maps.numel() // width,)](maps, bias, other, given, maps, width, share is not None, ROW, num_warps=2)
        return maps

    def mask_and_add(
        self, hidden: torch.Tensor, mask: torch.Tensor | None, image: torch.Tensor | None, pixels: int
    ) -> torch.Tensor:
        """Multiply tokens by the face mask and add the image's value, in place; an image serves ``pixels`` tokens."""
        width = hidden.shape[-1]
        stride = width if image is not None and image.numel() > width else 0
        face, seen = (hidden if one is None else one for one in (mask, image))
        _mask_and_add[(hidden.numel() // width,)](
            hidden, face, seen, pixels, stride, width, mask is not None, image is not None, ROW, num_warps=2
        )
        return hidden

    def group_norm(
        self, maps: torch.Tensor, norm: nn.GroupNorm, *, silu: bool, shift: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the group norm of maps, each with its own shift (n, channels) added before, with SiLU or without."""
        n, pixels, channels = maps.shape
        runs, (rows, block) = triton.cdiv(pixels, MEASURED), TILE
        means, squares = maps.new_empty(2, n, runs, channels, dtype=torch.float32)
        factor, addend = maps.new_empty(2, n, channels, dtype=torch.float32)
        shifted, given = shift is not None, maps if shift is None else shift
        columns, each = triton.cdiv(channels, block), channels // norm.num_groups
        _measure[(runs, columns, n)](
            maps, given, means, squares, pixels, channels, shifted, MEASURED, block, num_warps=4
        )
        _join[(norm.num_groups, n)](
            means, squares, norm.weight, norm.bias, given, factor, addend, pixels, channels, norm.eps,
            runs, each, shifted, MEASURED, JOINED, triton.next_power_of_2(each), num_warps=2,
        )  # fmt: skip
        made = torch.empty_like(maps)
        _apply[(triton.cdiv(pixels, rows), columns, n)](
            maps, made, factor, addend, pixels, channels, silu, rows, block, num_warps=4
        )
        return made


def _warps(wide: int) -> int:
    """Tell how many warps share a row."""
    return max(1, min(4, wide // ROW))
