"""sonic-base's networks, built empty: on the meta device, without memory, waiting for their weights.

The UNet and the VAE are diffusers' stock classes, the encoders transformers'. Their state-dict names and shapes are
those of the published files.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .config import BaseConfig
from .tokens import AudioToBuckets, AudioToTokens
from .unet.attention import install_audio_attention
from .unet.lean import make_lean
from .unet.residual import flatten_convolutions


def empty_unet(config: BaseConfig, *, lean: bool = True) -> Any:  # noqa: ANN401 - diffusers' type, imported late
    """Build diffusers' ``UNetSpatioTemporalConditionModel`` with ``AudioAttention`` in each cross-attention.

    Args:
        config: Sizes.
        lean: Compute in the leaner forms of ``lean``; without, as the stock classes do.

    Returns:
        The UNet; its attribute ``attention_context`` takes the conditioning of a call.
    """
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel  # noqa: PLC0415 - takes seconds to import

    with torch.device("meta"):
        unet: Any = UNetSpatioTemporalConditionModel(**_tuples(config.unet))
        unet.attention_context = install_audio_attention(unet, config.unet["cross_attention_dim"])
    flatten_convolutions(unet)
    if lean:
        make_lean(unet, unet.attention_context)
    return unet.eval().requires_grad_(False)


def empty_vae(config: BaseConfig) -> nn.Module:
    """Build diffusers' ``AutoencoderKLTemporalDecoder``."""
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder  # noqa: PLC0415

    with torch.device("meta"):
        vae = AutoencoderKLTemporalDecoder(**_tuples(config.vae))
    flatten_convolutions(vae)
    return vae.eval().requires_grad_(False)


def empty_clip(config: BaseConfig) -> nn.Module:
    """Build transformers' ``CLIPVisionModelWithProjection``."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection  # noqa: PLC0415

    with torch.device("meta"):
        clip = CLIPVisionModelWithProjection(CLIPVisionConfig(**config.clip))
    return clip.eval().requires_grad_(False)


def empty_whisper(config: BaseConfig) -> nn.Module:
    """Build the encoder of transformers' ``WhisperModel``; the decoder is not needed."""
    from transformers import WhisperConfig  # noqa: PLC0415
    from transformers.models.whisper.modeling_whisper import WhisperEncoder  # noqa: PLC0415

    with torch.device("meta"):
        encoder = WhisperEncoder(WhisperConfig(**config.whisper))
    return encoder.eval().requires_grad_(False)


def empty_audio2token(config: BaseConfig) -> AudioToTokens:
    """Build the network that makes a frame's audio tokens."""
    with torch.device("meta"):
        return AudioToTokens(**config.audio2token).eval().requires_grad_(False)


def empty_audio2bucket(config: BaseConfig) -> AudioToBuckets:
    """Build the network that makes a frame's motion buckets."""
    with torch.device("meta"):
        return AudioToBuckets(**config.audio2bucket).eval().requires_grad_(False)


def import_classes() -> None:
    """Import diffusers' and transformers' classes, which takes seconds the first time and nothing later."""
    from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder  # noqa: F401, PLC0415
    from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel  # noqa: F401, PLC0415
    from transformers import CLIPVisionModelWithProjection  # noqa: F401, PLC0415
    from transformers.models.whisper.modeling_whisper import WhisperEncoder  # noqa: F401, PLC0415


def _tuples(sizes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Make tuples of lists, which diffusers tells apart from numbers."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in sizes.items()}
