"""The blocks of UNet and decoder for graphics cards, with channels last and with kernels of our own between products.

Maps have their channels last from the first convolution to the last: tensor cores read them so, tokens are a view of
them, and nothing is turned around. Norms, gates, biases and sums are ``kernels``. What is computed is what ``lean``
computes; only sums are rounded less often.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional

from .attend import attend
from .attention import Given
from .measuring import first_paragraph
from .projections import projected
from .residual import WHOLE, cut

# ruff: noqa: ANN401 - diffusers' modules have no types worth naming

TRIED = (2, 96, 64)
"""(n, pixels, channels) of the maps by which a device is asked whether the kernels run there."""
NEAR = 1e-2
"""Difference to torch's own answer, in half precision, above which they are taken to be wrong."""


class Kernels(Protocol):
    """What is computed between products: tokens are (…, width), maps (n, pixels, channels), both dense."""

    def gate(self, projected: torch.Tensor) -> torch.Tensor:
        """Multiply the first half of the channels by GELU of the second."""
        ...

    def normalise(self, hidden: torch.Tensor, norm: nn.LayerNorm, change: torch.Tensor | None = None) -> torch.Tensor:
        """Add a change to tokens in place, and return their layer norm."""
        ...

    def begin(
        self, before: torch.Tensor, norm: nn.LayerNorm, moments: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add moments (frames, 1, width) to copies of tokens (…, frames, pixels, width); return them and their norm."""
        ...

    def mix(self, before: torch.Tensor, hidden: torch.Tensor, change: torch.Tensor, share: torch.Tensor) -> None:
        """Put share · before + (1 − share) · (hidden + change) where ``before`` lies."""
        ...

    def add(
        self, maps: torch.Tensor, bias: torch.Tensor, other: torch.Tensor, share: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return share · (maps + bias) + other, where ``maps`` lie."""
        ...

    def mask_and_add(
        self, hidden: torch.Tensor, mask: torch.Tensor | None, image: torch.Tensor | None, pixels: int
    ) -> torch.Tensor:
        """Multiply tokens by a mask of their pixels and add an image's value, in place.

        Args:
            hidden: Tokens.
            mask: ``pixels`` numbers.
            image: (width,) of all, or one (width) for every ``pixels`` tokens.
            pixels: Tokens of a picture.
        """
        ...

    def group_norm(
        self, maps: torch.Tensor, norm: nn.GroupNorm, *, silu: bool, shift: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the group norm of maps, each with its own shift (n, channels) added before, with SiLU or without."""
        ...


@cache
def card_kernels(device: torch.device) -> Kernels | str:
    """Give the kernels for a device, or tell why they do not run there: no Triton, no compiler, or another answer."""
    if device.type != "cuda":
        return f"{device} is no such card"
    try:
        from .kernels import TritonKernels  # noqa: PLC0415 - comes with torch's builds for cards

        kernels = TritonKernels()
        with _present(device), torch.inference_mode():
            return kernels if _right(kernels, device) else "their answers differ from torch's"
    except Exception as error:  # noqa: BLE001 - a compiler fails in many ways, and all is well without
        return first_paragraph(error)


def _right(kernels: Kernels, device: torch.device) -> bool:
    """Compare two of the kernels with torch's own answers."""
    chance = torch.Generator(device).manual_seed(0)
    maps = torch.randn(TRIED, generator=chance, device=device, dtype=torch.float16)
    norm = nn.GroupNorm(TRIED[2] // 4, TRIED[2], device=device, dtype=torch.float16)
    value, gate = maps.chunk(2, -1)
    wanted = functional.silu(norm(maps.transpose(1, 2))).transpose(1, 2), value * functional.gelu(gate)
    made = kernels.group_norm(maps, norm, silu=True), kernels.gate(maps)
    return all(bool((one - other).abs().max() <= NEAR) for one, other in zip(made, wanted, strict=True))


class Fused:
    """Blocks in their fused forms, in the place of ``residual.convolve`` and ``lean.transform``."""

    def __init__(self, kernels: Kernels) -> None:
        self.kernels = kernels

    def convolve(
        self, block: Any, given: list[torch.Tensor], temb: torch.Tensor | None, frames: int, piece: int = WHOLE
    ) -> torch.Tensor:
        """Run ``SpatioTemporalResBlock``.

        Args:
            block: The stock module.
            given: Maps (branches · frames, channels, h, w), which are joined along their channels. The list is emptied,
                so that whoever gave it holds their memory no longer than needed.
            temb: (branches · frames, width), the embedded moment of the denoising, or None.
            frames: Frames of a branch.
            piece: Pixels, over all frames, that pass through the spatial half together.

        Returns:
            (branches · frames, channels, h, w), channels last.
        """
        height, width = given[0].shape[2:]
        with _present(given[0].device):
            maps = _rows(given[0] if len(given) == 1 else torch.cat(given, 1))
            given.clear()
            pieces = list(cut(len(maps), height * width, piece))
            if len(pieces) == 1:
                made = self._over_pixels(block.spatial_res_block, maps, temb, (height, width))
            else:
                made = maps.new_empty(len(maps), height * width, block.spatial_res_block.out_channels)
                for some in pieces:
                    moment = None if temb is None else temb[some]
                    made[some] = self._over_pixels(block.spatial_res_block, maps[some], moment, (height, width))
            del maps
            alpha = block.time_mixer.mix_factor.sigmoid()
            share = alpha if block.time_mixer.switch_spatial_to_temporal_mix else 1 - alpha
            late = None if temb is None else temb.unflatten(0, (-1, frames))[:, 0]
            return _maps(self._over_frames(block.temporal_res_block, made, late, frames, share), (height, width))

    def _over_pixels(
        self, block: Any, maps: torch.Tensor, temb: torch.Tensor | None, size: tuple[int, int]
    ) -> torch.Tensor:
        """Run ``ResnetBlock2D`` on maps (n, pixels, channels)."""
        change = _convolved(block.conv1, self.kernels.group_norm(maps, block.norm1, silu=True), size)
        shift = _shift(block, temb, len(maps))
        change = _convolved(block.conv2, self.kernels.group_norm(change, block.norm2, silu=True, shift=shift), size)
        shortcut = block.conv_shortcut
        if shortcut is not None:
            maps = functional.linear(maps, shortcut.weight.flatten(1), shortcut.bias)
        return self.kernels.add(change, block.conv2.bias, maps)

    def _over_frames(
        self, block: Any, maps: torch.Tensor, temb: torch.Tensor | None, frames: int, share: torch.Tensor
    ) -> torch.Tensor:
        """Add ``share`` of ``TemporalResnetBlock`` to maps (branches · frames, pixels, channels)."""
        clips = maps.unflatten(0, (-1, frames))
        change = self._convolved_over_time(block.conv1, clips, block.norm1)
        change = self._convolved_over_time(block.conv2, change, block.norm2, _shift(block, temb, len(clips)))
        return self.kernels.add(change.flatten(0, 1), block.conv2.bias, maps, share)

    def _convolved_over_time(
        self, convolution: nn.Conv3d, clips: torch.Tensor, norm: nn.GroupNorm, shift: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Normalise (branches, frames, pixels, channels) over all of a branch, and convolve over time, without bias."""
        normal = self.kernels.group_norm(clips.flatten(1, 2), norm, silu=True, shift=shift).view(clips.shape)
        kernel, padding = convolution.weight.squeeze(-1), (int(convolution.padding[0]), 0)
        made = functional.conv2d(normal.permute(0, 3, 1, 2), kernel, padding=padding)
        return made.permute(0, 2, 3, 1).contiguous()

    def transform(
        self,
        model: Any,
        hidden: torch.Tensor,
        *,
        frames: int,
        groups: list[slice],
        given: list[list[list[Given]]],
        piece: int = WHOLE,
        outer_piece: int = WHOLE,
        back_end: str | None = None,
    ) -> torch.Tensor:
        """Run a spatio-temporal transformer (the arguments of ``lean.transform``).

        Returns:
            (branches · frames, channels, h, w), channels last.
        """
        size = hidden.shape[2], hidden.shape[3]
        with _present(hidden.device):
            maps = _rows(hidden)
            pieces = list(cut(len(maps), maps.shape[1], outer_piece))
            tokens = maps.new_empty(*maps.shape[:2], model.proj_in.out_features)
            for some in pieces:
                tokens[some] = model.proj_in(self.kernels.group_norm(maps[some], model.norm, silu=False))
            order = model.time_proj(torch.arange(frames, device=tokens.device)).to(tokens.dtype)
            moments = model.time_pos_embed(order)[:, None]
            alpha = model.time_mixer.mix_factor.sigmoid()
            rows = tokens.unflatten(0, (-1, frames))
            blocks = zip(model.transformer_blocks, model.temporal_transformer_blocks, given, strict=True)
            for over_pixels, over_frames, (spatial, temporal) in blocks:
                for some, known in zip(groups, spatial, strict=True):
                    self._attend_over_pixels(over_pixels, rows[some].flatten(0, 1), known, piece, back_end)
                for some, known in zip(groups, temporal, strict=True):
                    self._attend_over_frames(over_frames, rows[some], known, piece=piece, moments=moments, alpha=alpha)
            for some in pieces:
                maps[some] += model.proj_out(tokens[some])
            return _maps(maps, size)

    def _attend_over_pixels(
        self, block: Any, tokens: torch.Tensor, given: Given, piece: int, back_end: str | None
    ) -> None:
        """Run ``BasicTransformerBlock`` in place on tokens (n, pixels, width), some frames at a time."""
        for some in cut(len(tokens), tokens.shape[1], piece):
            part = tokens[some]
            q, k, v = projected(block.attn1, self.kernels.normalise(part, block.norm1))
            change = block.attn1.to_out[0](attend(q, k, v, block.attn1.heads, back_end))
            normal = self.kernels.normalise(part, block.norm2, change)
            change = self._attend_to_given(block.attn2, normal, given, some)
            part += self._fed(block.ff, self.kernels.normalise(part, block.norm3, change))

    def _attend_over_frames(
        self,
        block: Any,
        tokens: torch.Tensor,
        given: Given,
        *,
        piece: int,
        moments: torch.Tensor,
        alpha: torch.Tensor,
    ) -> None:
        """Run ``TemporalBasicTransformerBlock`` on tokens (branches, frames, pixels, width), and mix it into them."""
        heads = block.attn1.heads
        for some in cut(tokens.shape[2], tokens.shape[0] * tokens.shape[1], piece):
            before = tokens[:, :, some]
            dense = before.contiguous()
            part, normal = self.kernels.begin(dense, block.norm_in, moments)
            normal = self.kernels.normalise(part, block.norm1, self._fed(block.ff_in, normal))
            q, k, v = (one.flatten(2) for one in projected(block.attn1, normal))
            pixels = part.shape[2]
            change = block.attn1.to_out[0](attend(q, k, v, pixels * heads).unflatten(2, (pixels, -1)))
            normal = self.kernels.normalise(part, block.norm2, change)
            change = self._attend_to_given(block.attn2, normal, given)
            change = self._fed(block.ff, self.kernels.normalise(part, block.norm3, change))
            self.kernels.mix(dense, part, change, alpha)
            if dense.data_ptr() != before.data_ptr():
                before.copy_(dense)

    def _fed(self, forward: Any, normal: torch.Tensor) -> torch.Tensor:
        """Run ``FeedForward``."""
        return forward.net[2](self.kernels.gate(forward.net[0].proj(normal)))

    def _attend_to_given(
        self, attn: Any, normal: torch.Tensor, given: Given, rows: slice = slice(None)
    ) -> torch.Tensor:
        """Attend to image and audio (``attention.AudioAttention.attend``)."""
        asked, keys, values, image = attn.processor.asked(attn, normal, given, rows)
        answer = attend(asked, keys, values, attn.heads).view(normal.shape[:-1] + asked.shape[-1:])
        if given.mask is not None or image is not None:
            pixels = normal.shape[-2] if not attn.processor.temporal else normal.shape[1] * normal.shape[2]
            answer = self.kernels.mask_and_add(answer, given.mask, image, pixels)
        return attn.to_out[0](answer)

    def finished(self, network: Any, maps: torch.Tensor) -> torch.Tensor:
        """Run a network's last norm and convolution on maps (n, channels, h, w)."""
        with _present(maps.device):
            normal = self.kernels.group_norm(_rows(maps), network.conv_norm_out, silu=True)
            return network.conv_out(_maps(normal, (maps.shape[2], maps.shape[3])))


def _shift(block: Any, temb: torch.Tensor | None, count: int) -> torch.Tensor:
    """Return what is added to the first convolution's answer: its bias and the moment, (count, channels)."""
    bias = block.conv1.bias.expand(count, -1)
    return (bias if temb is None else bias + block.time_emb_proj(functional.silu(temb))).contiguous()


def _convolved(convolution: nn.Conv2d, maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Convolve maps (n, pixels, channels) without the bias."""
    made = functional.conv2d(_maps(maps, size), convolution.weight, None, convolution.stride, convolution.padding)
    return _rows(made)


def _rows(maps: torch.Tensor) -> torch.Tensor:
    """View (n, channels, h, w) as (n, pixels, channels), dense; copied where channels are not last."""
    return maps.permute(0, 2, 3, 1).contiguous().flatten(1, 2)


def _maps(rows: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """View (n, pixels, channels) as (n, channels, h, w)."""
    return rows.unflatten(1, size).permute(0, 3, 1, 2)


def _present(device: torch.device) -> Any:
    """Make a card the present one, on which Triton starts its kernels."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
