"""What follows a model whose clips may be out of step with the sound, or jitter: both are mended in one go."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ..clip import Clip
from ..errors import InputError
from ..faces import RememberingFinder, face_finder
from ..sync.mouth import STAGE as MOUTH
from ..sync.mouth import MouthMeter
from ..types import FaceFinder, Progress, ignore_progress
from .align import Align
from .keep import keep
from .smooth import Points, Smooth
from .stage import Report, Reports, Staged, Told

log = logging.getLogger("sonic")


@dataclass(frozen=True)
class Finish:
    """Bring a clip's sound in step and take out jitter (a ``Stage``); what cannot be measured is left, and said so.

    ``Align`` and ``Smooth`` one after the other would have a clip that costs much to make made again for each, and
    follow its face twice. Here it is made once: its frames go to disk, and while they do they are looked at for both.
    """

    align: bool = True
    smooth: bool = True
    streamed: bool = False
    """The clip is shown while it is made: its sound cannot be moved any more."""
    finder: FaceFinder | None = None
    """Finds the face; None takes the best that is there."""

    def apply(self, clip: Clip, progress: Progress = ignore_progress) -> Staged[Reports]:
        """Measure at once, and give a clip whose frames are kept and, while it is read, smoothed.

        Args:
            clip: To be measured it is read once; its frames are kept on disk meanwhile, and from then on.
            progress: Called with ("frames" and "mouth", frames done, frames in all).
        """
        finder = self.finder or RememberingFinder(face_finder())
        reports: list[Report] = []
        points: Points | None = None
        if self.align and self.streamed:
            reports.append(_unaligned("a stream is shown before its whole could be measured."))
        elif self.align:
            meter = MouthMeter(clip.fps, clip.length, finder)
            clip = keep(clip, progress, see=meter.see)
            progress(MOUTH, meter.passed, clip.length)
            points = meter.points
            try:
                aligned = Align(motion=meter.motion()).apply(clip)
                clip, report = aligned.clip, aligned.report
            except InputError as error:
                report = _unaligned(f"{error}")
            reports.append(report)
        if self.smooth:
            smoothed = Smooth(finder=finder, points=points).apply(clip)
            clip = smoothed.clip
            reports.append(smoothed.report)
        return Staged(clip, Reports(tuple(reports)))


def _unaligned(why: str) -> Told:
    log.info("lip sync: nothing was changed: %s", why)
    return Told(f"nothing was changed: {why}")
