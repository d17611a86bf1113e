"""Pieces to train on: a sound, and what a mesh would see of the mouth that says it; nothing is rendered for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...media.audio import read_audio
from ...speech.levelling import make_up
from ...speech.mel import measure_levels
from ...speech.motion import Motion, read_lips, shape_motion
from ...speech.spectrum import LEVEL_RATE
from ...sync.network import FRAME_RATE

MOVED = ("opening", "width", "rounding", "upper", "lower", "jaw", "closure", "speaking")
"""Curves of the product's own motion that a mouth's shape is made of, in this order."""
SHORTEST = 3.5
"""Seconds below which nothing is made of a sound."""
LONGEST = 12.0
"""Seconds of a sound in one piece."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A mouth and its sound, in step."""

    mouth: NDArray[np.float32]
    """(curves, n) at ``FRAME_RATE``."""
    clean: NDArray[np.float16]
    """(4 n − 3, bands) mel levels in dB."""
    rough: NDArray[np.float16]
    """The same, worn by rooms, microphones and codecs, or the same again."""
    source: str
    """Where it comes from: a language, or a file's name."""
    real: bool = False
    """Whether a camera saw it."""


def read_spoken(paths: Iterable[Path], slopes: NDArray[np.floating]) -> Iterator[Piece]:
    """Read stored speech and give each clip the mouth that the product would draw for it, as a mesh would see it.

    Args:
        paths: What ``lipreading.dataset.make_dataset`` wrote.
        slopes: (curves, ``MOVED``): from the product's motion to what a mesh sees.
    """
    for path in paths:
        with np.load(path) as stored:
            clean, rough, ends = stored["clean"], stored["rough"], np.cumsum(stored["lengths"])
        for start, end in zip(np.append(0, ends), ends, strict=False):
            if end - start >= SHORTEST * LEVEL_RATE:
                yield piece_of(clean[start:end], rough[start:end], slopes, path.stem.rpartition("_")[0])


def read_heard(paths: Iterable[Path], slopes: NDArray[np.floating]) -> Iterator[Piece]:
    """Read sound files like stored speech, in pieces of ``LONGEST`` seconds.

    Raises:
        MediaError: One of them is no sound.
    """
    for path in paths:
        levels = measure_levels(read_audio(path))
        for part in np.array_split(levels, max(1, round(len(levels) / LEVEL_RATE / LONGEST))):
            if len(part) >= SHORTEST * LEVEL_RATE:
                yield piece_of(part, part, slopes, path.name)


def piece_of(
    clean: NDArray[np.float16], rough: NDArray[np.float16], slopes: NDArray[np.floating], source: str
) -> Piece:
    """Make a piece of a sound's levels (n, bands), clean and worn."""
    frames = (len(clean) - 1) * FRAME_RATE // LEVEL_RATE + 1
    levels = LEVEL_RATE // FRAME_RATE * (frames - 1) + 1
    moved = moved_curves(motion_of(clean), frames, FRAME_RATE)
    return Piece((slopes @ moved).astype(np.float32), clean[:levels], rough[:levels], source)


def motion_of(levels: NDArray[np.float16]) -> Motion:
    """Read the product's motion off levels (n, bands), as ``Speech.motion`` does."""
    raised = levels + make_up(levels)[:, None].astype(levels.dtype)
    return shape_motion(read_lips(raised), raised)


def moved_curves(motion: Motion, frames: int, fps: float) -> NDArray[np.float64]:
    """Read ``MOVED`` in every frame, as it is drawn: (8, frames)."""
    read = motion.at(np.arange(frames) / fps)
    return np.stack([getattr(read, name) for name in MOVED]).astype(np.float64)
