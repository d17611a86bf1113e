"""A rough RGB preview of latents while they are denoised."""

from __future__ import annotations

import torch

RGB_FACTORS = (
    (0.3512, 0.2297, 0.3227),
    (0.3250, 0.4974, 0.2350),
    (-0.2829, 0.1762, 0.2721),
    (-0.2120, -0.2616, -0.7177),
)
"""What each latent channel adds to red, green and blue, in [−1, 1]: a linear fit of the VAE that Stable Video Diffusion
shares with Stable Diffusion 1 (as published with ComfyUI)."""


def latents_to_rgb(latents: torch.Tensor) -> torch.Tensor:
    """Guess a small image from one frame's latents.

    Args:
        latents: (4, h, w), scaled as inside the diffusion process.

    Returns:
        (3, h, w) in [0, 1]: one pixel for every eight by eight of the frame.
    """
    factors = torch.tensor(RGB_FACTORS)
    return torch.einsum("chw,cr->rhw", latents.float(), factors).add_(1).div_(2).clamp_(0, 1)
