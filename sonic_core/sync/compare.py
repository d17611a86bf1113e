"""Measure by how much a clip's sound is out of step with the mouth that says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from ..speech import Speech
from ..types import FaceFinder, Progress, ignore_progress
from .agreement import agreement
from .mouth import MouthMotion, mouth_motion
from .network import sync_network
from .offset import REACH, SHORTEST, SyncMeasurement, measure_offset

if TYPE_CHECKING:
    from ..clip import Clip

_SOUNDLESS = "Expected a video with sound, got one without; give the sound as well."


def measure_sync(
    clip: Clip,
    finder: FaceFinder | None = None,
    progress: Progress = ignore_progress,
    *,
    motion: MouthMotion | None = None,
    speech: Speech | None = None,
) -> SyncMeasurement:
    """Measure by how much a clip's sound comes late.

    Args:
        clip: Its picture is read once, unless ``motion`` is given.
        finder: Finds the face; None takes the best finder that is there.
        progress: Called with ("mouth", frames done, frames in all).
        motion: How the mouth moves, if somebody measured that while the clip was read for something else.
        speech: What is known of its sound, if somebody measured that for something else.

    Raises:
        InputError: The clip has no sound, or less than three seconds of face with sound.
        FaceNotFoundError: There is no face in most of it.
    """
    if clip.audio is None:
        raise InputError(_SOUNDLESS)
    motion = mouth_motion(clip, finder, progress) if motion is None else motion
    return compare(motion, Speech.of(clip.audio) if speech is None else speech)


def compare(motion: MouthMotion, speech: Speech) -> SyncMeasurement:
    """Compare a mouth's movement with a sound that begins with the first frame.

    Raises:
        InputError: There is less than three seconds of face with sound.
    """
    seen = float(motion.seen.sum() / motion.fps)
    if min(seen, speech.duration) < SHORTEST:
        raise InputError(
            f"Expected at least {SHORTEST:g} s of a speaking face with sound, got {seen:.1f} s of face and "
            f"{speech.duration:.1f} s of sound; use a longer clip."
        )
    fps = float(motion.fps)
    return measure_offset(agreement(sync_network(), motion.signals, motion.seen, fps, speech.levels, reach=REACH))
