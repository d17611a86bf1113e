"""What sonic-base knows before the first step: everything that does not depend on the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ...devices import Keeper
from ...types import Audio, Portrait, Progress
from .audio_features import (
    POSITION_SAMPLES,
    POSITIONS_PER_FRAME,
    TICK_SAMPLES,
    TOKEN_ROWS,
    encoder_samples,
    frame_contexts,
    hidden_states,
)
from .config import FRAME_SAMPLES
from .image_features import image_embedding
from .loading import Networks
from .vae import reference_latents

VAE_ENCODER_BYTES = 4 * 8 * 128
"""Bytes per pixel that the VAE's encoder takes in float32: some maps of its first width."""
FEATURE_BYTES = 1 << 28
"""Bytes that the audio networks, or CLIP, take at most."""


@dataclass(frozen=True, eq=False)
class BaseConditions:
    """What sonic-base knows before the first step."""

    portrait: Portrait
    audio: Audio
    embedding: torch.Tensor
    """(width,) CLIP's embedding of the image."""
    latents: torch.Tensor
    """(4, h/8, w/8) the image's latents, unscaled."""
    tokens: torch.Tensor
    """(frames, tokens, width) the audio tokens of every frame, in the UNet's number type."""
    unconditional: torch.Tensor
    """(1, tokens, width) the audio tokens of the unconditional branches."""
    buckets: torch.Tensor
    """(frames, 2) movement of head and expression, unscaled."""


def count_frames(samples: int, *, published: bool) -> tuple[int, int]:
    """Count the frames that a sound of ``samples`` samples at 16 kHz makes, and the encoder's positions.

    Args:
        samples: Length of the sound.
        published: As the release: the sound's last incomplete tick is dropped, and with it half a frame.

    Returns:
        Frames at 12.5 per second, at least 1; positions of the encoder's output.

    >>> count_frames(48000, published=True), count_frames(48000, published=False)
    ((37, 150), (38, 152))
    """
    if published:
        ticks = samples // TICK_SAMPLES
        return max(1, ticks // 2), ticks * (TICK_SAMPLES // POSITION_SAMPLES)
    frames = max(1, math.ceil(samples / FRAME_SAMPLES))
    return frames, frames * POSITIONS_PER_FRAME


def encode_image(networks: Networks, keeper: Keeper, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Embed and encode an image (3, h, w) in [0, 1]: CLIP's (width,) and the latents (4, h/8, w/8)."""
    keeper.bring(networks.clip, FEATURE_BYTES)
    embedding = image_embedding(networks.clip, image)[0]
    keeper.bring(networks.vae, VAE_ENCODER_BYTES * image.shape[1] * image.shape[2])
    return embedding, reference_latents(networks.vae, image)


def encode_audio(
    networks: Networks, keeper: Keeper, audio: Audio, embedding: torch.Tensor, *, published: bool, progress: Progress
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn a sound into every frame's tokens and motion buckets.

    Args:
        networks: Whisper's encoder and the two small networks are used.
        keeper: Tells where.
        audio: The sound.
        embedding: CLIP's embedding of the image, (width,).
        published: Make as many frames as the release.
        progress: Called with ("listen", frames done, frames in all).

    Returns:
        (frames, tokens, width) in the UNet's number type and (frames, 2) float32, on the CPU.
    """
    samples = encoder_samples(audio)
    frames, positions = count_frames(len(samples), published=published)
    keeper.bring(networks.audio_networks, FEATURE_BYTES)
    tokens = torch.empty(frames, *networks.audio2token.token_shape, dtype=networks.dtype)
    buckets = torch.empty(frames, 2)
    done, image = 0, embedding[None].to(keeper.device)
    for part in frame_contexts(hidden_states(networks.whisper, samples, positions), frames):
        progress("listen", done, frames)
        those, rows = slice(done, done + len(part)), part[:, TOKEN_ROWS]
        with torch.inference_mode():
            tokens[those] = networks.audio2token(rows.to(keeper.device)).to("cpu", networks.dtype)
            buckets[those] = networks.audio2bucket(part[:, :, -1:].to(keeper.device), image).cpu()
        done += len(part)
    progress("listen", frames, frames)
    return tokens, buckets


@torch.inference_mode()
def unconditional_tokens(networks: Networks, keeper: Keeper) -> torch.Tensor:
    """Return the audio tokens of the unconditional branches: (1, tokens, width), the network on zeros."""
    keeper.bring(networks.audio_networks)
    zeros = torch.zeros(1, *networks.audio2token.context_shape, device=keeper.device)
    return networks.audio2token(zeros).to("cpu", networks.dtype)
