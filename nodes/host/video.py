"""The host's videos: a clip becomes one, any of them becomes a clip, and one is kept as a file."""

# ruff: noqa: ANN401 - the host's objects have no types
from __future__ import annotations

import io
import time
import warnings
import weakref
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folders import next_file, remove, temporary_file
from .media import audio_of, check_pictures, sound_of
from .own_formats import heed_own_formats
from .own_video import Lossless, video_class, written

if TYPE_CHECKING:
    import torch

    from ...sonic_core import Audio, Clip, Progress, Watching

CHUNK = 16
"""Frames that are turned over at a time."""
MOST_RATE = 240.0
"""Frames per second that a video may be written at, like the setting ``fps``."""
GLIMPSE = 0.5
"""Seconds between two frames that are shown while a video is made."""


def video_of(clip: Clip, progress: Progress, *, show: bool = False) -> Any:
    """Write ``clip`` to a lossless temporary file, chunk by chunk, and wrap that as a VIDEO.

    The file goes when the VIDEO and all that was cut out of it do; nothing stays behind when the work is cancelled.

    Args:
        clip: Read once.
        progress: Hears of every frame.
        show: Let it see one now and then, where it is ``Watching``.
    """
    from ...sonic_core import Watching
    from ...sonic_core.media.video import write_lossless

    if show and isinstance(progress, Watching):
        glimpses = _Glimpses(clip, progress)
        clip, progress = replace(clip, read=glimpses.read), glimpses

    kept = Lossless(temporary_file(".mkv"), clip)
    write_lossless(
        kept.path, clip.read(), fps=clip.fps, length=clip.length, size=clip.size, audio=clip.audio, progress=progress
    )
    return video_class()(kept)


class _Glimpses:
    """Shows, now and then, the frame of a clip that was last made.

    Frames are made in a thread of their own, ahead of the one that reports; the host listens to the latter.
    """

    def __init__(self, clip: Clip, progress: Watching) -> None:
        self.clip, self.progress = clip, progress
        self.latest: torch.Tensor | None = None
        self.next_time = time.monotonic()

    def read(self) -> Iterator[torch.Tensor]:
        """Read the clip."""
        from ...sonic_core.media.ahead import closable

        with closing(closable(self.clip.read())) as chunks:
            for chunk in chunks:
                self.latest = chunk[-1]
                yield chunk

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Pass the report on, and a picture where it is time for one."""
        self.progress(stage, done, total)
        now = time.monotonic()
        if self.latest is not None and now >= self.next_time:
            self.progress.show(self.latest)
            self.next_time = now + GLIMPSE


def clip_of(video: Any) -> Clip:
    """Read any VIDEO as a clip: from its file where it is one, else from the pictures that it holds."""
    from ...sonic_core import open_clip

    if isinstance(video, video_class()):
        return video.clip()
    kind = import_module("comfy_api.latest").InputImpl.VideoFromFile
    if not isinstance(video, kind) or _is_cut(video):
        made = video.get_components()
        sound = sound_of(made.audio, lenient=True) if made.audio else None
        return _clip_in_memory(made.images, Fraction(made.frame_rate), sound)
    source = video.get_stream_source()
    return open_clip(Path(source) if isinstance(source, str) else _kept(source, video))


def are_pictures(video: Any) -> bool:
    """Say whether an IMAGE came in where a VIDEO may."""
    return isinstance(video, import_module("torch").Tensor)


def clip_of_pictures(images: torch.Tensor, rate: float) -> Clip:
    """Read an IMAGE (b, h, w, c) as a clip without sound, ``rate`` pictures a second; 0 is what clips here have.

    Raises:
        InputError: It holds no pictures.
    """
    from ...sonic_core import SETTINGS, Retime

    check_pictures(images)
    return _clip_in_memory(images, Fraction(Retime(rate or SETTINGS["fps"].default).fps), None)


def video_of_pictures(images: torch.Tensor, clip: Clip) -> Any:
    """Wrap an IMAGE as one of the host's videos, with the sound of the clip that was made of it."""
    components = import_module("comfy_api.latest._util").VideoComponents
    audio = clip.audio and audio_of(clip.audio)
    made = components(images=images, audio=audio, frame_rate=clip.fps)
    return import_module("comfy_api.latest").InputImpl.VideoFromComponents(made)


def _is_cut(video: Any) -> bool:
    """Say whether the host holds back a part of the file's time or picture; older hosts never do."""
    edited, window = (getattr(video, name, None) for name in ("has_pending_frame_edits", "get_active_trim_window"))
    return bool(edited and edited()) or bool(window and any(window()))


def _clip_in_memory(images: torch.Tensor, rate: Fraction, sound: Audio | None) -> Clip:
    """Make a clip of pictures (b, h, w, c) that are in memory already."""
    from ...sonic_core import Clip

    def read() -> Iterator[torch.Tensor]:
        for start in range(0, len(images), CHUNK):
            chunk = images[start : start + CHUNK, :, :, :3].float().permute(0, 3, 1, 2).nan_to_num().clamp(0, 1)
            yield chunk.expand(-1, 3, -1, -1).contiguous()

    return Clip(read, rate, len(images), (int(images.shape[1]), int(images.shape[2])), sound)


def _kept(source: io.BytesIO, video: object) -> Path:
    """Lay a video that is in memory into a temporary file that lives as long as the video."""
    path = temporary_file(".mp4")
    path.write_bytes(source.getvalue())
    weakref.finalize(video, remove, path)
    return path


def formats() -> list[str]:
    """List the kinds of files that can be written here."""
    from ...sonic_core import available_formats

    heed_own_formats()
    return list(available_formats())


def check_writing(format: str, crf: float, frame_rate: float, sound: str) -> None:  # noqa: A002
    """Raise where no clip could be written so, as ``saved`` would when the clip is made.

    Raises:
        SettingsError: The format is not there, has no such quality, or a value is none that there is.
    """
    from ...sonic_core import SettingsError
    from ...sonic_core.clip import check_sound_choice
    from ...sonic_core.media.formats import find_format

    find_format(format).quality(crf)
    if not 0 <= frame_rate <= MOST_RATE:
        raise SettingsError(f"frame_rate must be from 0, the video's own, to {MOST_RATE:g}; got {frame_rate}.")
    check_sound_choice(sound)


def saved(clip: Clip, prefix: str, keep: bool, *, format: str, **more: Any) -> tuple[dict[str, str], bool]:  # noqa: A002
    """Write ``clip`` as the next numbered file.

    Args:
        clip: What to write.
        prefix: What the file's name begins with.
        keep: Among the outputs; else where the host forgets it.
        format: The kind of file.
        more: What else ``Clip.export`` takes.

    Returns:
        What to show, in the host's words, and whether it is a video: a sequence shows its first picture.
    """
    from ...sonic_core import SonicWarning
    from ...sonic_core.media.formats import find_format
    from ...sonic_core.media.sequence import picture_name

    kind = find_format(format)
    path, file = next_file(prefix, kind.suffix, keep=keep, size=clip.size)
    if kind.movie and any(word in path.name.lower() for word in ("png", "webp")):
        warnings.warn(f"{path.name} is written but not shown: canvases take a name with png or webp for a picture.",
                      SonicWarning, stacklevel=2)  # fmt: skip
    clip.export(path, format=format, **more)
    if not kind.suffix:
        file |= {"filename": picture_name(1), "subfolder": f"{file['subfolder']}/{path.name}".lstrip("/")}
    return file, kind.movie


def workflow_metadata(prompt: Mapping[str, Any] | None, extra: Mapping[str, Any] | None) -> dict[str, str]:
    """Write the workflow as JSON, so that dropping the video onto a canvas brings it back; nothing where it is off."""
    if import_module("comfy.cli_args").args.disable_metadata:
        return {}
    return written({**(extra or {}), **({"prompt": prompt} if prompt else {})})
