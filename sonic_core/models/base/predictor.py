"""Predicting on a device: with less at once when memory runs out, with other numbers when half precision fails."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ...devices import Keeper, weight
from ...errors import InputError, SettingsError, SonicWarning
from ...memory import is_out_of_memory
from ...settings import DiffusionOptions
from ...types import Progress
from .conditions import BaseConditions, ClipSound
from .config import LATENT_SIDE
from .denoise import Predicted, Task
from .guidance import ClipConditioning, Guidance, guided_predictions
from .plan import Plan, Workload, lighter, make_plan
from .sampling import Sampling
from .unet.acceleration import accelerate, choose_acceleration
from .unet.attention import AudioTokens, FaceMask, ImageToken
from .unet.residual import WHOLE


@dataclass(frozen=True, eq=False)
class Station:
    """A device with a UNet of its own, where one thing happens at a time."""

    keeper: Keeper
    unet: Callable[..., Any]
    """Gives the UNet, or with ``student`` the few-step one; either is read when it is first needed."""
    turn: threading.RLock
    """Held by whoever brings a network and uses it, so that no other sends it away meanwhile."""


@dataclass(frozen=True, eq=False)
class Order:
    """What is to be denoised."""

    conditions: BaseConditions
    sound: ClipSound
    options: DiffusionOptions
    sampling: Sampling
    job: Workload
    acceleration: str
    """Levers of the UNet, as ``choose_acceleration`` reads them."""
    attention: str
    """Kernel of its attention, likewise."""
    progress: Progress
    """Told of a warm-up."""


class Predictor:
    """Makes the predictions of one clip at one station (``denoise.Predict``)."""

    def __init__(self, station: Station, order: Order, decoder_weight: int) -> None:
        self.station, self.order = station, order
        self.job = replace(order.job, dtype=next(self._unet().parameters()).dtype)  # another clip may have changed it
        self.guidance = Guidance(order.options.appearance_guidance, order.options.audio_guidance)
        keeper = station.keeper
        self.levers = choose_acceleration(order.acceleration, keeper.device, order.attention)
        weights = weight(self._unet()), decoder_weight
        self.plan = self.first = make_plan(
            self.job, keeper.device, keeper.free(), *weights, fused_decoder=self.levers.fused
        )
        self.conditioning: ClipConditioning | None = None

    def __call__(self, tasks: Sequence[Task]) -> list[Predicted]:
        """Predict some windows.

        Raises:
            SettingsError: Memory does not suffice, whatever is done about it.
            InputError: The weights give no numbers.
        """
        self.order.sound.reach(max(max(task.window.frames) for task in tasks))
        with self.station.turn:
            while True:
                try:
                    made = self._predict(tasks)
                except (RuntimeError, MemoryError) as error:
                    if not is_out_of_memory(error):
                        raise
                else:
                    if all(bool(one.velocity.isfinite().all()) for one in made):
                        return made
                    self._change_numbers()
                    continue
                self._reduce()

    def _unet(self) -> Any:  # noqa: ANN401 - diffusers' type
        return self.station.unet(student=self.order.sampling.student)

    def _predict(self, tasks: Sequence[Task]) -> list[Predicted]:
        unet, plan = self._unet(), self.plan
        keeper, order = self.station.keeper, self.order
        keeper.bring(unet, plan.working)
        whole = plan.convolution_piece >= WHOLE  # only the lean blocks convolve in pieces
        accelerate(unet, replace(self.levers, fused=self.levers.fused and whole), order.progress)
        unet.attention_context.piece = plan.piece
        unet.attention_context.convolution_piece = plan.convolution_piece
        self.conditioning = self.conditioning or self._clip_conditioning()
        return guided_predictions(unet, self.conditioning, self.guidance, self.order.sampling, tasks, at_once=plan.rows)

    def _clip_conditioning(self) -> ClipConditioning:
        """Bring the conditioning of the clip to the UNet's device."""
        known, sound = self.order.conditions, self.order.sound
        device, dtype = self.station.keeper.device, self.job.dtype
        levels = len(self.job.config.unet["block_out_channels"])
        return ClipConditioning(
            ImageToken(known.embedding.to(device, dtype)),
            known.latents.to(device, dtype),
            AudioTokens(sound.tokens, device, dtype, cache=self.plan.cache_audio and sound.whole),
            AudioTokens(known.unconditional, device, dtype, cache=True),
            sound.buckets,
            FaceMask(known.portrait.mask.to(device, dtype), self.job.latent_size, levels),
        )

    def _change_numbers(self) -> None:
        """Go on in bfloat16, whose range is float32's, where float16 overflowed.

        Raises:
            InputError: It was another type.
        """
        kind = str(self.job.dtype).removeprefix("torch.")
        self.conditioning = None
        if self.job.dtype != torch.float16:
            choose = "" if self.job.dtype == torch.float32 else "choose another precision (fp32), or "
            raise InputError(
                f"The UNet gave values that are not numbers in {kind}: {choose}download its weights again."
            )
        self._unet().to(torch.bfloat16)
        self.job = replace(self.job, dtype=torch.bfloat16)
        warnings.warn(
            "The UNet gave values that are not numbers in float16; going on in bfloat16.", SonicWarning, stacklevel=2
        )

    def _reduce(self) -> None:
        plan = lighter(self.plan, self.job)
        self.conditioning = None
        self.station.keeper.make_room()
        if plan is None:
            height, width = (side * LATENT_SIDE for side in self.job.latent_size)
            raise SettingsError(
                f"{width}×{height} does not fit into the memory of {self.station.keeper.device}. Less and less was "
                f"tried at once: from {self.first.rows} branches in pieces of {self.first.piece} pixels down to "
                f"{self.plan.rows} in pieces of {self.plan.piece}, about {self.plan.working / 1e9:.2f} GB beside the "
                f"weights. Lower min_resolution, now {min(width, height)}, then window, now {self.job.window}; or "
                "close other programs."
            )
        warnings.warn(f"Memory ran out; going on with less at once: {plan}.", SonicWarning, stacklevel=2)
        self.plan: Plan = plan
