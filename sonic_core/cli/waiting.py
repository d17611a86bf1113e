"""How the program's threads wait for each other.

Decided before torch is imported, which reads it once, so this file imports nothing that is heavy.
"""

from __future__ import annotations

import os

WAYS = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}
"""Waiting threads of torch look a few times whether there is work (some 30 µs with GNU's runtime), then they sleep.

By themselves they would look for milliseconds and hold the processor meanwhile: beside other programs that doubles
the work many times over (``time python -m sonic_core sync assets/video.mp4`` on two processors with six programs that
compute: 31 to 65 s, and 3 to 4 s with these). Where nothing else runs they cost nothing: 1,500 times six small linear
layers .50 s with these, .54 by themselves, .9 without any look; large convolutions take the same in all three."""


def share_processors() -> None:
    """Leave the processors to others while nothing is computed, unless the environment says otherwise."""
    if not any(name in os.environ for name in WAYS):
        os.environ.update(WAYS)
