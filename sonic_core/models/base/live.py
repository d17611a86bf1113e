"""What quality "live" is made of beside the published weights, and what is said where some of it is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...weights.catalog import STUDENT, TINY_VAE
from ...weights.student import Student, read_student
from .files import BaseFiles


@dataclass(frozen=True)
class LiveParts:
    """What is there of it."""

    folder: Path
    """The unet's folder, where both belong."""
    student: Student | None
    tiny_vae: Path | None

    @property
    def lacking(self) -> str:
        """Say, for a ``SonicWarning``, what is missing, where it belongs and what is done instead; or nothing."""
        said = []
        if self.student is None:
            file = STUDENT.files[0]
            said.append(
                f"a few-step student ({' or '.join((file.path, *file.others))}, from {STUDENT.source}), "
                "without which the recipe of fast is taken with fewer steps"
            )
        if self.tiny_vae is None:
            said.append(
                f"the tiny decoder ({TINY_VAE.files[0].path}, from {TINY_VAE.source}), "
                "without which the full one is taken"
            )
        return f"Quality live expects in {self.folder} {'; and '.join(said)}." if said else ""


def live_parts(files: BaseFiles) -> LiveParts:
    """Tell what is there of the parts that quality "live" wants.

    Raises:
        CheckpointError: A student is there, but damaged, or its header makes no sense.
    """
    student = read_student(files.student) if files.student else None
    return LiveParts(files.unet.parent, student, files.tiny_vae)
