"""A clip: frames that can be read again and again, and the sound that goes with them."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import BinaryIO

import torch

from .errors import InputError, SettingsError, SonicWarning
from .media.ahead import closable
from .media.arriving import ArrivingAudio
from .media.audio import read_track
from .media.converted import passed_on, read_coded
from .media.credentials import Signer, checked_signer
from .media.footage import Footage
from .media.formats import format_of
from .media.lazy import ReadsLazily
from .media.live import write_live
from .media.mark import Mark
from .media.parts import Held, part_of
from .media.reel import ReadyPixels
from .media.reverse import there_and_back
from .media.seen.display import reduced_size
from .media.video import check_target, probe_video, write_video
from .memory import memory_errors, unused_returned
from .types import Audio, Face, Frames, Placement, Progress, ignore_progress

log = logging.getLogger("sonic")

_NOISE = 1e-6
"""Frames by which a computed length may exceed a whole number and still mean it."""

SOUND_CHOICES = ("whole", "trimmed")
"""What becomes of a sound that is longer than the picture."""
_UNTOLD = 0.5
"""Seconds for which the last frame is held without a word."""


def check_sound_choice(sound: str) -> None:
    """Raise where ``sound`` is none of the choices.

    Raises:
        SettingsError: It is not.
    """
    if sound not in SOUND_CHOICES:
        raise SettingsError(f"sound must be one of {', '.join(SOUND_CHOICES)}; got {sound!r}.")


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
    placement: Placement | None = None
    """Where in a larger picture the frames lie, if they show another part of it than the portrait they were made of."""
    mark: Mark | None = None
    """What of it is synthetic, and whose work that is; None where nobody said."""

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

    def reduced(self, reduction: int) -> Clip:
        """Have a video file read so many times smaller, where somebody only looks at it; any other clip is what it was.

        It costs a third of the time of reading it at its size, or less.
        """
        if reduction <= 1 or not isinstance(self.read, Footage):
            return self
        return replace(self, read=partial(self.read.reduced, reduction), size=reduced_size(self.size, reduction))

    def pingpong(self, bits: int = 8) -> Clip:
        """Play the clip forward, then backward, without showing the two end frames twice.

        The sound plays once, as it is; silence follows. While the clip is read its frames wait in a temporary file, in
        the system's folder for those.

        Args:
            bits: How finely the frames on the way back tell colours apart: 8, or 16 for formats that have more.

        Returns:
            A clip of 2 · length − 2 frames, or 1.
        """

        def read() -> Iterator[Frames]:
            with closing(closable(self.read())) as chunks:
                yield from there_and_back(chunks, self.length, self.size, bits)

        return replace(self, read=read, length=max(1, 2 * self.length - 2))

    def again(self, times: int) -> Clip:
        """Play the frames so many times over, each time read anew; the sound plays once, silence follows."""

        def read() -> Iterator[Frames]:
            for _ in range(times):
                with closing(closable(self.read())) as chunks:
                    yield from chunks

        return replace(self, read=read, length=times * self.length) if times > 1 else self

    def held(self, length: int) -> Clip:
        """Hold the last frame until there are ``length`` frames; a clip that has them already is returned as it is."""
        if length <= self.length:
            return self

        return replace(self, read=Held(self.read, self.length, length), length=length)

    def cut(self, first: int, length: int) -> Clip:
        """Keep some frames, and the sound that is heard meanwhile; others are made only where those need them.

        Args:
            first: The number of the first frame to keep, from 0.
            length: How many there shall be.

        Raises:
            InputError: The clip has not all of them.
        """
        end = first + length
        if first < 0 or length < 1 or end > self.length:
            raise InputError(f"Expected some of {self.length} frames, got {length} from number {first} on.")

        audio = self.audio
        if audio is not None:
            begins, ends = (round(number / self.fps * audio.rate) for number in (first, end))
            audio = replace(audio, samples=audio.samples[:, begins:ends]) if begins < audio.samples.shape[1] else None
        return replace(self, read=part_of(self.read, first, end), length=length, audio=audio)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,  # noqa: A002 - the word that everybody uses
        crf: float | None = None,
        pingpong: bool = False,
        sound: str = "whole",
        plays: int = 0,
        metadata: Mapping[str, str] | None = None,
        mark: bool | Signer = True,
        progress: Progress = ignore_progress,
    ) -> Path:
        """Write the clip as a video, a moving picture or a folder of pictures.

        The file appears when it is finished; if anything is raised, also by ``progress``, nothing is left behind.

        Args:
            path: Ends as the format says; an existing file is replaced, an existing folder never.
            format: "mp4-h264", which plays everywhere, or another of ``media.formats.FORMATS`` that
                ``media.formats.available_formats`` lists. None takes the first that ends as ``path`` does.
            crf: Quality, 0 the best; None for the format's own, hard to tell from the original. Some formats have none.
            pingpong: Forward, then backward; the sound plays once, silence follows.
            sound: "whole" keeps all of a sound that is longer than the picture and holds the last frame meanwhile;
                "trimmed" ends it with the picture. Where it is shorter by a frame or more, silence follows.
            plays: How often it plays, 0 for ever, where that is a WebP or GIF; all others have their frames as often.
            metadata: Texts to store in the file, by name.
            mark: Say in the file's metadata with what it was made, if it is synthetic; a ``Signer`` signs that (C2PA).
            progress: Called with ("encode", frames done, frames in all); for GIF with ("palette", …) before.

        Raises:
            SettingsError: ``format``, ``crf`` or ``sound`` is none that there is.
            MediaError: The file cannot be written, or the format has no frames of that size.
            OutOfMemoryError: There is not enough memory.
        """
        (file := format_of(path, format)).quality(crf)
        signer = checked_signer(mark, file.suffix, self.mark)
        check_target(path, file)
        clip = (self.pingpong(file.bits) if pingpong else self).again(1 if file.loops else plays)
        clip, samples = clip._with_sound(sound, bool(file.sounds))
        with memory_errors(), unused_returned(), closing(clip._chunks(siting := passed_on(clip.read, file))) as chunks:
            written = write_video(
                path,
                chunks,
                fps=clip.fps,
                length=clip.length,
                size=clip.size,
                audio=clip.audio,
                samples=samples,
                format=file.name,
                crf=crf,
                plays=plays,
                metadata=metadata,
                mark=clip.mark if mark else None,
                signer=signer,
                siting=siting,
                progress=progress,
            )
        log.info("combine: %s (%s), %s", written, file.name, clip._described(samples))
        return written

    def stream(
        self,
        to: BinaryIO,
        *,
        crf: float | None = None,
        sound: str = "whole",
        metadata: Mapping[str, str] | None = None,
        mark: bool = True,
        progress: Progress = ignore_progress,
    ) -> None:
        """Write the clip into a stream, a pipe to a player for one, while it is being made.

        It is MP4 with H.264 and AAC in fragments, which plays from its first fifth of a second on. What is written is
        written: where anything is raised, the stream has what came before.

        Args:
            to: Takes bytes; it is neither rewound nor closed.
            crf: Quality of H.264, 0 the best to 51; None for the format's own.
            sound: As of ``export``.
            metadata: Texts to store, by name.
            mark: As of ``export``.
            progress: Called with ("encode", frames done, frames in all).

        Raises:
            SettingsError: ``crf`` or ``sound`` is none that there is.
            MediaError: Whoever reads the stream closed it.
        """
        clip, samples = self._with_sound(sound, audible=True)
        arriving = clip.audio if isinstance(clip.audio, ArrivingAudio) else None
        with memory_errors(), unused_returned(), closing(closable(clip.read())) as chunks:
            write_live(
                to,
                arriving.until_end(chunks, float(clip.fps)) if arriving else chunks,
                fps=clip.fps,
                length=clip.length,
                size=clip.size,
                audio=clip.audio,
                samples=samples,
                crf=crf,
                metadata=metadata,
                mark=clip.mark if mark else None,
                progress=progress,
                open_ended=arriving is not None,
            )

    def _chunks(self, siting: int | None) -> Generator[Frames | ReadyPixels, None, None]:
        """Read the frames for an encoder that can have them as they came, if ``passed_on`` said where chroma lies."""
        if siting is None or not isinstance(self.read, ReadsLazily):
            yield from self.read()
        else:
            yield from read_coded(self.read, siting)

    def _described(self, samples: int | None) -> str:
        """Say what was written, with so many samples of the sound."""
        heard = f"{samples / self.audio.rate:.2f} s of sound" if self.audio and samples else "no sound"
        height, width = self.size
        return f"{self.length} frames of {width}×{height} at {float(self.fps):g} per second, {heard}"

    def _with_sound(self, sound: str, audible: bool) -> tuple[Clip, int | None]:
        """Fit picture and sound to each other.

        Returns:
            The clip, perhaps held, and the samples of its sound to write; None for those that there are.
        """
        check_sound_choice(sound)
        if self.audio is None or not audible:
            return self, None
        have, wanted = self.audio.samples.shape[1], round(self.length / self.fps * self.audio.rate)
        frame = self.audio.rate / self.fps
        if sound == "trimmed":
            return self, wanted
        if have <= wanted + frame:
            return self, wanted if have <= wanted - frame else have
        clip = self.held(frame_count(have / self.audio.rate, self.fps))
        if clip.duration - self.duration > _UNTOLD:
            warnings.warn(
                f"The sound is {clip.duration - self.duration:.1f} s longer than the picture, whose last frame is held "
                'meanwhile; with sound "trimmed" both end together.',
                SonicWarning,
                stacklevel=3,
            )
        return clip, have


@dataclass(frozen=True, eq=False)
class Source:
    """What faces are cut out of and laid back onto: a picture, which is a source of one frame, or a video.

    Raises:
        InputError: The track has more or fewer frames than the picture or the video.
    """

    frames: torch.Tensor | Clip
    """(3, H, W) RGB float32 in [0, 1], or a video, which is read anew whenever it is needed."""
    track: tuple[Face | None, ...] = ()
    """One face: where it is in each frame, in that frame's pixels, None where it is not seen; empty if nobody looked.
    Of several faces in a picture each has a source of its own, with the same frames."""

    def __post_init__(self) -> None:
        if self.track and len(self.track) != self.length:
            raise InputError(
                f"Expected a face, or none, for each of {self.length} frames; got {len(self.track)}: track all of them."
            )

    @property
    def length(self) -> int:
        """Number of frames; 1 for a picture, which lasts as long as it is looked at."""
        return self.frames.length if isinstance(self.frames, Clip) else 1

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the frames in pixels."""
        return self.frames.size if isinstance(self.frames, Clip) else (self.frames.shape[1], self.frames.shape[2])

    def read(self) -> Generator[torch.Tensor, None, None]:
        """Begin anew.

        Yields:
            (3, H, W): a video's frames, or a picture again and again; not to be changed.
        """
        if isinstance(self.frames, Clip):
            with closing(closable(self.frames.frames())) as frames:
                yield from frames
        else:
            yield from repeat(self.frames)


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
    return Clip(Footage(Path(path), info), info.fps, info.length, info.size, audio, mark=info.mark)


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
