"""What can be said of lips and sound after every video, from figures that are at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..curves import CURVE_RATE, spans
from ..speech import Speech
from .offset import SyncMeasurement

LEAST_PAUSE = 2.0
"""Seconds without speech from which a pause is told of: shorter ones are how people talk."""
PRESSED = 0.7
"""How far lips are pressed together from which it counts as a closure."""
HARDLY = 0.1
"""Difference of the opening's highest and lowest tenth in speech, 1 being wide open, below which it hardly moves."""
_HEARD = 0.5  # chance of speech from which somebody speaks
_BRIDGED = 0.5  # s: pauses up to this are part of speech
_NAMED = 3  # pauses that are named; the others are counted


@dataclass(frozen=True)
class LipsCheck:
    """What a sound asks of the lips of a video, and how they keep to it (a ``Report``)."""

    duration: float
    """Seconds of sound."""
    speech: float
    """Seconds of them in which somebody speaks, pauses within sentences included."""
    pauses: tuple[tuple[float, float], ...]
    """(begin, end) in seconds of the pauses of ``LEAST_PAUSE`` and more."""
    closures: int
    """Times that lips should shut for p, b or m."""
    movement: float
    """Difference of the opening's highest and lowest tenth in speech that the sound asks for; 1 is wide open."""
    sync: SyncMeasurement | None
    """How the picture goes with the sound, where that was measured."""
    exact: bool = False
    """It goes with the sound by construction."""

    @property
    def reason(self) -> str:
        """One sentence, or two."""
        heard = f"{self.speech:.1f} of {self.duration:.1f} s are speech, with {self.closures} closures of the lips"
        told = [f"{begin:.1f} to {end:.1f}" for begin, end in self.pauses[:_NAMED]]
        more = len(self.pauses) - len(told)
        if told:
            heard += f"; nobody speaks from {', '.join(told)} s" + (f" and in {more} more pauses" if more else "")
        if self.sync is not None:
            heard += f"; {self.sync}"
        elif self.exact:
            heard += "; in step with the sound by construction"
        doubt = self.speech > 0 and self.movement < HARDLY
        return f"{heard}." + (" The mouth hardly moves: is this the right sound?" if doubt else "")


def check_lips(
    speech: Speech, *, lively: float = 1.0, sync: SyncMeasurement | None = None, exact: bool = False
) -> LipsCheck:
    """Say what can be said without looking at the picture again.

    Args:
        speech: The sound.
        lively: ``dynamic_scale``.
        sync: What a stage measured.
        exact: The model's clips are in step by construction.
    """
    heard = speech.activity > _HEARD
    margin = round(_BRIDGED * CURVE_RATE)
    closed = ndimage.binary_closing(np.pad(heard, margin), iterations=margin // 2)
    spoken = np.asarray(closed, bool)[margin:-margin]
    moments = [(begin / CURVE_RATE, min(end / CURVE_RATE, speech.duration)) for begin, end in spans(~spoken)]
    pauses = [(begin, end) for begin, end in moments if end - begin >= LEAST_PAUSE]
    opening = speech.motion.opening[heard] * lively
    low, high = np.percentile(opening, (10, 90)) if len(opening) else (0.0, 0.0)
    return LipsCheck(
        duration=speech.duration,
        speech=float(spoken.sum()) / CURVE_RATE,
        pauses=tuple(pauses),
        closures=len(spans(speech.motion.closure > PRESSED)),
        movement=float(high - low),
        sync=sync,
        exact=exact,
    )
