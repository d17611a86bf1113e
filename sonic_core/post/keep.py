"""Keep a clip's frames on disk, for those that are read more than once and cost much to make."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch

from ..clip import Clip
from ..media import unfinished
from ..media.ahead import closable, read_ahead
from ..media.lossless import kept_format
from ..media.video import VideoInfo, read_video, write_lossless
from ..types import Frames, Progress, ignore_progress

STAGE = "frames"
"""The name under which progress is reported."""


def keep(clip: Clip, progress: Progress = ignore_progress, see: Callable[[torch.Tensor], object] | None = None) -> Clip:
    """Make all frames of ``clip`` once and keep them, rounded to 8 bits, in a temporary file.

    The file goes when nobody holds the clip, or one made of it, any more.

    Args:
        clip: Read once.
        progress: Called with ("frames", frames done, frames in all); what it raises leaves no file behind.
        see: Looks at each frame (3, h, w) as it passes, in order, while later ones are made already.

    Returns:
        A clip of the same sound.

    Raises:
        MediaError: There is no room for the file.
    """
    file = _File(VideoInfo(clip.size, clip.fps, clip.length, clip.duration, False, 0.0, steady=True))

    def told(_: str, done: int, total: int) -> None:
        progress(STAGE, done, total)

    with closing(closable(clip.read()) if see is None else _watched(clip, see)) as chunks:
        write_lossless(file.path, chunks, fps=clip.fps, length=clip.length, size=clip.size, audio=None, progress=told)
    return replace(clip, read=file.read)


def _watched(clip: Clip, see: Callable[[torch.Tensor], object]) -> Generator[Frames, None, None]:
    with closing(read_ahead(closable(clip.frames()))) as frames:
        for frame in frames:
            yield frame[None]
            see(frame)


class _File:
    """A temporary file that is removed with this object."""

    def __init__(self, info: VideoInfo) -> None:
        self.info = info
        folder = Path(tempfile.mkdtemp(prefix="sonic-"))
        unfinished.note(folder)
        weakref.finalize(self, unfinished.remove, folder)
        self.path = (folder / "frames").with_suffix(kept_format().suffix)

    def read(self) -> Iterator[Frames]:
        yield from read_video(self.path, info=self.info)
