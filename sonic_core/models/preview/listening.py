"""Listens to a sound once: what the mouth does, what head and brows follow, and what the person should be told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...speech.channels import SILENT
from ...speech.levelling import total_level
from ...speech.mel import Sound
from ...speech.motion import MOTION_RATE, Motion, Reading, read_sound
from ...speech.prosody import Prosody
from ...types import Audio

_SPAN = (35.0, 18.0, 6.0)  # dB: the most and the least by which loud moments exceed quiet ones, and those their noise
_TONE_EASE = 0.06  # s: deviation of the Gaussian by which a voice's pitch is blurred
_TONE_REACH = 12.0  # semitones from its usual pitch that a voice is believed
_NO_VOICE, _PART = 0.3, 0.25  # s of speech, less than which is none, but no more than this part of a short sound
_JUDGED = 4.0  # s that a sound lasts at least if it is to be told from music
_MANY_KINDS = (1.0, 2.3)  # kinds of sound, times how surely they are told apart, fewer than which are no speech: where
_ENOUGH = 1.5  # hardly any is heard, and after so many seconds; speech of six voices, also under music as loud, has 2.4
# to 6, made-up music of 18 kinds 0 to 2.4


@dataclass(frozen=True, eq=False)
class Heard:
    """What a sound tells of whoever says it."""

    motion: Motion
    """What the mouth does."""
    prosody: Prosody
    """What head, eyes and brows follow."""
    remarks: tuple[str, ...]
    """What is wrong with the sound, each in a sentence."""


def listen(audio: Audio) -> Heard:
    """Listen to a sound: any rate, any channels, any length (``motion.read_sound``)."""
    reading = read_sound(audio)
    return Heard(reading.motion, _prosody(reading), _remarks(reading))


def _prosody(reading: Reading) -> Prosody:
    """Measure the voice's melody and rhythm, as many values as the motion has."""
    speaking = reading.motion.speaking.astype(np.float64)
    if not len(reading.sound.levels):
        return Prosody(speaking, np.zeros(len(speaking)), np.zeros(len(speaking)))
    curves = (_loudness(total_level(reading.sound.levels))[::2], _tone(reading.sound)[::2])
    loudness, tone = (np.pad(one[: len(speaking)], (0, max(len(speaking) - len(one), 0))) for one in curves)
    return Prosody(speaking, loudness, tone)


def _loudness(level: np.ndarray) -> np.ndarray:
    """Map levels (n,) in dB to 0 (no speech) … 1 (this voice's loud moments)."""
    loud = float(np.percentile(level[level >= level.max() - 40], 90))
    most, least, above = _SPAN
    quiet = max(loud - most, min(float(np.percentile(level, 4)) + above, loud - least))
    return np.clip((level - quiet) / (loud - quiet), 0, 1.1)


def _tone(sound: Sound) -> np.ndarray:
    """Say how far a voice is above its usual pitch, smooth, 0 where it has none: (n,) semitones."""
    voiced = np.isfinite(sound.tone) & (sound.levels.max(1) > sound.levels.max() - _SPAN[0])
    if not voiced.any():
        return np.zeros(len(voiced))
    above = np.where(voiced, sound.tone - np.median(sound.tone[voiced]), 0)
    voiced &= np.abs(above) < _TONE_REACH
    deviation = _TONE_EASE * 2 * MOTION_RATE
    weight = ndimage.gaussian_filter1d(voiced.astype(np.float64), deviation)
    return ndimage.gaussian_filter1d(above * voiced, deviation) / (weight + 0.15)


def _remarks(reading: Reading) -> tuple[str, ...]:
    """Say what a person should know of the sound."""
    about_channels = (reading.ear.remark,) if reading.ear.remark else ()
    if reading.ear.peak < SILENT:
        return (_SILENCE,)
    spoken = reading.kinds[:, reading.kinds[0] < 0.5]
    seconds = spoken.shape[1] / MOTION_RATE
    if seconds < min(_NO_VOICE, _PART * len(reading.motion.speaking) / MOTION_RATE):
        return (*about_channels, _WORDLESS)
    if len(reading.motion.speaking) < _JUDGED * MOTION_RATE:
        return about_channels
    share = np.bincount(spoken[1:].argmax(0)) / spoken.shape[1]
    kinds = float(np.exp(-np.sum(share[share > 0] * np.log(share[share > 0]))))
    least, most = _MANY_KINDS
    few = kinds * float(spoken.max(0).mean()) < least + (most - least) * min(1, seconds / _ENOUGH)
    return (*about_channels, _MUSIC) if few else about_channels


_SILENCE = "The sound is silent: the mouth stays shut; choose a sound in which somebody speaks."
_WORDLESS = "No voice was heard in the sound: the mouth stays shut; choose a sound in which somebody speaks."
_MUSIC = (
    "The sound seems to be music or noise without a voice: the mouth moves, but not to words; choose a sound in which "
    "somebody speaks or sings, best the voice alone."
)
