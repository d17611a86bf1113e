"""A clip of ours as one of the host's videos, which behaves among the host's nodes as theirs do."""

# ruff: noqa: ANN401 - the host's objects have no types
from __future__ import annotations

import json
import math
import os
import shutil
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folders import remove, temporary_file
from .media import audio_of, image_of
from .progress import progress_of

if TYPE_CHECKING:
    from ...sonic_core import Clip

SAVED_CRF = 18
"""Quality of what the host saves without asking for one."""
PLAYED_CRF = 8
"""Quality of the file that everybody else reads, who may code it anew: ``pytest -s tests/host/test_videos.py`` finds a
pixel of a small portrait off by 1.6 levels of 255 in it, by 2.6 at 18."""
ORDINARY = "sRGB"
"""The host's name of ordinary colours."""
NOISE = 1e-6
"""Frames by which a computed time may miss the frame that it means."""
ASKED = ("format", "codec", "metadata", "bit_depth", "crf", "color_space", "preset")
"""What hosts ask ``save_to`` for besides the path, in their order."""


@cache
def video_class() -> type:
    """Make our kind of the host's ``VideoFromFile``, so that whatever a host's version adds to it is there."""
    base: Any = import_module("comfy_api.latest").InputImpl.VideoFromFile

    class SonicVideo(_Own, base):
        """A clip of ours as a VIDEO."""

    for name in dir(base):
        if not name.startswith("_") and not hasattr(_Own, name) and callable(getattr(base, name)):
            setattr(SonicVideo, name, _as_hosts(base, name))
    return SonicVideo


def _as_hosts(base: Any, name: str) -> Callable[..., Any]:
    """Let the host's own kind of video do what we do not: over the file that everybody plays."""

    def done(self: Any, *args: Any, **more: Any) -> Any:
        made = getattr(self.plain(), name)(*args, **more)
        if hasattr(made, "get_stream_source"):
            made.kept = self  # whose file it reads
        return made

    return done


class _Own:
    """What a clip of ours answers itself as a VIDEO, the host's class being the other parent.

    It has two files: one without loss for our own nodes, and, from when somebody first asks for a file, another that
    everybody plays and may copy from as it is. Whatever is not answered here is answered over the latter.
    """

    def __init__(self, kept: Lossless, first: int = 0, length: int | None = None) -> None:
        super().__init__(str(kept.path))  # type: ignore[call-arg] - the host's class follows
        self.source, self.first = kept, first
        self.length = kept.info.length if length is None else length
        self.played: Path | None = None

    def clip(self) -> Clip:
        """Read it as a clip, without loss."""
        clip = self.source.open()
        return clip if self.length == clip.length else clip.cut(self.first, self.length)

    def plain(self) -> Any:
        """Read it as the host reads a file."""
        return import_module("comfy_api.latest").InputImpl.VideoFromFile(self.get_stream_source())

    def get_stream_source(self) -> str:
        """Name a file that everybody plays: MP4 with H.264 in 4:2:0, BT.709, limited range, and AAC."""
        if self.played is None:
            path = temporary_file(".mp4")
            weakref.finalize(self, remove, path)
            self.played = self.clip().export(path, crf=PLAYED_CRF, progress=progress_of())
        return str(self.played)

    _VideoFromFile__file = property(get_stream_source, lambda self, file: None)
    """Packs look for a VIDEO's file by the host's private name."""

    def get_components(self) -> Any:
        """Read all frames and the sound into memory."""
        clip, components = self.clip(), import_module("comfy_api.latest._util").VideoComponents
        images = import_module("torch").cat([image_of(chunk) for chunk in clip.read()])
        return components(images=images, audio=clip.audio and audio_of(clip.audio), frame_rate=clip.fps)

    def get_dimensions(self) -> tuple[int, int]:
        """Tell width and height in pixels."""
        height, width = self.source.info.size
        return width, height

    def get_frame_rate(self) -> Fraction:
        """Tell the frames per second."""
        return self.source.info.fps

    def get_frame_count(self) -> int:
        """Tell the number of frames."""
        return self.length

    def get_duration(self) -> float:
        """Tell the seconds."""
        return float(self.length / self.source.info.fps)

    def get_bit_depth(self) -> int:
        """Tell how finely colours are told apart."""
        return 8

    def get_color_space(self) -> str:
        """Tell what colours there are, in the host's words."""
        return ORDINARY

    def as_trimmed(
        self, start_time: float | None = None, duration: float | None = None, strict_duration: bool = True
    ) -> Any:
        """Cut a part out, which reads the same file.

        Args:
            start_time: Seconds; negative ones count from the end.
            duration: Seconds; 0 is all that follows.
            strict_duration: Give nothing where there is less.

        Returns:
            The frames shown from ``start_time`` on, one at least; None where there are none, or too few.
        """
        fps, start, wanted = self.source.info.fps, start_time or 0.0, duration or 0.0
        start = start if start >= 0 else max(0.0, self.get_duration() + start)
        begin = max(0, math.ceil(start * fps - NOISE))
        end = min(self.length, max(begin + 1, math.ceil((start + wanted) * fps - NOISE))) if wanted else self.length
        if begin >= end or (strict_duration and (start + wanted) * fps > self.length + NOISE):
            return None
        return self if end - begin == self.length else type(self)(self.source, self.first + begin, end - begin)

    def save_to(self, path: Any, *asked: Any, **more: Any) -> None:
        """Write it: MP4 with H.264 as our nodes do, all else as the host does.

        Args:
            path: A file's name, or what takes bytes.
            asked: What ``ASKED`` names, as far as this host knows it.
            more: The same by name, and whatever else there may be.

        Raises:
            SettingsError: Other colours are asked for than there are.
        """
        named = {**dict(zip(ASKED, asked, strict=False)), **more}
        wish = {name: getattr(value, "value", value) for name, value in named.items()}
        wish = {name: value for name, value in wish.items() if value not in (None, "auto") and name != "metadata"}
        _check_colours(wish.pop("color_space", ORDINARY))
        metadata, ours = written(named.get("metadata") or {}), {"format": "mp4", "codec": "h264", "bit_depth": 8}
        with _file_for(path, wish.get("format", "mp4")) as goal:
            if goal.suffix == ".mp4" and all(name == "crf" or ours.get(name) == value for name, value in wish.items()):
                crf = int(wish.get("crf", SAVED_CRF))
                self.clip().export(goal, crf=crf, metadata=metadata, progress=progress_of())
            else:
                self.plain().save_to(str(goal), **{**named, "metadata": metadata or None})


def _check_colours(wanted: str) -> None:
    """Raise where other colours than ordinary ones are asked for."""
    from ...sonic_core import SettingsError

    if wanted != ORDINARY:
        raise SettingsError(f"The video has ordinary colours, sRGB; got the color space {wanted}: choose sRGB or auto.")


@contextmanager
def _file_for(path: Any, container: str) -> Iterator[Path]:
    """Give the file to write: ``path``, or for what takes bytes a temporary one that is copied into it."""
    if isinstance(path, (str, os.PathLike)):
        yield Path(path)
        return
    goal = temporary_file(f".{container}")
    try:
        yield goal
        with goal.open("rb") as written:
            shutil.copyfileobj(written, path)
    finally:
        goal.unlink(missing_ok=True)


class Lossless:
    """A clip's frames and sound in a temporary file that only we read; it is removed with this object."""

    def __init__(self, path: Path, clip: Clip) -> None:
        from ...sonic_core.media.video import VideoInfo

        self.path, self.mark = path, clip.mark
        self.info = VideoInfo(clip.size, clip.fps, clip.length, clip.duration, clip.audio is not None, 0.0, steady=True)
        weakref.finalize(self, remove, path)

    def open(self) -> Clip:
        """Open the file as a clip."""
        from ...sonic_core import Clip
        from ...sonic_core.media.audio import read_track
        from ...sonic_core.media.video import read_video

        info = self.info
        sound = read_track(self.path, info.start) if info.has_audio else None
        return Clip(lambda: read_video(self.path, info=info), info.fps, info.length, info.size, sound, mark=self.mark)


def written(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Write each value as JSON without the host's ``is_changed`` marks, whose NaN no browser reads."""
    written = {}
    for key, value in metadata.items():
        written[key] = value if isinstance(value, str) else json.dumps(_unmarked(value) if key == "prompt" else value)
    return written


def _unmarked(prompt: Mapping[str, Any]) -> dict[str, Any]:
    return {key: {word: made[word] for word in made if word != "is_changed"} for key, made in prompt.items()}
