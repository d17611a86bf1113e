"""What a face does besides speaking: head, eyes, lids, brows and breath, drawn from the voice and a seed.

Every random number is drawn one event after another, so that a longer sound begins like a shorter one. Nothing repeats
with a period, and every movement returns: the head wanders around the portrait's own pose and never drifts from it.

Source: heads move nearly all the time in speech and come to rest in pauses, Hadar et al. 1983, Language and Speech 26;
accents come with nods and raised brows, not each with each, Graf et al. 2002, FG; head and voice's pitch go together,
Munhall et al. 2004, Psychological Science 15. Sizes and speeds: about half of two speakers' filmed and tracked.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ...curves import read_at
from ...speech.prosody import Prosody
from .blinks import blink_curve
from .brows import brow_curve
from .gaze import gaze_curves
from .nodding import breath_curve, head_curves


@dataclass(frozen=True, eq=False)
class Gestures:
    """Movements beside speech; every curve is (n,) float32 at ``CURVE_RATE``, in the units of ``puppet.pose.Pose``."""

    blink: np.ndarray
    """0 open … 1 shut."""
    brows: np.ndarray
    """−1 drawn down … 1 raised."""
    gaze_x: np.ndarray
    """Degrees to the picture's right by which the eyes look past the camera, however the head is turned."""
    gaze_y: np.ndarray
    """The same downward."""
    yaw: np.ndarray
    """Degrees by which the face turns to the picture's left."""
    pitch: np.ndarray
    """Degrees by which it nods down."""
    roll: np.ndarray
    """Degrees by which it tilts clockwise in the picture."""
    sway_x: np.ndarray
    """Eye distances by which the head moves to the picture's right."""
    sway_y: np.ndarray
    """The same downward."""

    def at(self, times: np.ndarray) -> Gestures:
        """Read the curves at the moments ``times`` (m,) in seconds; the last value stays."""
        return Gestures(**{field.name: read_at(getattr(self, field.name), times) for field in fields(self)})


def gesture_curves(prosody: Prosody, seed: int, *, coming: bool = False) -> Gestures:
    """Draw the movements beside speech for a sound.

    Args:
        prosody: What the voice does.
        seed: Same seed, same movements.
        coming: More of the sound will follow: no blink waits for what is not known yet, so that none is taken back.

    Returns:
        Curves of as many values as the prosody's, at least 2. All begin at exactly 0, so that the first frame is the
        portrait itself.
    """
    prosody = prosody.padded(2)
    count = len(prosody.speaking)
    stream = [np.random.default_rng([seed, index]) for index in range(5)]
    gaze, shifts = gaze_curves(prosody, stream[0])
    breath = breath_curve(count, prosody.speaking, stream[1])
    curves = head_curves(prosody, breath, gaze[0], stream[2])
    curves |= {"gaze_x": gaze[0], "gaze_y": gaze[1]}
    curves["brows"] = brow_curve(prosody, stream[3])
    curves["blink"] = blink_curve(prosody.speaking, shifts, stream[4], attracted=not coming)
    return Gestures(**{name: curve.astype(np.float32) for name, curve in curves.items()})


STILL = Gestures(**{one.name: np.zeros(2, np.float32) for one in fields(Gestures)})
"""No movement at all."""
