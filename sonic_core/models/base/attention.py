"""How the UNet hears: cross-attention to a picture and to a sound at once.

At each ``attn2`` of the stock UNet the answer is ``to_out(Attn(q, picture) + mask · Attn(q, sound))``, the mask in the
spatial layers only (IP-Adapter's decoupled cross-attention, Ye et al., arXiv 2308.06721). Nothing is computed twice:

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
        """Make keys and values of tokens (n, tokens, width)."""
        return self.to_k_ip[0](tokens), self.to_v_ip[0](tokens)

    def forward(self, attn: nn.Module, hidden_states: torch.Tensor, *_unused: Any, **_other: Any) -> torch.Tensor:  # noqa: ANN401
        """Attend to the picture and the sound of the scene.

        Args:
            attn: diffusers' ``Attention``, whose projections are used.
            hidden_states: (branches · frames, pixels, width), in the temporal layers in any order inside a branch.

        Returns:
            What is added to ``hidden_states``, of the same shape.
        """
        scene = self.stage.scene
        queries = attn.to_q(hidden_states)  # type: ignore[operator]
        rows = queries.unflatten(0, (len(scene.branches), -1))
        for branch, asked in zip(scene.branches, rows, strict=True):
            heard = self._hear(asked, branch.sound.keys_values(self), attn.heads)  # type: ignore[arg-type]
            if not self.temporal:
                heard *= scene.mask(heard.shape[1])
            if branch.picture is not None:
                heard += branch.picture.value(self, attn)
            asked.copy_(heard)  # the queries are not needed any more
        return attn.to_out[0](queries)  # type: ignore[index, operator]

    def _hear(self, queries: torch.Tensor, heard: KeysValues, heads: int) -> torch.Tensor:
        """Let queries (frames, pixels, width) attend to keys and values (frames or 1, tokens, width)."""
        keys, values = heard
        if self.temporal:
            keys, values = keys.mean(0, keepdim=True), values.mean(0, keepdim=True)
        if len(keys) == 1:  # all frames see the same tokens: they are one long row of queries
            return attend(queries.flatten(0, 1)[None], keys, values, heads).view_as(queries)
        return attend(queries, keys, values, heads)


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
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


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
        self.tokens, self.device, self.dtype = tokens, device, dtype
        self._kept: dict[Ear, KeysValues] | None = {} if keep else None

    def at(self, frames: torch.Tensor | None = None) -> HeardSound:
        """Listen to some frames (indices on the CPU, an index may come more than once), or to all."""
        return HeardSound(self, frames)

    def moved(self, frames: torch.Tensor | None) -> torch.Tensor:
        """Bring the tokens of some frames to the device."""
        chosen = self.tokens if frames is None else self.tokens[frames]
        return chosen.to(self.device, self.dtype)

    def kept(self, ear: Ear) -> KeysValues | None:
        """Give the keys and values of all frames if they are kept, making them at the first asking."""
        if self._kept is None:
            return None
        if ear not in self._kept:
            self._kept[ear] = ear.project(self.moved(None))
        return self._kept[ear]


class HeardSound:
    """A window's frames of a sound."""

    def __init__(self, sound: Sound, frames: torch.Tensor | None) -> None:
        self.sound, self.frames = sound, frames
        self._index = frames.to(sound.device) if frames is not None else None
        self._tokens: torch.Tensor | None = None

    def keys_values(self, ear: Ear) -> KeysValues:
        """Give the keys and values that ``ear`` makes of these frames."""
        kept = self.sound.kept(ear)
        if kept is not None:
            keys, values = kept
            return (keys, values) if self._index is None else (keys[self._index], values[self._index])
        if self._tokens is None:
            self._tokens = self.sound.moved(self.frames)
        return ear.project(self._tokens)


class Picture:
    """The portrait as one token, and the value that each cross-attention makes of it."""

    def __init__(self, embedding: torch.Tensor) -> None:
        """Take CLIP's embedding (width,), on the device and of the type of the UNet."""
        self._embedding = embedding
        self._values: dict[Ear, torch.Tensor] = {}

    def value(self, ear: Ear, attn: nn.Module) -> torch.Tensor:
        """Give ``to_v`` of the token: what attention over this one token is for every query."""
        if ear not in self._values:
            self._values[ear] = attn.to_v(self._embedding)  # type: ignore[operator]
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


def listen(unet: nn.Module, heard_width: int) -> None:
    """Give every cross-attention of a stock UNet an ear, and the UNet the ``stage`` they look at."""
    stage = Stage()
    for name, module in unet.named_modules():
        if name.endswith(".attn2"):
            temporal = "temporal_transformer_blocks" in name
            module.set_processor(Ear(heard_width, module.inner_dim, temporal, stage))  # type: ignore[operator, arg-type]
    unet.stage = stage  # type: ignore[assignment]
