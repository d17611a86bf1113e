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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional

FUSED = ("cuda", "cpu", "meta")
"""Kinds of devices on which attention never holds its scores."""
MOST_SCORES = 1 << 27
"""Scores that are held at once elsewhere: 256 MB in half precision."""

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
        outputs = [self.attend(attn, part, branch) for branch, part in enumerate(rows)]
        return torch.cat(outputs)

    def attend(
        self,
        attn: Any,  # noqa: ANN401
        hidden: torch.Tensor,
        branch: int,
        frames: slice = slice(None),
    ) -> torch.Tensor:
        """Attend to image and audio in one branch.

        Args:
            attn: diffusers' ``Attention``, whose projections are used.
            hidden: (frames, pixels, width); in a temporal layer any pixels of the branch in any order.
            branch: Which branch of the batch.
            frames: Which of the window's frames ``hidden`` holds; a temporal layer uses their average anyway.

        Returns:
            What is added to ``hidden``, of the same shape.
        """
        batch = self.context.current()
        condition = batch.branches[branch]
        keys, values = condition.audio.keys_values(self)
        if len(keys) > 1:
            keys, values = keys[frames], values[frames]
        queries = attn.to_q(hidden)
        if len(keys) == 1:  # all these frames share their audio tokens: they are one long row of queries
            output = attend(queries.flatten(0, 1)[None], keys, values, attn.heads).view_as(queries)
        else:
            output = attend(queries, keys, values, attn.heads)
        if not self.temporal:
            output *= batch.mask(output.shape[1])
        if condition.image is not None:
            output += condition.image.value(self, attn)
        return attn.to_out[0](output)


def attend(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, heads: int) -> torch.Tensor:
    """Attend with several heads: softmax(q kᵀ / √d) v per head.

    Args:
        queries: (n, a, width).
        keys: (n, b, width).
        values: (n, b, width).
        heads: Number of heads; each has ``width / heads`` channels.

    Returns:
        (n, a, width), newly made.

    Source: Vaswani et al., "Attention Is All You Need", arXiv 1706.03762, equation 1.
    """
    q, k, v = (tensor.unflatten(-1, (heads, -1)).transpose(1, 2) for tensor in (queries, keys, values))
    slices = score_slices(queries.device.type, q.shape[0] * heads * q.shape[2] * k.shape[2])
    parts = [functional.scaled_dot_product_attention(part, k, v) for part in q.chunk(slices, dim=2)]
    return (parts[0] if slices == 1 else torch.cat(parts, 2)).transpose(1, 2).flatten(2)


def score_slices(device: str, scores: int) -> int:
    """Tell in how many slices queries are answered.

    Args:
        device: Kind of device. Where torch's fused kernels never hold the scores, one slice is best.
        scores: Scores of all queries against all keys.

    >>> score_slices("cuda", 1 << 40), score_slices("mps", 1 << 29)
    (1, 4)
    """
    return 1 if device in FUSED else max(1, -(-scores // MOST_SCORES))


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
            tokens = self.on_device()
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
        whole = mask.cpu()[None].float()  # torch 2.4 and 2.5 know no bicubic resizing on Apple's chips
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

    piece: int = 1 << 40
    """Pixels, over all frames, that pass through a transformer block together; fewer take less memory."""
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


def install_audio_attention(unet: nn.Module, audio_width: int) -> AttentionContext:
    """Replace the processor of every cross-attention of a stock UNet by an ``AudioAttention``.

    Args:
        unet: diffusers' ``UNetSpatioTemporalConditionModel``.
        audio_width: Channels of an audio token.

    Returns:
        The context that all the processors share.
    """
    context = AttentionContext()
    for name, module in unet.named_modules():
        if name.endswith(".attn2"):
            temporal = "temporal_transformer_blocks" in name
            module.set_processor(AudioAttention(audio_width, module.inner_dim, temporal, context))  # type: ignore[operator, arg-type]
    return context
