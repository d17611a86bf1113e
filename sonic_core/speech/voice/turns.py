"""Who speaks when: stretches of speech are told apart by whose voice they are, however many there may be."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from ...media.mixing import change_rate, mixed_blocks
from ...media.spool import Samples, room
from ...types import Audio
from ..channels import Ear, choose_ear
from ..spectrum import RATE
from .activity import CHUNK, SURE, Stretch, find_speech, measure_activity
from .embedding import LENGTH, WIDTH, embed

_HOP = 0.2  # s from one stretch that is listened to to the next
_SHORTEST = 0.3  # s of speech that tell whose it is; less goes with what is next to it
_APART = 0.36  # how unlike two groups of stretches are, 1 − product, that are two voices; chosen on a few recordings,
# of which ``benchmarks/voice.py`` tells the seconds that each voice is given; a second of one voice is .28 from another
# second of it, and .55 from one of another voice (medians of three people)
_SOMEBODY = 1.5  # s that somebody says at least; what is less is somebody else's laugh
_WHOLE = 0.7  # of the length that is best, or the longest: shorter stretches do not tell how many voices there are
_TELLING = 1.0  # s from which a stretch says as much as any of whose it is
_BREAK = 0.09  # s without speech at which somebody else may begin: no stretch that is listened to lies across them
_MOST_GROUPED = 1200  # stretches that are grouped at once; the others go where they fit
_STAY = 0.12  # of likeness by which another voice must fit better for it to begin within a stretch of speech
_SNAP = 0.6  # s around a change within which a pause is where it is, the nearer of two that are as clear

_FRAME, _SOFT, _FLOOR = 320, 10, 1e-6  # samples, 20 ms, of which this percentile of levels is a quiet moment's
_DIP = 0.7  # chance of speech under which there may be a pause
_NEAR = 0.5  # of chance that a second's distance is worth


class Turn(NamedTuple):
    """What one voice says without another between, in seconds."""

    start: float
    end: float
    voice: int
    """1, 2, … in the order in which they are first heard."""


@dataclass(frozen=True)
class HeardVoice:
    """Somebody who is heard in a sound."""

    number: int
    seconds: float
    """For how long."""
    level: float
    """Root mean square of what is said, of full scale."""
    peak: float
    """Largest magnitude."""


@dataclass(frozen=True, eq=False)
class Voices:
    """Who speaks when in a sound."""

    duration: float
    """Seconds of the sound."""
    turns: tuple[Turn, ...]
    """In order; none overlaps another, since of two who speak at once the one that stands out is heard."""
    voices: tuple[HeardVoice, ...]
    """By their numbers."""
    ear: Ear
    """How the sound's channels were listened to."""
    clarity: float
    """dB by which speech is louder than the sound's quiet moments: 30 of a good recording, 10 in loud noise."""

    @property
    def seconds(self) -> float:
        """For how long anybody speaks."""
        return sum(turn.end - turn.start for turn in self.turns)

    @property
    def reason(self) -> str:
        """Who speaks, in a sentence."""
        if not self.voices:
            return "nobody speaks."
        told = ", ".join(f"voice {one.number} for {one.seconds:.1f} s" for one in self.voices)
        return f"{self.seconds:.1f} of {self.duration:.1f} s are speech: {told}."

    def __str__(self) -> str:
        """Who speaks when, a line for each turn."""
        return "\n".join(f"{turn.start:8.2f} … {turn.end:8.2f} s  voice {turn.voice}" for turn in self.turns)


def hear_voices(audio: Audio) -> Voices:
    """Tell who speaks when in a sound.

    Args:
        audio: Any rate, any channels, any length. Of voices that speak at once one is told.
    """
    ear = choose_ear(audio)
    samples = _samples(audio, ear)
    chances = measure_activity(samples[first : first + RATE] for first in range(0, len(samples), RATE))
    spans = find_speech(chances, audio.duration)
    listened = [_listened(span, chances) for span in spans]
    every = [piece for pieces in listened for piece in pieces]
    prints = embed([samples[round(one.start * RATE) : round(one.end * RATE)] for one in every])
    lengths = np.array([one.end - one.start for one in every], np.float32)
    owned = [seconds for span, pieces in zip(spans, listened, strict=True) for seconds in _owned(span, pieces)]
    centres = _group(prints, lengths, np.array(owned, np.float32))
    turns: list[Turn] = []
    first = 0
    for span, pieces in zip(spans, listened, strict=True):
        labels = _follow(prints[first : first + len(pieces)] @ centres.T, pieces)
        first += len(pieces)
        middles = [(one.start + one.end) / 2 for one in pieces]
        turns += _cut(span, middles, labels, chances)
    turns = _named(_adopted(turns))
    return Voices(audio.duration, tuple(turns), _voices(turns, samples), ear, _clarity(turns, samples))


def _samples(audio: Audio, ear: Ear) -> Samples:
    """Listen to a sound at ``RATE``: (n,)."""
    count = -(-audio.samples.shape[1] * RATE // audio.rate)
    made, done = room(1, count)[0][0], 0
    for block in change_rate(mixed_blocks(audio, ear.weights), audio.rate, RATE):
        some = block[0, : count - done].numpy()
        made[done : done + len(some)] = some
        done += len(some)
    made[done:] = 0
    return made


def _listened(span: Stretch, chances: np.ndarray) -> list[Stretch]:
    """Lay stretches over speech that are listened to, none across a pause unless there is nothing else."""
    step = CHUNK / RATE
    first, last = round(span.start / step), round(span.end / step)
    spoken = np.flatnonzero(chances[first:last] >= SURE) + first
    breaks = np.flatnonzero(np.diff(spoken) * step > _BREAK + step)
    edges = [span.start, *(edge * step for at in breaks for edge in (spoken[at] + 1, spoken[at + 1])), span.end]
    phrases = [Stretch(float(begin), float(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]
    return [piece for phrase in phrases for piece in _pieces(phrase)] or _pieces(span)


def _pieces(span: Stretch) -> list[Stretch]:
    """Lay stretches over speech that are listened to; none where it is too short."""
    long = span.end - span.start
    if long < _SHORTEST:
        return []
    if long <= LENGTH + _HOP:
        return [span]
    count = int((long - LENGTH) / _HOP) + 1
    starts = np.linspace(span.start, span.end - LENGTH, count).tolist()
    return [Stretch(start, start + LENGTH) for start in starts]


def _owned(span: Stretch, pieces: list[Stretch]) -> list[float]:
    """Tell of how many seconds each stretch laid over speech is the nearest: few, for one in a change of voices."""
    middles = [(one.start + one.end) / 2 for one in pieces]
    edges = [span.start, *((one + other) / 2 for one, other in pairwise(middles)), span.end]
    return [after - before for before, after in pairwise(edges)] if pieces else []


def _group(prints: np.ndarray, lengths: np.ndarray, owned: np.ndarray) -> np.ndarray:
    """Find how many voices there are, and what each is like: (voices, ``WIDTH``), each of length 1.

    Args:
        prints: (n, ``WIDTH``) of stretches of speech.
        lengths: (n,) seconds of each.
        owned: (n,) seconds of speech to which each is the nearest.
    """
    whole = np.flatnonzero(lengths >= _WHOLE * min(LENGTH, lengths.max(initial=0.0)))
    if len(whole) > _MOST_GROUPED:
        whole = whole[np.linspace(0, len(whole) - 1, _MOST_GROUPED).astype(int)]
    if len(whole) <= 1:
        return prints[whole] if len(whole) else np.zeros((0, WIDTH), np.float32)
    from scipy.cluster import hierarchy  # noqa: PLC0415 - a tenth of a second, for sounds with several voices only

    tree = hierarchy.linkage(prints[whole].astype(np.float64), "average", "cosine")
    labels = hierarchy.fcluster(tree, _APART, "distance")
    centres = np.stack([prints[whole][labels == label].mean(0) for label in np.unique(labels)])
    said = np.bincount(labels, owned[whole] * (owned.sum() / owned[whole].sum()))[1:]
    centres = centres[said >= min(_SOMEBODY, said.max())]
    return centres / np.linalg.norm(centres, axis=1, keepdims=True)


def _follow(likeness: np.ndarray, pieces: list[Stretch]) -> list[int]:
    """Follow who speaks through a stretch of speech: changes that are not worth it are none.

    Args:
        likeness: (n, voices) of successive pieces; short ones say less.
        pieces: Where they are. Those that overlap say much the same, so more of them must agree on a change.

    Source: Viterbi's algorithm.
    """
    if not len(likeness):
        return []
    weights = [min((one.end - one.start) / _TELLING, 1.0) for one in pieces]
    best, back = likeness[0] * weights[0], []
    for row, (before, piece) in zip((likeness * np.array(weights)[:, None])[1:], pairwise(pieces), strict=True):
        worth = _STAY * (LENGTH / _HOP / 2 if piece.start < before.end else 1)
        stay, other = best, best.max() - worth
        back.append(np.where(stay >= other, np.arange(len(row)), best.argmax()))
        best = np.maximum(stay, other) + row
    path = [int(best.argmax())]
    for choice in reversed(back):
        path.append(int(choice[path[-1]]))
    return path[::-1]


def _cut(span: Stretch, middles: list[float], labels: list[int], chances: np.ndarray) -> list[Turn]:
    """Cut a stretch of speech where the voice changes, in a pause where there is one near."""
    if not labels:
        return [Turn(span.start, span.end, -1)]
    turns, start = list[Turn](), span.start
    for (before, after), (one, other) in zip(pairwise(middles), pairwise(labels), strict=True):
        if one != other:
            at = (before + after) / 2
            first = max(round((at - _SNAP) * RATE / CHUNK), 0)
            near = chances[first : round((at + _SNAP) * RATE / CHUNK) + 1]
            moments = (first + np.arange(len(near)) + 0.5) * CHUNK / RATE
            if len(near) and near.min() < _DIP:
                at = float(moments[(near + _NEAR * np.abs(moments - at)).argmin()])
            at = min(max(at, start), span.end)
            end, begin = _around(at, chances)
            turns.append(Turn(start, max(end, start), one))
            start = min(begin, span.end)
    return [turn for turn in (*turns, Turn(start, span.end, labels[-1])) if turn.end > turn.start]


def _around(moment: float, chances: np.ndarray) -> tuple[float, float]:
    """Tell when speech ended before a moment, and when it began again: the moment itself where nobody paused."""
    step = CHUNK / RATE
    first = last = min(int(moment / step), len(chances) - 1)
    while first >= 0 and chances[first] < SURE:
        first -= 1
    while last < len(chances) and chances[last] < SURE:
        last += 1
    return (moment, moment) if first == last else ((first + 1) * step, last * step)


def _adopted(turns: list[Turn]) -> list[Turn]:
    """Give what is too short to tell whose it is to the voice that is nearest in time."""
    known = [turn for turn in turns if turn.voice >= 0]
    if not known:
        return [turn._replace(voice=0) for turn in turns]

    def gap(one: Turn, other: Turn) -> float:
        return max(other.start - one.end, one.start - other.end)

    return [
        turn if turn.voice >= 0 else turn._replace(voice=min(known, key=lambda one, turn=turn: gap(turn, one)).voice)
        for turn in turns
    ]


def _named(turns: list[Turn]) -> list[Turn]:
    """Number the voices from 1 as they are first heard."""
    order = list(dict.fromkeys(turn.voice for turn in turns))
    return [turn._replace(voice=order.index(turn.voice) + 1) for turn in turns]


def _voices(turns: list[Turn], samples: Samples) -> tuple[HeardVoice, ...]:
    """Measure everybody's loudness."""
    found: list[HeardVoice] = []
    for number in sorted({turn.voice for turn in turns}):
        energy, peak, seconds, count = 0.0, 0.0, 0.0, 0
        for turn in turns:
            if turn.voice == number:
                said = torch.from_numpy(samples[round(turn.start * RATE) : round(turn.end * RATE)])
                energy, count = energy + float(said.square().sum()), count + len(said)
                peak = max(peak, float(said.abs().max()) if len(said) else 0.0)
                seconds += turn.end - turn.start
        found.append(HeardVoice(number, seconds, (energy / max(count, 1)) ** 0.5, peak))
    return tuple(found)


def _clarity(turns: list[Turn], samples: Samples) -> float:
    """Tell by how many dB speech is louder than quiet moments."""
    count = len(samples) // _FRAME
    if not turns or not count:
        return 0.0
    levels = np.sqrt(np.square(samples[: count * _FRAME].reshape(count, _FRAME)).mean(1)) + _FLOOR
    spoken = np.zeros(count, bool)
    for turn in turns:
        spoken[round(turn.start * RATE / _FRAME) : round(turn.end * RATE / _FRAME)] = True
    loud = np.sqrt(np.square(levels[spoken]).mean()) if spoken.any() else _FLOOR
    return float(
        20 * np.log10(loud / np.percentile(levels[levels > _FLOOR], _SOFT) if (levels > _FLOOR).any() else 1.0)
    )
