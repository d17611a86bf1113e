"""Few-step students: what lies beside the UNet, and how it was taught.

A student is a whole UNet (``unet_student.safetensors``) or a LoRA of the UNet beside it (``student_lora.safetensors``);
which of the two is told by the tensors in it. Its header says how it is to be used:

- ``steps``: in how many steps it was taught to arrive;
- ``schedule``: the noise levels of those steps, separated by commas, falling; without, the engine's own;
- ``guidance``: ``distilled`` where guidance is part of what it learned, so that one branch is enough;
- ``alpha``: of a LoRA, where its layers have none of their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from ..errors import CheckpointError
from .catalog import STUDENT
from .lora import is_lora, read_header
from .store import find_file

UNTOLD_STEPS = 4
"""Steps of a student whose header does not say: what distillation is commonly for."""
DISTILLED = "distilled"
AGAIN = "write the header again"


@dataclass(frozen=True)
class Student:
    """A few-step UNet, and how it is to be used."""

    path: Path
    kind: Literal["unet", "lora"]
    """A whole UNet, or changes of one."""
    steps: int
    """Steps it was taught to arrive in."""
    distilled: bool
    """Whether guidance is baked in: one branch a step instead of three."""
    sigmas: tuple[float, ...] = ()
    """Noise levels of the steps, falling, without the final 0; empty: the engine's own schedule."""


def find_student(unet: Path) -> Student | None:
    """Find the student that lies in the UNet's folder, the whole one first.

    Raises:
        CheckpointError: It is there, but damaged, or its header makes no sense.
    """
    path = find_file(unet.parent, STUDENT.files[0])
    return None if path is None else read_student(path)


def read_student(path: Path) -> Student:
    """Read what a student's file says of itself.

    Raises:
        CheckpointError: The file is missing, damaged, or its header makes no sense.
    """
    header = read_header(path)
    sigmas = _sigmas(header.get("schedule", ""), path)
    told = header.get("steps", str(len(sigmas) or UNTOLD_STEPS))
    steps = int(told) if told.isascii() and told.isdigit() else 0
    if steps < 1 or len(sigmas) not in {0, steps}:
        raise CheckpointError(
            f"{path} says that it was taught {told!r} steps, with {len(sigmas)} noise levels; expected a whole number "
            f"from 1 on and as many levels or none; {AGAIN}."
        )
    guidance = header.get("guidance", "")
    if guidance not in {"", DISTILLED}:
        raise CheckpointError(f"{path} says guidance {guidance!r}; expected {DISTILLED!r} or nothing; {AGAIN}.")
    return Student(path, "lora" if is_lora(path) else "unet", steps, guidance == DISTILLED, sigmas)


def _sigmas(text: str, path: Path) -> tuple[float, ...]:
    try:
        sigmas = tuple(float(one) for one in text.split(",")) if text.strip() else ()
    except ValueError:
        sigmas = (math.nan,)
    falling = all(high > low for high, low in pairwise(sigmas))
    if not (falling and all(math.isfinite(one) and one > 0 for one in sigmas)):
        raise CheckpointError(
            f"{path} says schedule {text!r}; expected falling noise levels above 0, separated by commas; {AGAIN}."
        )
    return sigmas
