"""Mel levels → what a mouth does, by a small network that learned from synthesised speech (``learn.lipreading``).

Zero phase: the only shifts are the stated advances, since real mouths lead their sound a little.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage

from ..curves import CURVE_RATE, read_at
from ..easing import smooth_rise
from .brightness import mel_brightness
from .mel import Scale, scale_of, standardise
from .network import CHANNELS, KINDS, REACH, MouthNetwork, load_network, pressed

WEIGHTS = Path(__file__).with_name("mouth.safetensors")
ADVANCE = 0.02
"""Seconds by which lips and jaw lead the sound; real mouths lead by 40 … 80 ms."""
CLOSURE_ADVANCE = 0.015
"""Seconds by which the lips' closures lead: less, since they are heard when they happen, but not so much less that they
eat into the vowel that follows."""

_BLOCK = 3000  # levels: 30 s
_HELD = 12  # values, ¼ s, that a mouth goes on as in speech after it …
_STIRRED = 5  # … and by which it begins before the next; what lies between is a short pause if they meet
_EASE = 0.06  # s: deviation of the Gaussian by which it comes to rest and leaves it
_BRIGHTNESS = 0.5  # how far a bright sound opens the mouth, against what the network says
_SPANS = (12, 35)  # dB between a voice's loud moments and its pauses: much noise, little noise
_MARKS = ((0.25, 0.45), (0.55, 0.75))  # chance of closure at which lips begin to shut, and are shut, in each
_WIDE = (95, 0.95)  # this percentile of the opening while speaking …
_GAIN = (0.8, 1.4)  # … is brought here, by no more than these factors
_ENOUGH = 3.0  # s of speech after which a voice's own range is trusted


@dataclass(frozen=True, eq=False)
class Motion:
    """What a mouth does; every curve is (n,) float32."""

    opening: np.ndarray
    """0 … 1, seldom a little more: the gap of the lips relative to the widest that this voice ever opens them."""
    width: np.ndarray
    """−1 lips drawn together … 0 at rest … 1 spread."""
    rounding: np.ndarray
    """0 … 1: lips pursed."""
    upper: np.ndarray
    """0 … 1: upper lip raised."""
    lower: np.ndarray
    """−1 lower lip tucked under the teeth (f, v) … 0 at rest … 1 drawn down."""
    jaw: np.ndarray
    """0 shut … 1 dropped as far as this voice ever drops it."""
    closure: np.ndarray
    """0 … 1: lips pressed together (p, b, m)."""
    speaking: np.ndarray
    """0 in a pause … 1 in speech, smooth; the first quarter of a second of a pause counts as speech."""

    @classmethod
    def at_rest(cls, count: int) -> Motion:
        """Make ``count`` values of a mouth that says nothing."""
        return cls(*(np.zeros(count, np.float32) for _ in fields(cls)))

    def at(self, times: np.ndarray) -> Motion:
        """Read the motion at frames' moments, the advances applied and the opening shut by the closures.

        Curves are read between their values, smoothly and without overshoot; before the sound the mouth is as at its
        beginning, after it at rest.

        Args:
            times: (m,) seconds.

        Returns:
            Curves (m,). They are final: reading them once more would advance them again.
        """
        times = np.asarray(times, np.float64)
        read = {
            field.name: _read(
                getattr(self, field.name), times + (CLOSURE_ADVANCE if field.name == "closure" else ADVANCE)
            )
            for field in fields(self)
        }
        read["opening"] *= 1 - read["closure"]
        return Motion(**read)


class Said(NamedTuple):
    """What the mouth network reads off a sound; m values at ``CURVE_RATE``."""

    curves: np.ndarray
    """(channels, m): ``network.CHANNELS``."""
    closure: np.ndarray
    """(m,) the chance, 0 … 1, of lips shut."""
    kinds: np.ndarray
    """(kinds, m) the chance of each of ``network.KINDS``, a pause first."""

    @property
    def heard(self) -> np.ndarray:
        """(m,) the chance that there is no pause: that somebody speaks."""
        return 1 - self.kinds[0]

    @classmethod
    def nothing(cls, count: int) -> Said:
        """Make ``count`` values of a pause."""
        kinds = np.zeros((len(KINDS), count), np.float32)
        kinds[0] = 1
        return cls(np.zeros((len(CHANNELS), count), np.float32), np.zeros(count, np.float32), kinds)


def read_lips(levels: np.ndarray) -> Said:
    """Let the network read levels (n, bands) in dB, n at least 1: m = n / 2 rounded up values."""
    return _predict(_network(), levels, scale_of(levels))


def shape_motion(said: Said, levels: np.ndarray, *, pauses: bool = True) -> Motion:
    """Make a mouth's motion of what the network read, in this voice's own range.

    Args:
        said: What it read, m values.
        levels: (n, bands) in dB off which it was read.
        pauses: Close the mouth in long pauses; False leaves it as a talking one rests in them.

    Returns:
        Curves of m values, the advances and the closures' effect on the opening not yet applied.
    """
    heard = said.heard
    closure = pressed(torch.from_numpy(said.closure), _gate(levels)).numpy()
    speaking = _speaking(heard) if pauses else np.ones_like(heard)
    curves = dict(zip(CHANNELS, said.curves, strict=True))
    opening = _brightened(np.maximum(curves["opening"], 0), mel_brightness(levels)[::2], heard)
    opening *= _gain(opening, heard)
    curves |= {"opening": _half_open(opening, heard), "jaw": _half_open(curves["jaw"], heard)}
    shaped = {name: curve * speaking for name, curve in curves.items()}
    return Motion(**shaped, closure=closure * speaking, speaking=speaking)


@torch.inference_mode()
def _predict(network: MouthNetwork, levels: np.ndarray, scale: Scale) -> Said:
    """Run the network over levels (n, bands) in blocks that overlap by what it sees."""
    parts = []
    for start in range(0, len(levels), _BLOCK):
        left, right = max(0, start - REACH), start + _BLOCK + REACH
        mouth = network(torch.from_numpy(standardise(levels[left:right], scale))[None])
        both = torch.cat((mouth.curves, mouth.closure[:, None].sigmoid(), mouth.kind.softmax(1)), 1)[0]
        first = (start - left) // 2
        parts.append(both[:, first : first + (min(_BLOCK, len(levels) - start) + 1) // 2])
    values = torch.cat(parts, 1).numpy()
    count = len(CHANNELS)
    return Said(values[:count], values[count], values[count + 1 :])


def _brightened(opening: np.ndarray, brightness: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Open wider where the sound is bright, within the range that the opening had; all (n,).

    What a network learned of synthesised voices and what is known of vowels err in different places.
    """
    spoken = heard > 0.5
    if spoken.sum() < _ENOUGH * CURVE_RATE / 10:
        return opening
    mean, deviation = opening[spoken].mean(), opening[spoken].std()
    bright = (brightness - brightness[spoken].mean()) / max(float(brightness[spoken].std()), 1e-3)
    mixed = opening - mean + _BRIGHTNESS * deviation * bright
    mixed *= deviation / max(float(mixed[spoken].std()), 1e-6)
    return np.maximum(opening + (mean + mixed - opening) * heard, 0)


def _half_open(curve: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """Bring a curve (n,) to its mean while speaking in short pauses, in which real mouths rest half open.

    Lips tracked in three clips stood as far apart in silence as in speech: 0.24 against 0.19, 0.13 against 0.14, 0.10
    against 0.12.
    """
    spoken = heard > 0.5
    if not spoken.any():
        return curve
    within = ndimage.grey_closing(_sure(heard), _HELD + 1 + _STIRRED, mode="constant")
    return curve + (curve[spoken].mean() - curve) * (1 - heard) * within


def _speaking(heard: np.ndarray) -> np.ndarray:
    """Hold on after speech, so that short pauses vanish, and ease in and out of long ones: (n,) from (n,), 0 … 1."""
    around = np.pad(_sure(heard), (_HELD, _STIRRED))
    held = np.lib.stride_tricks.sliding_window_view(around, _HELD + 1 + _STIRRED).max(1)
    return ndimage.gaussian_filter1d(held, _EASE * CURVE_RATE, mode="constant").astype(np.float32)


def _sure(heard: np.ndarray) -> np.ndarray:
    """Tell speech from pauses more clearly than the network does: (n,) from (n,), 0 … 1."""
    return smooth_rise((ndimage.gaussian_filter1d(heard, 1.0) - 0.25) / 0.5)


def _gate(levels: np.ndarray) -> tuple[float, float]:
    """Choose the marks of closure (``pressed``): the less of a voice stands out of its noise, the less must do.

    Args:
        levels: (n, bands) in dB.
    """
    loud = levels.max(1).astype(np.float32)
    span = float(np.percentile(loud, 95) - np.percentile(loud, 5))
    begin, end = (float(np.interp(span, _SPANS, marks)) for marks in _MARKS)
    return begin, end


def _gain(opening: np.ndarray, heard: np.ndarray) -> float:
    """Choose the factor that brings this voice's wide openings to where wide is, within bounds."""
    spoken = opening[heard > 0.5]
    if not len(spoken):
        return 1.0
    percentile, aim = _WIDE
    gain = float(np.clip(aim / max(float(np.percentile(spoken, percentile)), 1e-3), *_GAIN))
    return 1 + (gain - 1) * min(1.0, len(spoken) / CURVE_RATE / _ENOUGH)


def _read(curve: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Read ``curve`` (n,) at ``times`` (m,) in seconds; after its end comes rest."""
    return read_at(np.append(curve, 0), times)


@functools.cache
def _network() -> MouthNetwork:
    """Load the weights, once."""
    return load_network(WEIGHTS)
