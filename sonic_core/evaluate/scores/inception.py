"""The network whose view of pictures FID compares: Inception-v3 as it was when FID was published.

The layers' names and shapes are those of the file ``pt_inception-2015-12-05-6726825d.pth``.

Source: Szegedy et al., Rethinking the Inception Architecture, CVPR 2016; Heusel et al., GANs Trained by a Two
Time-Scale Update Rule, NeurIPS 2017 (its pools leave the rim out of their means, the last one takes the maximum).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

SIDE = 299
FEATURES = 2048
UNUSED = ("fc.", "AuxLogits.")
ACROSS, DOWN = (1, 7), (7, 1)
Layer = tuple[str, int, int, int | tuple[int, int], int]
"""Name, channels in and out, kernel, stride; with stride 1 the picture keeps its size."""


class _Convolution(nn.Module):
    def __init__(self, inside: int, outside: int, kernel: int | tuple[int, int], stride: int, padded: bool) -> None:
        super().__init__()
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        rim = (sides[0] // 2, sides[1] // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(inside, outside, sides, stride, rim, bias=False)
        self.bn = nn.BatchNorm2d(outside, eps=0.001)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.bn(self.conv(seen)))


class _Mixed(nn.Module):
    """Chains of layers side by side, and a pool; what they see is laid beside each other."""

    def __init__(self, chains: list[list[Layer]], pool: str, last: Layer | None = None) -> None:
        super().__init__()
        self._chains, self._pool, self._last = [[layer[0] for layer in chain] for chain in chains], pool, None
        for name, inside, outside, kernel, stride in [layer for chain in chains for layer in chain]:
            self.add_module(name, _Convolution(inside, outside, kernel, stride, stride == 1))
        if last is not None:
            self._last = last[0]
            self.add_module(last[0], _Convolution(*last[1:], padded=True))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        found = [one for chain in self._chains for one in self._follow(chain, seen)]
        if self._pool == "shrink":
            pooled = functional.max_pool2d(seen, 3, 2)
        elif self._pool == "most":
            pooled = functional.max_pool2d(seen, 3, 1, 1)
        else:
            pooled = functional.avg_pool2d(seen, 3, 1, 1, count_include_pad=False)
        return torch.cat([*found, pooled if self._last is None else self.get_submodule(self._last)(pooled)], 1)

    def _follow(self, chain: list[str], seen: torch.Tensor) -> list[torch.Tensor]:
        """Go along a chain; names that end in a letter are its two ends, side by side."""
        ends = []
        for name in chain:
            layer = self.get_submodule(name)
            if name[-1] in "ab":
                ends.append(layer(seen))
            else:
                seen = layer(seen)
        return ends or [seen]


def _chain(name: str, *layers: tuple[int, int, int | tuple[int, int]], shrink: bool = False) -> list[Layer]:
    """Name a chain's layers ``name_1`` and on; ``shrink``: the last one halves the picture."""
    return [(f"{name}_{number}", *one, 2 if shrink and number == len(layers) else 1) for number, one in _count(layers)]


def _count(layers: tuple[tuple[int, int, int | tuple[int, int]], ...]) -> list[tuple[int, tuple]]:
    return list(enumerate(layers, start=1))


def _block_a(inside: int, pooled: int) -> _Mixed:
    return _Mixed(
        [
            [("branch1x1", inside, 64, 1, 1)],
            _chain("branch5x5", (inside, 48, 1), (48, 64, 5)),
            _chain("branch3x3dbl", (inside, 64, 1), (64, 96, 3), (96, 96, 3)),
        ],
        "mean",
        ("branch_pool", inside, pooled, 1, 1),
    )


def _block_b(inside: int) -> _Mixed:
    chains = [
        [("branch3x3", inside, 384, 3, 2)],
        _chain("branch3x3dbl", (inside, 64, 1), (64, 96, 3), (96, 96, 3), shrink=True),
    ]
    return _Mixed(chains, "shrink")


def _block_c(inside: int, narrow: int) -> _Mixed:
    return _Mixed(
        [
            [("branch1x1", inside, 192, 1, 1)],
            _chain("branch7x7", (inside, narrow, 1), (narrow, narrow, ACROSS), (narrow, 192, DOWN)),
            _chain(
                "branch7x7dbl",
                (inside, narrow, 1),
                (narrow, narrow, DOWN),
                (narrow, narrow, ACROSS),
                (narrow, narrow, DOWN),
                (narrow, 192, ACROSS),
            ),
        ],
        "mean",
        ("branch_pool", inside, 192, 1, 1),
    )


def _block_d(inside: int) -> _Mixed:
    chains = [
        _chain("branch3x3", (inside, 192, 1), (192, 320, 3), shrink=True),
        _chain("branch7x7x3", (inside, 192, 1), (192, 192, ACROSS), (192, 192, DOWN), (192, 192, 3), shrink=True),
    ]
    return _Mixed(chains, "shrink")


def _block_e(inside: int, pool: str) -> _Mixed:
    ends = [
        [(f"{name}{side}", 384, 384, kernel, 1) for side, kernel in (("a", (1, 3)), ("b", (3, 1)))]
        for name in ("branch3x3_2", "branch3x3dbl_3")
    ]
    return _Mixed(
        [
            [("branch1x1", inside, 320, 1, 1)],
            [*_chain("branch3x3", (inside, 384, 1)), *ends[0]],
            [*_chain("branch3x3dbl", (inside, 448, 1), (448, 384, 3)), *ends[1]],
        ],
        pool,
        ("branch_pool", inside, 192, 1, 1),
    )


class Inception(nn.Module):
    """Everything below the answers."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Convolution(3, 32, 3, 2, padded=False)
        self.Conv2d_2a_3x3 = _Convolution(32, 32, 3, 1, padded=False)
        self.Conv2d_2b_3x3 = _Convolution(32, 64, 3, 1, padded=True)
        self.Conv2d_3b_1x1 = _Convolution(64, 80, 1, 1, padded=False)
        self.Conv2d_4a_3x3 = _Convolution(80, 192, 3, 1, padded=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _block_a(192, 32), _block_a(256, 64), _block_a(288, 64)
        self.Mixed_6a = _block_b(288)
        self.Mixed_6b, self.Mixed_6c = _block_c(768, 128), _block_c(768, 160)
        self.Mixed_6d, self.Mixed_6e = _block_c(768, 160), _block_c(768, 192)
        self.Mixed_7a = _block_d(768)
        self.Mixed_7b, self.Mixed_7c = _block_e(1280, "mean"), _block_e(FEATURES, "most")

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Look at (n, 3, h, w) in [0, 1]: (n, 2048)."""
        seen = functional.interpolate(pictures, (SIDE, SIDE), mode="bilinear", align_corners=False) * 2 - 1
        seen = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(seen)))
        seen = functional.max_pool2d(seen, 3, 2)
        seen = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(seen))
        seen = functional.max_pool2d(seen, 3, 2)
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                seen = block(seen)
        return seen.mean((2, 3))
