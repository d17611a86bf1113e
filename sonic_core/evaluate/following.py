"""How much a mouth moves as another does, or as it should: what noise, or cleaning a voice, costs the lips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..speech.motion import Motion

SHUT = 0.5
"""Closure from which lips are shut."""
NEAR = 1
"""Frames by which a closure may lie elsewhere."""

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Following:
    """How a mouth moves, against how it should."""

    correlation: float
    """Of the openings, −1 to 1; 0 where one of them stands still."""
    closures: float
    """Of the lips' closures: twice those that both have, of all of both (F1), 0 to 1."""


def compare_motions(made: Motion, wanted: Motion) -> Following:
    """Compare two motions of one length, a value a frame."""
    moved = made.opening.std() > 0 and wanted.opening.std() > 0
    correlation = float(np.corrcoef(made.opening, wanted.opening)[0, 1]) if moved else 0.0
    kept, right = find_closures(wanted.closure, made.closure), find_closures(made.closure, wanted.closure)
    return Following(correlation, 2 * kept * right / (kept + right) if kept + right else 0.0)


def find_closures(closure: Values, other: Values) -> float:
    """Tell which share of the frames in which lips are shut the other motion shuts them in too; 1 where none is.

    Args:
        closure: (n,) 0 to 1.
        other: (n,) of the other.
    """
    shut = np.flatnonzero(closure > SHUT)
    near = [other[max(0, place - NEAR) : place + NEAR + 1].max() > SHUT for place in shut]
    return float(np.mean(near)) if near else 1.0
