"""Where somebody speaks: the network of Silero VAD, which is not misled by music and noise as loudness is."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ...weights.read import bundled
from ..spectrum import RATE

WEIGHTS = Path(__file__).with_name("activity.safetensors")
CHUNK = 512
"""Samples for each of which it tells a chance: 32 ms."""
SURE = 0.5
"""Chance from which somebody speaks."""

_BEFORE = 64  # samples of the chunk before that it hears again …
_MIRRORED = 64  # … and of its own end that it hears mirrored
_FOURIER, _HOP, _BINS = 256, 128, 129  # samples and frequencies of its spectra, and from one to the next
_WIDTH = 128
_DOUBT = 0.35  # chance below which speech ends …
_PAUSE = 0.2  # s … for so long; less is a stop or a breath within it
_LEAST = 0.2  # s of speech; less is a click


class Stretch(NamedTuple):
    """A stretch of a sound, in seconds."""

    start: float
    end: float


class ActivityNetwork(nn.Module):
    """Chunks of a sound to the chance of speech in each; it remembers what came before.

    Source: Silero VAD 6.2, https://github.com/snakers4/silero-vad (MIT), the network for 16 kHz.
    """

    def __init__(self) -> None:
        super().__init__()
        self.basis = nn.Conv1d(1, 2 * _BINS, _FOURIER, stride=_HOP, bias=False)
        shapes = ((_BINS, 128, 1), (128, 64, 2), (64, 64, 2), (64, _WIDTH, 1))
        self.layers = nn.ModuleList(nn.Conv1d(have, make, 3, stride=by, padding=1) for have, make, by in shapes)
        self.memory = nn.LSTM(_WIDTH, _WIDTH, batch_first=True)
        self.head = nn.Linear(_WIDTH, 1)

    def forward(
        self, chunks: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Listen to (n, ``_BEFORE`` + ``CHUNK``) samples: (n,) chances, and what is remembered."""
        heard = functional.pad(chunks[:, None], (0, _MIRRORED), mode="reflect")
        real, imaginary = self.basis(heard).split(_BINS, 1)
        x = (real.square() + imaginary.square()).sqrt()
        for layer in self.layers:
            x = functional.relu(layer(x))
        made, remembered = self.memory(x[None, :, :, 0], state)
        return self.head(functional.relu(made[0])).sigmoid()[:, 0], remembered


@torch.inference_mode()
def measure_activity(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Tell where somebody speaks in a sound that comes block by block.

    Args:
        blocks: (n,) float32 at ``RATE``, one after the other.

    Returns:
        (m,) float32, the chance for each ``CHUNK`` of samples, the last of which may be filled up with silence.
    """
    network, state, made = _network(), None, [np.zeros(0, np.float32)]
    waiting, before = np.zeros(0, np.float32), np.zeros(_BEFORE, np.float32)
    for block in chain(blocks, (None,)):
        more = np.zeros(-len(waiting) % CHUNK, np.float32) if block is None else block
        waiting = np.concatenate((waiting, more))
        count = len(waiting) // CHUNK
        if count == 0:
            continue
        heard = np.concatenate((before, waiting[: count * CHUNK]))
        windows = np.lib.stride_tricks.sliding_window_view(heard, _BEFORE + CHUNK)[::CHUNK]
        chances, state = network(torch.from_numpy(windows.copy()), state)
        made.append(chances.numpy())
        before, waiting = heard[-_BEFORE:], waiting[count * CHUNK :]
    return np.concatenate(made)


def find_speech(chances: np.ndarray, duration: float) -> list[Stretch]:
    """Tell stretches of speech from the chance of speech in each chunk.

    Args:
        chances: (m,) as of ``measure_activity``.
        duration: Seconds of the sound, where the last stretch ends at the latest.

    Returns:
        Stretches in order, none shorter than a word, with a pause between each two.
    """
    step, found = CHUNK / RATE, list[Stretch]()
    begun: int | None = None
    quiet = 0
    for number, chance in enumerate([*chances.tolist(), *[0.0] * (int(_PAUSE / step) + 1)]):
        if chance >= SURE:
            begun, quiet = number if begun is None else begun, 0
        elif begun is not None and (chance < _DOUBT or quiet):
            quiet += 1
            if quiet * step >= _PAUSE:
                found.append(Stretch(begun * step, min((number - quiet + 1) * step, duration)))
                begun, quiet = None, 0
    return [span for span in found if span.end - span.start >= _LEAST]


@functools.cache
def _network() -> ActivityNetwork:
    """Load the weights, once."""
    with bundled(WEIGHTS) as file:
        network = ActivityNetwork()
        network.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118
    return network.eval().requires_grad_(False)
