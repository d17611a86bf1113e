"""Everything that shapes a distillation, in one place; also read from a file."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import SettingsError
from ...settings import RANGES, Settings
from .. import plans
from ..tune.plan import LearningPlan

_USUAL = Settings()


@dataclass(frozen=True)
class DistillingPlan(LearningPlan):
    """Everything that shapes a distillation.

    Raises:
        SettingsError: A value is not possible.
    """

    layers: str = "all"
    """audio, audio+temporal or all: a student does another thing than its teacher, at every layer."""
    rank: int = 32
    """Rank of the changes."""
    alpha: float = 32.0
    """Changes are multiplied by alpha / rank."""
    steps: int = 2000
    """Steps in which it learns to arrive in few steps, after those for guidance."""
    average: float = 0.98
    """How much of the moving average of the changes is kept from step to step; it is target and result."""

    guidance_steps: int = 1000
    """Steps in which one branch learns what three say together."""
    student_steps: int = 4
    """In how many steps the student learns to arrive."""
    teacher_steps: int = _USUAL.inference_steps
    """In how many steps the teacher arrives."""
    appearance_guidance: float = _USUAL.appearance_guidance
    audio_guidance: float = _USUAL.audio_guidance
    """The teacher's guidances; the student cannot change them any more."""
    hop: int = 4
    """Levels over which the teacher leads before the student's average goes on: more arrive sooner and cost more."""
    own_share: float = 0.5
    """Share of windows that begin where the student's own steps lead, instead of with a clip under noise."""
    rung_share: float = 0.5
    """Share of windows at the noise levels at which the student will be asked; the others are between them."""
    least_amplitude: float = 0.9
    """Share of the teacher's movement below which it stops."""
    grace: int = 500
    """Steps of either part after which that holds, if the student has not moved as much before."""

    def __post_init__(self) -> None:
        super().__post_init__()
        plans.check_limits(self, _LIMITS)
        if self.student_steps >= self.teacher_steps:
            raise SettingsError(
                f"student_steps must be fewer than teacher_steps; got {self.student_steps} and {self.teacher_steps}."
            )

    @property
    def total(self) -> int:
        """Steps of both parts."""
        return self.guidance_steps + self.steps


_MANY = 1_000_000
_LIMITS: dict[str, tuple[float, float]] = {
    "guidance_steps": (0, _MANY),
    "student_steps": (1, 16),
    "teacher_steps": (2, RANGES["inference_steps"].most),
    **{name: (RANGES[name].least, RANGES[name].most) for name in ("appearance_guidance", "audio_guidance")},
    "hop": (1, RANGES["inference_steps"].most),
    "own_share": (0, 1),
    "rung_share": (0, 1),
    "least_amplitude": (0, 10),
    "grace": (0, _MANY),
}
