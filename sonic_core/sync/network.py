"""The sync network: two towers that bring a mouth and a sound to one place when they belong to one moment.

One tower sees how a mouth moves, the other mel levels of a sound; each gives a vector for every frame, and what is
compared is the cosine between windows of them. No layer pads, so that neither tower can tell where its input ends.

Source: van den Oord, Li and Vinyals, Representation Learning with Contrastive Predictive Coding, 2018; Chung and
Zisserman, Out of time: automated lip sync in the wild, ACCV workshops 2016.
"""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from ..speech.mel import BANDS
from ..weights.read import bundled

WEIGHTS = Path(__file__).with_name("sync.safetensors")
FRAME_RATE = 25
"""Frames per second at which mouths are looked at."""
LEVELS = 4
"""Mel levels per frame."""
EDGE = 8
"""Frames at either end of its input for which a tower gives nothing: what it sees around a frame."""
WINDOW = 5
"""Frames that are compared at a time, 0.2 s."""
WIDTH, SIZE = 72, 64
"""Channels inside a tower, and of a frame's vector."""


class SyncNetwork(nn.Module):
    """Both towers and the temperature of their comparison.

    Args:
        curves: How many curves a mouth has.
        width: Channels inside.
        size: Numbers of a frame's vector.
    """

    def __init__(self, curves: int, width: int = WIDTH, size: int = SIZE) -> None:
        super().__init__()
        self.curves, self.width, self.size = curves, width, size
        self.picture = nn.Sequential(*_step(2 * curves, width, 3, 1), *_blocks(width, 6), _last(width, size))
        self.sound = nn.Sequential(
            *_step(BANDS, width, 5, 2), *_step(width, width, 3, 2), *_blocks(width, 7), _last(width, size)
        )
        self.sharpness = nn.Parameter(torch.tensor(10.0).log())
        """Logarithm of the factor by which cosines become logits."""

    def see(self, mouth: torch.Tensor) -> torch.Tensor:
        """Bring curves (b, curves, n) at ``FRAME_RATE`` to windows (b, n − 2 EDGE − WINDOW + 1, WINDOW · size)."""
        speed = mouth[..., 2:] - mouth[..., :-2]
        return windows(self.picture(torch.cat((mouth[..., 1:-1], speed), 1)))

    def hear(self, levels: torch.Tensor) -> torch.Tensor:
        """Bring levels (b, LEVELS · n − 3, bands), of which number 4 i belongs to frame i, to windows like ``see``."""
        return windows(self.sound(levels.transpose(1, 2)))


def windows(vectors: torch.Tensor) -> torch.Tensor:
    """Put the vectors of ``WINDOW`` frames side by side, at length 1: (b, n − WINDOW + 1, …) from (b, size, n)."""
    around = vectors.unfold(2, WINDOW, 1).permute(0, 2, 1, 3).flatten(2)
    return functional.normalize(around, dim=2)


class _Block(nn.Module):
    """A residual step on (b, width, n) that loses a frame at either end."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.step = nn.Sequential(*_step(width, width, 3, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., 1:-1] + self.step(x)


def _step(inside: int, outside: int, kernel: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv1d(inside, outside, kernel, stride, bias=False), nn.BatchNorm1d(outside), nn.ReLU()


def _blocks(width: int, count: int) -> list[nn.Module]:
    return [_Block(width) for _ in range(count)]


def _last(width: int, size: int) -> nn.Module:
    """End a tower with numbers of mean 0 and deviation 1, so that vectors cannot all point the same way."""
    return nn.Sequential(nn.Conv1d(width, size, 1, bias=False), nn.BatchNorm1d(size, affine=False))


def save_network(network: SyncNetwork, path: Path, notes: dict[str, str]) -> None:
    """Write the weights in half precision, with notes on where they come from."""
    tensors = {name: value.half().contiguous() for name, value in network.state_dict().items() if value.ndim}
    tensors["sharpness"] = network.sharpness.detach().half()
    sizes = {"curves": network.curves, "width": network.width, "size": network.size}
    save_file(tensors, path, metadata={**{name: str(value) for name, value in sizes.items()}, **notes})


def load_network(path: Path = WEIGHTS) -> SyncNetwork:
    """Read a network that ``save_network`` wrote, in single precision, ready to use.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    with torch.inference_mode(False), bundled(path) as file:
        told = file.metadata()
        network = SyncNetwork(*(int(told[name]) for name in ("curves", "width", "size")))
        own = network.state_dict()
        kept = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network.load_state_dict({**{name: value for name, value in own.items() if not value.ndim}, **kept})
    return network.eval().requires_grad_(False)


@functools.cache
def sync_network() -> SyncNetwork:
    """Load the package's weights, once."""
    return load_network()
