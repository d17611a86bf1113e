"""Whose voice it is: the network of Resemblyzer makes numbers of a stretch of speech that are alike for one voice."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ...weights.read import bundled
from ..spectrum import RATE

WEIGHTS = Path(__file__).with_name("embedding.safetensors")
LENGTH = 1.6
"""Seconds of speech that it learned from."""
WIDTH = 256
"""Numbers that it makes."""

_WINDOW, _HOP = 400, 160  # samples of a spectrum, and from one to the next
_BANDS = 40
_LEVEL = 10 ** (-30 / 20)  # of full scale: how loud, as a root mean square, it learned to hear speech
_LAYERS = 3
_LINEAR, _STEP = 1000.0, 200 / 3  # Hz up to which the bands are evenly spaced, and a mel there
_FACTOR = np.log(6.4) / 27  # a mel's part of the pitch above
_BATCH = 64


class VoiceNetwork(nn.Module):
    """Mel power (n, frames, bands) to (n, ``WIDTH``) of length 1; the product of two of them tells how alike they are.

    Source: Resemblyzer 0.1.4, https://github.com/resemble-ai/Resemblyzer (Apache-2.0), after Wan et al., Generalized
    End-to-End Loss for Speaker Verification (arXiv 1710.10467).
    """

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_BANDS, WIDTH, _LAYERS, batch_first=True)
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Listen."""
        _, (last, _) = self.lstm(mels)
        return functional.normalize(functional.relu(self.linear(last[-1])), dim=1)


@torch.inference_mode()
def embed(stretches: Sequence[np.ndarray]) -> np.ndarray:
    """Tell of stretches of speech whose they are.

    Args:
        stretches: (n,) float32 at ``RATE`` each; ``LENGTH`` is best, less than half of it tells little. How loud they
            are does not count.

    Returns:
        (stretches, ``WIDTH``) float32, each of length 1.
    """
    made = np.zeros((len(stretches), WIDTH), np.float32)
    lengths = np.array([len(one) for one in stretches])
    for length in np.unique(lengths):
        (places,) = np.nonzero(lengths == length)
        for first in range(0, len(places), _BATCH):
            some = places[first : first + _BATCH]
            mels = np.stack([measure_mels(stretches[place]) for place in some])
            made[some] = _network()(torch.from_numpy(mels)).numpy()
    return made


def measure_mels(samples: np.ndarray) -> np.ndarray:
    """Measure (n,) samples at ``RATE`` in bands: (1 + n // 160, 40) float32 of power, made as loud as speech is.

    Source: librosa.feature.melspectrogram, whose numbers these are; importing it takes a second.
    """
    loud = float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
    padded = np.pad(samples * np.float32(_LEVEL / max(loud, 1e-6)), _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    spectrum = np.fft.rfft(frames * np.hanning(_WINDOW + 1)[:-1], axis=1)
    return (np.square(np.abs(spectrum)) @ _bank().T).astype(np.float32)


@functools.cache
def _bank() -> np.ndarray:
    """Make triangles of one area, even in pitch above 1 kHz and in frequency below: (bands, frequencies)."""
    top = _LINEAR / _STEP + np.log(RATE / 2 / _LINEAR) / _FACTOR
    mel = np.linspace(0, top, _BANDS + 2)
    above = _LINEAR * np.exp(_FACTOR * np.maximum(mel - _LINEAR / _STEP, 0))
    edges = np.where(mel < _LINEAR / _STEP, mel * _STEP, above)
    hertz, gaps = np.fft.rfftfreq(_WINDOW, 1 / RATE), np.diff(edges)[:, None]
    rise, fall = (hertz - edges[:-2, None]) / gaps[:-1], (edges[2:, None] - hertz) / gaps[1:]
    return np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]


@functools.cache
def _network() -> VoiceNetwork:
    """Load the weights, once."""
    with bundled(WEIGHTS) as file:
        network = VoiceNetwork()
        network.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118
    return network.eval().requires_grad_(False)
