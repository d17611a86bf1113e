"""How the UNet hears: cross-attention to a picture and to a sound at once.

At each ``attn2`` of the stock UNet the answer is ``to_out(Attn(q, picture) + mask · Attn(q, sound))``, the mask in the
spatial layers only (decoupled cross-attention, Ye et al., arXiv 2308.06721). Nothing is computed twice:

- the picture is one token, and attention over one token is that token's value, whatever the query;
- a sound's keys and values depend on neither step nor pixel; where memory allows they are kept for the whole clip;
- in the temporal layers the tokens are averaged over the window, and since keys and values are linear in the tokens,
  their averages serve as well;
- whatever is equal for all frames or pixels of a branch is broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional

FUSED = ("cuda", "cpu", "meta")
"""Kinds of devices on which attention never holds its scores."""
MOST_SCORES = 1 << 27
"""Scores that are held at once elsewhere: 256 MB in half precision."""

KeysValues = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of n frames, each (n, tokens, width)."""


class Ear(nn.Module):
    """The attention processor of one ``attn2``; its parameters are the published ``to_k_ip`` and ``to_v_ip``."""

    def __init__(self, heard_width: int, width: int, temporal: bool, stage: Stage) -> None:
        super().__init__()
        self.to_k_ip = nn.ModuleList([nn.Linear(heard_width, width, bias=False)])
        self.to_v_ip = nn.ModuleList([nn.Linear(heard_width, width, bias=False)])
        self.temporal = temporal
        self.stage = stage

    def project(self, tokens: torch.Tensor) -> KeysValues:
        """Make keys and values of tokens (n, tokens, width); in a temporal layer of their average over n."""
        if self.temporal:
            tokens = tokens.mean(0, keepdim=True)
        return self.to_k_ip[0](tokens), self.to_v_ip[0](tokens)

    def forward(self, attn: nn.Module, hidden_states: torch.Tensor, *_unused: Any, **_other: Any) -> torch.Tensor:  # noqa: ANN401
        """Attend to picture and sound in all rows of the scene, as the stock UNet asks for it.

        Args:
            attn: diffusers' ``Attention``, whose projections are used.
            hidden_states: (branches · frames, pixels, width); in a temporal layer (branches · pixels, frames, width).

        Returns:
            What is added to ``hidden_states``, of the same shape.
        """
        rows = hidden_states.unflatten(0, (len(self.stage.scene.branches), -1))
        answers = [self.attend(attn, part, branch) for branch, part in enumerate(rows)]
        return torch.cat(answers)

    def attend(
        self,
        attn: Any,  # noqa: ANN401
        hidden: torch.Tensor,
        branch: int,
        frames: slice = slice(None),
    ) -> torch.Tensor:
        """Attend to picture and sound in one branch.

        Args:
            attn: diffusers' ``Attention``, whose projections are used.
            hidden: (frames, pixels, width); in a temporal layer any pixels of the branch in any order.
            branch: Which branch of the scene.
            frames: Which of the window's frames ``hidden`` holds; a temporal layer sees their average anyway.

        Returns:
            What is added to ``hidden``, of the same shape.
        """
        scene = self.stage.scene
        seen = scene.branches[branch]
        keys, values = seen.sound.keys_values(self)
        if len(keys) > 1:
            keys, values = keys[frames], values[frames]
        queries = attn.to_q(hidden)
        if len(keys) == 1:  # all these frames hear the same: they are one long row of queries
            heard = attend(queries.flatten(0, 1)[None], keys, values, attn.heads).view_as(queries)
        else:
            heard = attend(queries, keys, values, attn.heads)
        if not self.temporal:
            heard *= scene.mask(heard.shape[1])
        if seen.picture is not None:
            heard += seen.picture.value(self, attn)
        return attn.to_out[0](heard)


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


class Sound:
    """The tokens of a clip's sound, and what each ear makes of them."""

    def __init__(self, tokens: torch.Tensor, device: torch.device, dtype: torch.dtype, *, keep: bool) -> None:
        """Take the tokens (frames, tokens, width), which stay where they are.

        Args:
            tokens: The tokens of every frame of the clip.
            device: Where keys and values are wanted.
            dtype: Their type.
            keep: Make keys and values once for the whole clip and keep them on the device.
        """
        self.tokens, self.device, self.dtype, self.keep = tokens, device, dtype, keep
        self._kept: dict[Ear, KeysValues] = {}

    def at(self, frames: torch.Tensor | None = None) -> HeardSound:
        """Listen to some frames (indices on the CPU, an index may come more than once), or to all."""
        return HeardSound(self, frames)

    def moved(self, frames: torch.Tensor | None = None) -> torch.Tensor:
        """Bring the tokens of some frames, or of all, to the device."""
        chosen = self.tokens if frames is None else self.tokens[frames]
        return chosen.to(self.device, self.dtype)

    def kept(self, ear: Ear) -> KeysValues:
        """Give the keys and values of every single frame, made at the first asking."""
        if ear not in self._kept:
            tokens = self.moved()
            self._kept[ear] = ear.to_k_ip[0](tokens), ear.to_v_ip[0](tokens)
        return self._kept[ear]


class HeardSound:
    """A window's frames of a sound."""

    def __init__(self, sound: Sound, frames: torch.Tensor | None) -> None:
        self.sound, self.frames = sound, frames
        self._index = None if frames is None else frames.to(sound.device)
        self._tokens: torch.Tensor | None = None
        self._last: tuple[Ear, KeysValues] | None = None

    def keys_values(self, ear: Ear) -> KeysValues:
        """Give the keys and values that ``ear`` makes of these frames: (frames, …), or (1, …) in a temporal layer."""
        if self._last is None or self._last[0] is not ear:
            self._last = ear, self._made(ear)
        return self._last[1]

    def _made(self, ear: Ear) -> KeysValues:
        if not self.sound.keep:
            if self._tokens is None:
                self._tokens = self.sound.moved(self.frames)
            return ear.project(self._tokens)
        keys, values = self.sound.kept(ear)
        if self._index is not None:
            keys, values = keys[self._index], values[self._index]
        if ear.temporal:
            keys, values = keys.mean(0, keepdim=True), values.mean(0, keepdim=True)
        return keys, values


class Picture:
    """The portrait as one token, and the value that each cross-attention makes of it."""

    def __init__(self, embedding: torch.Tensor) -> None:
        """Take CLIP's embedding (width,), on the device and of the type of the UNet."""
        self._embedding = embedding
        self._values: dict[Ear, torch.Tensor] = {}

    def value(self, ear: Ear, attn: Any) -> torch.Tensor:  # noqa: ANN401
        """Give ``to_v`` of the token: what attention over this one token is for every query."""
        if ear not in self._values:
            self._values[ear] = attn.to_v(self._embedding)
        return self._values[ear]


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
        height, width = latent_size
        for _ in range(levels):
            resized = functional.interpolate(mask[None].float(), (height, width), mode="bicubic", align_corners=False)
            self._levels[height * width] = resized.to(mask.dtype).reshape(1, -1, 1)
            height, width = (height + 1) // 2, (width + 1) // 2

    def __call__(self, pixels: int) -> torch.Tensor:
        """Give the mask (1, pixels, 1) of the level that has so many pixels."""
        return self._levels[pixels]


@dataclass(frozen=True, eq=False)
class Branch:
    """What one row of the UNet's batch sees and hears."""

    picture: Picture | None
    """None: the row sees a zero embedding, whose value is zero."""
    sound: HeardSound


@dataclass(frozen=True, eq=False)
class Scene:
    """What the rows of one UNet call see and hear."""

    branches: Sequence[Branch]
    mask: FaceMask


@dataclass(eq=False)
class Stage:
    """Where the scene of the present call stands; all ears of a UNet look at the same stage."""

    piece: int = 1 << 40
    """Pixels, over all frames, that pass through a transformer block together; fewer take less memory."""
    _scenes: list[Scene] = field(default_factory=list)

    @property
    def scene(self) -> Scene:
        """The scene of the present call."""
        return self._scenes[-1]

    def show(self, scene: Scene) -> None:
        """Put up the scene of the next call."""
        self._scenes[:] = [scene]

    def clear(self) -> None:
        """Take the scene down, so that nothing holds its memory."""
        self._scenes.clear()


def listen(unet: nn.Module, heard_width: int) -> Stage:
    """Give every cross-attention of a stock UNet an ear.

    Args:
        unet: diffusers' ``UNetSpatioTemporalConditionModel``.
        heard_width: Channels of an audio token.

    Returns:
        The stage that all the ears look at.
    """
    stage = Stage()
    for name, module in unet.named_modules():
        if name.endswith(".attn2"):
            ear = Ear(heard_width, module.inner_dim, "temporal_transformer_blocks" in name, stage)  # type: ignore[arg-type]
            module.set_processor(ear)  # type: ignore[operator]
    return stage
