"""Reading a conformance kit: its weights, drawn from names, and its cases."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sonic_core.models.base.config import BaseConfig
from sonic_core.models.base.networks import (
    empty_audio2bucket,
    empty_audio2token,
    empty_clip,
    empty_unet,
    empty_vae,
    empty_whisper,
)
from sonic_core.models.base.unet.lean import make_lean
from sonic_core.post.interpolators.flownet import IFNet

SHARED_KIT = Path(__file__).resolve().parents[3] / "shared" / "kit"
OWN_KIT = Path(__file__).resolve().parent / "own_kit"


def __getattr__(name: str) -> Any:
    """Make the mark ``needs_kit`` where tests ask for it: on a machine that only measures there is no pytest."""
    if name != "needs_kit":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pytest

    return pytest.mark.skipif(not SHARED_KIT.is_dir(), reason=f"no conformance kit at {SHARED_KIT}")


def named_array(salt: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draw the tensor called ``name`` (the rule of the kit's README)."""
    values = np.random.RandomState(zlib.crc32(f"{salt}:{name}".encode())).standard_normal(size=shape)
    values = values.astype(np.float32)
    if len(shape) >= 2:
        return values / np.float32(np.sqrt(np.prod(shape[1:])))
    if name.endswith("mix_factor"):
        return values
    return (1 + np.float32(0.1) * values) if name.endswith("weight") else np.float32(0.1) * values


def draw(network: nn.Module, salt: str, prefix: str) -> Any:
    """Fill a network, on the meta device or not, with the kit's weights."""
    network.to_empty(device="cpu")
    state = network.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            tensor.copy_(torch.from_numpy(np.asarray(named_array(salt, f"{prefix}.{name}", tuple(tensor.shape)))))
    for name, buffer in network.named_buffers():
        if name.endswith("position_ids"):
            buffer.copy_(torch.arange(buffer.shape[-1]).expand_as(buffer))
    return network.eval().requires_grad_(False)


@dataclass(eq=False)
class KitNetworks:
    """The networks of a kit, in the place of ``loading.Networks``."""

    config: BaseConfig
    unet: Any
    vae: Any
    clip: Any
    whisper: Any
    audio2token: Any
    audio2bucket: Any
    dtype: torch.dtype = torch.float32

    def to(self, device: torch.device, dtype: torch.dtype) -> KitNetworks:
        """Bring all networks to a device, and those that the engine computes with in its own type to ``dtype``."""
        for network in (self.unet, self.vae, self.clip, self.audio_networks):
            nn.Module.to(network, device)  # diffusers' own talks
        for network in (self.unet, self.vae.decoder, self.clip):
            nn.Module.to(network, dtype)
        self.dtype = dtype
        return self

    @property
    def audio_networks(self) -> nn.ModuleList:
        """The three networks of the audio, as one."""
        return nn.ModuleList((self.whisper, self.audio2token, self.audio2bucket))


def draw_networks(index: dict[str, Any]) -> KitNetworks:
    """Build all networks of a kit but the interpolator."""
    config, salt = BaseConfig.of(index["config"]), index["salt"]
    networks = KitNetworks(
        config,
        draw(empty_unet(config), salt, "unet"),
        draw(empty_vae(config), salt, "vae"),
        draw(empty_clip(config), salt, "clip"),
        draw(empty_whisper(config), salt, "whisper_encoder"),
        draw(empty_audio2token(config), salt, "audio2token"),
        draw(empty_audio2bucket(config), salt, "audio2bucket"),
    )
    make_lean(networks.vae)
    return networks


def draw_interpolator(salt: str) -> IFNet:
    """Build the interpolator of a kit."""
    with torch.device("meta"):
        network = IFNet()
    return draw(network, salt, "rife")


def read_index(folder: Path) -> dict[str, Any]:
    """Read ``index.json``."""
    return json.loads((folder / "index.json").read_text(encoding="utf-8"))


def relative_error(got: torch.Tensor, expected: np.ndarray) -> float:
    """Return ‖got − expected‖ / ‖expected‖; infinite when the shapes differ or something is not a number."""
    wanted = torch.from_numpy(np.asarray(expected)).double()
    if tuple(got.shape) != tuple(wanted.shape) or not bool(got.isfinite().all()):
        return float("inf")
    norm = float(wanted.norm())
    return float((got.double() - wanted).norm()) / (norm or 1.0)
