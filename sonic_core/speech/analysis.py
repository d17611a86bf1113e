"""One analysis per sound: what mouth, head and synchronisation need to know of it, computed once and shared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..types import Audio
from .channels import SILENT, Ear, choose_ear
from .levelling import make_up
from .mel import mel_levels
from .motion import Motion, Said, read_lips, shape_motion
from .prosody import Prosody, measure_prosody
from .remarks import remark_on
from .spectrum import spectra
from .tone import measure_tone

_SHORTEST = 0.1  # s of sound in which there is nothing to say


@dataclass(frozen=True, eq=False)
class Speech:
    """What a sound tells of whoever speaks in it.

    Made by ``Speech.of``. The fields are what was measured of the sound's spectra, n rows of which row ``i`` is centred
    at ``i / LEVEL_RATE`` seconds; the properties are made of them when they are first asked for, and kept. Those have m
    = n / 2 rounded up values at ``CURVE_RATE``. The sound itself is not held.
    """

    duration: float
    """Seconds."""
    ear: Ear
    """How its channels were listened to."""
    levels: np.ndarray
    """(n, bands) float16: mel levels in dB below the sound's own peak; 29 MB for an hour."""
    tone: np.ndarray
    """(n,) float32: the voice's pitch in semitones above ``tone.LOWEST_TONE``, NaN where none is heard."""

    @classmethod
    def of(cls, audio: Audio, ear: Ear | None = None) -> Speech:
        """Measure a sound, in one pass over its spectra.

        Args:
            audio: Any rate, any channels, any length; memory beside the sound grows by about 0.1 GB per hour.
            ear: How to listen; None finds that out. A part of a sound is heard with the peak of the whole.
        """
        ear = ear or choose_ear(audio)
        parts = [(mel_levels(one), measure_tone(one)) for one in spectra(audio, ear)]
        levels, tone = zip(*parts, strict=True)
        return cls(audio.duration, ear, np.concatenate(levels), np.concatenate(tone))

    @property
    def silent(self) -> bool:
        """Whether there is nothing in it, or it is too short to say anything."""
        return self.ear.peak < SILENT or self.duration < _SHORTEST

    @cached_property
    def motion(self) -> Motion:
        """What the mouth does to say it; a mouth at rest for silence.

        The sound's gain changes nothing, and a voice that is softer than another opens the mouth as far. Its colour,
        noise and range are judged over the whole, so the same words move the lips a little differently in a longer
        sound.
        """
        return self.read_motion()

    def read_motion(self, *, pauses: bool = True) -> Motion:
        """Make the mouth's motion, as ``motion`` is, or with ``pauses=False`` one that rests half open in all pauses.

        Returns:
            Curves whose value ``i`` belongs to the moment ``i / CURVE_RATE``, the advances and the closures' effect on
            the opening not yet applied.
        """
        if self.silent:
            return Motion.at_rest(len(self.activity))
        return shape_motion(self._said, self._raised, pauses=pauses)

    @cached_property
    def activity(self) -> np.ndarray:
        """(m,) float32: the chance, 0 … 1, that somebody speaks at a moment, as the mouth network hears it."""
        return self._said.heard

    @cached_property
    def prosody(self) -> Prosody:
        """When the voice speaks, how loud, how high, and what it stresses: what head, eyes and brows follow."""
        if self.silent:
            return Prosody(*np.zeros((3, len(self.activity))))
        return measure_prosody(self.motion.speaking, self._raised, self.tone)

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of the sound, each in a sentence: silence, no voice, damaged channels."""
        return remark_on(self.ear, self._said.kinds)

    @cached_property
    def _said(self) -> Said:
        """What the mouth network reads off it, which is what costs most."""
        return Said.nothing((len(self.levels) + 1) // 2) if self.silent else read_lips(self._raised)

    @cached_property
    def _gain(self) -> np.ndarray:
        """(n,) float32: dB by which softer voices are raised to the loudest."""
        return make_up(self.levels)

    @property
    def _raised(self) -> np.ndarray:
        """(n, bands) float16: the levels so raised; made anew each time, which costs less than the room they take."""
        return self.levels + self._gain[:, None].astype(self.levels.dtype)
