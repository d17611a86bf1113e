"""Phonemes with times → curves of lips and jaw, each sound blended with its neighbours.

Source: Cohen & Massaro 1993, "Modeling coarticulation in synthetic visual speech": dominance functions, here Gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...speech.network import CHANNELS, KINDS
from ...speech.spectrum import LEVEL_RATE
from .articulation import PAUSE, SOUNDS, Articulation, sounds_of
from .espeak import Utterance

_LEAST = 0.03  # s: the shortest reach of a sound's dominance
_RAMP = (0.05, 0.04)  # s: how long lips take to meet and to part; longer ones eat short vowels (pa, mu)
_SHORTEST_CLOSURE = 0.05  # s
_EFFORT = 0.035  # opening per dB above a clip's usual vowel
_FRAME = 0.0025  # s: the step at which the sound is measured
_VOICELESS = set("ptkcqʈ")


@dataclass(frozen=True)
class Script:
    """Who says what when: all that is known of an utterance beside its sound."""

    sounds: np.ndarray
    """(k, 3): begin and end in seconds, and the sound's symbol as a code point, ``_`` for a pause."""
    closures: np.ndarray
    """(m, 2): begin and end in seconds of each span in which the lips are shut."""


def script_of(utterance: Utterance, rate: float) -> Script:
    """Split the phonemes into sounds; stops begin where the sound stops, not where they burst.

    Args:
        utterance: Sound and phonemes; sample numbers are read at ``rate``, which differs from the synthesiser's where
            the sound is to be played faster or slower.
        rate: Samples per second.
    """
    level, high = _levels(utterance.samples, rate)
    spans: list[tuple[Articulation, float, float]] = []
    shut: list[tuple[float, float]] = []
    for phone in utterance.phones:
        sounds = sounds_of(phone.name)
        if not sounds:
            continue
        start, end = phone.start / rate, phone.end / rate
        if sounds == [PAUSE] and end - start < 0.12 and _mean(level, start, end) > -45 and spans:
            spans[-1] = (*spans[-1][:2], end)  # a voiced linker belongs to the sound before
            continue
        burst, voiceless = start, sounds[0].symbol in _VOICELESS
        if voiceless:
            least = spans[-1][1] + 0.02 if spans else max(0.0, start - 0.06)
            start = _closure_start(level, start, max(least, start - 0.12))
            if spans:
                spans[-1] = (*spans[-1][:2], max(start, spans[-1][1] + 0.005))
        if sounds[0].closed:
            release = burst if voiceless else _release(high, start, end)
            joined = shut and spans and spans[-1][0].closed and spans[-1][2] > start - 0.02
            begin = shut.pop()[0] if joined else start
            shut.append((begin, max(release, begin + _SHORTEST_CLOSURE)))
        spans += _share(sounds, start, end)
    rows = [(start, end, ord(sound.symbol or "_")) for sound, start, end in spans]
    return Script(np.array(rows, np.float32).reshape(-1, 3), np.array(_merge(shut), np.float32).reshape(-1, 2))


def draw_targets(script: Script, levels: np.ndarray) -> np.ndarray:
    """Draw what the mouth does, one row for each of ``levels``.

    Args:
        script: The utterance.
        levels: Its clean mel levels in dB, (n, bands): louder vowels open wider.

    Returns:
        (n, channels + 2) float32: ``CHANNELS`` without closures, the closure 0 … 1, and an index into ``KINDS``.
    """
    time = np.arange(len(levels)) / LEVEL_RATE
    sounds = [SOUNDS.get(chr(int(code)), PAUSE) for code in script.sounds[:, 2]]
    kind = np.zeros(len(time))
    for sound, (start, end, _) in zip(sounds, script.sounds, strict=True):
        kind[(time >= start) & (time < end)] = KINDS.index(sound.kind)
    curves = _blend(sounds, script.sounds[:, :2], _efforts(sounds, script.sounds, levels), time)
    return np.column_stack([curves, _closure_curve(script.closures, time), kind]).astype(np.float32)


def _efforts(sounds: list[Articulation], spans: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Say how much wider each sound is than usual: (k,), 1 for all but vowels louder or softer than the median one."""
    loud = 10 * np.log10((10 ** (levels.astype(np.float32) / 10)).sum(1))
    level = np.full(len(sounds), np.nan)
    for index, (sound, (start, end, _)) in enumerate(zip(sounds, spans, strict=True)):
        part = loud[round(start * LEVEL_RATE) : round(end * LEVEL_RATE) + 1]
        if "vowel" in sound.kind and len(part):
            level[index] = part.mean()
    usual = np.nanmedian(level) if np.isfinite(level).any() else 0.0
    return np.where(np.isnan(level), 1.0, 1.0 + _EFFORT * np.clip(level - usual, -8, 8))


def _blend(sounds: list[Articulation], spans: np.ndarray, efforts: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Blend the targets of k sounds with Gaussian dominance: (n, channels) for ``time`` (n,) in seconds."""
    if not sounds:
        return np.tile(PAUSE.target, (len(time), 1))
    start, end = spans.T
    distance = (time[:, None] - (start + end) / 2) / np.maximum((end - start) / 2, _LEAST)
    dominance = -0.5 * distance**2
    dominance = np.exp(dominance - dominance.max(1, keepdims=True))
    strength = np.array([sound.strength for sound in sounds])
    target = np.array([sound.target for sound in sounds])
    for channel in ("opening", "jaw", "lower"):
        target[:, CHANNELS.index(channel)] *= efforts
    return (dominance @ (strength * target)) / (dominance @ strength)


def _closure_curve(closures: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Draw smooth ramps into and out of the closures (k, 2): (n,), 1 where the lips touch."""
    curve = np.zeros(len(time))
    for start, end in closures:
        before = np.clip((time - start) / _RAMP[0] + 1, 0, 1)
        after = np.clip((end - time) / _RAMP[1] + 1, 0, 1)
        edge = np.minimum(before, after)
        curve = np.maximum(curve, edge * edge * (3 - 2 * edge))
    return curve


def _levels(samples: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Measure the level, and that of the sound's slope (high frequencies), in dB every ``_FRAME`` seconds."""
    step = max(1, round(rate * _FRAME))
    count = len(samples) // step
    slope = np.diff(samples, 2, append=[0, 0])
    result = []
    for signal in (samples, slope):
        power = (signal[: count * step].reshape(count, step) ** 2).mean(1)
        power = np.convolve(power, np.ones(3) / 3, "same")
        result.append((10 * np.log10(power + 1e-9)).astype(np.float32))
    return result[0], result[1]


def _mean(level: np.ndarray, start: float, end: float) -> float:
    """Average levels between two moments in seconds."""
    part = level[int(start / _FRAME) : int(end / _FRAME) + 1]
    return float(part.mean()) if len(part) else -90.0


def _closure_start(level: np.ndarray, burst: float, least: float) -> float:
    """Go back from a voiceless stop's burst over the silence before it, at most to ``least``."""
    last, first = min(int(burst / _FRAME), len(level) - 1), int(least / _FRAME)
    if last <= first + 4:
        return burst
    window = level[first : last + 1]
    quiet = window < min(window.max() - 18.0, -25.0)
    index = last - first - 1
    while index > 0 and (quiet[index] or index > len(window) - 5):
        index -= 1
    start = (first + index + 1) * _FRAME
    return start if burst - start > 0.02 else max(least, burst - 0.06)


def _release(high: np.ndarray, start: float, end: float) -> float:
    """Find where a voiced b or m opens: the first rise of high frequencies after a third of its span."""
    first, last = int(start / _FRAME), int(end / _FRAME)
    part = high[first : last + 1]
    if len(part) < 8:
        return end
    third = len(part) // 3
    risen = np.flatnonzero(part[third:] > np.percentile(part[: 2 * third], 30) + 12.0)
    return (first + third + int(risen[0])) * _FRAME if len(risen) else start + 0.75 * (end - start)


def _share(sounds: list[Articulation], start: float, end: float) -> list[tuple[Articulation, float, float]]:
    """Share a phoneme's span among its sounds evenly."""
    edges = np.linspace(start, end, len(sounds) + 1)
    return [(sound, float(edges[i]), float(edges[i + 1])) for i, sound in enumerate(sounds)]


def _merge(shut: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join closures that overlap or touch (mb, pm)."""
    merged: list[tuple[float, float]] = []
    for start, end in shut:
        if merged and start <= merged[-1][1] + 0.02:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
