"""Two small networks: from a frame's audio features to audio tokens, and to motion buckets.

The attribute names are those of the published files ``audio2token.pth`` and ``audio2bucket.pth``.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

BUCKET_SCALE = 16.0
"""The motion buckets are the network's output · 16 + 16."""


class AudioToTokens(nn.Module):
    """Turn the audio features around a frame into the tokens that the frame attends to."""

    def __init__(
        self, *, seq_len: int, blocks: int, channels: int, intermediate_dim: int, output_dim: int, context_tokens: int
    ) -> None:
        super().__init__()
        self.context_shape = (seq_len, blocks, channels)
        self.token_shape = (context_tokens, output_dim)
        self.proj1 = nn.Linear(seq_len * blocks * channels, intermediate_dim)
        self.proj2 = nn.Linear(intermediate_dim, intermediate_dim)
        self.proj3 = nn.Linear(intermediate_dim, context_tokens * output_dim)
        self.norm = nn.LayerNorm(output_dim)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (n, rows, states, channels) to (n, tokens, width)."""
        hidden = functional.relu(self.proj1(features.flatten(1)))
        hidden = functional.relu(self.proj2(hidden))
        return self.norm(self.proj3(hidden).unflatten(1, self.token_shape))


class AudioToBuckets(nn.Module):
    """Predict from audio features and image embedding how much the head and the expression move at a frame."""

    def __init__(
        self,
        *,
        seq_len: int,
        blocks: int,
        channels: int,
        clip_channels: int,
        intermediate_dim: int,
        output_dim: int,
        context_tokens: int,
    ) -> None:
        super().__init__()
        self.context_shape = (seq_len, blocks, channels)
        self.proj1 = nn.Linear(seq_len * blocks * channels + clip_channels, intermediate_dim)
        self.proj2 = nn.Linear(intermediate_dim, intermediate_dim)
        self.proj3 = nn.Linear(intermediate_dim, context_tokens * output_dim)

    def forward(self, features: torch.Tensor, image_embeds: torch.Tensor) -> torch.Tensor:
        """Map (n, rows, states, channels) and the image's (1, width) to (n, 2): head, then expression."""
        image = image_embeds.expand(len(features), -1)
        hidden = functional.silu(self.proj1(torch.cat([features.flatten(1), image], 1)))
        hidden = functional.silu(self.proj2(hidden))
        return self.proj3(hidden) * BUCKET_SCALE + BUCKET_SCALE
