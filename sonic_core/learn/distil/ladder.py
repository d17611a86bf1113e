"""The noise levels of teacher and student: the student stands on some of those at which the teacher is asked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ...models.base.schedules import aligned_sigmas, karras_sigmas


@dataclass(frozen=True)
class Ladder:
    """Noise levels from the greatest down to 0."""

    sigmas: tuple[float, ...]
    """The teacher's, as published, and the final 0."""
    rungs: tuple[int, ...]
    """Numbers of those on which the student stands, the first and the final one included."""

    @property
    def teacher(self) -> torch.Tensor:
        """The teacher's levels: (steps + 1,) float32."""
        return torch.tensor(self.sigmas)

    @property
    def student(self) -> torch.Tensor:
        """The student's: (steps + 1,) float32."""
        return torch.tensor([self.sigmas[rung] for rung in self.rungs])

    def above(self, level: int) -> int:
        """Tell how many rungs the student has left behind when it steps over a level: those above it, and its own."""
        return sum(rung <= level for rung in self.rungs) - 1

    def end(self, level: int) -> int:
        """Tell to which level the student steps from ``level``: the next rung."""
        return self.rungs[self.above(level) + 1]

    def between(self, place: float) -> float:
        """Tell a noise level by its place among the teacher's: 0 the greatest, 1 the least above 0."""
        whole, part = divmod(place * (len(self.sigmas) - 2), 1)
        low, high = (math.log(self.sigmas[min(int(whole) + more, len(self.sigmas) - 2)]) for more in (0, 1))
        return math.exp(low + part * (high - low))


def make_ladder(teacher_steps: int, student_steps: int, scheduler: Mapping[str, Any]) -> Ladder:
    """Choose the noise levels: of the teacher's, those nearest to levels that were optimised for so few steps.

    Args:
        teacher_steps: Steps of the teacher.
        student_steps: Steps of the student, fewer.
        scheduler: ``sigma_min`` and ``sigma_max`` of the model.

    >>> ladder = make_ladder(25, 4, {"sigma_min": 0.002, "sigma_max": 700.0})
    >>> ladder.rungs, [round(float(sigma), 2) for sigma in ladder.student]
    ((0, 13, 16, 20, 25), [700.0, 10.24, 2.16, 0.23, 0.0])
    """
    least, most = (float(scheduler[name]) for name in ("sigma_min", "sigma_max"))
    sigmas = karras_sigmas(teacher_steps, least, most).tolist()
    wanted = aligned_sigmas(student_steps, least, most).tolist()[:-1]
    rungs: list[int] = []
    for number, sigma in enumerate(wanted):
        first = rungs[-1] + 1 if rungs else 0
        free = range(first, teacher_steps - (student_steps - 1 - number))
        rungs.append(min(free, key=lambda level: abs(math.log(sigmas[level] / sigma))))
    return Ladder(tuple(sigmas), (*rungs, teacher_steps))
