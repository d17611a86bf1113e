"""Sound → what the mouth network hears: log-mel levels a hundred times a second, relative to the whole sound."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from torch.nn.functional import pad

from ..media.mixing import resample
from ..types import Audio
from .channels import Ear, choose_ear

RATE = 16_000
HOP = 160
LEVEL_RATE = RATE // HOP
"""Levels per second."""
WINDOW = 512
BANDS = 40
LOWEST, HIGHEST = 60.0, 7600.0
"""Hz, between which the bands lie."""
LOWEST_TONE = 75.0
"""Hz: the lowest pitch that is looked for."""

_SPAN = 70.0  # dB below the loudest band of the loudest frame that still count
_ACTIVE = 35.0  # dB below the loud frames that count as somebody speaking
_TONES = ((60, 300), (200, 1200), (1500, 3000))  # Hz: a voice's low end, where its first formant lies, what is bright
_HIGHEST_TONE = 400  # Hz
_VOICED_BELOW = 1000  # Hz: what decides on a voice's pitch; above it noise
_VOICED, _NEARLY = 0.55, 0.9  # of full likeness is a pitch; of the highest peak is a shorter period as good
_BLOCK = 20  # s
_CONTEXT = 2  # s around a block: longer than the resampler's filter at any rate in use
_FRAMES = 3000  # frames a block: 30 s


class Scale(NamedTuple):
    """What makes levels relative to the sound they belong to."""

    floor: float
    """dB below which nothing counts."""
    mean: np.ndarray
    """(bands,) dB."""
    deviation: np.ndarray
    """(bands,) dB."""


class Sound(NamedTuple):
    """What is measured of a sound; row ``i`` is centred at ``i / LEVEL_RATE`` seconds."""

    levels: np.ndarray
    """(n, bands) float16: mel levels in dB below the sound's own peak; 29 MB for an hour."""
    tone: np.ndarray
    """(n,) float32: the voice's pitch in semitones above ``LOWEST_TONE``, NaN where none is heard."""

    @classmethod
    def nothing(cls) -> Sound:
        """Measure of a sound in which there is nothing."""
        return cls(np.zeros((0, BANDS), np.float16), np.zeros(0, np.float32))


def measure_levels(audio: Audio) -> np.ndarray:
    """Measure the mel levels of a sound, any rate, any channels: ``Sound.levels``."""
    return measure_sound(audio, choose_ear(audio)).levels


def measure_sound(audio: Audio, ear: Ear) -> Sound:
    """Measure levels and pitch of a sound of any rate, some seconds at a time, from one spectrum."""
    rate, count = audio.rate, audio.samples.shape[1]
    weights = ear.weights / (ear.peak or 1.0)
    parts = []
    for start in range(0, count, _BLOCK * rate):
        left, right = start - _CONTEXT * rate, start + (_BLOCK + _CONTEXT) * rate
        part = weights @ audio.samples[:, max(left, 0) : right]
        part = pad(part, (max(-left, 0), max(right - count, 0)))
        samples = resample(Audio(part, rate), RATE).samples[0].numpy()
        edge = _CONTEXT * RATE - WINDOW // 2
        last = start + _BLOCK * rate >= count
        frames = 1 + (count - start) * LEVEL_RATE // rate if last else _BLOCK * LEVEL_RATE
        power = _power(samples[edge : edge + (frames - 1) * HOP + WINDOW])
        parts.append((_mel(power).astype(np.float16), _tones(power)))
        audio.rest()
    if not parts:
        return Sound.nothing()
    levels, tone = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Sound(levels, tone)


def mel_levels(samples: np.ndarray) -> np.ndarray:
    """Measure the level of each mel band in dB.

    Args:
        samples: (WINDOW + (n − 1) · HOP,) at ``RATE``: frame ``i`` is the window that begins at ``i · HOP``.

    Returns:
        (n, bands) float32.
    """
    return _mel(_power(samples))


def _power(samples: np.ndarray) -> np.ndarray:
    """Measure power by frequency of the frames of ``mel_levels``: (n, WINDOW // 2 + 1) float32, full scale about 1."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    spectrum = np.fft.rfft(frames * _window(), axis=1)
    return ((spectrum.real**2 + spectrum.imag**2) / (WINDOW * WINDOW / 8)).astype(np.float32)


def _mel(power: np.ndarray) -> np.ndarray:
    """Sum power (n, frequencies) in each mel band: (n, bands) float32 in dB."""
    return 10 * np.log10(power @ _bank().T + np.float32(1e-11))


def _tones(power: np.ndarray) -> np.ndarray:
    """Find the pitch of a voice in power (n, frequencies): (n,) float32 semitones above ``LOWEST_TONE``, or NaN.

    Source: the autocorrelation's highest peak over that of the window, the shortest of nearly equal ones, Boersma
    1993, Proceedings of the Institute of Phonetic Sciences 17.
    """
    low = power * (np.fft.rfftfreq(WINDOW, 1 / RATE) < _VOICED_BELOW)
    least, most = RATE // _HIGHEST_TONE, int(RATE / LOWEST_TONE)
    alike = np.fft.irfft(low, axis=1)[:, : most + 2]
    own = np.fft.irfft(np.abs(np.fft.rfft(_window())) ** 2)[: most + 2]
    alike = alike[:, least - 1 :] / np.maximum(alike[:, :1], 1e-12) * (own[0] / own[least - 1 :])
    peak = (alike[:, 1:-1] >= alike[:, :-2]) & (alike[:, 1:-1] >= alike[:, 2:])
    height = np.where(peak, alike[:, 1:-1], 0)
    highest = height.max(1)
    lag = least + (height > _NEARLY * highest[:, None]).argmax(1)
    return np.where(highest > _VOICED, 12 * np.log2(RATE / LOWEST_TONE / lag), np.nan).astype(np.float32)


def scale_of(levels: np.ndarray) -> Scale:
    """Measure mean and deviation of each band over the frames in which somebody speaks.

    A microphone, a room and a voice's own colour are mostly such a mean and deviation.

    Args:
        levels: (n, bands) in dB, n at least 1.
    """
    floor, active = float(levels.max()) - _SPAN, np.flatnonzero(_active(levels))
    total, squares = np.zeros(BANDS), np.zeros(BANDS)
    for start in range(0, len(active), _FRAMES):
        chosen = np.maximum(levels[active[start : start + _FRAMES]].astype(np.float64), floor)
        total += chosen.sum(0)
        squares += (chosen**2).sum(0)
    mean = total / len(active)
    deviation = np.sqrt(np.maximum(squares / len(active) - mean**2, 0))
    return Scale(floor, mean.astype(np.float32), np.maximum(deviation, 2.0).astype(np.float32))


def standardise(levels: np.ndarray, scale: Scale) -> np.ndarray:
    """Make levels (n, bands) relative to their sound: float32, about ±1, at most ±4."""
    above = np.maximum(levels.astype(np.float32), scale.floor)
    return ((above - scale.mean) / scale.deviation).clip(-4, 4)


def measure_brightness(levels: np.ndarray) -> np.ndarray:
    """Measure how bright, and so how open, a vowel sounds: (n,) from levels (n, bands) in dB, relative to the sound.

    Source: z(spectral centroid of 200–1200 Hz) + z(level of 1.5–3 kHz) − ½ z(level of 60–300 Hz) over the frames in
    which somebody speaks, 0 in the others; blurred by 50 ms.
    """
    centre = _edges()[1:-1]
    low, slow, middle = ((centre >= least) & (centre < most) for least, most in _TONES)
    parts = []
    for start in range(0, len(levels), _FRAMES):
        power = 10 ** (levels[start : start + _FRAMES].astype(np.float32) / 10)
        centroid = power[:, slow] @ centre[slow] / power[:, slow].sum(1)
        parts.append((centroid, 10 * np.log10(power[:, middle].sum(1)), 10 * np.log10(power[:, low].sum(1))))
    active = _active(levels)
    centroid, high, deep = (_standard(np.concatenate(part), active) for part in zip(*parts, strict=True))
    return ndimage.gaussian_filter1d((centroid + high - 0.5 * deep) * active, 0.05 * LEVEL_RATE).astype(np.float32)


def _active(levels: np.ndarray) -> np.ndarray:
    """Tell in which frames somebody speaks: (n,) bool from levels (n, bands)."""
    loud = levels.max(1).astype(np.float32)
    return loud > np.percentile(loud, 95) - _ACTIVE


def _standard(values: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Subtract the mean and divide by the deviation of the active frames; outliers are cut off."""
    chosen = values[active]
    return np.clip((values - chosen.mean()) / max(float(chosen.std()), 1e-3), -2.5, 2.5)


@functools.cache
def _window() -> np.ndarray:
    """Make the window through which a moment is heard: (WINDOW,) float32."""
    return np.hanning(WINDOW).astype(np.float32)


@functools.cache
def _bank() -> np.ndarray:
    """Make triangles evenly spaced in mel: (bands, WINDOW // 2 + 1)."""
    edges, frequency = _edges(), np.fft.rfftfreq(WINDOW, 1 / RATE)
    rise = (frequency - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - frequency) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


def _edges() -> np.ndarray:
    """Space the feet and tops of the triangles evenly in mel, 2595 log10(1 + f / 700): (bands + 2,) Hz."""
    least, most = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST, HIGHEST))
    return 700 * (10 ** (np.linspace(least, most, BANDS + 2) / 2595) - 1)
