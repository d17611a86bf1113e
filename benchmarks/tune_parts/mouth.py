"""Does what was learned hear? The loss in the mouth's region with the right sound, and with wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from sonic_core.faces.geometry import LIPS_LOWER_OUTER, LIPS_UPPER_OUTER
from sonic_core.learn.tune.caching import Talk, read_talk
from sonic_core.learn.tune.examples import Example, Examples, Span, face_weight
from sonic_core.learn.tune.loss import conditioning_of, errors_of
from sonic_core.learn.tune.network import conditioned

AROUND = 0.3
"""Of the mouth's height, kept around it."""
WRONG = 2
"""Wrong sounds a window."""


@dataclass(frozen=True)
class Hearing:
    """How much worse wrong sounds are, over windows."""

    right: float
    """Mean loss in the mouth's region with the right sound."""
    wrong: float
    """With wrong ones."""
    spread: float
    """Standard error, over windows, of the difference."""
    windows: int
    better: int
    """Windows in which the right sound is better than the mean of the wrong ones."""
    chance: float
    """The difference between wrong sounds and other wrong sounds, in its own standard errors: what chance gives."""

    @property
    def evidence(self) -> float:
        """The difference in standard errors."""
        return (self.wrong - self.right) / self.spread


def hearing_of(unet: Any, examples: Examples, spans: Sequence[Span], sigmas: Sequence[float]) -> Hearing:  # noqa: ANN401
    """Compare sounds over all windows of what was held out.

    Args:
        unet: With what it learned.
        examples: Makes examples of windows.
        spans: What was held out.
        sigmas: Noise levels; a window's loss is their mean.
    """
    frames, chance = examples.plan.window, np.random.default_rng(1)
    places = [
        (read_talk(span.path), first)
        for span in spans
        for first in range(span.first, span.end - frames + 1, frames // 2)
    ]
    rights, wrongs = [], []
    for number, (talk, first) in enumerate(places):
        others = [one for one, (other, _) in enumerate(places) if other.latents.data_ptr() != talk.latents.data_ptr()]
        chosen = [places[one] for one in chance.choice(others, 2 * WRONG, replace=False)]
        region = mouth_region(talk, first, frames)
        right, wrong = 0.0, np.zeros(2 * WRONG)
        for sigma in sigmas:
            noise = torch.from_numpy(
                np.random.default_rng([2, number]).standard_normal((frames, *talk.latents.shape[1:]), dtype=np.float32)
            )
            example = replace(examples.make(talk, first, 0, sigma=sigma, noise=noise), weight=region)
            right += _loss(unet, example) / len(sigmas)
            for one, (other, begin) in enumerate(chosen):
                heard = replace(example, tokens=other.tokens[begin : begin + frames])
                wrong[one] += _loss(unet, heard) / len(sigmas)
        rights.append(right)
        wrongs.append(wrong)
    right, wrong = np.array(rights), np.array(wrongs)
    more = wrong.mean(1) - right
    apart = wrong[:, :WRONG].mean(1) - wrong[:, WRONG:].mean(1)
    error, root = float(more.std(ddof=1)) / len(more) ** 0.5, len(apart) ** 0.5
    return Hearing(
        float(right.mean()), float(wrong.mean()), error, len(more), int((more > 0).sum()),
        float(apart.mean() / (apart.std(ddof=1) / root)),
    )  # fmt: skip


def mouth_region(talk: Talk, first: int, frames: int) -> torch.Tensor:
    """Mark the latent pixels (h, w) of the mouth in a window; 1 in the mean over the picture."""
    lips = talk.points[first : first + frames][:, [*LIPS_UPPER_OUTER, *LIPS_LOWER_OUTER]]
    (left, top), (right, bottom) = lips.flatten(0, 1).min(0).values.tolist(), lips.flatten(0, 1).max(0).values.tolist()
    more = AROUND * (bottom - top)
    box = left - more, top - more, right + more, bottom + more
    inside = face_weight((talk.size, talk.size), box, 1e6)
    return inside / inside.mean()


@torch.no_grad()
def _loss(unet: Any, example: Example) -> float:  # noqa: ANN401
    with conditioned(unet, conditioning_of(unet, example)):
        return float(errors_of(unet, example).mean())
