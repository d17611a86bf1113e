"""Stages: what happens to a clip after it was animated, one after the other, all of one shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ..clip import Clip
from ..types import Progress, ignore_progress


class Report(Protocol):
    """What a stage says about its work."""

    @property
    def reason(self) -> str:
        """One sentence: what was done, or why nothing was."""
        ...


Report_co = TypeVar("Report_co", bound=Report, covariant=True)


@dataclass(frozen=True, eq=False)
class Staged(Generic[Report_co]):
    """What a stage gives."""

    clip: Clip
    """The clip that came of it; the same object where nothing was changed."""
    report: Report_co
    """What was done; of a stage that works while its clip is read, whole when that was read to its end."""


class Stage(Protocol):
    """One step after a model: a frozen dataclass whose fields are its settings.

    It raises ``SettingsError`` when it is made with settings that are not possible, before anything has been computed.
    """

    def apply(self, clip: Clip, progress: Progress = ignore_progress) -> Staged[Report]:
        """Take a clip and give another; what is lazy is done while that one is read.

        Args:
            clip: Any clip, which is left as it is.
            progress: Called with (stage, done, total) for what is done at once; what it raises cancels.
        """
        ...


@dataclass(frozen=True)
class Told:
    """The report of a stage that has nothing to tell but a sentence."""

    reason: str


@dataclass(frozen=True, eq=False)
class Reports:
    """What several stages say, in their order."""

    parts: tuple[Report, ...] = ()

    @property
    def reason(self) -> str:
        """All their sentences."""
        return " ".join(part.reason for part in self.parts)

    def flat(self) -> Iterator[Report]:
        """Go through what every single stage says, those within stages too."""
        for part in self.parts:
            yield from part.flat() if isinstance(part, Reports) else (part,)


def apply_stages(stages: Iterable[Stage], clip: Clip, progress: Progress = ignore_progress) -> Staged[Reports]:
    """Apply stages in their order, each to what the one before gave.

    Args:
        stages: Any number of them.
        clip: What the first one takes.
        progress: Called with (stage, done, total).
    """
    parts: list[Report] = []
    for stage in stages:
        staged = stage.apply(clip, progress)
        clip = staged.clip
        parts.append(staged.report)
    return Staged(clip, Reports(tuple(parts)))
