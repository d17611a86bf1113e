"""Videos of people as pieces to train on: brought in step by what a network knows already, or left out, and why."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...clip import Clip, open_clip
from ...errors import FaceNotFoundError, SonicError
from ...speech.mel import measure_levels
from ...speech.spectrum import LEVEL_RATE
from ...sync.agreement import agreement
from ...sync.mouth import MouthMotion, mouth_motion
from ...sync.network import FRAME_RATE, LEVELS, SyncNetwork
from ...sync.offset import CONFIDENT, REACH, measure_offset
from ...sync.views import at_frame_rate, without_trend
from ..data.notes import read_note
from .pieces import SHORTEST, Piece

STILL = 0.006
"""Deviation of the lips' gap, in eye distances, below which a mouth hardly moves; speaking ones have 0.02 and more."""
SURE = CONFIDENT
"""Confidence from which an offset is believed that a clip is shifted by."""
FARTHEST_OFF = 0.35
"""Seconds of offset beyond which a clip is rather wrong than late."""
MOST_CUTS = 0
"""Times that the picture may suddenly be another."""
_SOUNDLESS = "without sound"
_log = logging.getLogger(__name__)


@dataclass
class Gathered:
    """What became of some videos."""

    pieces: list[Piece] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    """Videos by the reason for which they were left out."""

    def __str__(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.dropped.most_common())
        return f"{len(self.pieces)} videos of people are used, {self.dropped.total()} left out ({reasons or 'none'})"


def gather(paths: Iterable[Path], network: SyncNetwork) -> Gathered:
    """Look at videos, and bring those in step that can be.

    Args:
        paths: Files; what is no video is counted as such.
        network: Knows how mouths and sounds belong together, as far as it can without people.
    """
    found = Gathered()
    for path in paths:
        try:
            clip = open_clip(path)
            known = read_note(path) is not None
            piece = in_step(clip, mouth_motion(clip), network, path.name, known=known) if clip.audio else _SOUNDLESS
        except FaceNotFoundError:
            piece = "without a face"
        except SonicError:
            piece = "that cannot be read"
        if isinstance(piece, str):
            found.dropped[piece] += 1
            _log.info("%s: left out, one %s", path.name, piece)
        else:
            found.pieces.append(piece)
    return found


def in_step(clip: Clip, motion: MouthMotion, network: SyncNetwork, name: str, *, known: bool = False) -> Piece | str:
    """Shift a clip's sound to where its mouth is; return a reason where that cannot be done.

    Args:
        clip: A video.
        motion: How its mouth moves.
        network: Knows how mouths and sounds belong together.
        name: The video's.
        known: It is in step, as the clips of a set are: nothing is measured.
    """
    if clip.audio is None:
        return _SOUNDLESS
    fps = float(motion.fps)
    curves, seen = at_frame_rate(motion.signals, motion.seen, fps)
    levels = measure_levels(clip.audio)
    faults = {
        "that is too short": min(seen.sum() / FRAME_RATE, len(levels) / LEVEL_RATE) < SHORTEST,
        "that is cut": motion.cuts > MOST_CUTS,
        "whose mouth hardly moves": without_trend(curves[:1]).std() < STILL,
    }
    if known and not any(faults.values()):
        return shifted(curves, levels, 0.0, name)
    if not any(faults.values()):
        found = measure_offset(agreement(network, motion.signals, motion.seen, fps, levels, reach=REACH))
        faults = {
            "whose sound drifts": found.verdict == "drift",
            "that may have another's sound": found.confidence < SURE,
            "that is too far out of step": abs(found.offset) > FARTHEST_OFF,
        }
        if not any(faults.values()):
            _log.info("%s: moved by %.0f ms, confidence %.3f", name, -1000 * found.offset, found.confidence)
            return shifted(curves, levels, found.offset, name)
    return next(reason for reason, holds in faults.items() if holds)


def shifted(curves: NDArray[np.floating], levels: NDArray[np.float16], late: float, name: str) -> Piece:
    """Cut a mouth (k, n) and levels (m, bands) that come ``late`` seconds after it to what they share, in step."""
    frames = int(np.ceil(max(0.0, -late) * FRAME_RATE))
    first = round((late + frames / FRAME_RATE) * LEVEL_RATE)
    count = min(curves.shape[1] - frames, (len(levels) - first - 1) // LEVELS + 1)
    mouth = curves[:, frames : frames + count].astype(np.float32)
    heard = levels[first : first + LEVELS * (count - 1) + 1]
    return Piece(mouth, heard, heard, name, real=True)
