"""Sound → what goes with a mouth's movement, by signal processing.

Curves a hundred times a second, with zero phase, by which a mouth seen in a video is compared with a sound. What a
mouth does to say a sound is ``motion``'s, what head and brows follow ``listening``'s. Everything is measured relative
to the whole sound, because a voice is known by its own average.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..easing import smooth_rise
from ..media.mixing import resample
from ..types import Audio
from .channels import choose_ear

RATE = 16_000
HOP = 160
WINDOW = 512
CURVE_RATE = RATE // HOP
"""Curve values per second."""

_BLOCK = 2000  # frames a block: 20 s
_SILENT = -65.0  # dB of full scale below which a sound counts as silence
_ACTIVE = 0.25  # loudness above which somebody speaks
_SPAN = 35.0  # dB between a voice's loud moments and what is no longer speech


@dataclass(frozen=True, eq=False)
class Speech:
    """What a sound tells of the mouth that says it; every curve is (n,) float32 at ``CURVE_RATE``."""

    opening: np.ndarray
    """0 closed … 1 as open as this voice ever is."""
    width: np.ndarray
    """−1 … 1: lips drawn together … spread, 0 at rest."""
    loudness: np.ndarray
    """0 silence … 1 the voice's loud moments."""


def speech_curves(audio: Audio) -> Speech:
    """Read the mouth's movement off a sound.

    Args:
        audio: Any rate, any channels.

    Returns:
        Curves whose value ``i`` belongs to the moment ``i / CURVE_RATE`` of the sound.
    """
    return _speech(_bands_of(audio))


def _bands_of(audio: Audio) -> np.ndarray:
    """Measure what ``_band_levels`` does, of the channels that carry the voice."""
    ear = choose_ear(audio)
    heard = Audio(ear.weights @ audio.samples, audio.rate) if ear.remark else audio
    bands = _band_levels(resample(heard, RATE, channels=1).samples[0].numpy())
    audio.rest()
    return bands


def _speech(bands: np.ndarray) -> Speech:
    """Make the curves of ``speech_curves`` from ``_band_levels``."""
    level, low, voice, middle, high, centre = bands
    loudness = _loudness(level)
    active = loudness > _ACTIVE
    if not active.any():
        still = np.zeros(len(level), np.float32)
        return Speech(still, still, still)
    brightness = _standard(centre, active) + _standard(middle, active) - 0.5 * _standard(low, active)
    vowel = np.clip(0.55 + 0.2 * brightness, 0.1, 1.1)
    hiss = smooth_rise((_standard(high, active) - _standard(voice, active) - 1.0) / 1.5)
    opening = loudness * (0.45 * loudness + 0.55 * vowel) * (1 - 0.55 * hiss) * (1 - closures(voice, middle, loudness))
    front = _standard(middle, active) - _standard(voice, active)
    return Speech(
        opening=_smooth(opening, 0.035),
        width=_smooth(np.tanh(0.6 * front) * loudness, 0.06),
        loudness=_smooth(loudness, 0.05),
    )


def mouth_evidence(audio: Audio) -> np.ndarray:
    """Read off a sound what goes with the movement of a mouth, for comparing the two.

    Args:
        audio: Any rate, any channels.

    Returns:
        (6, n) float32 at ``CURVE_RATE``: brightness (of the vowel: how open it sounds), predicted opening and width,
        loudness, and the levels of 4–7.6 kHz and 1.5–3 kHz in dB, these two at most 50 dB below their loudest moment.

    Source: the brightness is z(spectral centroid of 200–1200 Hz) + z(level of 1.5–3 kHz) − ½ z(level of 60–300 Hz).
    """
    bands = _bands_of(audio)
    speech = _speech(bands)
    level, low, _, middle, high, centre = bands
    active = _loudness(level) > _ACTIVE
    if not active.any():
        return np.zeros((6, len(level)), np.float32)
    brightness = _standard(centre, active) + _standard(middle, active) - 0.5 * _standard(low, active)
    high, middle = (np.maximum(band, band.max() - 50) for band in (high, middle))
    rows = (brightness * active, speech.opening, speech.width, speech.loudness, high, middle)
    return np.stack(rows).astype(np.float32)


def closures(voice: np.ndarray, middle: np.ndarray, loudness: np.ndarray) -> np.ndarray:
    """Find the short dips in which lips are shut: p and b (nearly silent), m (a murmur without middle frequencies).

    Args:
        voice: Level of 300–1200 Hz in dB, (n,).
        middle: Level of 1.5–3 kHz in dB, (n,).
        loudness: 0 … 1, (n,).

    Returns:
        0 open … 1 shut, (n,). Only dips with speech on both sides within 150 ms count; a pause is no closure.
    """
    reach = int(0.15 * CURVE_RATE)
    level = 0.5 * (voice + middle)
    before = ndimage.maximum_filter1d(level, reach, origin=(reach - 1) // 2)
    after = ndimage.maximum_filter1d(level, reach, origin=-((reach - 1) // 2))
    depth = np.minimum(before, after) - level
    spoken = ndimage.maximum_filter1d(loudness, reach) > 0.4
    return ndimage.maximum_filter1d(smooth_rise((depth - 12.0) / 8.0) * spoken, 3)


def _band_levels(samples: np.ndarray) -> np.ndarray:
    """Measure level, four bands in dB, and the centroid of 200–1200 Hz in Hz: (6, n), a block at a time."""
    window = np.hanning(WINDOW).astype(np.float32)
    frequency = np.fft.rfftfreq(WINDOW, 1 / RATE)
    bands = [(60, 7600), (60, 300), (300, 1200), (1500, 3000), (4000, 7600)]
    within = np.stack([(frequency >= least) & (frequency < most) for least, most in bands]).astype(np.float32)
    slow = ((frequency >= 200) & (frequency < 1200)).astype(np.float32)
    count = 1 + len(samples) // HOP
    parts = []
    for start in range(0, count, _BLOCK):
        begin, frames = start * HOP - WINDOW // 2, min(_BLOCK, count - start)
        end = begin + frames * HOP + WINDOW
        block = np.pad(samples[max(begin, 0) : end], (max(-begin, 0), max(end - len(samples), 0)))
        index = np.arange(frames)[:, None] * HOP + np.arange(WINDOW)
        power = np.abs(np.fft.rfft(block[index] * window, axis=1)) ** 2 / (WINDOW * WINDOW / 8)
        weight = power * slow + 1e-12
        levels = 10 * np.log10(power @ within.T + 1e-10)
        parts.append(np.column_stack([levels, (weight @ frequency) / weight.sum(1)]))
    return np.concatenate(parts).T.astype(np.float32)


def _loudness(level: np.ndarray) -> np.ndarray:
    """Map levels in dB to 0 (no speech) … 1 (this voice's loud moments)."""
    smooth = ndimage.gaussian_filter1d(level, 2.0)
    loud = float(np.percentile(smooth[smooth >= smooth.max() - 40], 90))
    if loud < _SILENT:
        return np.zeros_like(level)
    floor = float(np.percentile(smooth, 4))
    quiet = max(loud - _SPAN, min(floor + 6.0, loud - 18.0))
    return np.clip((smooth - quiet) / (loud - quiet), 0, 1.1)


def _standard(values: np.ndarray, active: np.ndarray) -> np.ndarray:
    """Subtract the mean and divide by the deviation of the active frames."""
    chosen = values[active]
    return np.clip((values - chosen.mean()) / max(float(chosen.std()), 1e-3), -2.5, 2.5)


def _smooth(values: np.ndarray, seconds: float) -> np.ndarray:
    """Blur over time with a Gaussian of this deviation; it has no lag."""
    return ndimage.gaussian_filter1d(values.astype(np.float32), seconds * CURVE_RATE, mode="constant")
