"""Make ``evaluate/scores/lpips.safetensors``: what LPIPS lets a difference in each channel of AlexNet count."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from ..weights.read import open_tensors

LAYERS = 5


def convert_perceptual(path: Path, target: Path) -> None:
    """Write the weights of LPIPS, version 0.1 for AlexNet, as safetensors.

    Args:
        path: ``lpips/weights/v0.1/alex.pth`` of the package lpips 0.1.4.
        target: The file to write; of each layer ``layer0`` … ``layer4``, (channels,) float32.

    Raises:
        CheckpointError: ``path`` cannot be read.
    """
    found = open_tensors(path)
    layers = {f"layer{number}": found[f"lin{number}.model.1.weight"].flatten() for number in range(LAYERS)}
    save_file({name: layer.to(torch.float32).contiguous() for name, layer in layers.items()}, str(target))
