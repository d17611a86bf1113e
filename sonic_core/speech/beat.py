"""The beat of a song, for a head that nods to it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ..direction import Direction
from ..errors import InputError, SettingsError, SonicWarning
from ..keyframes import Curve
from ..media.audio import read_audio
from ..media.given import as_sound
from ..media.mixing import change_rate, mixed_blocks
from ..types import Audio, Progress, ignore_progress
from .channels import SILENT, choose_ear

MOST_SCALE = 4.0
"""Times that the nods are made larger at most."""
STEADY = 0.3
"""How alike a song is with itself a beat later, from which on it has one: sung and drummed ones have .57 to .9,
speech and a chord that is held .04 to .15."""

_RATE, _HOP, _WINDOW, _BANDS = 22_050, 512, 2048, 128  # librosa's own
_LOUDNESS = (
    0.3  # power of a band's energy that its loudness is like: in decibels a soft cymbal begins as much as a drum
)
_DEEP = 8  # bands below 230 Hz, of drum and bass, that count as much as all others together
_LEAST = 1e-6  # below which nothing begins
_BLOCK = 2048  # spectra made at a time: 47 s, 6 MB
_SLOWEST, _FASTEST, _USUAL, _SPREAD = 60, 180, 105, 0.7  # beats a minute: bounds, the likeliest, its spread in octaves
_TIGHT = 300  # how much nods keep their distance, librosa's ``tightness``
_COMPARED = (0.5, 1, 2, 4, 8)  # beats after which a song is compared with itself; off-beats tell three halves from one
_LATE = 0.035  # s after a drum is struck that it is found
_QUICKEST = 0.46  # s: a head nods no faster than that, but to every other beat
_FEWEST = 2  # beats that make a rhythm
_STEPS = 2  # that are told of: hearing the song, finding its beats
_NOD, _LIFT, _TILT = 3.4, 1.0, 1.3  # degrees down on the beat, up between beats, and to either side in turn
_SIZES = (0.6, 1.3)  # times that: of the weakest beat that is heard, and of the strongest
_HEARD = 0.1  # of the usual beat's strength, below which there is none


def follow_beat(song: str | Path | Audio, *, scale: float = 1.0, progress: Progress = ignore_progress) -> Direction:
    """Hear where the beats of a song are, and let a head nod to them: down on the beat, tilted to either side in turn.

    Args:
        song: A file or a sound; of any length.
        scale: Factor on all angles.
        progress: Called with ("beat", steps done, steps in all).

    Returns:
        ``head_pitch`` and ``head_roll``, to be joined with what else is directed. Nothing moves before the first beat
        and where none is heard.

    Raises:
        SettingsError: ``scale`` is not possible, or librosa is not installed with what it needs.
        InputError: There is no beat at all, as in silence.
        MediaError: The file cannot be read.

    Warns:
        SonicWarning: There is no steady beat, as in speech.

    Source: ``librosa.beat.beat_track``: Ellis 2007, Journal of New Music Research 36.
    """
    if not 0 <= scale <= MOST_SCALE:
        raise SettingsError(f"A head's nods are scaled by 0 to {MOST_SCALE:g}; got {scale}.")
    progress("beat", 0, _STEPS)
    strength = _strength(read_audio(song) if isinstance(song, (str, Path)) else as_sound(song))
    progress("beat", 1, _STEPS)
    beats, steady = _beats(strength)
    if len(beats) < _FEWEST:
        raise InputError(
            "No beat was heard in the song: a head nods to a song with a rhythm; got silence or too little."
        )
    if steady < STEADY:
        warnings.warn(
            "No steady beat was heard in the song: the head nods to what comes nearest to one; choose a song with a "
            "rhythm, or leave the beat out.",
            SonicWarning,
            stacklevel=2,
        )
    progress("beat", _STEPS, _STEPS)
    return _nods(beats, strength, scale)


def _librosa() -> Any:  # noqa: ANN401 - a module
    """Import librosa, which takes seconds, and which ``pip install --no-deps`` leaves unable to run."""
    try:
        import librosa.beat  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            f"A song's beat is heard by librosa, which is not whole here ({error}): pip install librosa, "
            "or leave the beat out."
        ) from error
    return librosa


def _strength(song: Audio) -> np.ndarray:
    """Tell how much begins at each moment: (n,), one every ``_HOP`` samples at ``_RATE``; all zero for silence."""
    librosa = _librosa()
    ear = choose_ear(song)
    count = 1 + song.samples.shape[1] * _RATE // song.rate // _HOP
    if ear.peak < SILENT:
        return np.zeros(count, np.float32)
    heard = [np.zeros(_WINDOW // 2, np.float32)]
    heard += [one[0].numpy() for one in change_rate(mixed_blocks(song, ear.weights / ear.peak), song.rate, _RATE)]
    samples = np.pad(np.concatenate(heard), (0, _WINDOW))
    parts = []
    for first in range(0, count, _BLOCK):
        some = min(_BLOCK, count - first)
        piece = samples[first * _HOP : (first + some - 1) * _HOP + _WINDOW]
        parts.append(
            librosa.feature.melspectrogram(
                y=piece, sr=_RATE, n_fft=_WINDOW, hop_length=_HOP, n_mels=_BANDS, center=False
            )
        )
    loudness = np.concatenate(parts, axis=1) ** _LOUDNESS
    deep, rest = librosa.onset.onset_strength_multi(S=loudness, sr=_RATE, hop_length=_HOP, channels=[0, _DEEP, _BANDS])
    return deep / max(float(deep.std()), _LEAST) + rest / max(float(rest.std()), _LEAST)


def _beats(strength: np.ndarray) -> tuple[np.ndarray, float]:
    """Find the beats: their places in ``strength``, (m,), and how alike the song is with itself a beat later, 0 … 1."""
    librosa = _librosa()
    if not strength.any():
        return np.zeros(0, int), 0.0
    tempo, steady = _tempo(strength)
    _, beats = librosa.beat.beat_track(
        onset_envelope=strength, sr=_RATE, hop_length=_HOP, bpm=tempo, tightness=_TIGHT, trim=False
    )
    return np.asarray(beats), steady


def _tempo(strength: np.ndarray) -> tuple[float, float]:
    """Choose the beats a minute at which a song is most alike with itself some beats later, and say how much."""
    count = len(strength)
    spectrum = np.fft.rfft(strength - strength.mean(), 2 * count)
    alike = np.fft.irfft(np.abs(spectrum) ** 2)[:count]
    alike = alike / max(float(alike[0]), 1e-9) / np.maximum(1 - np.arange(count) / count, 0.25)
    tempos = np.arange(_SLOWEST, _FASTEST, 0.5)
    lags = 60 * _RATE / _HOP / tempos
    near = np.array([-0.7, 0, 0.7])[:, None]  # places: a beat need not fall on one
    found = np.stack([np.interp(one * lags + near, np.arange(count), alike, right=0.0).max(0) for one in _COMPARED])
    chosen = int((found.mean(0) * np.exp(-0.5 * (np.log2(tempos / _USUAL) / _SPREAD) ** 2)).argmax())
    return float(tempos[chosen]), float(found[1:, chosen].mean())


def _nods(beats: np.ndarray, strength: np.ndarray, scale: float) -> Direction:
    """Make the head's curves of the beats' places."""
    loud = np.maximum.reduce([strength[np.clip(beats + one, 0, len(strength) - 1)] for one in (-1, 0, 1)])
    seconds = np.maximum(beats * _HOP / _RATE - _LATE, 0)
    if np.median(np.diff(seconds)) < _QUICKEST:
        odd = int(loud[1::2].sum() > loud[::2].sum())
        seconds, loud = seconds[odd::2], loud[odd::2]
    usual = float(np.median(loud[loud > 0])) if loud.any() else 1.0
    size = np.where(loud < _HEARD * usual, 0.0, np.clip(loud / usual, *_SIZES)) * scale
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else _QUICKEST
    pitch, roll = [(0.0, 0.0)], [(0.0, 0.0)]
    for index, (moment, far) in enumerate(zip(seconds.tolist(), size.tolist(), strict=True)):
        if moment - step / 2 > pitch[-1][0]:
            pitch.append((moment - step / 2, _LIFT * far))
        if moment > pitch[-1][0]:
            pitch.append((moment, -_NOD * far))
            roll.append((moment, _TILT * far * (-1) ** index))
    for curve in (pitch, roll):
        curve.append((curve[-1][0] + step, 0.0))
    return Direction((("head_pitch", Curve.of(pitch)), ("head_roll", Curve.of(roll))))
