"""Videos and moving pictures: frames and a sound into a file, chunk by chunk, so that neither waits in memory."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path

from ..errors import SonicWarning
from ..types import Audio, Frames, Progress, ignore_progress
from .container import write_container
from .credentials import Signer, sign
from .files import check_new_folder, check_writable, file_errors, folder_beside, written_beside
from .footage import VideoInfo, probe_video, read_video
from .formats import Format, find_format
from .gif import write_gif
from .lossless import kept_format, lossless_format
from .mark import Mark, marked, xmp_box
from .reel import STAGE, ReadyPixels, Reel
from .sequence import write_sequence
from .source import ffmpeg_name
from .threads import single_threaded
from .track import heard
from .webp import write_webp

__all__ = [
    "STAGE",
    "VideoInfo",
    "check_target",
    "check_writable",
    "probe_video",
    "read_video",
    "write_lossless",
    "write_video",
]


_WITH_BOXES = {"mp4", "mov"}
"""Containers of boxes, one of which may hold XMP."""


def check_target(path: str | os.PathLike[str], file: Format) -> Path:
    """Return ``path`` as a path to which a file of that format can be written; call it before any long work.

    Raises:
        MediaError: The ending is another, the folder is missing or not writable, or something is there that is never
            replaced: a folder.
    """
    target = check_writable(path, file.suffix) if file.suffix else check_new_folder(path)
    ffmpeg_name(Path(os.path.realpath(target)).parent)
    return target


def write_video(
    path: str | os.PathLike[str],
    chunks: Iterable[Frames | ReadyPixels],
    *,
    fps: Fraction,
    length: int,
    size: tuple[int, int],
    audio: Audio | None,
    samples: int | None = None,
    format: str = "mp4-h264",  # noqa: A002 - the word that everybody uses
    crf: float | None = None,
    preset: str | None = None,
    plays: int = 0,
    metadata: Mapping[str, str] | None = None,
    mark: Mark | None = None,
    signer: Signer | None = None,
    siting: int | None = None,
    progress: Progress = ignore_progress,
) -> Path:
    """Write a video, a moving picture or a folder of pictures: ``length`` frames and the whole sound, from zero.

    Videos have BT.709 colours and say so; errors leave none.

    Args:
        path: Ends as the format says; an existing file is replaced, an existing folder never.
        chunks: Frames (n, 3, h, w) of any n, RGB float in [0, 1], on any device; they are read as they are encoded.
        fps: Frames per second.
        length: Number of frames in all chunks together.
        size: (h, w) of the frames; of an odd size the last row or column is cropped where the format needs that.
        audio: The sound, if any; compressed it is mixed down to two channels and clipped at ±1, without NaN.
        samples: Samples of the sound to write; fewer cut it, more append silence. None writes all.
        format: A name of ``formats.FORMATS``.
        crf: Quality, 0 the best; None for the format's own. ProRes, GIF and PNG have no such choice.
        preset: Of x264, x265 or SVT-AV1; None for the format's own: x264's "faster" takes 2/3 of the time.
        plays: How often a picture that moves plays; 0 is for ever.
        metadata: Texts to store in the file, by name.
        mark: What it says of itself besides.
        signer: Who signs that.
        siting: Where chunks that are converted already have their chroma, if not as usual.
        progress: Called with ("encode", frames done, length); for GIF with ("palette", …) before.

    Raises:
        SettingsError: The format or the quality is none that there is, or it cannot be signed.
        MediaError: The file cannot be written, has no frames of that size, or the chunks hold others than announced.
    """
    quality = (file := find_format(format)).quality(crf)
    file.check_size(size)
    target, (audio, samples) = check_target(path, file), _sounding(audio, samples)
    what = chunks, Fraction(fps), length, size, audio, samples, marked(metadata or {}, mark), progress
    reel = Reel(*what, mark=mark, plays=plays, siting=siting)
    if audio is not None and not file.sounds:
        warnings.warn(f"{target.name} has no sound: {file.name} cannot hold any.", SonicWarning, stacklevel=2)
    if not file.suffix:
        with folder_beside(target) as folder, single_threaded():
            write_sequence(target, folder, file, reel)
        return target
    with written_beside(target) as part, single_threaded():
        _write_file(target, part, file, reel, crf=quality, preset=preset)
        sign(part, mark, signer)
    return target


def _write_file(target: Path, part: Path, file: Format, reel: Reel, *, crf: float | None, preset: str | None) -> None:
    if file.suffix == ".gif":
        write_gif(target, part, file, reel)
    elif file.suffix == ".webp":
        write_webp(target, part, file, reel, crf or 0)
    else:
        write_container(target, part, file, reel, crf=crf, preset=preset)
        if reel.mark is not None and file.container in _WITH_BOXES:
            with file_errors(target), part.open("ab") as written:
                written.write(xmp_box(reel.mark))


def write_lossless(
    path: str | os.PathLike[str],
    chunks: Iterable[Frames],
    *,
    fps: Fraction,
    length: int,
    size: tuple[int, int],
    audio: Audio | None,
    metadata: Mapping[str, str] | None = None,
    progress: Progress = ignore_progress,
) -> Path:
    """Write a Matroska file from which the 8-bit RGB frames and the float samples come back bit for bit.

    For what lies between two steps: fast to write and to read, not for players. H.264 lossless RGB, or FFV1 where
    FFmpeg was built without it; the sound as 32-bit float, any rate, any number of channels.

    Args:
        path: Ends in ``.mkv``, or in what ``kept_format`` says for files that only this package reads: Ut Video in
            NUT. An existing file is replaced.
        chunks: Frames (n, 3, h, w), rounded to 8 bits.
        fps: Frames per second.
        length: Number of frames in all chunks together.
        size: (h, w) of the frames, odd numbers too.
        audio: The sound, or None.
        metadata: Texts to store in the file, by name.
        progress: Called with ("encode", frames done, length).

    Returns:
        ``path``.

    Raises:
        MediaError: The file cannot be written, or the chunks hold other frames than announced.
    """
    file = kept_format() if Path(path).suffix == kept_format().suffix else lossless_format()
    target = check_writable(path, file.suffix)
    audio, samples = _sounding(audio, None)
    reel = Reel(chunks, Fraction(fps), length, size, audio, samples, metadata or {}, progress)
    with written_beside(target) as part, single_threaded():
        write_container(target, part, file, reel, crf=None)
    return target


def _sounding(audio: Audio | None, samples: int | None) -> tuple[Audio | None, int]:
    """Return the sound and how many samples of it to write; none where there would be none."""
    audio = heard(audio)
    if audio is None or samples == 0:
        return None, 0
    return audio, audio.samples.shape[1] if samples is None else samples
