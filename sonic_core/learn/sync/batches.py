"""Draw batches: pieces that are cut, varied and roughened; which, depends on the seed and the step alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...sync.network import EDGE, LEVELS
from ...sync.views import mouth_view, sound_view
from ..lipreading.corpus import Roughener, SpokenClip
from .pieces import Piece
from .variety import vary_mouth

FRAMES = 50
"""Frames of a row that are compared, 2 s."""
LISTENED = 130
"""Frames at most over which a row's mouth and sound are measured before they are cut."""
_NO_TARGETS = np.zeros((0, 0), np.float16)


@dataclass(frozen=True)
class SyncBatch:
    """Rows to compare; ``SyncNetwork.see`` and ``hear`` take them."""

    mouths: torch.Tensor
    """(b, curves, frames + 2 EDGE)."""
    sounds: torch.Tensor
    """(b, levels, bands)."""


class Batches:
    """Draws from pieces.

    Args:
        pieces: All that there are.
        noises: (count, n, bands) mel power of backgrounds, as of ``lipreading.corpus.make_noises``.
        seed: The same seed and step give the same batch.
        real: Share of rows that a camera saw, where there are such pieces.
    """

    def __init__(self, pieces: Sequence[Piece], noises: NDArray[np.float32], seed: int, real: float = 0.0) -> None:
        self._groups = [[piece for piece in pieces if piece.real is kind] for kind in (False, True)]
        self._clips = {id(piece): SpokenClip(piece.clean, piece.rough, _NO_TARGETS) for piece in pieces}
        self._roughener = Roughener(list(self._clips.values()), noises, seed)
        self._seed = seed
        self._real = real if self._groups[1] else 0.0

    def draw(self, step: int, size: int, frames: int = FRAMES) -> SyncBatch:
        """Draw the batch of a step."""
        random = np.random.default_rng([self._seed, step])
        self._roughener.random = random
        rows = [self._row(random, frames) for _ in range(size)]
        mouths, sounds = (torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True))
        return SyncBatch(mouths, sounds)

    def _row(self, random: np.random.Generator, frames: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw a piece, listen to a part of it, and cut a row out of that part."""
        group = self._groups[int(random.random() < self._real)]
        piece, wanted = group[int(random.integers(len(group)))], frames + 2 * EDGE
        count = piece.mouth.shape[1]
        heard = max(wanted, min(LISTENED, count))
        first = int(random.integers(0, max(1, count - heard + 1)))
        own = piece.mouth[:, first : first + heard]
        mouth = mouth_view(vary_mouth(own, random))
        levels = slice(LEVELS * first, LEVELS * (first + heard) - LEVELS + 1)
        clip = SpokenClip(piece.clean[levels], piece.rough[levels], _NO_TARGETS)
        sound = sound_view(self._roughener.roughened(clip))
        start = int(random.integers(0, max(1, own.shape[1] - wanted + 1)))
        return (
            mouth[:, start : start + wanted],
            sound[LEVELS * start : LEVELS * (start + wanted) - LEVELS + 1].astype(np.float32),
        )
