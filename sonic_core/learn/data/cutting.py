"""Cut clips out of a video: a square around the face, and the sound that belongs to it, brought in step."""

from __future__ import annotations

import wave
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ...clip import Clip
from ...media.ahead import closable
from ...media.files import file_errors, written_beside
from ...media.mixing import resample
from ...media.pixels import resize_lanczos
from ...media.video import write_video
from ...types import Audio, Frames
from ..tune.watching import FPS
from .judging import Cutting
from .plan import DataPlan

SOUND_RATE = 16000
"""Samples a second of a clip's sound, of one channel."""
_LOUDEST = 32767
"""The largest number in a WAV of 16 bits."""


class Cutter:
    """Reads a video once, from front to back, and writes the clips that lie on the way."""

    def __init__(self, clip: Clip, plan: DataPlan) -> None:
        """Begin before the first frame.

        Args:
            clip: The video at ``FPS``.
            plan: ``size`` and ``crf`` count.
        """
        self._clip, self._plan, self._passed = clip, plan, 0
        self._frames = closable(clip.frames())

    def close(self) -> None:
        """Read no more."""
        self._frames.close()

    def cut(self, cutting: Cutting, target: Path) -> None:
        """Write a clip, and its sound once more beside it, as WAV.

        Args:
            cutting: It begins where the last one ended, or later.
            target: The clip's file, an MP4.

        Raises:
            MediaError: The video cannot be read or the clip not written.
        """
        size, sound = self._plan.size, self._sound(cutting)
        frames = self._square(cutting)
        write_video(
            target, frames, fps=FPS, length=cutting.length, size=(size, size), audio=sound, crf=self._plan.crf
        )  # fmt: skip
        write_wave(target.with_suffix(".wav"), sound)

    def _square(self, cutting: Cutting) -> Generator[Frames, None, None]:
        left, top, right, bottom = cutting.square
        size, end = (self._plan.size, self._plan.size), cutting.first + cutting.length
        while self._passed < end:
            frame = next(self._frames, None)
            if frame is None:
                return
            self._passed += 1
            if self._passed > cutting.first:
                yield resize_lanczos(frame[:, top:bottom, left:right], size)[None]

    def _sound(self, cutting: Cutting) -> Audio:
        """Take what is heard meanwhile, brought in step: one channel, as long as the picture."""
        audio = self._clip.audio
        wanted = round(cutting.length / FPS * SOUND_RATE)
        if audio is None:
            return Audio(torch.zeros(1, wanted), SOUND_RATE)
        begin = round((float(cutting.first / FPS) + cutting.offset) * audio.rate)
        count = round(cutting.length / FPS * audio.rate)
        part = torch.zeros(len(audio.samples), count)
        there = audio.samples[:, max(0, begin) : max(0, begin + count)]
        part[:, max(0, -begin) : max(0, -begin) + there.shape[1]] = there
        audio.rest()
        heard = resample(replace(audio, samples=part, mapped=None), SOUND_RATE, channels=1).samples[:, :wanted]
        return Audio(torch.nn.functional.pad(heard, (0, wanted - heard.shape[1])), SOUND_RATE)


def write_wave(path: Path, sound: Audio) -> None:
    """Write a sound of one channel with 16 bits.

    Raises:
        MediaError: That is not possible.
    """
    samples = (sound.samples[0].clamp(-1, 1) * _LOUDEST).round().numpy().astype(np.int16)
    with written_beside(path) as part, file_errors(path), wave.open(str(part), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sound.rate)
        file.writeframes(samples.tobytes())
