"""What the student should have said: of guidance what three branches say, of steps where the teacher's path leads.

A step of the student goes from one of its rungs to the next, over several of the teacher's levels. At each of those
levels it should say the one velocity that leads straight to where the teacher's path crosses the next rung. That is
learned backwards: the teacher takes some of its own steps, and from there the student's moving average, which has
learned so already, goes to the rung.

Source: Song et al., "Consistency Models", arXiv 2303.01469; Heek et al., "Multistep Consistency Models",
arXiv 2403.06807; for guidance Meng et al., "On Distillation of Guided Diffusion Models", arXiv 2210.03142.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ...models.base.denoise import deviation
from ..tune.examples import Excerpts, draw_noise
from ..tune.loss import answer_of, conditioning_of
from ..tune.network import conditioned
from .ladder import Ladder
from .pair import Pair, Scene, step_to
from .plan import DistillingPlan


@dataclass(frozen=True, eq=False)
class Question:
    """What the student is asked, and what it should say."""

    scene: Scene
    noisy: torch.Tensor
    """(n, 4, h, w) float32."""
    sigma: float
    velocity: torch.Tensor
    """(n, 4, h, w) float32, the answer."""


class Questions:
    """Draws what is learned from; from the seed, the step and the number within the step alone, and the average."""

    def __init__(self, pair: Pair, excerpts: Excerpts, plan: DistillingPlan, ladder: Ladder) -> None:
        self.pair, self.excerpts, self.plan, self.ladder = pair, excerpts, plan, ladder

    def of_guidance(self, step: int, number: int) -> Question:
        """Ask at any noise level for what the teacher's three branches say together."""
        chance, scene = self._scene(step, number)
        sigma = self.ladder.between(chance.random())
        noisy = scene.example.clean + sigma * scene.example.noise
        return Question(scene, noisy, sigma, self.pair.teacher(scene, noisy, sigma))

    def of_steps(self, step: int, number: int, average: Mapping[str, torch.Tensor]) -> Question:
        """Ask at one of the teacher's levels for the way to the student's next rung."""
        chance, scene = self._scene(step, number)
        rungs, sigmas = self.ladder.rungs, self.ladder.sigmas
        stands = chance.random() < self.plan.rung_share
        level = rungs[int(chance.integers(len(rungs) - 1))] if stands else int(chance.integers(len(sigmas) - 1))
        own = chance.random() < self.plan.own_share
        with self.pair.changes.being(average):
            noisy = self._walked(scene, level) if own or not level else None
        if noisy is None:
            noisy = scene.example.clean + sigmas[level] * scene.example.noise
        end = self.ladder.end(level)
        there = self._led(scene, noisy, level, average)
        return Question(scene, noisy, sigmas[level], straight(noisy, there, sigmas[level], sigmas[end]))

    def _led(self, scene: Scene, noisy: torch.Tensor, level: int, average: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Tell where the path through ``noisy`` crosses the next rung."""
        sigmas, end = self.ladder.sigmas, self.ladder.end(level)
        led = min(level + self.plan.hop, end)
        for number in range(level, led):
            said = self.pair.teacher(scene, noisy, sigmas[number])
            noisy = step_to(noisy, said, sigmas[number], sigmas[number + 1])
        if led == end:
            return noisy
        with self.pair.changes.being(average):
            said = self.pair.student(scene, noisy, sigmas[led])
        return step_to(noisy, said, sigmas[led], sigmas[end])

    def _walked(self, scene: Scene, level: int) -> torch.Tensor:
        """Let the student go from nothing but noise to a level, the last step cut short there."""
        sigmas, passed = self.ladder.sigmas, self.ladder.above(level)
        noisy = scene.begun(sigmas[0])
        stops = [*self.ladder.rungs[: passed + 1], level]
        for begin, end in pairwise(stops):
            if begin != end:
                noisy = step_to(noisy, self.pair.student(scene, noisy, sigmas[begin]), sigmas[begin], sigmas[end])
        return noisy

    def _scene(self, step: int, number: int) -> tuple[np.random.Generator, Scene]:
        chance = np.random.default_rng([self.plan.seed, step, number])
        talk, first, reference = self.excerpts.place(chance)
        noise = draw_noise(chance, talk, self.plan.window)
        return chance, Scene(self.excerpts.make(talk, first, reference, sigma=1.0, noise=noise), talk.unheard)


def straight(noisy: torch.Tensor, there: torch.Tensor, sigma: float, following: float) -> torch.Tensor:
    """Return the velocity that leads from ``noisy`` at ``sigma`` in one step to ``there`` at ``following``.

    It is what ``pair.step_to`` is the inverse of.
    """
    clean = noisy - (there - noisy) * (sigma / (following - sigma))
    return (noisy / deviation(sigma) - clean * deviation(sigma)) / sigma


def learn_from(pair: Pair, question: Question, count: int) -> float:
    """Add a question's gradient to those that are there.

    Args:
        pair: Whose student learns.
        question: What is learned from.
        count: Questions of the step, those that are learned from elsewhere included.

    Returns:
        Its share in the step's loss: the squared error of the velocity, weighted as when a model is tuned.
    """
    example = question.scene.example
    with conditioned(pair.unet, conditioning_of(pair.unet, example)):
        said = answer_of(pair.unet, example, question.noisy, question.sigma).float()
        wanted, weight = question.velocity.to(said.device), example.weight.to(said.device)
        loss = ((said - wanted).square() * weight).mean() / count
        loss.backward()
    found = float(loss.detach())
    return found if math.isfinite(found) else math.nan
