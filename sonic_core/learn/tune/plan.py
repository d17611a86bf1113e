"""Everything that shapes what sonic-base learns, in one place; also read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import SettingsError
from ...faces.crop import MULTIPLE
from ...settings import RANGES
from .. import plans

LAYERS = ("audio", "audio+temporal", "all")
"""What is changed: attention to the sound; that and attention over time; or every matrix of the UNet."""
PRECISIONS_HERE = ("auto", "bf16", "fp32")


@dataclass(frozen=True)
class LearningPlan:
    """What shapes everything that sonic-base learns from videos.

    Raises:
        SettingsError: A value is not possible.
    """

    # what is learned from; a change of these prepares the videos anew
    size: int = 512
    """Pixels of the square that is cut out around the face."""
    expand_ratio: float = 0.5
    """Share of the face's box that is kept on each side: a head that moves needs more than a still one."""
    least_seconds: float = 2.0
    """Shortest piece of video that is used; a window of the model is 2 s long."""
    most_seconds: float = 10.0
    """Longest piece; it is cut out by one square."""
    references: int = 8
    """Frames of each piece that may stand for the portrait."""

    # what is changed
    layers: str = "audio+temporal"
    """audio, audio+temporal or all."""
    rank: int = 16
    """Rank of the changes."""
    alpha: float = 16.0
    """Changes are multiplied by alpha / rank."""

    # how it is learned
    steps: int = 1000
    batch: int = 4
    """Windows a step, one after the other."""
    window: int = 25
    """Frames of a window, 12.5 of them a second."""
    rate: float = 1e-4
    """Learning rate at its highest."""
    warmup: int = 100
    """Steps in which the rate rises; it then falls along a cosine to a tenth."""
    decay: float = 0.01
    """Weight decay."""
    clip: float = 1.0
    """Norm that a step's gradient is cut down to."""
    average: float = 0.995
    """How much of the moving average of the changes is kept from step to step; the average is what is written."""
    face_weight: float = 2.0
    """How much more an error in the face counts than one beside it."""
    seed: int = 0

    # how it is watched
    held_out: float = 0.1
    """Share of the video that is not learned from and judges the rest."""
    judged: int = 6
    """Windows of it that are judged at every noise level."""
    judge_every: int = 100
    """Steps from one judgement to the next."""
    save_every: float = 60.0
    """Seconds after which what was learned is saved; whoever is stopped loses no more."""
    checkpointing: bool = True
    """Compute a block's inside once more on the way back, instead of keeping it."""
    precision: str = "auto"
    """Number type of the UNet: auto is bf16 where the device has it, else fp32. Changes are always fp32."""

    def __post_init__(self) -> None:
        plans.check_limits(self, _LIMITS)
        if self.size % MULTIPLE:
            raise SettingsError(f"size must be a multiple of {MULTIPLE}, got {self.size}.")
        for name, choices in (("layers", LAYERS), ("precision", PRECISIONS_HERE)):
            if getattr(self, name) not in choices:
                raise SettingsError(f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)!r}.")

    @property
    def scale(self) -> float:
        """What changes are multiplied by."""
        return self.alpha / self.rank

    def of_data(self) -> dict[str, Any]:
        """Tell the values on which prepared videos depend."""
        return {name: getattr(self, name) for name in _OF_DATA}

    def of_learning(self) -> dict[str, Any]:
        """Tell the values on which the numbers learned depend; how it is watched is not among them."""
        return {name: value for name, value in asdict(self).items() if name not in _OF_WATCHING}


@dataclass(frozen=True)
class TuningPlan(LearningPlan):
    """Everything that shapes a tuning.

    Raises:
        SettingsError: A value is not possible.
    """

    mean: float = 1.0
    deviation: float = 1.2
    """Of the logarithm of the noise levels, which are drawn from a normal distribution."""
    drop_sound: float = 0.1
    """Share of windows that learn without their sound, which guidance by sound needs."""
    drop_all: float = 0.05
    """Share of windows that learn without sound and picture, which guidance by appearance needs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        plans.check_limits(self, _LIMITS_OF_TUNING)
        if self.drop_sound + self.drop_all >= 1:
            raise SettingsError(
                f"drop_sound and drop_all must leave something; got {self.drop_sound} and {self.drop_all}."
            )


_MANY = 1_000_000
_LIMITS: dict[str, tuple[float, float]] = {
    "size": (64, 2048),
    "expand_ratio": (RANGES["expand_ratio"].least, RANGES["expand_ratio"].most),
    "least_seconds": (0.1, 60),
    "most_seconds": (0.1, 600),
    "references": (1, 1000),
    "rank": (1, 1024),
    "alpha": (1e-3, _MANY),
    "steps": (1, _MANY),
    "batch": (1, 4096),
    "window": (RANGES["window"].least, RANGES["window"].most),
    "rate": (1e-9, 1),
    "warmup": (0, _MANY),
    "decay": (0, 1),
    "clip": (1e-6, _MANY),
    "average": (0, 1),
    "face_weight": (1e-3, 1000),
    "seed": (0, 2**63),
    "held_out": (0, 0.9),
    "judged": (1, 1000),
    "judge_every": (1, _MANY),
    "save_every": (0, 86400),
}
_LIMITS_OF_TUNING: dict[str, tuple[float, float]] = {
    "mean": (-6, 6),
    "deviation": (1e-3, 6),
    "drop_sound": (0, 1),
    "drop_all": (0, 1),
}
_OF_DATA = ("size", "expand_ratio", "least_seconds", "most_seconds", "references")
_OF_WATCHING = ("save_every", "judge_every", "judged", "checkpointing")


def read_plan(path: Path | None, changed: Mapping[str, Any]) -> TuningPlan:
    """Read a plan from a file and change some of it; as of ``plans.read_plan``."""
    return plans.read_plan(TuningPlan, path, changed)
