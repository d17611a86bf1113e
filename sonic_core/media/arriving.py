"""A sound that is still being spoken: read from a pipe as it comes, and waited for where it has not come yet."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import torch
from av.error import FFmpegError

from ..errors import InputError, MediaError
from ..types import Audio, Frames
from .ahead import check_wanted
from .audio import SoundBuffer, continuous, is_surround, read_audio, sound_frames
from .files import in_a_file
from .mixing import mix
from .spool import Samples

LONGEST = 3600.0
"""Seconds of sound for which room is kept where nobody says how many will come."""
_PROBED = {"probesize": "4096", "analyzeduration": "0"}
"""FFmpeg decides by so many bytes what comes, instead of waiting for more; of WAV it waits for 64 KB all the same."""
_ASKED = 4096
"""Bytes that FFmpeg asks for at a time: it decodes nothing before it has them, or what came instead."""
_PATIENCE = 0.1
"""Seconds after which whoever waits for samples looks whether anybody still wants what is made of them."""
_PIPE = Path("the pipe")


class _AsItComes:
    """A stream that gives what is there, however much was asked for: a pipe's own ``read`` waits for all of it."""

    def __init__(self, stream: BinaryIO) -> None:
        self.read = cast("Callable[[int], bytes]", getattr(stream, "read1", stream.read))


class ArrivingSamples:
    """Samples by place, as of a tensor (channels, most); whoever asks for some waits until they have come.

    What comes after the end of the sound is silence.
    """

    def __init__(self, blocks: Iterable[Samples], channels: int, most: int) -> None:
        self.shape = torch.Size((channels, most))
        self.ended: int | None = None
        """Samples of the sound, once its end has come."""
        self._buffer = SoundBuffer(channels, 0)
        self._lock = threading.Lock()  # taken itself: a signal within Condition's own lines would keep it for ever
        self._changed = threading.Condition(self._lock)
        self._failure: BaseException | None = None
        threading.Thread(target=self._fill, args=(blocks,), name="sonic-arriving", daemon=True).start()

    def __len__(self) -> int:
        return self.shape[0]

    def numel(self) -> int:
        """Count the samples that there may be."""
        return self.shape.numel()

    def __getitem__(self, place: tuple[slice, slice]) -> torch.Tensor:
        start, stop, _ = place[1].indices(self.shape[1])
        with self._lock:
            while not self._changed.wait_for(lambda: self._came(stop), _PATIENCE):
                check_wanted()
            if self._failure is not None:
                raise self._failure
            some = torch.zeros(self.shape[0], max(0, stop - start))
            come = torch.from_numpy(self._buffer.samples[:, start : min(stop, self._buffer.count)])
            some[:, : come.shape[1]] = come
            return some

    def _came(self, stop: int) -> bool:
        return self.ended is not None or self._failure is not None or self._buffer.count >= stop

    def _fill(self, blocks: Iterable[Samples]) -> None:
        failure: BaseException | None = None
        try:
            for block in blocks:
                with self._lock:
                    self._buffer.append(block[:, : self.shape[1] - self._buffer.count])
                    self._changed.notify_all()
                if self._buffer.count >= self.shape[1]:
                    break
        except (FFmpegError, UnicodeDecodeError, OSError) as error:
            failure = MediaError(f"The sound from {_PIPE} cannot be decoded any further ({error}).")
        except BaseException as error:  # noqa: BLE001 - raised where samples are waited for
            failure = error
        with self._lock:
            self._failure, self.ended = failure, self._buffer.count
            self._changed.notify_all()


@dataclass(frozen=True, eq=False)
class ArrivingAudio(Audio):
    """A sound that is still coming: ``samples`` are waited for, and ``duration`` is the most that it may last."""

    @property
    def ended(self) -> float | None:
        """Seconds of the sound, once its end has come."""
        ended = cast("ArrivingSamples", self.samples).ended
        return None if ended is None else ended / self.rate

    def until_end(self, chunks: Iterable[Frames], fps: float) -> Generator[Frames, None, None]:
        """Read frames that go with the sound, and stop where it ended."""
        done = 0
        for chunk in chunks:
            ended = self.ended
            left = len(chunk) if ended is None else math.ceil(ended * fps) - done
            if left > 0:
                yield chunk[:left]
            done += len(chunk)
            if left < len(chunk):
                return


def read_whole(stream: BinaryIO, duration: float | None = None) -> Audio:
    """Read a sound from a pipe to its end.

    Args:
        stream: Gives the bytes of any sound.
        duration: Seconds to keep at most; None keeps all.

    Raises:
        MediaError: It is no sound.
        InputError: It is too short, or has no sound track.
    """
    with in_a_file(stream, "a sound") as path:
        return read_audio(path, duration=duration)


def read_arriving(stream: BinaryIO, most: float | None = None) -> ArrivingAudio:
    """Read a sound from a pipe as it comes; what has more than two channels is mixed down to two.

    Args:
        stream: Gives the bytes of any sound that can be played while it comes: WAV, MP3, Ogg, FLAC, AAC, Matroska.
        most: Seconds after which no more is taken; None takes ``LONGEST``.

    Raises:
        MediaError: What comes first is no sound.
        InputError: There is no sound track in it.
    """
    try:
        container: Any = av.open(_AsItComes(stream), "r", options=_PROBED, buffer_size=_ASKED)
        if not container.streams.audio:
            raise InputError(f"Expected a sound from {_PIPE}, got none in what came; send WAV, MP3, Ogg or FLAC.")
        frames = sound_frames(container, _PIPE)
        first = next(frames, None)
    except (FFmpegError, UnicodeDecodeError, OSError) as error:
        raise MediaError(f"Expected a sound from {_PIPE}, which cannot be decoded ({error}).") from error
    if first is None:
        raise MediaError(f"Expected a sound from {_PIPE}, got an empty one.")
    blocks: Iterable[Samples] = continuous(chain([first], frames), _PIPE, strict=False)
    channels = first.layout.nb_channels
    if channels > 2:
        weights = mix(channels, 2, surround=is_surround(first.layout)).numpy()
        blocks, channels = (weights @ block for block in blocks), 2
    rate = first.sample_rate
    samples = ArrivingSamples(blocks, channels, round((most or LONGEST) * rate))
    return ArrivingAudio(cast("torch.Tensor", samples), rate)
