"""The one front end: a sound of any rate becomes spectra a hundred times a second, in one pass and bounded memory."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from itertools import chain

import numpy as np
import torch

from ..media.mixing import change_rate, mixed_blocks
from ..types import Audio
from .channels import Ear

RATE = 16_000
"""Samples per second at which sounds are listened to."""
HOP = 160
"""Samples from one spectrum to the next."""
LEVEL_RATE = RATE // HOP
"""Spectra, and whatever is measured of each, per second: two for each value of ``CURVE_RATE``."""
WINDOW = 512
"""Samples that a spectrum is made of."""
FREQUENCIES = np.fft.rfftfreq(WINDOW, 1 / RATE)
"""(WINDOW // 2 + 1,) Hz."""

_FRAMES = 2000  # spectra made at a time: 20 s, 2 MB
_SILENCE = (
    2  # s before and behind a sound; with another length the resampler rounds elsewhere, and what is drawn differs
)
# in a bit here and there


def spectra(audio: Audio, ear: Ear) -> Iterator[np.ndarray]:
    """Measure power by frequency, relative to the sound's own peak.

    Spectrum ``i`` is centred at ``i / LEVEL_RATE`` seconds; before and after the sound there is silence.

    Args:
        audio: Any rate, any channels, any length.
        ear: How to listen to them.

    Yields:
        (n, WINDOW // 2 + 1) float32, a sine at the peak being about 1: one after the other, together 1 + round-down(
        seconds · ``LEVEL_RATE``).
    """
    count = 1 + audio.samples.shape[1] * LEVEL_RATE // audio.rate
    waiting: list[np.ndarray] = []
    held, least = 0, (_FRAMES - 1) * HOP + WINDOW
    for samples in _framed_samples(audio, ear):
        waiting.append(samples)
        held += len(samples)
        while held >= least and count > _FRAMES:
            joined = np.concatenate(waiting)
            yield power_of(joined[:least])
            waiting = [joined[_FRAMES * HOP :]]
            held, count = held - _FRAMES * HOP, count - _FRAMES
    yield power_of(np.concatenate(waiting)[: (count - 1) * HOP + WINDOW])


def power_of(samples: np.ndarray) -> np.ndarray:
    """Measure power by frequency of samples at ``RATE``.

    Args:
        samples: (WINDOW + (n − 1) · HOP,) float32: spectrum ``i`` is of the window that begins at ``i · HOP``.

    Returns:
        (n, WINDOW // 2 + 1) float32, 1 being about a sine of full scale.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    spectrum = np.fft.rfft(frames * hann(), axis=1)
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    power /= WINDOW * WINDOW / 8
    return power.astype(np.float32, copy=False)


@functools.cache
def hann() -> np.ndarray:
    """Make the window through which a moment is heard: (WINDOW,) float32."""
    return np.hanning(WINDOW).astype(np.float32)


def _framed_samples(audio: Audio, ear: Ear) -> Iterator[np.ndarray]:
    """Bring a sound to ``RATE`` with half a window of silence before it and more than that behind: (n,) one by one.

    The silence passes the resampler too, so that what its filter spreads beyond the sound's ends is heard.
    """
    silence = torch.zeros(1, _SILENCE * audio.rate)
    sound = mixed_blocks(audio, ear.weights / (ear.peak or 1.0))
    skipped = _SILENCE * RATE - WINDOW // 2
    for block in change_rate(chain([silence], sound, [silence]), audio.rate, RATE):
        yield block[0, skipped:].numpy()
        skipped = max(0, skipped - block.shape[1])
