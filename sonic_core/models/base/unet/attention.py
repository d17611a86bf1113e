"""The UNet's cross-attention: to an image token and to audio tokens at once.

At each ``attn2`` of the stock UNet the output is ``to_out(Attn(q, image) + mask · Attn(q, audio))``, the mask in the
spatial layers only (decoupled cross-attention, Ye et al., arXiv 2308.06721). Nothing is computed twice:

- the image is one token, and attention over one token is that token's value, whatever the query;
- the keys and values of audio tokens depend on neither step nor pixel; where memory allows they are cached;
- in the temporal layers the tokens are averaged over the window, and since keys and values are linear in the tokens,
  their averages serve as well;
- whatever is equal for all frames or pixels of a branch is broadcast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional

from ....types import Progress, ignore_progress
from .attend import attend
from .residual import WHOLE

KeysValues = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of n frames, each (n, tokens, width)."""


class AudioAttention(nn.Module):
    """The attention processor of one ``attn2``; its parameters are the published ``to_k_ip`` and ``to_v_ip``."""

    def __init__(self, audio_width: int, width: int, temporal: bool, context: AttentionContext) -> None:
        super().__init__()
        self.to_k_ip = nn.ModuleList([nn.Linear(audio_width, width, bias=False)])
        self.to_v_ip = nn.ModuleList([nn.Linear(audio_width, width, bias=False)])
        self.temporal = temporal
        self.context = context

    def project(self, tokens: torch.Tensor) -> KeysValues:
        """Make keys and values of tokens (n, tokens, width); in a temporal layer of their average over n."""
        if self.temporal:
            tokens = tokens.mean(0, keepdim=True)
        return self.to_k_ip[0](tokens), self.to_v_ip[0](tokens)

    def forward(self, attn: nn.Module, hidden_states: torch.Tensor, *_unused: Any, **_other: Any) -> torch.Tensor:  # noqa: ANN401
        """Attend to image and audio in all rows of the batch, as the stock UNet asks for it.

        Args:
            attn: diffusers' ``Attention``, whose projections are used.
            hidden_states: (branches · frames, pixels, width); in a temporal layer (branches · pixels, frames, width).

        Returns:
            What is added to ``hidden_states``, of the same shape.
        """
        rows = hidden_states.unflatten(0, (len(self.context.current().branches), -1))
        outputs = []
        for branch, part in enumerate(rows):
            given = self.context.given(attn, slice(branch, branch + 1), len(part), part.shape[1])
            outputs.append(self.attend(attn, part, given))
        return torch.cat(outputs)

    def attend(
        self,
        attn: Any,  # noqa: ANN401
        hidden: torch.Tensor,
        given: Given,
        rows: slice = slice(None),
    ) -> torch.Tensor:
        """Attend to image and audio.

        Args:
            attn: diffusers' ``Attention``, whose projections are used.
            hidden: (n, pixels, width), frames of some branches; in a temporal layer (branches, frames, pixels, width),
                or any pixels of one branch in any order.
            given: What is attended to.
            rows: Which of the branches' frames ``hidden`` holds; a temporal layer uses their average anyway.

        Returns:
            What is added to ``hidden``, of the same shape.
        """
        asked, keys, values, image = self.asked(attn, hidden, given, rows)
        output = attend(asked, keys, values, attn.heads).view(*hidden.shape[:-1], -1)
        learning = torch.is_grad_enabled()  # a backward pass needs what it finds unchanged
        if given.mask is not None:
            output = output * given.mask if learning else output.mul_(given.mask)
        if image is not None:
            output = output + image if learning else output.add_(image)
        return attn.to_out[0](output)

    def asked(
        self,
        attn: Any,  # noqa: ANN401
        hidden: torch.Tensor,
        given: Given,
        rows: slice = slice(None),
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Lay out what ``attend`` asks: queries (n, a, width), keys and values (n, b, width), and the image's value."""
        queries, keys, values, image = attn.to_q(hidden), given.keys, given.values, given.image
        if len(keys) == 1:  # all share their audio tokens: they are one long row of queries
            return queries.flatten(0, -2)[None], keys, values, image
        if self.temporal:
            return queries.flatten(1, 2), keys, values, image
        image = image[rows] if image is not None and image.dim() > 1 else image
        return queries, keys[rows], values[rows], image


@dataclass(frozen=True, eq=False)
class Given:
    """What one cross-attention gives to some branches of a call."""

    keys: torch.Tensor
    """(n, tokens, width) of the audio: n is 1 where all share them, else the branches' frames, or, in a temporal layer,
    the branches."""
    values: torch.Tensor
    """Of the same shape."""
    image: torch.Tensor | None
    """The image's value: (width,) where all share it, else (n, 1, width), in a temporal layer (n, 1, 1, width); None
    where nobody has an image."""
    mask: torch.Tensor | None
    """(1, pixels, 1), what the audio's part is multiplied by; None in a temporal layer."""


class Indexed(Protocol):
    """Something that has a row per frame."""

    def __getitem__(self, frames: Any, /) -> torch.Tensor:  # noqa: ANN401 - as of a tensor
        """Return the rows of some frames, (n,) or a slice: (n, …)."""
        ...


class AudioTokens:
    """The audio tokens of a clip, and the keys and values that each cross-attention makes of them."""

    def __init__(self, tokens: Indexed, device: torch.device, dtype: torch.dtype, *, cache: bool) -> None:
        """Take the tokens (frames, tokens, width), which stay where they are.

        Args:
            tokens: The tokens of every frame of the clip.
            device: Where keys and values are wanted.
            dtype: Their type.
            cache: Make keys and values once for the whole clip and keep them on the device.
        """
        self.tokens, self.device, self.dtype, self.cache = tokens, device, dtype, cache
        self._cached: dict[AudioAttention, KeysValues] = {}
        self._moved: torch.Tensor | None = None

    def window(self, frames: torch.Tensor | None = None) -> WindowTokens:
        """Select some frames (indices on the CPU, an index may come more than once), or all."""
        return WindowTokens(self, frames)

    def on_device(self, frames: torch.Tensor | None = None) -> torch.Tensor:
        """Bring the tokens of some frames, or of all, to the device."""
        chosen = self.tokens[slice(None) if frames is None else frames]
        return chosen.to(self.device, self.dtype)

    def cached(self, processor: AudioAttention) -> KeysValues:
        """Give the keys and values of every single frame, made at the first asking."""
        if processor not in self._cached:
            if self._moved is None:
                self._moved = self.on_device()
            tokens = self._moved
            self._cached[processor] = processor.to_k_ip[0](tokens), processor.to_v_ip[0](tokens)
        return self._cached[processor]


class WindowTokens:
    """The audio tokens of a window's frames."""

    def __init__(self, clip_tokens: AudioTokens, frames: torch.Tensor | None) -> None:
        self.clip_tokens, self.frames = clip_tokens, frames
        self._index = None if frames is None else frames.to(clip_tokens.device)
        self._tokens: torch.Tensor | None = None
        self._last: tuple[AudioAttention, KeysValues] | None = None

    def keys_values(self, processor: AudioAttention) -> KeysValues:
        """Give the keys and values of these frames in one layer: (frames, …), or (1, …) in a temporal layer."""
        if torch.is_grad_enabled():  # each backward pass needs a forward pass of its own
            return processor.project(self.clip_tokens.on_device(self.frames))
        if self._last is None or self._last[0] is not processor:
            self._last = processor, self._projected(processor)
        return self._last[1]

    def _projected(self, processor: AudioAttention) -> KeysValues:
        if not self.clip_tokens.cache:
            if self._tokens is None:
                self._tokens = self.clip_tokens.on_device(self.frames)
            return processor.project(self._tokens)
        keys, values = self.clip_tokens.cached(processor)
        if self._index is not None:
            keys, values = keys[self._index], values[self._index]
        if processor.temporal:
            keys, values = keys.mean(0, keepdim=True), values.mean(0, keepdim=True)
        return keys, values


class ImageToken:
    """The portrait as one token, and the value that each cross-attention makes of it."""

    def __init__(self, embedding: torch.Tensor) -> None:
        """Take CLIP's embedding (width,), on the device and of the type of the UNet."""
        self.embedding = embedding
        self._values: dict[AudioAttention, torch.Tensor] = {}

    def value(self, processor: AudioAttention, attn: Any) -> torch.Tensor:  # noqa: ANN401
        """Give ``to_v`` of the token: what attention over this one token is for every query."""
        if torch.is_grad_enabled():
            return attn.to_v(self.embedding)
        if processor not in self._values:
            self._values[processor] = attn.to_v(self.embedding)
        return self._values[processor]


class FaceMask:
    """The face mask at every level's grid."""

    def __init__(self, mask: torch.Tensor, latent_size: tuple[int, int], levels: int) -> None:
        """Resize a mask (1, h, w) bicubically to the grids of a UNet; each level halves the last, rounding up.

        Args:
            mask: 1 over the face, 0 elsewhere, on the device and of the type of the UNet.
            latent_size: (h, w) of the latents.
            levels: Number of the UNet's levels.
        """
        self._levels: dict[int, torch.Tensor] = {}
        whole = (mask if mask.is_meta else mask.cpu())[None].float()  # Apple's chips have no bicubic in torch 2.4, 2.5
        height, width = latent_size
        for _ in range(levels):
            resized = functional.interpolate(whole, (height, width), mode="bicubic", align_corners=False)
            self._levels[height * width] = resized.to(mask.device, mask.dtype).reshape(1, -1, 1)
            height, width = (height + 1) // 2, (width + 1) // 2

    def __call__(self, pixels: int) -> torch.Tensor:
        """Give the mask (1, pixels, 1) of the level that has so many pixels."""
        return self._levels[pixels]


@dataclass(frozen=True, eq=False)
class Branch:
    """The conditioning of one row of the UNet's batch: one branch of the guidance."""

    image: ImageToken | None
    """None: the embedding is zero, and so is its value."""
    audio: WindowTokens


@dataclass(frozen=True, eq=False)
class BatchConditioning:
    """The conditioning of all rows of one UNet call."""

    branches: Sequence[Branch]
    mask: FaceMask


@dataclass(eq=False)
class AttentionContext:
    """What the attention processors of a UNet share, beside their inputs."""

    width: int = 0
    """Channels of the first level, by which pieces are measured on a card; 0: pixels count alike at every width."""
    piece: int = WHOLE
    """Pixels, over all frames, that pass through a transformer block together; fewer take less memory."""
    convolution_piece: int = WHOLE
    """Pixels, over all frames, that pass through a residual block together; fewer take less memory."""
    acceleration: Any = None
    """The levers that were pulled (``acceleration.Acceleration``); None before any were chosen."""
    batched: bool | None = None
    """Whether all branches pass through a transformer's layer together; None where the device is no processor."""
    back_end: str | None = None
    """Kernel of attention over pixels (``attend.BACK_ENDS``); None is torch's own."""
    renew: Callable[[], None] | None = None
    """Does again, before a call, what a move of the weights undid."""
    autotune: bool = False
    """Whether cuDNN tries its ways to convolve."""
    transform: Callable[..., torch.Tensor] | None = None
    """A compiled form of ``lean.transform``."""
    convolve: Callable[..., torch.Tensor] | None = None
    """A compiled form of ``residual.convolve``."""
    fused: Any = None
    """The blocks' forms with kernels of our own (``fused.Fused``), in the place of both."""
    progress: Progress = ignore_progress
    """Told "warm-up" while something compiles: that of the present clip."""
    graphs: Any = None
    """Recorded calls (``graphs.Graphs``)."""
    asked: dict[tuple[Any, ...], Given] | None = None
    """While a call is about to be recorded: what its cross-attentions gave."""
    fixed: dict[tuple[Any, ...], Given] | None = None
    """While a call is being recorded: what they give, in memory that stays."""
    batch: BatchConditioning | None = None
    """Conditioning of the present call; None between calls, so that nothing holds its memory."""

    def current(self) -> BatchConditioning:
        """Return the conditioning of the present call.

        Raises:
            RuntimeError: The UNet was called without any.
        """
        if self.batch is None:
            raise RuntimeError("set the attention context's batch before the UNet is called")
        return self.batch

    def pixels(self, piece: int, width: int, device: torch.device) -> int:
        """Tell how many pixels of ``width`` channels are as many values as a piece of the first level's.

        On a processor pixels are counted whatever their width, which is what its numbers were held with.
        """
        return piece if device.type == "cpu" or not self.width else max(1, piece * self.width // width)

    def groups(self, branches: int, device: torch.device) -> list[slice]:
        """List which of the call's branches pass through a layer together."""
        batched = device.type != "cpu" if self.batched is None else self.batched
        return [slice(0, branches)] if batched else [slice(branch, branch + 1) for branch in range(branches)]

    def given(self, attn: Any, some: slice, frames: int, pixels: int) -> Given:  # noqa: ANN401
        """Gather what one cross-attention gives to some branches of the present call.

        Args:
            attn: diffusers' ``Attention`` with an ``AudioAttention`` as its processor.
            some: Which branches.
            frames: Frames of each.
            pixels: Pixels of each frame.
        """
        key = (attn, some.start, some.stop, frames, pixels)
        if self.fixed is not None:
            return self.fixed[key]
        made = self._gathered(attn, some, frames, pixels)
        if self.asked is not None:
            self.asked[key] = made
        return made

    def _gathered(self, attn: Any, some: slice, frames: int, pixels: int) -> Given:  # noqa: ANN401
        batch, processor = self.current(), attn.processor
        branches = batch.branches[some]
        mask = None if processor.temporal else batch.mask(pixels)
        audio = [branch.audio.keys_values(processor) for branch in branches]
        images = [None if branch.image is None else branch.image.value(processor, attn) for branch in branches]
        if len(branches) == 1:
            return Given(*audio[0], images[0], mask)
        each = 1 if processor.temporal else frames
        keys, values = (torch.cat([one.expand(each, -1, -1) for one in kind]) for kind in zip(*audio, strict=True))
        return Given(keys, values, _stacked(images, each, processor.temporal), mask)


def _stacked(images: list[torch.Tensor | None], each: int, temporal: bool) -> torch.Tensor | None:
    """Stack branches' values of their images, zero where there is none, and repeat each for its frames."""
    some = next((image for image in images if image is not None), None)
    if some is None:
        return None
    values = torch.stack([torch.zeros_like(some) if image is None else image for image in images])
    return values[:, None, None] if temporal else values.repeat_interleave(each, 0)[:, None]


def install_audio_attention(unet: nn.Module, audio_width: int) -> AttentionContext:
    """Replace the processor of every cross-attention of a stock UNet by an ``AudioAttention``.

    Args:
        unet: diffusers' ``UNetSpatioTemporalConditionModel``.
        audio_width: Channels of an audio token.

    Returns:
        The context that all the processors share.
    """
    context = AttentionContext(width=unet.conv_in.out_channels)  # type: ignore[union-attr, arg-type]
    for name, module in unet.named_modules():
        if name.endswith(".attn2"):
            temporal = "temporal_transformer_blocks" in name
            module.set_processor(AudioAttention(audio_width, module.inner_dim, temporal, context))  # type: ignore[operator, arg-type]
    return context
