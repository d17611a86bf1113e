"""sonic-base's networks, each read from its file when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import nn

from ...errors import CheckpointError
from ...types import Progress, ignore_progress
from ...weights.lora import Lora, load_with_loras, read_lora
from ...weights.read import load_into
from ...weights.svd import clip_source, vae_source
from .config import BaseConfig
from .files import BaseFiles
from .live import LiveParts, live_parts
from .networks import empty_audio2bucket, empty_audio2token, empty_clip, empty_unet, empty_vae, empty_whisper
from .tiny_vae import TinyDecoder, load_tiny_vae
from .tokens import AudioToBuckets, AudioToTokens
from .unet.lean import make_lean

# ruff: noqa: ANN401 - diffusers' and transformers' classes are imported late


class Networks:
    """The networks of one set of files, in main memory until somebody brings them elsewhere.

    The UNet and the image encoder compute in the wanted type, the small networks and the VAE's encoder in float32,
    which costs nothing beside the UNet. The decoder computes in the wanted type, but in float16 instead of bfloat16:
    the latter's eight bits are as coarse as a picture's levels.
    """

    def __init__(self, files: BaseFiles, dtype: torch.dtype, loras: Sequence[Lora] = ()) -> None:
        """Take the files; each is read when it is first needed.

        Args:
            files: Where everything lies.
            dtype: Number type of the UNet, the decoder and the image encoder.
            loras: Changes that are merged into the UNet, and into its few-step student, while it is read.
        """
        self.files, self.dtype, self.loras = files, dtype, tuple(loras)
        self.config = BaseConfig.read(files.sizes)
        self._progress: Progress = ignore_progress

    @property
    def decoder_dtype(self) -> torch.dtype:
        """Number type of the VAE's decoder, which turns itself to float32 where float16 overflows."""
        return torch.float16 if self.dtype == torch.bfloat16 else self.dtype

    @contextmanager
    def reporting(self, progress: Progress) -> Iterator[None]:
        """Report, and let be cancelled, what is read meanwhile: gigabytes take their time."""
        before, self._progress = self._progress, progress
        try:
            yield
        finally:
            self._progress = before

    def check_loras(self) -> None:
        """Check that the LoRAs are of this UNet, before hours go into what comes before it.

        Raises:
            CheckpointError: One cannot be read, or is of another network.
        """
        if self.loras:
            shapes = {name: one.shape for name, one in empty_unet(self.config, lean=False).state_dict().items()}
            for lora in self.loras:
                read_lora(lora.path, shapes)

    @cached_property
    def unet(self) -> Any:
        """The UNet with audio attention, the LoRAs merged in."""
        unet = empty_unet(self.config)
        load_with_loras(unet, self.files.unet, self.loras, dtype=self.dtype, progress=self._progress)
        return unet

    @cached_property
    def live(self) -> LiveParts:
        """What is there for quality "live"."""
        return live_parts(self.files)

    @cached_property
    def student_unet(self) -> Any:
        """The few-step UNet: a file of its own, or a second copy of the UNet with a LoRA merged in.

        Raises:
            CheckpointError: There is no student, or it does not fit the UNet.
        """
        student = self.live.student
        if student is None:
            raise CheckpointError(self.live.lacking)
        unet = empty_unet(self.config)
        path, loras = (self.files.unet, (Lora(student.path),)) if student.kind == "lora" else (student.path, ())
        load_with_loras(unet, path, (*loras, *self.loras), dtype=self.dtype, progress=self._progress)
        return unet

    @cached_property
    def tiny_vae(self) -> TinyDecoder:
        """The tiny decoder; in half precision wherever the UNet is not in float32, which it was made for.

        Raises:
            CheckpointError: It is not there, or damaged.
        """
        if self.live.tiny_vae is None:
            raise CheckpointError(self.live.lacking)
        dtype = torch.float32 if self.dtype == torch.float32 else torch.float16
        return load_tiny_vae(self.live.tiny_vae, dtype)

    @cached_property
    def vae(self) -> Any:
        """The VAE: its encoder in float32, its decoder in ``decoder_dtype``."""
        vae = empty_vae(self.config)
        path, recipe = vae_source(self.files.svd)
        load_into(vae, path, dtype=torch.float32, recipe=recipe, progress=self._progress)
        vae.decoder.to(self.decoder_dtype)
        make_lean(vae)
        return vae

    @cached_property
    def clip(self) -> Any:
        """CLIP's image encoder."""
        clip = empty_clip(self.config)
        path, recipe = clip_source(self.files.svd)
        load_into(clip, path, dtype=self.dtype, recipe=recipe, progress=self._progress)
        return clip

    @cached_property
    def whisper(self) -> Any:
        """Whisper's encoder."""
        encoder = empty_whisper(self.config)
        stems = ("model.safetensors", "pytorch_model.bin")
        paths = [path for stem in stems if (path := self.files.whisper / stem).is_file()]
        if not paths:
            raise CheckpointError(
                f"{self.files.whisper} should hold {' or '.join(stems)}; download whisper-tiny again."
            )
        load_into(encoder, paths[0], dtype=torch.float32, prefix=("model.encoder.", "encoder."))
        return encoder

    @cached_property
    def audio2token(self) -> AudioToTokens:
        """The network that makes a frame's audio tokens."""
        return _filled(empty_audio2token(self.config), self.files.audio2token)

    @cached_property
    def audio2bucket(self) -> AudioToBuckets:
        """The network that makes a frame's motion buckets."""
        return _filled(empty_audio2bucket(self.config), self.files.audio2bucket)

    @cached_property
    def audio_networks(self) -> nn.ModuleList:
        """The three networks of the audio, as one: they are used in turns, so they travel together."""
        return nn.ModuleList((self.whisper, self.audio2token, self.audio2bucket))


def copy_unet(unet: Any, config: BaseConfig) -> Any:
    """Make another UNet for another device; in main memory the two share their weights."""
    with torch.inference_mode(False):
        another = empty_unet(config)
        another.load_state_dict({name: tensor.cpu() for name, tensor in unet.state_dict().items()}, assign=True)
    return another.requires_grad_(False)


def _filled(network: Any, path: Any) -> Any:
    load_into(network, path, dtype=torch.float32)
    return network
