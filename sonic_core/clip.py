"""A clip: frames that can be read again and again, and the sound that goes with them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch

from .errors import InputError
from .media.audio import read_track
from .media.video import check_writable, probe_video, read_video, write_video
from .types import Audio, Frames, Progress, ignore_progress

_NOISE = 1e-6
"""Frames by which a computed length may exceed a whole number and still mean it."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A stream of frames and its sound.

    Reading twice gives the same frames, and nobody ever holds all of them: whoever changes a clip makes another whose
    ``read`` changes each chunk on its way.
    """

    read: Callable[[], Iterator[Frames]]
    """Begin anew: chunks (n, 3, h, w) of any n ≥ 1, RGB float32 in [0, 1], ``length`` frames in all."""
    fps: Fraction
    """Frames per second."""
    length: int
    """Number of frames."""
    size: tuple[int, int]
    """(h, w) of the frames in pixels."""
    audio: Audio | None
    """The sound, beginning with the first frame; None for a silent clip."""

    @property
    def duration(self) -> float:
        """Length of the picture in seconds."""
        return float(self.length / self.fps)

    def frames(self) -> Iterator[torch.Tensor]:
        """Read the clip one frame at a time.

        Yields:
            (3, h, w) RGB float32 in [0, 1].
        """
        for chunk in self.read():
            yield from chunk

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        crf: float = 18,
        metadata: Mapping[str, str] | None = None,
        progress: Progress = ignore_progress,
    ) -> Path:
        """Write the clip as an MP4 (H.264 and AAC) that plays everywhere.

        The file appears when it is finished; if anything is raised, also by ``progress``, nothing is left behind.

        Args:
            path: Ends in ``.mp4``; an existing file is replaced.
            crf: Quality from 0 (perfect) to 51; 18 is hard to tell from the original.
            metadata: Texts to store in the file, by name.
            progress: Called with ("encode", frames done, frames in all).

        Returns:
            ``path``.

        Raises:
            MediaError: The file cannot be written.
        """
        check_writable(path)
        with closing(_generated(self.read())) as chunks:  # a cancelled reader cleans up at once
            return write_video(
                path,
                chunks,
                fps=self.fps,
                length=self.length,
                size=self.size,
                audio=self.audio,
                crf=crf,
                metadata=metadata,
                progress=progress,
            )


def open_clip(path: str | os.PathLike[str]) -> Clip:
    """Open a video file as a clip; its frames are decoded whenever they are read.

    Args:
        path: A video file, which must stay in place while the clip is used.

    Returns:
        The clip, its sound in step with the picture: what sounds before the first frame is left out.

    Raises:
        MediaError: The file is missing or cannot be decoded.
        InputError: There is no picture track.
    """
    info = probe_video(path)
    audio = read_track(path, info.start) if info.has_audio else None
    return Clip(partial(read_video, path), info.fps, info.length, info.size, audio)


def frame_count(duration: float, fps: Fraction) -> int:
    """Count the frames that cover ``duration`` seconds: ceil(duration · fps), at least 1.

    A millionth of a frame is forgiven, so that the noise of floating point never adds a frame.

    Args:
        duration: Seconds, above 0.
        fps: Frames per second.

    Raises:
        InputError: ``duration`` is not above 0.

    >>> frame_count(15.0, Fraction(25)), frame_count(1.04, Fraction(25)), frame_count(1.05, Fraction(25))
    (375, 26, 27)
    """
    if not (math.isfinite(duration) and duration > 0):
        raise InputError(f"Expected a duration above 0 seconds, got {duration}.")
    return max(1, math.ceil(Fraction(duration) * fps - Fraction(_NOISE)))


def _generated(chunks: Iterator[Frames]) -> Generator[Frames, None, None]:
    """Make a generator of any iterator, so that it can be closed."""
    yield from chunks
