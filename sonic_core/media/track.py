"""A sound on its way into a file, block by block."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction
from typing import cast

import av
import torch
from av.audio.stream import AudioStream
from av.container import OutputContainer

from ..errors import SonicWarning
from ..types import Audio
from .formats import SoundEncoder
from .mixing import stereo

_BLOCK = 1024
"""Samples per encoded block: the frame of AAC."""
_PLAIN_LAYOUTS, _LAYOUTS = {1: "mono", 2: "stereo"}, {6: "5.1", 8: "7.1"}
_MANY = 8
_BITS_PER_SAMPLE = 4
_MOST_BITS = 128_000
"""Bit rate per channel: 4 bits per sample, at most 128 kbit/s, where nobody hears it."""


def layout_name(channels: int, *, surround: bool = True) -> str:
    """Name a layout as FFmpeg does."""
    named = _LAYOUTS if surround else {}
    return {**_PLAIN_LAYOUTS, **named}.get(channels, f"{channels}c")


def heard(audio: Audio | None) -> Audio | None:
    """Return the sound if there is anything to hear of it or to keep silence: None for no sample or no channel."""
    return audio if audio is not None and audio.samples.numel() else None


def _frame(block: torch.Tensor, layout: str) -> av.AudioFrame:
    """Make FFmpeg's frame of samples (channels, n); of many channels side by side, since PyAV counts planes wrongly."""
    if len(block) < _MANY:
        return av.AudioFrame.from_ndarray(block.numpy(), format="fltp", layout=layout)
    return av.AudioFrame.from_ndarray(block.T.reshape(1, -1).numpy(), format="flt", layout=layout)


class SoundTrack:
    """Feeds a sound to its encoder as far as the picture has come.

    Samples that are not numbers become silence, and one warning says how many.
    """

    def __init__(self, container: OutputContainer, audio: Audio, encoder: SoundEncoder, samples: int) -> None:
        """Add a sound track of ``samples`` samples to a container."""
        audio = stereo(audio) if encoder.channels == 2 else audio  # no other number is asked for
        channels = audio.samples.shape[0]
        rate = audio.rate if not encoder.rates or audio.rate in encoder.rates else 48000
        self.stream = cast("AudioStream", container.add_stream(encoder.name, rate=rate))
        self.stream.layout = self.layout = layout_name(channels, surround=audio.surround)
        if encoder.limited:
            self.stream.bit_rate = channels * min(_BITS_PER_SAMPLE * rate, _MOST_BITS)
        self.container, self.audio, self.clipped = container, audio, encoder.clipped
        self.samples, self.position, self.mended = samples, 0, 0

    def advance(self, seconds: Fraction | float) -> None:
        """Encode up to ``seconds``."""
        end = min(self.samples, math.ceil(seconds * self.audio.rate))
        while self.position < end:
            block = self._block(min(_BLOCK, self.samples - self.position))
            frame = _frame(block, self.layout)
            frame.sample_rate, frame.pts, frame.time_base = self.audio.rate, self.position, Fraction(1, self.audio.rate)
            self.container.mux(self.stream.encode(frame))
            self.position += block.shape[1]
        self.audio.rest()

    def _block(self, count: int) -> torch.Tensor:
        """Take the next ``count`` samples, (channels, count)."""
        block = self.audio.samples[:, self.position : self.position + count].detach().cpu().float()
        good = block.isfinite()
        if not bool(good.all()):
            self.mended += int((~good).sum())
            block = block.where(good, torch.zeros(()))
        if self.clipped:
            block = block.clamp(-1, 1)
        missing = count - block.shape[1]
        return torch.nn.functional.pad(block, (0, missing)) if missing else block.contiguous()

    def finish(self, seconds: Fraction | None = None) -> None:
        """Encode the rest, or no more than up to ``seconds``, and what the encoder still holds."""
        if seconds is not None:
            self.samples = min(self.samples, math.ceil(seconds * self.audio.rate))
        self.advance(self.samples / self.audio.rate + 1)
        self.container.mux(self.stream.encode(None))
        if self.mended:
            warnings.warn(
                f"{self.mended} samples of the sound are not numbers (NaN or infinite); silence was written for them.",
                SonicWarning,
                stacklevel=2,
            )
