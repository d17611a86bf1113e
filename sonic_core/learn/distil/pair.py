"""Teacher and student in one UNet: without its changes it teaches, with them it is the student.

Both are asked by what asks them when they animate (``guidance.guided_predictions``, ``denoise.denoise``): three
branches under the settings' guidances, or one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from ...models.base.config import LATENT_SCALE
from ...models.base.denoise import Task, denoise, denoised, euler_step
from ...models.base.guidance import ClipConditioning, Guidance, guided_predictions
from ...models.base.plan import BRANCHES
from ...models.base.sampling import Sampling
from ...models.base.unet.attention import AudioTokens, FaceMask, ImageToken
from ...models.base.windows import Schedule, Window
from ..tune.examples import Example
from ..tune.network import Changes


@dataclass(frozen=True, eq=False)
class Scene:
    """A window, and what guidance takes away from it."""

    example: Example
    unheard: torch.Tensor
    """(1, tokens, width) what is heard where there is no sound."""

    @property
    def portrait(self) -> torch.Tensor:
        """(4, h, w) the portrait's latents inside the diffusion process."""
        image = self.example.image
        return torch.zeros_like(self.example.clean[0]) if image is None else image * LATENT_SCALE

    def begun(self, sigma: float) -> torch.Tensor:
        """Return what denoising begins with, as when it is animated: the portrait under noise, (n, 4, h, w)."""
        return self.portrait + sigma * self.example.noise


@dataclass(frozen=True, eq=False)
class Pair:
    """Whoever teaches and whoever learns."""

    unet: Any
    """In the form that learns, with ``changes`` beside its layers, on its device."""
    changes: Changes
    guidance: Guidance
    """The teacher's."""

    def teacher(self, scene: Scene, noisy: torch.Tensor, sigma: float) -> torch.Tensor:
        """Ask the teacher for the velocity of noisy frames (n, 4, h, w) at a level, under both guidances."""
        with self.changes.out():
            return self._ask(self._conditioning(scene), guided=True, task=_task(noisy, sigma))

    def student(self, scene: Scene, noisy: torch.Tensor, sigma: float) -> torch.Tensor:
        """Ask the student, who does not learn from it."""
        return self._ask(self._conditioning(scene), guided=False, task=_task(noisy, sigma))

    def arrive(self, scene: Scene, sigmas: torch.Tensor, *, taught: bool) -> torch.Tensor:
        """Denoise a window from nothing but noise.

        Args:
            scene: The window.
            sigmas: (steps + 1,) the noise levels, falling to 0.
            taught: By the student's one branch; otherwise by the teacher's three.

        Returns:
            (n, 4, h, w) latents.
        """
        conditioning, frames = self._conditioning(scene), len(scene.example.noise)
        predict = partial(
            guided_predictions, self.unet, conditioning, self.guidance, _sampling(guided=not taught), at_once=BRANCHES
        )
        begun = scene.begun(float(sigmas[0]))
        schedule = Schedule(frames, 0, 0)
        if taught:
            return denoise(begun, sigmas, schedule, lambda tasks: predict(tasks=tasks), _ignore)
        with self.changes.out():
            return denoise(begun, sigmas, schedule, lambda tasks: predict(tasks=tasks), _ignore)

    def _ask(self, conditioning: ClipConditioning, *, guided: bool, task: Task) -> torch.Tensor:
        sampling = _sampling(guided=guided)
        (made,) = guided_predictions(self.unet, conditioning, self.guidance, sampling, [task], at_once=BRANCHES)
        return made.velocity

    def _conditioning(self, scene: Scene) -> ClipConditioning:
        weights, one = self.unet.conv_in.weight, scene.example
        device, dtype = weights.device, weights.dtype
        if one.image is None or one.embedding is None:
            raise ValueError("a window without its picture has nobody to animate")
        height, width = one.clean.shape[2:]
        return ClipConditioning(
            ImageToken(one.embedding.to(device, dtype)),
            one.image.to(device, dtype),
            AudioTokens(one.tokens, device, dtype, cache=False),
            AudioTokens(scene.unheard, device, dtype, cache=False),
            torch.tensor(one.buckets).expand(len(one.clean), -1),
            FaceMask(one.mask.to(device, dtype), (height, width), len(self.unet.config.block_out_channels)),
        )


def step_to(noisy: torch.Tensor, velocity: torch.Tensor, sigma: float, following: float) -> torch.Tensor:
    """Take a step with a predicted velocity from one noise level to another."""
    return euler_step(noisy, denoised(noisy, velocity, sigma), sigma, following)


def _task(noisy: torch.Tensor, sigma: float) -> Task:
    frames = range(len(noisy))
    return Task(Window(0, 0, frames, frames), sigma, noisy)


def _sampling(*, guided: bool) -> Sampling:
    return Sampling(torch.zeros(2), guided=guided)


def _ignore(_done: int, _total: int, _clean: torch.Tensor) -> None:
    """Nobody waits for it."""
