"""Is anything being learned? The student's latents beside the teacher's, on windows that nobody learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import torch

from ..tune.caching import read_talk
from ..tune.examples import Excerpts, Span, draw_noise
from .ladder import Ladder
from .pair import Pair, Scene


@dataclass(frozen=True)
class Standing:
    """How far a student is."""

    steps: int
    """In how many steps it arrived."""
    error: float
    """Root mean square distance of its latents from the teacher's."""
    teachers_own: float
    """That of the teacher's own latents in as few steps as the student shall take, at the same noise levels."""
    amplitude: float
    """Its movement over time as a share of the teacher's."""
    evaluations: int
    """Branches that it computes of a window, all steps together."""
    against: int
    """Those that the teacher computes."""

    @property
    def times(self) -> float:
        """How many times nearer it is than the teacher's own few steps."""
        return self.teachers_own / max(self.error, 1e-12)

    def __str__(self) -> str:
        return (
            f"{self.evaluations} evaluations against {self.against}: {self.error:.4f} from the teacher's latents, "
            f"where the teacher's own few steps are {self.teachers_own:.4f} away ({self.times:.2f} times as far); "
            f"amplitude {self.amplitude:.3f} of the teacher's"
        )

    def words(self) -> dict[str, float]:
        """Tell it as the log keeps it."""
        return {**asdict(self), "times": self.times}


class Judging:
    """Compares student and teacher on the same windows and the same noise at every asking."""

    def __init__(self, pair: Pair, excerpts: Excerpts, spans: Sequence[Span], ladder: Ladder) -> None:
        self.pair, self.ladder = pair, ladder
        self.scenes: list[Scene] = []
        for number, (span, first) in enumerate(excerpts.places(spans)):
            talk, plan = read_talk(span.path), excerpts.plan
            noise = draw_noise(np.random.default_rng([plan.seed, number]), talk, plan.window)
            self.scenes.append(Scene(excerpts.make(talk, first, 0, sigma=1.0, noise=noise), talk.unheard))

    @cached_property
    def wanted(self) -> list[torch.Tensor]:
        """The teacher's latents of every window, at all its steps."""
        return [self.pair.arrive(scene, self.ladder.teacher, taught=False) for scene in self.scenes]

    @cached_property
    def teachers_own(self) -> float:
        """How far the teacher's own few steps are from that."""
        sigmas = self.ladder.student
        return distance([self.pair.arrive(scene, sigmas, taught=False) for scene in self.scenes], self.wanted)

    def judge(self, *, few: bool) -> Standing:
        """Judge the student as it is.

        Args:
            few: In its few steps; otherwise in as many as the teacher takes.
        """
        sigmas = self.ladder.student if few else self.ladder.teacher
        made = [self.pair.arrive(scene, sigmas, taught=True) for scene in self.scenes]
        branches = sum(share != 0 for share in self.pair.guidance.weights)
        steps = len(sigmas) - 1
        return Standing(
            steps,
            distance(made, self.wanted),
            self.teachers_own,
            movement(made) / max(movement(self.wanted), 1e-12),
            steps,
            branches * (len(self.ladder.teacher) - 1),
        )


def distance(made: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> float:
    """Return the root mean square distance of latents from others."""
    return (
        float(torch.stack([(one - other).square().mean() for one, other in zip(made, wanted, strict=True)]).mean())
        ** 0.5
    )


def movement(latents: Sequence[torch.Tensor]) -> float:
    """Measure how much windows (n, 4, h, w) move: the deviation over time, root mean square over everything else."""
    return float(torch.stack([one.var(0, correction=0).mean() for one in latents]).mean()) ** 0.5
