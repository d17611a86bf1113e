"""What sonic-base knows before the first step: everything that does not depend on the noise."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from ...devices import Keeper
from ...direction import SCALES
from ...media.arriving import ArrivingAudio
from ...settings import Settings
from ...types import Audio, Portrait, Progress
from .audio_features import (
    POSITION_SAMPLES,
    POSITIONS_PER_FRAME,
    TICK_SAMPLES,
    TOKEN_ROWS,
    arriving_parts,
    arriving_states,
    encoder_blocks,
    encoder_length,
    frame_contexts,
    hidden_states,
)
from .config import FRAME_SAMPLES, MODEL_FPS
from .image_features import image_embedding
from .loading import Networks
from .unet.attention import Indexed
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
    unconditional: torch.Tensor
    """(1, tokens, width) the audio tokens of the unconditional branches."""
    frames: int
    """Frames of the clip, at the model's rate."""
    heard: FrameSound | None
    """What every frame hears; None where that is made while the clip is."""


@dataclass(frozen=True, eq=False)
class FrameSound:
    """What some frames hear."""

    tokens: torch.Tensor
    """(n, tokens, width) their audio tokens, in the UNet's number type."""
    buckets: torch.Tensor
    """(n, 2) float32, movement of head and expression, unscaled."""


class ClipSound(Protocol):
    """What the frames of a clip hear, while it is denoised."""

    @property
    def whole(self) -> bool:
        """Whether all of it is there."""
        ...

    @property
    def tokens(self) -> Indexed:
        """Audio tokens."""
        ...

    @property
    def buckets(self) -> Indexed:
        """Movement, scaled."""
        ...

    def reach(self, frame: int) -> None:
        """Have what ``frame`` hears, and all frames before it."""
        ...

    def forget(self, before: int) -> None:
        """Let go of what the frames before ``before`` hear."""
        ...


class WholeSound:
    """What all frames of a clip hear."""

    whole = True

    def __init__(self, heard: FrameSound, scales: torch.Tensor) -> None:
        self.tokens, self.buckets = heard.tokens, heard.buckets * scales

    def reach(self, frame: int) -> None:
        """Have it already."""

    def forget(self, before: int) -> None:
        """Keep it: it belongs to others too."""


class PassingSound:
    """What those frames hear that are being denoised."""

    whole = False

    def __init__(self, parts: Iterator[FrameSound], scales: torch.Tensor, turn: threading.RLock) -> None:
        """Begin.

        Args:
            parts: What the frames hear, in their order.
            scales: As of ``movement_scales``.
            turn: Held while the next part is made.
        """
        self.parts, self.scales, self.turn = parts, scales, turn
        self.held: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self.reached = self.forgotten = 0
        self.busy = threading.Lock()
        self.tokens = _Column(lambda frame: self.held[frame][0])
        self.buckets = _Column(lambda frame: self.held[frame][1])

    def reach(self, frame: int) -> None:
        """Have what ``frame`` hears, and all frames before it."""
        with self.busy:
            while self.reached <= frame:
                with self.turn:
                    part = next(self.parts)
                here = slice(self.reached, self.reached + len(part.buckets))
                scales = self.scales if self.scales.ndim == 1 else self.scales[here]
                for tokens, buckets in zip(part.tokens, part.buckets * scales, strict=True):
                    self.held[self.reached] = tokens, buckets
                    self.reached += 1

    def forget(self, before: int) -> None:
        """Let go of what the frames before ``before`` hear."""
        for frame in range(self.forgotten, before):
            del self.held[frame]
        self.forgotten = max(self.forgotten, before)


class _Column:
    """Rows by frame."""

    def __init__(self, row: Callable[[int], torch.Tensor]) -> None:
        self.row = row

    def __getitem__(self, frames: Any, /) -> torch.Tensor:  # noqa: ANN401 - as ``Indexed`` has it
        return torch.stack([self.row(frame) for frame in frames.tolist()])


def movement_scales(settings: Settings, frames: int) -> torch.Tensor:
    """Tell by what the motion buckets of head and expression are multiplied: (2,), or (frames, 2) where it changes.

    The UNet hears the mean over a window, so that a change is spread over as much.
    """
    if settings.direction is None:
        return torch.tensor([settings.dynamic_scale * settings.motion_scale, settings.dynamic_scale])
    times = np.arange(frames) / MODEL_FPS
    read = (settings.direction.at(name, times) for name in SCALES)
    lively, moving = (
        np.full(frames, getattr(settings, name)) if one is None else one for name, one in zip(SCALES, read, strict=True)
    )
    return torch.from_numpy(np.stack([lively * moving, lively], 1)).float()


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
) -> FrameSound:
    """Turn a sound into every frame's tokens and motion buckets, on the CPU.

    Args:
        networks: Whisper's encoder and the two small networks are used.
        keeper: Tells where.
        audio: The sound.
        embedding: CLIP's embedding of the image, (width,).
        published: Make as many frames as the release.
        progress: Called with ("listen", frames done, frames in all).
    """
    frames, _ = count_frames(encoder_length(audio), published=published)
    heard = FrameSound(
        torch.empty(frames, *networks.audio2token.token_shape, dtype=networks.dtype), torch.empty(frames, 2)
    )
    done = 0
    for part in hear(networks, keeper, audio, embedding, published=published):
        progress("listen", done, frames)
        heard.tokens[done : done + len(part.tokens)] = part.tokens
        heard.buckets[done : done + len(part.tokens)] = part.buckets
        done += len(part.tokens)
    progress("listen", frames, frames)
    return heard


def hear(
    networks: Networks, keeper: Keeper, audio: Audio, embedding: torch.Tensor, *, published: bool
) -> Iterator[FrameSound]:
    """Turn a sound into what its frames hear, block by block; arguments as of ``encode_audio``."""
    frames, positions = count_frames(encoder_length(audio), published=published)
    if isinstance(audio, ArrivingAudio):
        states = arriving_states(networks.whisper, arriving_parts(audio), positions)
    else:
        states = hidden_states(networks.whisper, encoder_blocks(audio), positions)
    contexts = frame_contexts(states, frames)
    while True:
        keeper.bring(networks.audio_networks, FEATURE_BYTES)  # others may have taken their place meanwhile
        part = next(contexts, None)
        if part is None:
            return
        rows, image = part[:, TOKEN_ROWS], embedding[None].to(keeper.device)
        with torch.inference_mode():
            tokens = networks.audio2token(rows.to(keeper.device)).to("cpu", networks.dtype)
            buckets = networks.audio2bucket(part[:, :, -1:].to(keeper.device), image).cpu()
        yield FrameSound(tokens, buckets)


@torch.inference_mode()
def unconditional_tokens(networks: Networks, keeper: Keeper) -> torch.Tensor:
    """Return the audio tokens of the unconditional branches: (1, tokens, width), the network on zeros."""
    keeper.bring(networks.audio_networks)
    zeros = torch.zeros(1, *networks.audio2token.context_shape, device=keeper.device)
    return networks.audio2token(zeros).to("cpu", networks.dtype)
