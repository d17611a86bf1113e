"""What sonic-base knows before the first step: everything that does not depend on the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ...devices import Keeper
from ...types import Audio, Portrait, Progress
from .config import FRAME_SAMPLES
from .hearing import (
    POSITION_SAMPLES,
    STEP,
    TICK_SAMPLES,
    TOKEN_ROWS,
    heard_samples,
    hidden_states,
    surroundings,
)
from .loading import Networks
from .seeing import image_embedding, reference_latents

ENCODER_BYTES = 4 * 8 * 128
"""Bytes per pixel that the picture's encoder takes in float32: some maps of its first width."""
HEARING_BYTES = 1 << 28
"""Bytes that the audio networks take at most."""


@dataclass(frozen=True, eq=False)
class BaseConditions:
    """What sonic-base knows before the first step."""

    portrait: Portrait
    audio: Audio
    embedding: torch.Tensor
    """(width,) CLIP's embedding of the picture."""
    latents: torch.Tensor
    """(4, h/8, w/8) the picture's latents, unscaled."""
    tokens: torch.Tensor
    """(frames, tokens, width) what every frame hears, in the UNet's number type."""
    silence: torch.Tensor
    """(1, tokens, width) what a frame hears that is told nothing."""
    buckets: torch.Tensor
    """(frames, 2) movement of head and expression, unscaled."""


def frames_heard(samples: int, *, published: bool) -> tuple[int, int]:
    """Count the frames that a sound of ``samples`` samples at 16 kHz makes, and the positions that are heard.

    Args:
        samples: Length of the sound.
        published: As the release: the sound's last incomplete tick is dropped, and with it half a frame.

    Returns:
        Frames at 12.5 per second, at least 1; positions of the encoder.

    >>> frames_heard(48000, published=True), frames_heard(48000, published=False)
    ((37, 150), (38, 152))
    """
    if published:
        ticks = samples // TICK_SAMPLES
        return max(1, ticks // 2), ticks * (TICK_SAMPLES // POSITION_SAMPLES)
    frames = max(1, math.ceil(samples / FRAME_SAMPLES))
    return frames, frames * STEP


def look(networks: Networks, keeper: Keeper, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Embed and encode a picture (3, h, w) in [0, 1]: CLIP's (width,) and the latents (4, h/8, w/8)."""
    keeper.bring(networks.clip, HEARING_BYTES)
    embedding = image_embedding(networks.clip, image)[0]
    keeper.bring(networks.vae, ENCODER_BYTES * image.shape[1] * image.shape[2])
    return embedding, reference_latents(networks.vae, image)


def listen(
    networks: Networks, keeper: Keeper, audio: Audio, embedding: torch.Tensor, *, published: bool, progress: Progress
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn a sound into every frame's tokens and motion buckets.

    Args:
        networks: Whisper's encoder and the two small networks are used.
        keeper: Tells where.
        audio: The sound.
        embedding: CLIP's embedding of the picture, (width,).
        published: Hear as many frames as the release.
        progress: Hears ("listen", frames done, frames in all).

    Returns:
        (frames, tokens, width) in the UNet's number type and (frames, 2) float32, on the CPU.
    """
    samples = heard_samples(audio)
    frames, positions = frames_heard(len(samples), published=published)
    keeper.bring(networks.ears, HEARING_BYTES)
    tokens = torch.empty(frames, *networks.audio2token.tokens, dtype=networks.dtype)
    buckets = torch.empty(frames, 2)
    done, seen = 0, embedding[None].to(keeper.device)
    for part in surroundings(hidden_states(networks.whisper, samples, positions), frames):
        progress("listen", done, frames)
        those, rows = slice(done, done + len(part)), part[:, TOKEN_ROWS]
        with torch.inference_mode():
            tokens[those] = networks.audio2token(rows.to(keeper.device)).to("cpu", networks.dtype)
            buckets[those] = networks.audio2bucket(part[:, :, -1:].to(keeper.device), seen).cpu()
        done += len(part)
    progress("listen", frames, frames)
    return tokens, buckets


@torch.inference_mode()
def silence(networks: Networks, keeper: Keeper) -> torch.Tensor:
    """Return what a frame hears that is told nothing: (1, tokens, width), the network on zeros."""
    keeper.bring(networks.ears)
    nothing = torch.zeros(1, *networks.audio2token.heard, device=keeper.device)
    return networks.audio2token(nothing).to("cpu", networks.dtype)
