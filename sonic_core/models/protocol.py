"""What every model is to everybody else: conditions are prepared once, and frames made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ..types import Audio, Portrait, Progress, ignore_progress

if TYPE_CHECKING:
    from ..clip import Clip
    from ..post.stage import Report, Staged
    from ..settings import Settings
    from ..types import FaceFinder


class Conditions(Protocol):
    """What a model knows before the first frame; all but this is opaque to everybody but that model."""

    @property
    def portrait(self) -> Portrait:
        """Whom it will animate."""
        ...

    @property
    def audio(self) -> Audio:
        """What will be said, cut to its duration."""
        ...


class Model(Protocol):
    """Turns a portrait and a sound into a talking clip."""

    name: str
    exact: bool
    """Its clips are in step with the sound and free of jitter by construction."""

    @property
    def directs(self) -> Collection[str]:
        """What of ``direction.CHANNELS`` it can be told."""
        ...

    def prepare(
        self, portrait: Portrait, audio: Audio, settings: Settings, progress: Progress = ignore_progress
    ) -> Conditions:
        """Compute everything that does not depend on the frame."""
        ...

    def animate(self, conditions: Any, settings: Settings, progress: Progress = ignore_progress) -> Clip:  # noqa: ANN401
        """Make the clip out of what this model prepared; it is finished, or knows how to make itself when read."""
        ...


@runtime_checkable
class LooksAhead(Protocol):
    """A model that can begin before the whole sound has come."""

    def look_ahead(self, settings: Settings) -> float | None:
        """Tell how many seconds of sound the first frame needs; None where with these settings it needs all of it."""
        ...


@runtime_checkable
class Dubs(Protocol):
    """A model that lets people of a video say something else."""

    def dub(
        self,
        video: Clip,
        sounds: Mapping[int, Audio],
        settings: Settings,
        finder: FaceFinder,
        progress: Progress = ignore_progress,
    ) -> Staged[Report]:
        """Give the video with other mouths; it is looked through at once, and painted while it is read.

        Sounds are all as long, each by the number of who says it: as people appear, the largest first.
        """
        ...
