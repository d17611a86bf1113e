"""What a voice does beside its words: when it speaks, how loud, how high, and which syllables it stresses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..curves import CURVE_RATE, band
from .loudness import measure_loudness, total_level
from .tone import melody

_NEAREST = 0.28  # s: the least time between stresses
_CONTRAST = 2.0  # power of the loudness, which is a logarithm, that makes stress stand out
_LEAST = 0.05  # loudness by which a syllable must stand out to be one
_STRONG = 0.65  # loudness by which the strongest stand out


@dataclass(frozen=True, eq=False)
class Prosody:
    """A voice's melody and rhythm; every curve is (n,) at ``CURVE_RATE``."""

    speaking: np.ndarray
    """0 in a pause … 1 in speech, smooth; the first quarter of a second of a pause counts as speech."""
    loudness: np.ndarray
    """0 silence … 1 the loud moments of whoever speaks."""
    tone: np.ndarray
    """Semitones above this voice's usual pitch, smooth, 0 where no pitch is heard."""

    def padded(self, least: int) -> Prosody:
        """Make sure that there are ``least`` values."""
        more = max(least - len(self.speaking), 0)
        return (
            self
            if not more
            else Prosody(*(np.pad(one, (0, more)) for one in (self.speaking, self.loudness, self.tone)))
        )

    @property
    def stresses(self) -> tuple[np.ndarray, np.ndarray]:
        """Stressed syllables: their moments in seconds, (m,), and how far each stands out of its neighbours, 0 … 1.

        A syllable stands out by being louder, and some by a higher pitch.
        """
        melody = np.clip(band(self.tone, 0.06, 0.8), -2, 4) * self.speaking
        rhythm = band(self.loudness**_CONTRAST * self.speaking, 0.06, 0.5) + 0.03 * melody
        highest = ndimage.maximum_filter1d(rhythm, 2 * round(_NEAREST * CURVE_RATE) + 1)
        places = np.flatnonzero((rhythm == highest) & (rhythm > _LEAST))
        return places / CURVE_RATE, np.clip(rhythm[places] / _STRONG, 0, 1)


def measure_prosody(speaking: np.ndarray, levels: np.ndarray, tone: np.ndarray) -> Prosody:
    """Measure a voice's melody and rhythm.

    Args:
        speaking: (m,) as of ``Motion``.
        levels: (n, bands) mel levels in dB, m = n / 2 rounded up.
        tone: (n,) as of ``measure_tone``.
    """
    loudness = measure_loudness(total_level(levels))
    return Prosody(speaking.astype(np.float64), loudness[::2], melody(tone, levels.max(1))[::2])
