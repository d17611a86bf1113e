"""A voice made clear: its noise taken out, everything else silent, and all voices as loud as the loudest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch

from ...errors import InputError
from ...media.mixing import change_rate, mixed_blocks
from ...media.spool import Samples, room
from ...types import Audio
from .denoisers import DENOISED_RATE, Denoiser, denoise
from .turns import Voices

_BEFORE, _AFTER = 0.12, 0.2  # s of the sound that are kept around speech: breath, a soft beginning, an end that fades
_EASE = 0.02  # s in which silence begins and ends
_MOST, _FULL = 10.0, 0.99  # by which a soft voice is made louder at most, and how loud it may become
_QUIET, _NOISY = 28.0, 14.0  # dB of ``Voices.clarity``: from the one on nothing is taken out, below the other the most
_KEPT = {"rnnoise": 0.4, "deepfilternet3": 0.2}  # of the sound as it was that is kept with the most: what takes noise
# out takes some of the voice, and the mouth follows that worse than a little noise; chosen, like the two above, on
# six recordings, of which ``benchmarks/voice.py`` measures what comes out
_MOSTLY = 0.6  # of the energy that is taken out; more is mostly music or noise


@dataclass(frozen=True, eq=False)
class CleanVoice:
    """What was left of a sound."""

    audio: Audio = field(repr=False)
    """One channel, at the sound's rate and as long."""
    foreign: float
    """Share, 0 … 1, of the sound's energy that is no voice but noise or music, as far as that was looked for."""
    denoiser: str
    """What took the noise out; empty: nothing did."""

    @property
    def remark(self) -> str:
        """What a person should know, in a sentence; empty where all is well."""
        return _FOREIGN.format(share=self.foreign) if self.foreign > _MOSTLY else ""


_FOREIGN = (
    "{share:.0%} of the sound is music or noise, and what is left of the voice may be damaged: where you have the "
    "voice alone, such as a vocal track, let the lips follow that (lips_from, --lips-from)."
)


def clean_voice(audio: Audio, voices: Voices, *, denoiser: Denoiser | None = None, voice: int = 0) -> CleanVoice:
    """Leave of a sound what somebody says, in place.

    Args:
        audio: The sound.
        voices: What ``hear_voices`` told of it.
        denoiser: Takes out the noise, as ``find_denoiser`` finds one; None leaves what sounds while somebody speaks.
        voice: Who is heard, 0 for everybody. Where another speaks it is silent.

    Returns:
        A sound in which what is at a sample is at the same in the given one.

    Raises:
        InputError: There is no such voice.
        SettingsError: What takes noise out cannot be loaded.
    """
    moments, gains = _gate(voices, voice)
    energies = np.zeros(2)
    count, done = audio.samples.shape[1], 0
    made, mapped = room(1, count)
    blocks = (block[0].numpy() for block in _blocks(audio, voices, denoiser, energies))
    for block in blocks:
        some = block[: count - done]
        gain = np.interp((done + np.arange(len(some))) / audio.rate, moments, gains)
        made[0, done : done + len(some)] = some * gain
        done += len(some)
    made[0, done:] = 0
    before, after = energies
    result = CleanVoice(
        Audio(torch.from_numpy(made), audio.rate, mapped),
        float(max(0.0, 1 - after / before)) if before else 0.0,
        denoiser.name if denoiser else "",
    )
    result.audio.rest()
    return result


def _blocks(audio: Audio, voices: Voices, denoiser: Denoiser | None, energies: np.ndarray) -> Iterator[torch.Tensor]:
    """Mix a sound to one channel and take out its noise, (1, n) block by block at its own rate.

    Args:
        audio: The sound.
        voices: Tells how noisy it is.
        denoiser: As of ``clean_voice``.
        energies: (2,) to which the energy is added before and after the noise was taken out.
    """
    mixed = mixed_blocks(audio, voices.ear.weights)
    if denoiser is None:
        yield from mixed
        return
    clear = float(np.clip((voices.clarity - _NOISY) / (_QUIET - _NOISY), 0, 1))
    kept = clear + (1 - clear) * _KEPT[denoiser.name]
    heard = (block[0].numpy() for block in change_rate(mixed, audio.rate, DENOISED_RATE))
    yield from change_rate(_denoised(heard, denoiser, kept, energies), DENOISED_RATE, audio.rate)


def _denoised(
    blocks: Iterator[Samples], denoiser: Denoiser, kept: float, energies: np.ndarray
) -> Iterator[torch.Tensor]:
    """Take noise out, but keep a share of the sound as it was."""
    waiting: list[Samples] = []

    def passed() -> Iterator[Samples]:
        for block in blocks:
            waiting.append(block)
            yield block

    for cleaned in denoise(passed(), denoiser):
        joined = np.concatenate((*waiting, cleaned[:0]))
        waiting[:] = [joined[len(cleaned) :]]
        before = joined[: len(cleaned)]
        energies += np.square(before).sum(dtype=np.float64), np.square(cleaned).sum(dtype=np.float64)
        yield torch.from_numpy(np.float32(kept) * before + np.float32(1 - kept) * cleaned)[None]


def _gate(voices: Voices, voice: int) -> tuple[list[float], list[float]]:
    """Tell how loud the sound is made: at these seconds by these factors, and between them by what lies between.

    Raises:
        InputError: There is no such voice.
    """
    numbers = [one.number for one in voices.voices]
    if voice and voice not in numbers:
        known = f"1 to {len(numbers)}" if len(numbers) > 1 else "only voice 1" if numbers else "none"
        raise InputError(f"Expected a voice that speaks in the sound, of which there is {known}; got {voice}.")
    most = max((one.level for one in voices.voices), default=0.0)
    gains = {
        one.number: min(most / max(one.level, 1e-9), _MOST, max(_FULL / max(one.peak, 1e-9), 1.0))
        if voice in (0, one.number)
        else 0.0
        for one in voices.voices
    }
    edges = [[turn.start - _BEFORE, turn.end + _AFTER] for turn in voices.turns]
    for one, other in pairwise(edges):
        if one[1] > other[0]:
            pause = max(other[0] + _BEFORE - (one[1] - _AFTER), 0.0)
            one[1] = other[0] = one[1] - _AFTER + pause * _AFTER / (_BEFORE + _AFTER)
    points: list[tuple[float, float]] = [(0.0, 0.0)]
    for turn, (start, end) in zip(voices.turns, edges, strict=True):
        joined = points[-1][0] >= start
        points += [] if joined else [(max(start - _EASE, points[-1][0]), 0.0)]
        if joined:
            points.pop()
        points += [(start, gains[turn.voice]), (end - _EASE, gains[turn.voice]), (end, 0.0)]
    return [moment for moment, _ in points], [gain for _, gain in points]
