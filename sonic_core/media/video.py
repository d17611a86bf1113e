"""Videos: frames and a sound into a file, chunk by chunk, so that neither waits in memory."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import torch
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

from ..errors import MediaError
from ..types import Audio, Frames, Progress, ignore_progress
from .ahead import read_ahead
from .audio import stereo
from .colour import BT709, FULL_RANGE, LIMITED_RANGE, Bytes, rgb24, yuv420
from .files import check_writable, file_errors, written_beside
from .footage import VideoInfo, probe_video, read_video

__all__ = ["VideoInfo", "check_writable", "probe_video", "read_video", "write_lossless", "write_video"]

STAGE = "encode"
"""The name under which progress is reported."""
ENCODER_THREADS = 2
"""Threads of the encoder; it works beside the animation, which needs the other cores."""
AAC_RATES = frozenset({7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000})
"""Rates that AAC has (ISO/IEC 14496-3, table 1.18); sounds of other rates are resampled to 48,000."""

_BLOCK = 1024
"""Samples per encoded sound block: the frame of AAC."""
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_BITS_PER_SAMPLE = 4
_MOST_BITS = 128_000
"""Bit rate of AAC per channel: 4 bits per sample, at most 128 kbit/s, where nobody hears it."""


@dataclass(frozen=True)
class _Recipe:
    """How one kind of file is encoded."""

    suffix: str
    container: str
    container_options: dict[str, str]
    codec: str
    codec_options: dict[str, str]
    pixel_format: str
    colour: tuple[int, int]
    """Matrix and range, FFmpeg's codes."""
    convert: Callable[[torch.Tensor], Bytes]
    source_format: str
    """The pixel format that ``convert`` makes."""
    even: bool
    """Odd rows and columns are cropped."""
    sound_codec: str
    sound_rates: frozenset[int]
    """Rates that the codec has; empty for all."""
    clipped: bool
    """Samples beyond ±1 are clipped."""


def write_video(
    path: str | os.PathLike[str],
    chunks: Iterable[Frames],
    *,
    fps: Fraction,
    length: int,
    size: tuple[int, int],
    audio: Audio | None,
    crf: float = 18,
    preset: str = "faster",
    metadata: Mapping[str, str] | None = None,
    progress: Progress = ignore_progress,
) -> Path:
    """Write an MP4 that plays everywhere: H.264 with BT.709 colours, AAC, and a header in front.

    Exactly ``length`` frames, the whole sound, both from zero; what is raised on the way leaves no file behind.

    Args:
        path: Ends in ``.mp4``; an existing file is replaced.
        chunks: Frames (n, 3, h, w) of any n, RGB float in [0, 1], on any device; they are read as they are encoded.
        fps: Frames per second.
        length: Number of frames in all chunks together.
        size: (h, w) of the frames; of an odd size the last row or column is cropped, as 4:2:0 needs.
        audio: The sound, or None. More than two channels are mixed down; what exceeds ±1 is clipped.
        crf: x264's quality, 0 (perfect) to 51; 18 is hard to tell from the original.
        preset: x264's preset, from "ultrafast" to "veryslow"; "faster" takes two thirds of the time of "medium" for
            0.3 dB less at the same size.
        metadata: Texts to store in the file, by name.
        progress: Called with ("encode", frames done, length).

    Returns:
        ``path``.

    Raises:
        MediaError: The file cannot be written, or the chunks hold other frames than announced.

    Source: ITU-T H.264 (chroma location 1 in annex E); libx264.
    """
    sound = None if audio is None else stereo(audio)
    return _write(
        path,
        _mp4(crf, preset, tagged=bool(metadata)),
        chunks,
        fps=Fraction(fps),
        length=length,
        size=size,
        audio=sound,
        metadata=metadata,
        progress=progress,
    )


def _mp4(crf: float, preset: str, *, tagged: bool) -> _Recipe:
    return _Recipe(
        suffix=".mp4",
        container="mp4",
        container_options={"movflags": "+faststart+use_metadata_tags" if tagged else "+faststart"},
        codec="libx264",
        codec_options={"crf": str(crf), "preset": preset, "x264-params": "chromaloc=1"},
        pixel_format="yuv420p",
        colour=(BT709, LIMITED_RANGE),
        convert=yuv420,
        source_format="yuv420p",
        even=True,
        sound_codec="aac",
        sound_rates=AAC_RATES,
        clipped=True,
    )


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
        path: Ends in ``.mkv``; an existing file is replaced.
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
    x264 = "libx264rgb" in av.codecs_available
    recipe = _Recipe(
        suffix=".mkv",
        container="matroska",
        container_options={},
        codec="libx264rgb" if x264 else "ffv1",
        codec_options={"qp": "0", "preset": "ultrafast", "g": "50"} if x264 else {},
        pixel_format="rgb24" if x264 else "bgr0",
        colour=(0, FULL_RANGE),
        convert=rgb24,
        source_format="rgb24",
        even=False,
        sound_codec="pcm_f32le",
        sound_rates=frozenset(),
        clipped=False,
    )
    return _write(
        path,
        recipe,
        chunks,
        fps=Fraction(fps),
        length=length,
        size=size,
        audio=audio,
        metadata=metadata,
        progress=progress,
    )


def _write(
    path: str | os.PathLike[str],
    recipe: _Recipe,
    chunks: Iterable[Frames],
    *,
    fps: Fraction,
    length: int,
    size: tuple[int, int],
    audio: Audio | None,
    metadata: Mapping[str, str] | None,
    progress: Progress,
) -> Path:
    target = check_writable(path, recipe.suffix)
    with written_beside(target) as part, _opened(target, part, recipe) as container:
        container.metadata.update(metadata or {})
        with file_errors(target):
            stream = _picture_stream(container, recipe, fps, size)
            sound = _Sound(container, audio, recipe) if audio is not None else None
        with closing(read_ahead(_frames(chunks, length, size, recipe))) as frames:
            for done, pixels in enumerate(frames, start=1):
                with file_errors(target):
                    frame = av.VideoFrame.from_ndarray(pixels, recipe.source_format)
                    frame.pts, frame.time_base = done - 1, 1 / fps
                    frame.colorspace, frame.color_range = recipe.colour
                    container.mux(stream.encode(frame))
                    if sound is not None:
                        sound.advance(done / fps)
                progress(STAGE, done, length)
        with file_errors(target):
            container.mux(stream.encode(None))
            if sound is not None:
                sound.finish()
            container.close()
    return target


@contextmanager
def _opened(target: Path, part: Path, recipe: _Recipe) -> Iterator[OutputContainer]:
    """Open ``part`` for writing; close it whatever happens, so that it can be renamed or removed."""
    with file_errors(target):
        container = av.open(f"file:{part}", "w", format=recipe.container, options=recipe.container_options)
    try:
        yield container
    finally:
        with suppress(OSError, ValueError):  # closed already on success; else what was raised before counts
            container.close()


def _picture_stream(container: OutputContainer, recipe: _Recipe, fps: Fraction, size: tuple[int, int]) -> VideoStream:
    stream = cast("VideoStream", container.add_stream(recipe.codec, rate=fps, options=recipe.codec_options))
    height, width = _cropped(size, recipe)
    stream.height, stream.width, stream.pix_fmt = height, width, recipe.pixel_format
    context = stream.codec_context
    context.time_base = 1 / fps
    context.thread_count = ENCODER_THREADS
    context.colorspace, context.color_range = recipe.colour
    context.color_primaries = context.color_trc = BT709
    return stream


def _cropped(size: tuple[int, int], recipe: _Recipe) -> tuple[int, int]:
    height, width = size
    return (height - height % 2, width - width % 2) if recipe.even else size


def _frames(
    chunks: Iterable[Frames], length: int, size: tuple[int, int], recipe: _Recipe
) -> Generator[Bytes, None, None]:
    """Yield the frames one by one as the recipe wants them.

    Raises:
        MediaError: There are fewer or more than ``length``, or they have another size.
    """
    height, width = _cropped(size, recipe)
    done = 0
    for chunk in chunks:
        if tuple(chunk.shape[1:]) != (3, *size):
            raise MediaError(f"Expected frames of shape (3, {size[0]}, {size[1]}), got {tuple(chunk.shape[1:])}.")
        if done + len(chunk) > length:
            raise MediaError(f"Expected {length} frames, got {done + len(chunk)} or more.")
        for frame in chunk:
            yield recipe.convert(frame[:, :height, :width])
        done += len(chunk)
    if done < length:
        raise MediaError(f"Expected {length} frames, got only {done}.")


class _Sound:
    """Feeds a sound to its encoder as far as the picture has come."""

    def __init__(self, container: OutputContainer, audio: Audio, recipe: _Recipe) -> None:
        channels = audio.samples.shape[0]
        rate = audio.rate if not recipe.sound_rates or audio.rate in recipe.sound_rates else 48000
        self.stream = cast("AudioStream", container.add_stream(recipe.sound_codec, rate=rate))
        self.stream.layout = self.layout = _LAYOUTS.get(channels, f"{channels}c")
        if recipe.clipped:
            self.stream.bit_rate = channels * min(_BITS_PER_SAMPLE * rate, _MOST_BITS)
        self.container, self.audio, self.clipped, self.position = container, audio, recipe.clipped, 0

    def advance(self, seconds: Fraction | float) -> None:
        """Encode up to ``seconds``."""
        end = min(self.audio.samples.shape[1], math.ceil(seconds * self.audio.rate))
        while self.position < end:
            block = self.audio.samples[:, self.position : self.position + _BLOCK].detach().cpu().float()
            samples = (block.clamp(-1, 1) if self.clipped else block).contiguous().numpy()
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=self.layout)
            frame.sample_rate, frame.pts, frame.time_base = self.audio.rate, self.position, Fraction(1, self.audio.rate)
            self.container.mux(self.stream.encode(frame))
            self.position += samples.shape[1]
        self.audio.rest()

    def finish(self) -> None:
        """Encode the rest and what the encoder still holds."""
        self.advance(self.audio.samples.shape[1] / self.audio.rate + 1)
        self.container.mux(self.stream.encode(None))
