"""LPIPS: how unlike two pictures look, by what AlexNet makes of them.

Source: Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018 (version 0.1,
AlexNet, the layers' weights calibrated on people's judgements).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...clip import Clip
from ...media.pixels import Bytes
from ...types import Landmarks
from ...weights.read import bundled
from ..portrait import Still
from .protocol import Value, filled

JUDGED = Path(__file__).with_name("lpips.safetensors")
"""What a difference in each channel counts, as people were asked; made by ``learn/perceptual.py``."""
UNUSED = ("classifier.",)
SHIFT, SPAN = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Mean and deviation of the pictures that AlexNet learned from, in [−1, 1]: published."""
STEADY = 1e-10
TAPS = (1, 4, 7, 9, 11)
"""Layers whose results are compared: the five that follow a convolution."""
LEAST_SIDE = 64
"""Pixels of a picture's shorter side below which the last layers see next to nothing."""
NO_PAIR, SMALL = "no reference was given", "the picture is too small"


class AlexNet(nn.Module):
    """The convolutions of AlexNet, under the names of the published file."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
        )

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """Look at (n, 3, h, w) in [−1, 1]: what each of the five layers sees, every place of length 1."""
        shift, span = (torch.tensor(one, device=pictures.device)[:, None, None] for one in (SHIFT, SPAN))
        seen, found = (pictures - shift) / span, []
        for number, layer in enumerate(self.features):
            seen = layer(seen)
            if number in TAPS:
                found.append(seen / (seen.square().sum(1, keepdim=True).sqrt() + STEADY))
        return found


class PerceptualScorer:
    """AlexNet and the layers' weights, ready."""

    def __init__(self, network: AlexNet, device: torch.device) -> None:
        self.network, self.device = network, device
        with bundled(JUDGED) as file:
            self._counts = [file.get_tensor(f"layer{number}").to(device)[:, None, None] for number in range(len(TAPS))]

    @classmethod
    def load(cls, path: Path, device: torch.device) -> PerceptualScorer:
        """Read AlexNet's file.

        Raises:
            CheckpointError: It cannot be read, or is of another network.
        """
        return cls(filled(AlexNet, path, device, UNUSED), device)

    def meter(self, clip: Clip, still: Still | None, *, paired: bool) -> PerceptualMeter:
        """Begin with a video."""
        return PerceptualMeter(self, NO_PAIR if not paired else SMALL if min(clip.size) < LEAST_SIDE else "")

    def distance(self, one: Bytes, other: Bytes) -> float:
        """Compare two pictures (h, w, 3) of one size: 0 for the same."""
        pair = torch.from_numpy(np.stack([one, other])).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        with torch.inference_mode():
            layers = self.network(pair)
            apart = [
                (counts * (seen[0] - seen[1]).square()).sum(0).mean()
                for counts, seen in zip(self._counts, layers, strict=True)
            ]
        return float(torch.stack(apart).sum())


class PerceptualMeter:
    """Compares every frame with the reference's at the same moment."""

    def __init__(self, scorer: PerceptualScorer, why: str) -> None:
        self._scorer, self._why, self._found = scorer, why, []

    def see(self, picture: Bytes, landmarks: Landmarks | None, other: Bytes | None) -> None:
        """Take the next frame (h, w, 3)."""
        if other is not None and not self._why:
            self._found.append(self._scorer.distance(picture, other))

    def values(self) -> dict[str, Value]:
        """Sum up: the mean over the frames."""
        return {"lpips": float(np.mean(self._found)) if self._found else self._why or NO_PAIR}
