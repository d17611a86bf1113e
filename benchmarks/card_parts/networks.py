"""sonic-base with random weights, drawn where they are used: no file is read."""

from __future__ import annotations

import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sonic_core.devices import Keeper
from sonic_core.models.base.files import BaseFiles
from sonic_core.models.base.live import LiveParts
from sonic_core.models.base.loading import Networks
from sonic_core.models.base.model import BaseModel
from sonic_core.models.base.networks import (
    empty_audio2bucket,
    empty_audio2token,
    empty_clip,
    empty_unet,
    empty_vae,
    empty_whisper,
)
from sonic_core.models.base.tiny_vae import empty_tiny_vae
from sonic_core.models.base.tokens import AudioToBuckets, AudioToTokens
from sonic_core.models.base.unet.lean import make_lean
from sonic_core.post.interpolators.flownet import FlowInterpolator, IFNet
from sonic_core.weights.student import Student

from .bench import TINY, Bench

# ruff: noqa: ANN401 - diffusers' and transformers' classes are imported late

STUDENT_STEPS = 4
"""Steps of the few-step student of quality "live", one branch each."""


def fill(network: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """Draw a network's weights on the device: each tensor depends on its name only.

    Matrices and convolutions keep the size of what passes through them, so that nothing overflows; what normalizes is
    about 1, what is added is small (the rule of ``tests/parity/kit.py``).

    Args:
        network: On the meta device.
        device: Where its weights shall be.
        dtype: Their type.
    """
    with torch.inference_mode(False):  # ordinary tensors, as the engine's loader makes them
        nn.Module.to(network, device="meta", dtype=dtype)
        nn.Module.to_empty(network, device=device)
        chance = torch.Generator(device)
        with torch.no_grad():
            for name, tensor in network.state_dict().items():
                if tensor.is_floating_point():
                    _draw(name, tensor, chance.manual_seed(zlib.crc32(name.encode())))
        for name, buffer in network.named_buffers():
            if name.endswith("position_ids"):
                buffer.copy_(torch.arange(buffer.shape[-1]).expand_as(buffer))
    return network.eval().requires_grad_(False)


def _draw(name: str, tensor: torch.Tensor, chance: torch.Generator) -> None:
    if tensor.dim() >= 2:
        tensor.normal_(0, tensor[0].numel() ** -0.5, generator=chance)
    elif name.endswith("mix_factor"):
        tensor.normal_(0, 1, generator=chance)
    else:
        tensor.normal_(1.0 if name.endswith("weight") else 0.0, 0.1, generator=chance)


class DrawnNetworks(Networks):
    """All networks with random weights, in place of those that are read from files."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(files(bench), bench.dtype)
        self.device = bench.device

    def teach(self, student: bool) -> None:
        """Give quality "live" a few-step student and the tiny decoder, or take both away."""
        nowhere = self.files.unet
        taught = Student(nowhere, "unet", STUDENT_STEPS, distilled=True)
        self.live = LiveParts(nowhere, taught, nowhere) if student else LiveParts(nowhere, None, None)

    @cached_property
    def student_unet(self) -> Any:
        """The few-step UNet: the very UNet, since random weights know nothing in any number of steps."""
        return self.unet

    @cached_property
    def tiny_vae(self) -> Any:
        """The tiny decoder."""
        return fill(empty_tiny_vae(), self.device, self.dtype)

    @cached_property
    def unet(self) -> Any:
        """The UNet with audio attention."""
        return fill(empty_unet(self.config), self.device, self.dtype)

    @cached_property
    def vae(self) -> Any:
        """The VAE: its encoder in float32, its decoder in the wanted type."""
        vae = fill(empty_vae(self.config), self.device, torch.float32)
        vae.decoder.to(self.dtype)
        make_lean(vae)
        return vae

    @cached_property
    def clip(self) -> Any:
        """CLIP's image encoder."""
        return fill(empty_clip(self.config), self.device, self.dtype)

    @cached_property
    def whisper(self) -> Any:
        """Whisper's encoder."""
        return fill(empty_whisper(self.config), self.device, torch.float32)

    @cached_property
    def audio2token(self) -> AudioToTokens:
        """The network that makes a frame's audio tokens."""
        return fill(empty_audio2token(self.config), self.device, torch.float32)

    @cached_property
    def audio2bucket(self) -> AudioToBuckets:
        """The network that makes a frame's motion buckets."""
        return fill(empty_audio2bucket(self.config), self.device, torch.float32)


def files(bench: Bench) -> BaseFiles:
    """Name files that are never read, but for the sizes of the rehearsal."""
    nowhere = Path("random weights")
    return BaseFiles(*[nowhere] * 6, sizes=TINY if bench.rehearse else None)


def interpolator(device: torch.device) -> IFNet:
    """Draw the interpolator."""
    with torch.device("meta"):
        network = IFNet()
    return fill(network, device, torch.float32)


def drawn_model(bench: Bench, keeper: Keeper) -> BaseModel:
    """Make sonic-base with random weights; the networks are shared by all models of the bench."""
    if "networks" not in bench.held:
        bench.held["networks"] = DrawnNetworks(bench)
        bench.held["interpolator"] = interpolator(bench.device)
    model = BaseModel(files(bench), keeper, bench.dtype)
    model.networks = bench.held["networks"]
    model.interpolator = FlowInterpolator(bench.held["interpolator"], keeper)
    return model
