"""From latents to frames on a device, with fewer at once whenever memory runs out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

import torch

from ...errors import SettingsError, SonicWarning
from ...memory import is_out_of_memory
from ...types import Frames
from .config import LATENT_SIDE
from .loading import Networks
from .plan import Plan
from .predictor import Station
from .tiny_vae import TinyMemory, decode_tiny
from .unet.acceleration import accelerate_decoder
from .vae import ChunkLayout, decode_chunk, decoded

Made = TypeVar("Made")


class Decoder:
    """Decodes the latents of one clip."""

    def __init__(self, networks: Networks, station: Station, plan: Plan, layout: ChunkLayout, *, tiny: bool) -> None:
        """Take what decodes.

        Args:
            networks: Those of the model.
            station: Where they run.
            plan: Tells what decoding takes.
            layout: Which frames are decoded together; it is lowered when memory runs out.
            tiny: Decode by the tiny VAE.
        """
        self.networks, self.station, self.plan, self.layout, self.tiny = networks, station, plan, layout, tiny

    def clip(self, latents: torch.Tensor | Iterator[torch.Tensor], count: int) -> Iterator[Frames]:
        """Decode ``count`` latents (4, h, w), one after the other: (n, 3, 8h, 8w) in [0, 1], ``count`` in all."""
        if self.tiny:
            return self._tiny_clip(iter(latents))
        return decoded(latents, count, self.layout, self._decode)

    def _decode(self, latents: torch.Tensor) -> Frames:
        def decode(some: torch.Tensor) -> Frames:
            accelerate_decoder(self.networks.vae, fused=self.plan.fused_decoder)
            return decode_chunk(self.networks.vae, some)

        return self._fitting(latents, decode)

    def _tiny_clip(self, latents: Iterator[torch.Tensor]) -> Iterator[Frames]:
        """Decode by the tiny VAE, which remembers the frame before, so that chunks need not share any."""
        memory: TinyMemory | None = None

        def decode(some: torch.Tensor) -> tuple[Frames, TinyMemory]:
            return decode_tiny(self.networks.tiny_vae, some, memory)

        waiting: list[torch.Tensor] = []
        while True:
            waiting += islice(latents, self.layout.chunk - len(waiting))
            if not waiting:
                return
            frames, memory = self._fitting(torch.stack(waiting), decode)
            del waiting[: len(frames)]
            yield frames

    def _fitting(self, latents: torch.Tensor, decode: Callable[[torch.Tensor], Made]) -> Made:
        """Decode some frames; when memory runs out, fewer of them, and so from then on.

        Raises:
            SettingsError: Not even one of them fits.
        """
        keeper, plan = self.station.keeper, self.plan
        while True:
            try:
                with self.station.turn:
                    network = self.networks.tiny_vae if self.tiny else self.networks.vae
                    keeper.bring(network, plan.decoding * len(latents) // plan.chunk)
                    return decode(latents)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            keeper.make_room()
            if len(latents) == 1:
                height, width = (side * LATENT_SIDE for side in latents.shape[2:])
                raise SettingsError(
                    f"A frame of {width}×{height} does not fit into the memory of {keeper.device} when it is "
                    f"decoded alone; lower min_resolution, now {min(width, height)}, or close other programs."
                )
            latents = latents[: max(1, len(latents) // 2)]
            self.layout.chunk = min(self.layout.chunk, len(latents))
            warnings.warn(
                f"Memory ran out; frames decoded at once from now on: {len(latents)}.", SonicWarning, stacklevel=2
            )
