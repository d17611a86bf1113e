"""What is done to samples before they are heard or animated: mixed, resampled, cut and moved, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import soxr
import torch

from ..errors import InputError
from ..types import Audio
from .spool import room

BLOCK = 1 << 18
"""Samples per channel that are worked on at a time."""


def mono(audio: Audio) -> Audio:
    """Mix all channels into one: their mean; surround is mixed to stereo first, so that the centre keeps its weight.

    A mono sound is returned as it is.
    """
    return _mixed(audio, 1)


def stereo(audio: Audio) -> Audio:
    """Mix more than two channels down to two; mono and stereo are returned as they are.

    Six channels are taken as 5.1, eight as 7.1 (front left, front right, centre, low, then the others in pairs left
    and right), unless the sound is no surround; for other numbers both sides are the mean.

    Source: ITU-R BS.775-3, table 2: centre and surround at −3 dB, low frequencies left out; scaled to stay within ±1.
    """
    return audio if audio.samples.shape[0] <= 2 else _mixed(audio, 2)


def resample(audio: Audio, rate: int, *, channels: int | None = None) -> Audio:
    """Change the rate to ``rate`` samples per second, as librosa does it.

    Args:
        audio: A sound, its samples on the CPU.
        rate: Samples per second, above 0.
        channels: 1 or 2 to mix down to in the same pass, as ``mono`` and ``stereo`` do, but without a mixed copy of
            the whole; None keeps the channels.

    Returns:
        ceil(n · rate / audio.rate) samples per channel; the same object where nothing changes.

    Source: librosa.resample(res_type="soxr_hq"), the resampler behind it called directly: importing librosa takes
    seconds, half a minute the first time, and 180 MB.
    """
    have = audio.samples.shape[0]
    if channels is None or have <= channels:
        channels = have
    if rate == audio.rate:
        return _mixed(audio, channels)
    samples, done = torch.zeros(channels, resampled_length(audio, rate)), 0
    for block in resample_blocks(audio, rate, channels=channels):
        samples[:, done : done + block.shape[1]] = block
        done += block.shape[1]
    return replace(audio, samples=samples, rate=rate, mapped=None)


def resampled_length(audio: Audio, rate: int) -> int:
    """Count the samples that a sound has at another rate: ceil(n · rate / audio.rate)."""
    return math.ceil(audio.samples.shape[1] * Fraction(rate, audio.rate))


def resample_blocks(
    audio: Audio, rate: int, *, channels: int | None = None, block: int = BLOCK
) -> Iterator[torch.Tensor]:
    """Change the rate as ``resample`` does, to the bit, but block by block, so that the whole is never held.

    Args:
        audio: As of ``resample``.
        rate: As of ``resample``.
        channels: As of ``resample``.
        block: Samples, at the higher of the two rates, that are worked on at a time.

    Yields:
        (channels, n) one after the other, n being 0 now and then, together as many samples as ``resample`` makes.
    """
    have = audio.samples.shape[0]
    weights = None if channels is None or have <= channels else mix(have, channels, surround=audio.surround)
    step = max(1, block * audio.rate // max(audio.rate, rate))
    left = resampled_length(audio, rate)
    for made in change_rate(mixed_blocks(audio, weights, step), audio.rate, rate):
        yield made[:, :left]
        left = max(0, left - made.shape[1])
    if left:
        yield torch.zeros(have if weights is None else len(weights), left)  # soxr may round the last sample away


def mixed_blocks(audio: Audio, weights: torch.Tensor | None, block: int = BLOCK) -> Iterator[torch.Tensor]:
    """Mix a sound down by ``weights`` (channels, have), None for as it is: (channels, n ≤ ``block``) one by one."""
    for first in range(0, audio.samples.shape[1], block):
        part = audio.samples[:, first : first + block]
        yield part if weights is None else weights @ part
        audio.rest()


def change_rate(blocks: Iterable[torch.Tensor], rate: int, wanted: int) -> Iterator[torch.Tensor]:
    """Change the rate of a sound that comes block by block, as if it came whole.

    Args:
        blocks: (channels, n) float32 one after the other, at least one channel.
        rate: Their samples per second.
        wanted: Samples per second that are wanted.

    Yields:
        (channels, m) one after the other, m being 0 now and then; together the whole's samples, rounded to the nearest
        number. The blocks themselves where both rates are one.
    """
    if rate == wanted:
        yield from blocks
        return
    stream, channels = None, 0
    for block in blocks:
        if stream is None:
            channels = len(block)
            stream = soxr.ResampleStream(rate, wanted, channels, dtype="float32", quality="HQ")
        yield torch.from_numpy(stream.resample_chunk(np.ascontiguousarray(block.numpy().T)).T)
    if stream is not None:
        yield torch.from_numpy(stream.resample_chunk(np.empty((0, channels), np.float32), last=True).T)


def cut(audio: Audio, duration: float) -> Audio:
    """Keep the first ``duration`` seconds, round(duration · rate) samples, without copying; a shorter sound is kept.

    >>> cut(Audio(torch.zeros(1, 16000), 16000), 0.5).duration
    0.5
    """
    count = round(duration * audio.rate)
    return audio if count >= audio.samples.shape[1] else replace(audio, samples=audio.samples[:, :count])


def pad(audio: Audio, duration: float) -> Audio:
    """Append silence up to round(duration · rate) samples; a longer sound is kept as it is."""
    missing = round(duration * audio.rate) - audio.samples.shape[1]
    if missing <= 0:
        return audio
    return replace(audio, samples=torch.nn.functional.pad(audio.samples, (0, missing)), mapped=None)


def shift(audio: Audio, seconds: float) -> Audio:
    """Move a sound to a later moment, or with negative ``seconds`` to an earlier one, by whole samples.

    Silence fills one end and the other is cut, so that the sound is as long as before.

    >>> shift(Audio(torch.tensor([[1.0, 2.0, 3.0]]), 10), 0.1).samples
    tensor([[0., 1., 2.]])
    """
    count = audio.samples.shape[1]
    by = max(-count, min(count, round(seconds * audio.rate)))
    moved, mapped = room(len(audio.samples), count)
    samples = torch.from_numpy(moved)
    samples[:, : max(by, 0)] = 0
    samples[:, count + min(by, 0) :] = 0
    samples[:, max(by, 0) : count + min(by, 0)] = audio.samples[:, max(-by, 0) : count - max(by, 0)]
    result = replace(audio, samples=samples, mapped=mapped)
    for one in (audio, result):
        one.rest()
    return result


def delay(audio: Audio, seconds: float) -> Audio:
    """Let a sound begin later: round(seconds · rate) samples of silence come before it; at 0 it is returned as it is.

    >>> delay(Audio(torch.tensor([[1.0, 2.0]]), 10), 0.1).samples
    tensor([[0., 1., 2.]])
    """
    by = round(seconds * audio.rate)
    if by <= 0:
        return audio
    return replace(audio, samples=torch.nn.functional.pad(audio.samples, (by, 0)), mapped=None)


def mixdown(tracks: Sequence[Audio]) -> Audio:
    """Lay sounds over one another, all from the same moment on.

    Args:
        tracks: At least one, of any rates, channels and lengths.

    Returns:
        Their sum, as long as the longest, at the highest of their rates, mono where all are, else stereo; where it
        would leave ±1 the whole is made softer by as much. One sound alone is returned as it is.
    """
    first, *others = tracks
    if not others:
        return first
    rate, channels = max(one.rate for one in tracks), min(2, max(len(one.samples) for one in tracks))
    samples, mapped = room(channels, max(resampled_length(one, rate) for one in tracks))
    samples[:] = 0
    for one in tracks:
        done = 0
        for block in resample_blocks(one, rate, channels=channels):
            samples[:, done : done + block.shape[1]] += block.numpy()
            done += block.shape[1]
    parts = range(0, samples.shape[1], BLOCK)
    loudest = max((float(np.abs(samples[:, part : part + BLOCK]).max()) for part in parts), default=0.0)
    for part in parts if loudest > 1 else ():
        samples[:, part : part + BLOCK] /= loudest
    return Audio(torch.from_numpy(samples), rate, mapped)


def check_duration(audio: Audio, duration: float, fps: Fraction) -> None:
    """Raise when ``duration`` asks for more than the sound has.

    Up to one frame more is let pass: it is what a length written with two decimals, or in frames, can be off.

    Raises:
        InputError: ``duration`` is longer than the sound by more than one frame.
    """
    if duration <= audio.duration + 1 / float(fps) + 1e-6:
        return
    digits = 2 if round(duration, 2) > round(audio.duration, 2) else 4
    raise InputError(
        f"Expected a duration of at most the sound's {audio.duration:.{digits}f} s, got {duration:.{digits}f} s; "
        "use a longer sound, or leave the duration out for the whole of it."
    )


def _mixed(audio: Audio, channels: int) -> Audio:
    """Mix down to ``channels``, 1 or 2, block by block."""
    have, count = audio.samples.shape
    if have <= channels:
        return audio
    weights = mix(have, channels, surround=audio.surround)
    samples = torch.empty(channels, count)
    for first in range(0, count, BLOCK):
        part = slice(first, first + BLOCK)
        samples[:, part] = weights @ audio.samples[:, part]
        audio.rest()
    return Audio(samples, audio.rate)


def mix(have: int, channels: int, *, surround: bool = True) -> torch.Tensor:
    """Return the weights (channels, have) that mix ``have`` channels, as a rule of surround, to 1 or 2."""
    if have == 2:
        weights = torch.eye(2)
    elif surround and have in {6, 8}:
        half = math.sqrt(0.5)
        left = [1.0, 0.0, half, 0.0] + [half, 0.0] * ((have - 4) // 2)
        right = [0.0, 1.0, half, 0.0] + [0.0, half] * ((have - 4) // 2)
        weights = torch.tensor([left, right]) / sum(left)
    else:
        weights = torch.full((2, have), 1 / have)
    return weights.mean(0, keepdim=True) if channels == 1 else weights
