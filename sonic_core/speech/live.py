"""A sound that is still coming, listened to a fifth of a second at a time, each time with what was said just before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import torch

from ..curves import CURVE_RATE
from ..types import Audio
from .analysis import Speech
from .channels import choose_ear

STEP = 0.2
"""Seconds of sound that become final at a time."""
AHEAD = 0.4
"""Seconds of sound beyond those that are heard first. The opening of four voices, 8 to 20 s each, goes with that read
off the whole sound by a correlation of 0.93 to 0.99, and from the sixth second on by 0.988 to 0.999; with 0.3 s by
0.972 to 0.998, with 0.8 s by 0.992 to 0.999 (``benchmarks/live.py``)."""
WINDOW = 8.0
"""Seconds of sound, the look-ahead among them, off which a moment is read: on them level, colour and range of a voice
are judged. With 5 s the same correlations are 0.973 to 0.999."""

_VOICE = 3.0  # s of speech kept, with which a window is heard in which hardly anybody speaks: else its noise would be
_FEW = 2.0  # s of speech in a window that are enough to judge a voice by
_SPOKEN = 0.6  # of a stretch that is kept is speech at least
_FORGOTTEN = 0.5 ** (STEP / 30)  # of the loudest moment so far still counts a step later: half of it after 30 s


class Passage(NamedTuple):
    """What is known of a sound at a moment, when little more of it has come."""

    speech: Speech
    """Of a stretch of the sound; before it there may be an earlier one, by which a silent stretch is heard."""
    begin: float
    """Second of the sound at which the speech's own moment 0 lies."""
    start: float
    """Second of the sound from which it may be used."""
    settled: float
    """Second of the sound up to which nothing better will be known; from here to ``AHEAD`` later it is a guess."""


@dataclass
class _Memory:
    """What a listener keeps of what was said."""

    activity: list[float] = field(default_factory=list)
    """Chance of speech at each moment, as of ``Speech.activity``, in the last ``WINDOW`` seconds that are settled."""
    voice: torch.Tensor | None = None
    """(channels, n) the last ``_VOICE`` seconds in which somebody spoke."""
    peak: float = 0.0
    """Loudest moment, slowly forgotten."""

    @property
    def wants_voice(self) -> bool:
        return self.voice is not None and sum(self.activity) / CURVE_RATE < _FEW

    def keep(self, passage: Passage, samples: torch.Tensor, rate: int) -> None:
        """Learn of a passage, whose stretch is ``samples`` (channels, n), without what was put before it."""
        activity = passage.speech.activity
        first, last = (round((moment - passage.begin) * CURVE_RATE) for moment in (passage.start, passage.settled))
        self.activity = [*self.activity, *activity[first:last].tolist()][-round(WINDOW * CURVE_RATE) :]
        recent = self.activity[-round(_VOICE * CURVE_RATE) :]
        if len(recent) == round(_VOICE * CURVE_RATE) and sum(recent) > _SPOKEN * len(recent):
            end = samples.shape[1] - round(AHEAD * rate)
            self.voice = samples[:, max(0, end - round(_VOICE * rate)) : end].clone()


def listen(audio: Audio) -> Iterator[Passage]:
    """Listen to a sound as it comes: each passage begins where the last was settled, without end.

    Args:
        audio: Whoever reads its samples waits until they have come; after its end they are silent.

    Yields:
        A passage for every ``STEP`` seconds, as soon as ``AHEAD`` seconds more have come or the sound has ended.
    """
    memory, rate = _Memory(), audio.rate
    for number in count():
        start, settled = number * STEP, (number + 1) * STEP
        end = settled + AHEAD
        from_ = max(0.0, round((end - WINDOW) / STEP) * STEP)
        samples = audio.samples[:, round(from_ * rate) : round(end * rate)]
        heard, begin = samples, from_
        if memory.wants_voice and memory.voice is not None:
            heard, begin = torch.cat((memory.voice, samples), 1), from_ - memory.voice.shape[1] / rate
        part = Audio(heard, rate, surround=audio.surround)
        ear = choose_ear(part)
        memory.peak = max(memory.peak * _FORGOTTEN, ear.peak)
        passage = Passage(Speech.of(part, ear._replace(peak=memory.peak)), begin, start, settled)
        memory.keep(passage, samples, rate)
        yield passage
