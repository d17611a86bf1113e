"""Playing on while frames are still being made: MP4 in fragments, into a pipe that nobody can rewind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from ..types import Audio, Frames, Progress, ignore_progress
from .container import write_container
from .formats import Encoder, Format, find_format
from .mark import Mark, marked
from .reel import Reel
from .track import heard

LIVE_FORMAT = "mp4-h264"
"""The format that can be played while it comes."""
FRAGMENT = 0.2
"""Seconds of a fragment: what a player waits for beyond the frames themselves."""
KEY_FRAMES = 0.5
"""Seconds from one key frame to the next, at which another player can join in."""


def live_format(fps: Fraction) -> Format:
    """Make the kind of file that is written live: H.264 and AAC in short fragments, some beginning with a key frame.

    The encoder holds no frame back ("zerolatency").

    Source: ISO/IEC 14496-12, movie fragments; FFmpeg's mov muxer.
    """
    plain = find_format(LIVE_FORMAT)
    encoder = plain.encoder
    every = max(1, round(KEY_FRAMES * fps))
    options = {**encoder.options, "tune": "zerolatency", "g": str(every)}
    return replace(
        plain,
        encoders=(Encoder(encoder.name, options, encoder.quality, encoder.threads),),
        container_options={
            "movflags": "+frag_keyframe+empty_moov+default_base_moof",
            "frag_duration": str(round(FRAGMENT * 1e6)),
            "flush_packets": "1",
        },
    )


def write_live(
    stream: BinaryIO,
    chunks: Iterable[Frames],
    *,
    fps: Fraction,
    length: int,
    size: tuple[int, int],
    audio: Audio | None,
    samples: int | None = None,
    crf: float | None = None,
    metadata: Mapping[str, str] | None = None,
    mark: Mark | None = None,
    progress: Progress = ignore_progress,
    open_ended: bool = False,
) -> None:
    """Write a video into a stream as its frames come.

    Args:
        stream: Takes bytes; it is neither rewound nor closed.
        chunks: Frames (n, 3, h, w) of any n, RGB float in [0, 1].
        fps: Frames per second.
        length: Number of frames in all chunks together.
        size: (h, w) of the frames; of an odd size the last row or column is cropped.
        audio: The sound; None for none.
        samples: Samples of the sound to write; None writes all.
        crf: Quality of H.264, 0 the best; None for the format's own.
        metadata: Texts to store in the file, by name.
        mark: What the file says of itself besides, in texts.
        progress: Called with ("encode", frames done, length).
        open_ended: Fewer frames may come; the sound ends with them then, and progress hears of a length of 0.

    Raises:
        SettingsError: The quality is none that there is.
        MediaError: The stream was closed by whoever reads it, or the chunks hold other frames than announced.
    """
    file = live_format(fps)
    quality = file.quality(crf)
    file.check_size(size)
    audio = heard(audio)
    count = 0 if audio is None else audio.samples.shape[1] if samples is None else samples
    reel = Reel(
        chunks,
        Fraction(fps),
        length,
        size,
        audio if count else None,
        count,
        marked(metadata or {}, mark),
        progress,
        open_ended,
    )
    write_container(Path("standard output"), stream, file, reel, crf=quality)
    stream.flush()
