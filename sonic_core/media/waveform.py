"""The outline of a sound, for drawing it: how far it swings in each part of its time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from av.error import FFmpegError

from ..errors import InputError, MediaError
from .audio import continuous, padding, sound_frames
from .files import check_readable
from .source import open_source
from .spool import Samples

MOST = 8192
"""Parts that can be asked for."""
_CELLS = 8 * MOST
"""Cells that are kept while a sound is read; twice as many are merged in pairs."""
_JOINED = 64
"""Blocks of a decoder that are looked at together."""
_WANTED = "a sound or a video with sound"


@dataclass(frozen=True, eq=False)
class Waveform:
    """The outline of a sound."""

    seconds: float
    """Its exact length."""
    rate: int
    """Samples per second."""
    channels: int
    peaks: Samples
    """(count, 2) lowest and highest value in each part of the time, over all channels; full scale is ±1."""


def read_waveform(path: str | os.PathLike[str], count: int = 600) -> Waveform:
    """Read the outline of a file's sound in one pass, without ever holding the sound.

    Args:
        path: Anything with a sound track that FFmpeg decodes.
        count: Parts of equal length, 1 to ``MOST``. Their borders are exact to an eighth of a part.

    Raises:
        MediaError: The file is missing or cannot be decoded.
        InputError: There is no sound in it, or ``count`` is out of range.
    """
    if not 1 <= count <= MOST:
        raise InputError(f"Expected 1 to {MOST} parts of a waveform, got {count}.")
    path = check_readable(path, _WANTED)
    try:
        return _read(path, count)
    except (FFmpegError, UnicodeDecodeError) as error:
        raise MediaError(f"Expected {_WANTED} in {path}, which cannot be decoded ({error}).") from error


def _read(path: Path, count: int) -> Waveform:
    with open_source(path) as container:
        frames = sound_frames(container, path) if container.streams.audio else iter(())
        first = next(frames, None)
        if first is None:
            raise InputError(f"Expected {_WANTED}, got no sound in {path}; choose another file.")
        rate, outline = first.sample_rate, _Outline()
        for block in _gathered(continuous(chain([first], frames), path, strict=True)):
            outline.add(block)
        length = outline.length - padding(container, outline.length, rate)
    return Waveform(length / rate, rate, first.layout.nb_channels, outline.parts(length, count))


def _gathered(blocks: Iterator[Samples]) -> Iterator[Samples]:
    """Join blocks, which files have by the thousand samples, to some that are worth a look."""
    waiting: list[Samples] = []
    for block in blocks:
        waiting.append(block)
        if len(waiting) == _JOINED:
            yield np.concatenate(waiting, axis=1)
            waiting.clear()
    if waiting:
        yield np.concatenate(waiting, axis=1)


class _Outline:
    """Lowest and highest values of a sound in cells of equal length, which doubles whenever the cells grow too many."""

    def __init__(self) -> None:
        self.length = 0
        """Samples so far."""
        self._step, self._full = 1, 0
        self._cells = np.empty((2, 2 * _CELLS), np.float32)
        self._rest = np.empty((2, 0), np.float32)
        """The samples of the cell that is not full yet."""

    def add(self, block: Samples) -> None:
        """Add samples (channels, n)."""
        self.length += block.shape[1]
        swing = np.concatenate([self._rest, np.stack([block.min(0), block.max(0)])], axis=1)
        while swing.size:
            taken = min(swing.shape[1] // self._step, 2 * _CELLS - self._full)
            cells = _merged(swing[:, : taken * self._step], self._step)
            self._cells[:, self._full : self._full + taken] = cells
            self._full += taken
            swing = swing[:, taken * self._step :]
            if self._full < 2 * _CELLS:
                break
            self._cells[:, :_CELLS] = _merged(self._cells, 2)
            self._full, self._step = _CELLS, 2 * self._step
        self._rest = swing

    def parts(self, length: int, count: int) -> Samples:
        """Return (count, 2) of the first ``length`` samples."""
        rest = [_merged(self._rest, self._rest.shape[1])] if self._rest.size else []
        lowest, highest = np.concatenate([self._cells[:, : self._full], *rest], axis=1)
        if not len(lowest):
            return np.zeros((count, 2), np.float32)
        borders = np.arange(count + 1) * (length / (count * self._step))
        first = np.minimum(borders[:-1].astype(int), len(lowest) - 1)
        last = np.clip(np.ceil(borders[1:]).astype(int), first + 1, len(lowest))
        parts = [slice(begin, end) for begin, end in zip(first, last, strict=True)]
        return np.array([(lowest[part].min(), highest[part].max()) for part in parts], np.float32)


def _merged(swing: Samples, step: int) -> Samples:
    """Merge every ``step`` of (2, n) lowest and highest values into one."""
    lowest, highest = swing.reshape(2, -1, step)
    return np.stack([lowest.min(1), highest.max(1)])
