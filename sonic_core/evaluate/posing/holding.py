"""How steady a picture stays while a note is held: an open vowel asks for a mouth that moves by its vibrato only."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from ...media.mixing import resample
from ...models.preview.model import WIDEST
from ...types import Audio
from .sitter import Sitter

RATE = 16_000
SPOKEN, HELD, PAUSE = 4.0, 3.0, 0.5
"""Seconds of speech before the note, of the note, and of silence before and after it."""
PITCH, VIBRATO, SWING = 120.0, 5.2, 0.03
"""Hertz of the note, hertz of its vibrato, and the share of its pitch by which that goes up and down."""
SWELL, LOUDNESS = 0.15, 0.8
"""Share of its loudness by which the vibrato swells, and the peak as a share of the speech's."""
FORMANTS = ((730, 90, 1.0), (1090, 110, 0.6), (2440, 160, 0.25))
"""Of an open a: hertz, width in hertz, strength."""
OVERTONES = 60
LOOKED_AT = 5.0, 7.0
"""Seconds of the clip between which it is looked at: the middle of the note."""
STILL = 0.005
"""Change of the opening from frame to frame, as a share of the widest, below which the mouth is asked to be still."""


@dataclass(frozen=True)
class HeldNote:
    """What the lower face does meanwhile."""

    opening: float
    """Mean opening that is asked for, as a share of the widest."""
    change_with_opening: float
    """Correlation of how much the lower face changes from frame to frame with how much the opening does."""
    change_when_still: float
    """Largest change of the lower face between two frames whose opening is nearly the same, root mean square in 1/255;
    not a number where the opening never rests."""


def hold_note(voice: Audio) -> Audio:
    """Let a voice speak for ``SPOKEN`` seconds, then sing an open a for ``HELD``: formants and vibrato.

    Args:
        voice: Says how loud the note is, and lets a face get used to it.
    """
    speech = resample(voice, RATE, channels=1).samples[0, : int(SPOKEN * RATE)]
    time, overtone = torch.arange(int(HELD * RATE)) / RATE, torch.arange(1, OVERTONES)
    strength = torch.stack([gain / (1 + ((PITCH * overtone - at) / width) ** 2) for at, width, gain in FORMANTS]).sum(0)
    swing = torch.sin(2 * torch.pi * VIBRATO * time)
    phase = 2 * torch.pi * torch.cumsum(PITCH * (1 + SWING * swing), 0) / RATE
    vowel = (strength[:, None] * torch.sin(overtone[:, None] * phase)).sum(0) * (1 + SWELL * swing)
    vowel *= LOUDNESS * speech.abs().max() / vowel.abs().max()
    pause = torch.zeros(int(PAUSE * RATE))
    return Audio(torch.cat([speech, pause, vowel, pause])[None], RATE)


def measure_held_note(sitter: Sitter) -> HeldNote:
    """Look at the middle of the note that a sitter sings.

    Args:
        sitter: Made with ``hold_note`` as its sound, and a ``motion_scale`` of 0, so that the head is still.
    """
    clip, poses = sitter.speak()
    held = slice(*(int(seconds * clip.fps) for seconds in LOOKED_AT))
    below = slice(int((sitter.eyes + sitter.mouth)[1] / 2), None)
    frames = torch.stack([frame[:, below] for frame in islice(clip.frames(), held.start, held.stop)])
    return compare_changes(frames, sitter.gaps(poses)[held] / WIDEST)


def compare_changes(frames: torch.Tensor, opening: NDArray[np.float64]) -> HeldNote:
    """Compare how much pictures change with how much the opening does.

    Args:
        frames: (n, 3, h, w) in [0, 1].
        opening: (n,) as a share of the widest.
    """
    changes = (frames[1:] - frames[:-1]).square().mean((1, 2, 3)).sqrt().numpy() * 255
    moves = np.abs(np.diff(opening))
    still = changes[moves < STILL]
    return HeldNote(
        float(opening.mean()),
        float(np.corrcoef(changes, moves)[0, 1]),
        float(still.max()) if len(still) else float("nan"),
    )
