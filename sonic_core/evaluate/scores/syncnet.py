"""SyncNet's two towers: five frames of a face and a fifth of a second of sound, each as a point in 1024 dimensions.

The layers' names and shapes are those of the published file ``syncnet_v2.model``.

Source: Chung and Zisserman, Out of Time: Automated Lip Sync in the Wild, ACCV Workshops 2016.
"""

from __future__ import annotations

import torch
from torch import nn

from .mfcc import COEFFICIENTS

SIZE = 224
"""Side of the face's picture, pixels."""
WINDOW = 5
"""Frames that a point is about, at 25 a second."""
COLUMNS = 20
"""Columns of ``mfcc`` that a point is about: as long as the frames."""
PIXELS = 255.0
"""What white is in the pictures that the network knows."""
CHANNELS = (96, 64, 192, 256, 512)
"""Of the face's first layer, the sound's first two, most others, and the last ones."""
POINT = 1024


def _convolution(inside: int, outside: int, kernel: tuple[int, ...], **more: object) -> list[nn.Module]:
    """Make a convolution over pictures or over time too, its norm, and what cuts below zero."""
    solid = len(kernel) == len("txy")
    kind, norm = (nn.Conv3d, nn.BatchNorm3d) if solid else (nn.Conv2d, nn.BatchNorm2d)
    return [kind(inside, outside, kernel, **more), norm(outside), nn.ReLU()]  # type: ignore[arg-type]


def _head(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, POINT))


class SyncNet(nn.Module):
    """Both towers.

    Args:
        part: What the channels inside are divided by; 1 as published.
    """

    def __init__(self, part: int = 1) -> None:
        super().__init__()
        first, small, large, usual, wide = (count // part for count in CHANNELS)
        self.netcnnaud = nn.Sequential(
            *_convolution(1, small, (3, 3), padding=1),
            nn.MaxPool2d(1),
            *_convolution(small, large, (3, 3), padding=1),
            nn.MaxPool2d(3, (1, 2)),
            *_convolution(large, 2 * large, (3, 3), padding=1),
            *_convolution(2 * large, usual, (3, 3), padding=1),
            *_convolution(usual, usual, (3, 3), padding=1),
            nn.MaxPool2d(3, 2),
            *_convolution(usual, wide, (5, 4)),
        )
        self.netfcaud = _head(wide)
        self.netcnnlip = nn.Sequential(
            *_convolution(3, first, (WINDOW, 7, 7), stride=(1, 2, 2)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_convolution(first, usual, (1, 5, 5), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_convolution(usual, usual, (1, 3, 3), padding=(0, 1, 1)),
            *_convolution(usual, usual, (1, 3, 3), padding=(0, 1, 1)),
            *_convolution(usual, usual, (1, 3, 3), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_convolution(usual, wide, (1, 6, 6)),
        )
        self.netfclip = _head(wide)

    def see(self, faces: torch.Tensor) -> torch.Tensor:
        """Place every five frames in a row.

        Args:
            faces: (n, 3, 224, 224) BGR, 0 … 255, at 25 a second, n ≥ 5: one tower pass, no frame is read twice.

        Returns:
            (n − 4, 1024): of frames i to i + 4.
        """
        found = self.netcnnlip(faces.transpose(0, 1)[None])
        return self.netfclip(found[0, :, :, 0, 0].transpose(0, 1))

    def hear(self, columns: torch.Tensor) -> torch.Tensor:
        """Place sounds.

        Args:
            columns: (n, 20, 13) of ``mfcc``.

        Returns:
            (n, 1024).
        """
        found = self.netcnnaud(columns.transpose(1, 2)[:, None])
        return self.netfcaud(found.flatten(1))


__all__ = ["COEFFICIENTS", "COLUMNS", "PIXELS", "POINT", "SIZE", "WINDOW", "SyncNet"]
