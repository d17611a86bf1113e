"""The sizes of sonic-base's networks: the published ones, or those of a file that says otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ...errors import CheckpointError

Sizes = Mapping[str, Any]

MODEL_FPS = 12.5
"""Frames per second that the diffusion model makes, and the rate it is told."""
AUDIO_RATE = 16000
"""Samples per second of the audio encoder's input."""
FRAME_SAMPLES = 1280
"""Samples of one frame of the model: AUDIO_RATE / MODEL_FPS."""
LATENT_SCALE = 0.18215
"""What the VAE's latents are multiplied by inside the diffusion process (Rombach et al., arXiv 2112.10752)."""
LATENT_SIDE = 8
"""Pixels along each side of one latent pixel."""


def _unet() -> Sizes:
    return {
        "block_out_channels": [320, 640, 1280, 1280],
        "num_attention_heads": [5, 10, 20, 20],
        "layers_per_block": 2,
        "cross_attention_dim": 1024,
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 768,
        "transformer_layers_per_block": 1,
        "in_channels": 8,
        "out_channels": 4,
        "sample_size": 96,
    }


def _vae() -> Sizes:
    return {
        "block_out_channels": [128, 256, 512, 512],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "layers_per_block": 2,
        "latent_channels": 4,
        "in_channels": 3,
        "out_channels": 3,
        "sample_size": 768,
        "scaling_factor": LATENT_SCALE,
        "force_upcast": True,
    }


def _clip() -> Sizes:
    return {
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "patch_size": 14,
        "image_size": 224,
        "projection_dim": 1024,
        "hidden_act": "gelu",
    }


def _whisper() -> Sizes:
    return {
        "d_model": 384,
        "encoder_layers": 4,
        "encoder_attention_heads": 6,
        "encoder_ffn_dim": 1536,
        "decoder_layers": 4,
        "decoder_attention_heads": 6,
        "decoder_ffn_dim": 1536,
        "num_mel_bins": 80,
        "max_source_positions": 1500,
    }


def _audio2token() -> Sizes:
    return {
        "seq_len": 10,
        "blocks": 5,
        "channels": 384,
        "intermediate_dim": 1024,
        "output_dim": 1024,
        "context_tokens": 32,
    }


def _audio2bucket() -> Sizes:
    return {
        "seq_len": 50,
        "blocks": 1,
        "channels": 384,
        "clip_channels": 1024,
        "intermediate_dim": 1024,
        "output_dim": 1,
        "context_tokens": 2,
    }


def _scheduler() -> Sizes:
    return {"sigma_min": 0.002, "sigma_max": 700.0}


@dataclass(frozen=True)
class BaseConfig:
    """Constructor arguments of every network, by name; the defaults are the published model's."""

    unet: Sizes = field(default_factory=_unet)
    """diffusers' ``UNetSpatioTemporalConditionModel``."""
    vae: Sizes = field(default_factory=_vae)
    """diffusers' ``AutoencoderKLTemporalDecoder``."""
    clip: Sizes = field(default_factory=_clip)
    """transformers' ``CLIPVisionConfig``."""
    whisper: Sizes = field(default_factory=_whisper)
    """transformers' ``WhisperConfig``."""
    audio2token: Sizes = field(default_factory=_audio2token)
    """``AudioToTokens``."""
    audio2bucket: Sizes = field(default_factory=_audio2bucket)
    """``AudioToBuckets``."""
    scheduler: Sizes = field(default_factory=_scheduler)
    """The least and the greatest noise level."""

    @classmethod
    def of(cls, sizes: Mapping[str, Any]) -> BaseConfig:
        """Take the sizes of those networks that ``sizes`` names, the published ones for the rest; ignore other keys."""
        return cls(**{one.name: sizes[one.name] for one in fields(cls) if one.name in sizes})

    @classmethod
    def read(cls, path: Path | None) -> BaseConfig:
        """Read sizes from a JSON file; without a file they are the published ones.

        Raises:
            CheckpointError: The file does not hold a JSON object.
        """
        if path is None:
            return cls()
        try:
            sizes = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{path} should hold the model's sizes as JSON, but cannot be read: {error}"
            ) from None
        if not isinstance(sizes, dict):
            raise CheckpointError(
                f"{path} should hold the model's sizes as one JSON object; got {type(sizes).__name__}."
            )
        return cls.of(sizes)
