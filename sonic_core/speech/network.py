"""The mouth network: mel levels → lips, jaw and closure fifty times a second, for sounds of any length, zero phase."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from ..weights.read import bundled
from .mel import BANDS

CHANNELS = ("opening", "width", "rounding", "upper", "lower", "jaw")
"""The curves that come out, in this order; their ranges are those of ``Motion``."""
KINDS = (
    "pause",
    "open vowel",
    "middle vowel",
    "close spread vowel",
    "close round vowel",
    "bilabial",
    "labiodental",
    "labial glide",
    "dental or alveolar",
    "sibilant",
    "postalveolar",
    "palatal or velar",
    "liquid",
    "glottal",
)
"""Articulatory kinds of sound."""
REACH = 80
"""Levels that the network sees to either side of a value, 0.8 s."""
GATE = (0.3, 0.7)
"""Chance of closure at which lips begin to shut, and at which they are shut, in training."""
_DILATIONS = (1, 2, 4, 8, 16, 1, 2, 4)


class Mouth(NamedTuple):
    """What the network says; value ``i`` of n belongs to level ``2 i``."""

    curves: torch.Tensor
    """(b, channels, n): ``CHANNELS``, the lips' closure not yet applied."""
    closure: torch.Tensor
    """(b, n) logit of lips shut."""
    kind: torch.Tensor
    """(b, kinds, n) logits of ``KINDS``."""


def pressed(closure: torch.Tensor, gate: tuple[float, float] = GATE) -> torch.Tensor:
    """Say how far lips are pressed together, 0 … 1, at a chance of closure 0 … 1, both (…); smooth between two marks.

    Lips open to opening · (1 − pressed). Steeper than opening · (1 − closure)², which takes a third off a vowel at a
    closure of 0.2, so that open vowels between lips would look closer than close ones.
    """
    rise = ((closure - gate[0]) / (gate[1] - gate[0])).clamp(0, 1)
    return rise * rise * (3 - 2 * rise)


class MouthNetwork(nn.Module):
    """Temporal convolutions that see 0.8 s to either side.

    Args:
        width: Channels inside.
        dropout: Share of channels dropped in training.
    """

    def __init__(self, width: int = 112, dropout: float = 0.1) -> None:
        super().__init__()
        self.width = width
        self.stem = nn.Linear(5 * BANDS, width)
        self.blocks = nn.Sequential(*(_Block(width, dilation, dropout) for dilation in _DILATIONS))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, len(CHANNELS) + 1 + len(KINDS))

    def forward(self, levels: torch.Tensor) -> Mouth:
        """Read the mouth off standardised levels (b, 2 n or 2 n − 1, bands)."""
        around = functional.pad(levels, (0, 0, 2, 3)).unfold(1, 5, 2)[:, : (levels.shape[1] + 1) // 2]
        x = self.head(self.norm(self.blocks(self.stem(around.flatten(2))))).transpose(1, 2)
        count = len(CHANNELS)
        return Mouth(x[:, :count], x[:, count], x[:, count + 1 :])


class _Block(nn.Module):
    """One residual step on (b, n, width): norm over channels, a dilated convolution, a mix of channels."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.context = _Context(width, dilation)
        self.mix = nn.Linear(width, width)
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.silu(self.context(self.norm(x)))
        return x + self.mix(self.dropout(y.transpose(1, 2)).transpose(1, 2))


class _Context(nn.Linear):
    """A convolution over three moments ``dilation`` apart, as one matrix product: on a CPU twice as fast."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__(3 * width, width)
        self.dilation = dilation

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
        step, count = self.dilation, input.shape[1]
        before = functional.pad(input, (0, 0, step, 0))[:, :count]
        after = functional.pad(input, (0, 0, 0, step))[:, step:]
        return super().forward(torch.cat((before, input, after), 2))


def save_network(network: MouthNetwork, path: Path, notes: dict[str, str]) -> None:
    """Write the weights in half precision, with notes on where they come from."""
    tensors = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, path, metadata={"width": str(network.width), **notes})


def load_network(path: Path) -> MouthNetwork:
    """Read a network that ``save_network`` wrote, in single precision, ready to use.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    with bundled(path) as file:
        network = MouthNetwork(int(file.metadata()["width"]))
        network.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118
    return network.eval().requires_grad_(False)
