"""Alignment: decide by how much a clip's sound is moved to be in step with the mouth, and move it there."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import ClassVar

from ..clip import Clip
from ..errors import SettingsError
from ..media.mixing import shift
from ..sync.compare import measure_sync
from ..sync.mouth import MouthMotion
from ..sync.offset import FARTHEST, SyncMeasurement
from ..types import FaceFinder, Progress, ignore_progress
from .stage import Staged

log = logging.getLogger("sonic")

MAX_OFFSET = 0.05
"""Seconds up to which an offset is corrected unasked: ITU-R BT.1359 finds that 45 ms of early sound are noticed."""
LEAST_OFFSET = 0.005
"""Seconds below which nothing is moved: the measure is no finer."""


@dataclass(frozen=True)
class Refinement:
    """What was measured and what was done about it (a ``Report``)."""

    measurement: SyncMeasurement
    moved: float
    """Seconds by which the sound was moved forward, to an earlier moment; negative: to a later one; 0: not at all."""
    reason: str
    """One sentence: what was done, or why nothing was."""


@dataclass(frozen=True)
class Align:
    """Bring a clip's sound in step with the mouth, or leave it alone (a ``Stage``).

    The sound is moved by whole samples, silence filling the one end and the other being cut, so that it is as long as
    before; no frame changes. It is moved only where the offset is constant, trusted and not beyond ``max_offset``.

    Raises:
        SettingsError: ``max_offset`` is out of range.
    """

    max_offset: float = MAX_OFFSET
    """Seconds up to which an offset is corrected unasked, 0 to ``farthest``."""
    force: bool = False
    """Correct any constant offset that could be measured, however large and however unsure."""
    finder: FaceFinder | None = None
    """Finds the face; None takes the best finder that is there."""
    motion: MouthMotion | None = None
    """How the mouth moves, if somebody measured that while the clip was read for something else."""
    farthest: ClassVar[float] = FARTHEST
    """Seconds up to which an offset is looked for."""

    def __post_init__(self) -> None:
        if not 0 <= self.max_offset <= FARTHEST:
            raise SettingsError(f"max_offset must be 0 to {FARTHEST:g} seconds, got {self.max_offset:g}.")

    def apply(self, clip: Clip, progress: Progress = ignore_progress) -> Staged[Refinement]:
        """Measure, and move the sound.

        Args:
            clip: Its picture is read once, unless ``motion`` is given.
            progress: Called with ("mouth", frames done, frames in all).

        Returns:
            The clip, the same object if nothing was changed, and what was measured and done.

        Raises:
            InputError: The clip has no sound, or less than three seconds of face with sound.
            FaceNotFoundError: There is no face in most of it.
        """
        found = measure_sync(clip, self.finder, progress, motion=self.motion)
        done = decide(found, self.max_offset, self.force)
        log.info("lip sync: %s", done.reason)
        if not done.moved or clip.audio is None:
            return Staged(clip, done)
        return Staged(replace(clip, audio=shift(clip.audio, -done.moved)), done)


def refine(
    clip: Clip,
    *,
    max_offset: float = MAX_OFFSET,
    force: bool = False,
    finder: FaceFinder | None = None,
    motion: MouthMotion | None = None,
    progress: Progress = ignore_progress,
) -> Staged[Refinement]:
    """Bring a clip's sound in step with the mouth, or leave it alone: the stage ``Align``, applied."""
    return Align(max_offset, force, finder, motion).apply(clip, progress)


def decide(found: SyncMeasurement, max_offset: float = MAX_OFFSET, force: bool = False) -> Refinement:
    """Decide by how much a sound is moved, and say why."""
    words = f"{found}"
    if found.verdict == "drift":
        return Refinement(found, 0.0, f"nothing was changed: {words}; give the picture its true frame rate first.")
    if found.verdict == "unsure" and not force:
        return Refinement(found, 0.0, f"nothing was changed: {words}.")
    if abs(found.offset) < LEAST_OFFSET:
        return Refinement(found, 0.0, f"nothing was changed: {words}, which is in step.")
    if abs(found.offset) > max_offset and not force:
        limit = f"more than the {max_offset * 1000:.0f} ms that are corrected unasked"
        return Refinement(found, 0.0, f"nothing was changed: {words}, {limit}; force the correction if it looks right.")
    way = "earlier" if found.offset > 0 else "later"
    forced = "forced, though " if found.verdict == "unsure" else ""
    return Refinement(
        found, found.offset, f"the sound was moved {abs(found.offset) * 1000:.0f} ms {way}: {forced}{words}."
    )
