"""What ``quality`` means: how many steps at which noise levels, and what of them is computed anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from ...errors import SettingsError
from ...settings import DiffusionOptions
from .schedules import aligned_sigmas, karras_sigmas

FAST_STEPS = 10
"""Steps of "fast": those that the noise levels of "Align Your Steps" were optimised for."""
LIVE_STEPS = 6
"""Steps of "live" where no student is there: two thirds of the branch-steps of "fast". Chosen by count, not by look."""
GUIDANCE_INTERVAL = 2
"""Steps of "fast" from one renewal of the guidance differences to the next."""
SETTLED_SHARE = 0.3
"""Share of the steps, at the end, in which the differences are not renewed (adaptive guidance: Castillo et al., arXiv
2312.12487; cached guidance: Lv et al., "FasterCache", arXiv 2410.19355)."""


class Taught(Protocol):
    """What is known of a few-step student."""

    @property
    def steps(self) -> int:
        """Steps that it was taught to take."""
        ...

    @property
    def distilled(self) -> bool:
        """Whether guidance is part of what it was taught, so that one branch is enough."""
        ...

    @property
    def sigmas(self) -> Sequence[float]:
        """The noise levels that it was taught at, falling, without the final 0; empty where any will do."""
        ...


@dataclass(frozen=True, eq=False)
class Sampling:
    """How a clip is denoised."""

    sigmas: torch.Tensor
    """(steps + 1,) float32, falling to 0."""
    guidance_interval: int = 1
    """Steps from one renewal of the guidance differences to the next; in between one branch is computed."""
    settled: int | None = None
    """The step from which on the differences are not renewed any more."""
    deep_interval: int = 1
    """Steps from one computation of the UNet's deeper levels to the next."""
    guided: bool = True
    """Without, the weights were taught the guided prediction, and one branch is all there is."""
    student: bool = False
    """Whether a few-step student predicts."""
    tiny: bool = False
    """Whether the tiny VAE decodes."""

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.sigmas) - 1

    @property
    def keeps_guidance(self) -> bool:
        """Whether there are steps that take the guidance differences as they were."""
        return self.guided and self.guidance_interval > 1

    def renews_guidance(self, step: int) -> bool:
        """Say whether all branches are computed at a step."""
        return step % self.guidance_interval == 0 and (self.settled is None or step < self.settled)

    def renews_deep(self, step: int) -> bool:
        """Say whether the UNet's deeper levels are computed at a step."""
        return step % self.deep_interval == 0

    def branch_steps(self, branches: int = 3) -> tuple[int, int]:
        """Count the branches that one window is computed for over all steps: whole ones, and shallow ones."""
        if not self.guided:
            return self.steps, 0
        each = [branches if self.renews_guidance(step) or not self.keeps_guidance else 1 for step in range(self.steps)]
        whole = sum(count for step, count in enumerate(each) if self.renews_deep(step))
        return whole, sum(each) - whole


def choose_sampling(options: DiffusionOptions, scheduler: Mapping[str, Any], student: Taught | None = None) -> Sampling:
    """Tell how a clip with these settings is denoised.

    Args:
        options: ``quality``, ``inference_steps`` and ``deepcache`` count.
        scheduler: ``sigma_min`` and ``sigma_max`` of the model.
        student: What is known of the few-step student that is there, for "live".

    Raises:
        SettingsError: ``deepcache`` is asked for beside a quality that saves in another way.
    """
    least, most = (float(scheduler[name]) for name in ("sigma_min", "sigma_max"))
    if options.quality == "exact":
        return Sampling(karras_sigmas(options.inference_steps, least, most), deep_interval=options.deepcache)
    if options.deepcache > 1:
        raise SettingsError(
            f"deepcache saves on the steps of quality exact; got deepcache {options.deepcache} with quality "
            f"{options.quality}, which has too few steps for it: leave one of them out."
        )
    if options.quality == "live" and student is not None:
        taught = torch.tensor([*student.sigmas, 0.0])
        sigmas = taught if student.sigmas else aligned_sigmas(student.steps, least, most)
        return Sampling(sigmas, guided=not student.distilled, student=True, tiny=True)
    steps = FAST_STEPS if options.quality == "fast" else LIVE_STEPS
    return Sampling(
        aligned_sigmas(steps, least, most),
        guidance_interval=GUIDANCE_INTERVAL,
        settled=round(steps * (1 - SETTLED_SHARE)),
        tiny=options.quality == "live",
    )
