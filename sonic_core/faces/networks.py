"""The small networks that read a face: a detector, a mesh of 468 points, an iris reader, a person mask.

They compute what the networks of MediaPipe compute, with the same weights. All take (b, 3, h, w) RGB float32.

Source: Bazarevsky et al., BlazeFace, arXiv 1907.05047; Kartynnik et al., Real-time Facial Surface Geometry from
Monocular Video on Mobile GPUs, arXiv 1907.06724; Ablavatski et al., Real-time Pupil Tracking from Monocular Video for
Digital Puppetry, arXiv 2006.11341; the model card "MediaPipe Selfie Segmentation".
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional

from ..weights.read import bundled

WEIGHTS = Path(__file__).with_name("landmarks.safetensors")
POINTS, EYE_POINTS, IRIS_POINTS = 468, 71, 5
Network = TypeVar("Network", bound=nn.Module)


class SameConvolution(nn.Conv2d):
    """A convolution whose answer is the input's size over the stride; an odd column of padding comes last."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inside, outside, kernel, stride, (kernel - 1) // 2 if stride == 1 else 0, groups=groups)
        lack = kernel - stride
        self.beyond = (lack // 2, lack - lack // 2) * 2 if stride > 1 and lack > 0 else None

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002
        """Convolve (b, c, h, w), whose sides are multiples of the stride."""
        return super().forward(input if self.beyond is None else functional.pad(input, self.beyond))


class Shortcut(nn.Module):
    """What a residual block adds to: its input, halved where the block halves, with empty channels behind."""

    def __init__(self, more: int, stride: int) -> None:
        super().__init__()
        self.more, self.stride = more, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Bring (b, c, h, w) to the size of the block's answer."""
        x = functional.max_pool2d(x, 2) if self.stride == 2 else x
        return functional.pad(x, (0, 0, 0, 0, 0, self.more)) if self.more else x


class Residual(nn.Module):
    """A depthwise convolution and a mix of channels beside a shortcut."""

    def __init__(self, inside: int, outside: int, stride: int, activation: nn.Module) -> None:
        super().__init__()
        self.depthwise = SameConvolution(inside, inside, 3, stride, groups=inside)
        self.mix = nn.Conv2d(inside, outside, 1)
        self.shortcut = Shortcut(outside - inside, stride)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the block on (b, c, h, w)."""
        return self.activation(self.mix(self.depthwise(x)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """A residual block that works on half of its channels."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        narrow = outside // 2
        self.narrow, self.inner = nn.Conv2d(inside, narrow, stride, stride), nn.PReLU(narrow)
        self.depthwise = SameConvolution(narrow, narrow, 3, groups=narrow)
        self.mix = nn.Conv2d(narrow, outside, 1)
        self.shortcut = Shortcut(outside - inside, stride)
        self.activation = nn.PReLU(outside)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the block on (b, c, h, w)."""
        return self.activation(self.mix(self.depthwise(self.inner(self.narrow(x)))) + self.shortcut(x))


def _residuals(inside: int, *steps: tuple[int, int]) -> nn.Sequential:
    """Chain blocks of (channels, stride) with learned slopes."""
    blocks = []
    for outside, stride in steps:
        blocks.append(Residual(inside, outside, stride, nn.PReLU(outside)))
        inside = outside
    return nn.Sequential(*blocks)


class FaceDetector(nn.Module):
    """Scores 896 anchors of a 128×128 picture in [−1, 1]."""

    side = 128

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(SameConvolution(3, 24, 5, 2), nn.ReLU())
        fine = (24, 28, 32, 36, 42, 48, 56, 64, 72, 80, 88)
        halving = {32, 48}
        pairs = zip((24, *fine), fine, strict=False)
        self.fine = nn.Sequential(*(Residual(a, b, 1 + (b in halving), nn.ReLU()) for a, b in pairs))
        coarse = [Residual(88 if first else 96, 96, 1 + first, nn.ReLU()) for first in (True, *[False] * 4)]
        self.coarse = nn.Sequential(*coarse)
        self.fine_scores, self.coarse_scores = nn.Conv2d(88, 2, 1), nn.Conv2d(96, 6, 1)
        self.fine_places, self.coarse_places = nn.Conv2d(88, 32, 1), nn.Conv2d(96, 96, 1)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (b, 896) and places (b, 896, 8, 2): centre, size and six points, in input pixels."""
        fine = self.fine(self.stem(pixels))
        coarse = self.coarse(fine)
        scores = [self.fine_scores(fine), self.coarse_scores(coarse)]
        places = [self.fine_places(fine), self.coarse_places(coarse)]
        rows = [part.permute(0, 2, 3, 1).reshape(len(pixels), -1, 8, 2) for part in places]
        return torch.cat([part.permute(0, 2, 3, 1).flatten(1) for part in scores], 1), torch.cat(rows, 1)


class FaceMesh(nn.Module):
    """Finds 468 points in depth in a 192×192 picture in [0, 1] of an upright face."""

    side = 192

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(SameConvolution(3, 16, 3, 2), nn.PReLU(16))
        steps = [(16, 1), (16, 1)]
        for channels in (32, 64, 128, 128):
            steps += [(channels, 2), (channels, 1), (channels, 1)]
        self.body = _residuals(16, *steps)
        self.points = self._head(3 * POINTS, (128, 2), (128, 1), (128, 1))
        self.presence = self._head(1, (128, 2))

    @staticmethod
    def _head(answers: int, *steps: tuple[int, int]) -> nn.Sequential:
        narrow = nn.Sequential(nn.Conv2d(128, 32, 1), nn.PReLU(32))
        return nn.Sequential(_residuals(128, *steps), narrow, _residuals(32, (32, 1)), nn.Conv2d(32, answers, 3))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return points (b, 468, 3) in input pixels and the logits (b,) of a face being there."""
        x = self.body(self.stem(pixels))
        return self.points(x).reshape(-1, POINTS, 3), self.presence(x).flatten()


class IrisReader(nn.Module):
    """Finds lids and iris in a 64×64 picture in [0, 1] of the eye that is left in an upright picture."""

    side = 64

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(SameConvolution(3, 64, 3, 2), nn.PReLU(64))
        body = [Bottleneck(64, 64, 1) for _ in range(4)]
        body += [Bottleneck(64, 128, 2), *(Bottleneck(128, 128, 1) for _ in range(4)), Bottleneck(128, 128, 2)]
        self.body = nn.Sequential(*body)
        self.eye, self.iris = self._head(), self._head()
        self.eye_points, self.iris_points = nn.Conv2d(128, 3 * EYE_POINTS, 2), nn.Conv2d(128, 3 * IRIS_POINTS, 2)

    @staticmethod
    def _head() -> nn.Sequential:
        return nn.Sequential(*(Bottleneck(128, 128, stride) for stride in (1, 1, 2, 1, 1, 2, 1, 1)))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the eye's surroundings (b, 71, 3) and the iris (b, 5, 3) in input pixels."""
        x = self.body(self.stem(pixels))
        eye, iris = self.eye_points(self.eye(x)), self.iris_points(self.iris(x))
        return eye.reshape(-1, EYE_POINTS, 3), iris.reshape(-1, IRIS_POINTS, 3)


class Excitation(nn.Module):
    """Weighs channels by what they hold on average."""

    def __init__(self, channels: int, narrow: int) -> None:
        super().__init__()
        self.narrow, self.wide = nn.Conv2d(channels, narrow, 1), nn.Conv2d(narrow, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the weights (b, c, 1, 1) of (b, c, h, w)."""
        mean = x.mean((2, 3), keepdim=True)
        return torch.sigmoid(self.wide(functional.relu(self.narrow(mean))))


class Inverted(nn.Module):
    """Widens, convolves each channel, weighs the channels, narrows; adds its input where the sizes agree."""

    def __init__(
        self, channels: tuple[int, int, int], kernel: int, stride: int, squeeze: int, activation: nn.Module
    ) -> None:
        super().__init__()
        inside, wide, outside = channels
        self.wide = nn.Conv2d(inside, wide, 1)
        self.depthwise = SameConvolution(wide, wide, kernel, stride, groups=wide)
        self.excitation = Excitation(wide, squeeze) if squeeze else None
        self.narrow = nn.Conv2d(wide, outside, 1)
        self.activation = activation
        self.adds = stride == 1 and inside == outside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the block on (b, c, h, w)."""
        y = self.activation(self.depthwise(self.activation(self.wide(x))))
        y = y if self.excitation is None else y * self.excitation(y)
        y = self.narrow(y)
        return x + y if self.adds else y


class Merge(nn.Module):
    """Enlarges a coarse map to twice its size and lets it into a finer one."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(coarse, fine, 1)
        self.excitation = Excitation(fine, fine)
        self.mix = nn.Conv2d(fine, fine, 1)
        self.depthwise = SameConvolution(fine, fine, 3, groups=fine)

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        """Merge (b, a, h, w) into (b, c, 2h, 2w)."""
        coarse = functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        coarse = self.narrow(coarse)
        x = functional.relu(self.mix(fine * self.excitation(fine + coarse) + coarse))
        return x + functional.relu(self.depthwise(x))


class PersonMask(nn.Module):
    """Tells people from what is behind them in a 256×256 picture in [0, 1]."""

    side = 256

    def __init__(self) -> None:
        super().__init__()
        relu, swish = nn.ReLU(), nn.Hardswish()
        self.stem = nn.Sequential(SameConvolution(3, 16, 3, 2), swish)
        self.quarter = Inverted((16, 16, 16), 3, 2, 8, relu)
        self.eighth = nn.Sequential(Inverted((16, 72, 24), 3, 2, 0, relu), Inverted((24, 88, 24), 3, 1, 0, relu))
        sizes = [(24, 96, 2, 24), (32, 128, 1, 32), (32, 128, 1, 32), (32, 96, 1, 24), (32, 96, 1, 24)]
        self.sixteenth = nn.Sequential(*(Inverted((a, wide, 32), 5, stride, b, swish) for a, wide, stride, b in sizes))
        self.wide, self.gate = nn.Conv2d(32, 128, 1), nn.Conv2d(32, 128, 1)
        self.merges = nn.ModuleList([Merge(128, 24), Merge(24, 16), Merge(16, 16)])
        self.mask = nn.ConvTranspose2d(16, 1, 2, 2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the share of a person in each pixel, (b, 256, 256)."""
        first = self.stem(pixels)
        second = self.quarter(first)
        third = self.eighth(second)
        x = self.sixteenth(third)
        x = functional.relu(self.wide(x)) * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        for merge, finer in zip(self.merges, (third, second, first), strict=True):
            x = merge(x, finer)
        return torch.sigmoid(self.mask(x))[:, 0]


NETWORKS: dict[str, type[nn.Module]] = {
    "detector": FaceDetector,
    "mesh": FaceMesh,
    "iris": IrisReader,
    "person": PersonMask,
}
"""The networks by the names under which their weights are kept."""


@cache
def load_network(kind: type[Network]) -> Network:
    """Load one of ``NETWORKS`` from the package's weights, once; it computes in single precision."""
    name = next(name for name, network in NETWORKS.items() if network is kind)
    with torch.inference_mode(False), bundled(WEIGHTS) as file:  # whoever comes first may be inferring
        network = kind()
        keys = [key for key in file.keys() if key.startswith(f"{name}.")]  # noqa: SIM118
        network.load_state_dict({key.removeprefix(f"{name}."): file.get_tensor(key).float() for key in keys})
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):  # twice as fast so
                layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
        return network.eval().requires_grad_(False)
