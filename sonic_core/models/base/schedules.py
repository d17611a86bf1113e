"""Noise levels of a denoising: a family of schedules side by side.

Each takes the number of steps and gives (steps + 1,) float32, falling from the greatest level to 0.
"""

from __future__ import annotations

import math

import torch

ALIGNED_LEVELS = (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002)
"""Noise levels that were optimised for Stable Video Diffusion, for ten steps (Sabour et al., "Align Your Steps",
arXiv 2404.14507; published with the paper). They span the levels that the model was trained for."""


def karras_sigmas(steps: int, least: float = 0.002, most: float = 700.0, rho: float = 7.0) -> torch.Tensor:
    """Return the noise levels of ``steps`` steps and the final 0: (steps + 1,) float32.

    Source: Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", arXiv 2206.00364,
    equation 5.
    """
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    low, high = least ** (1 / rho), most ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)]).float()


def aligned_sigmas(steps: int, least: float = 0.002, most: float = 700.0) -> torch.Tensor:
    """Return the noise levels of "Align Your Steps" for any number of steps: (steps + 1,) float32, the last one 0.

    Between the published levels they are interpolated linearly in their logarithm over the share of the way, as the
    paper says to do for other numbers of steps. The last published level, at which nothing is left to denoise, becomes
    0, so that ten steps are the published ten.

    Args:
        steps: At least 1.
        least: The least level of the model; levels below it are raised to it.
        most: The greatest level of the model; levels above it are lowered to it.

    Source: Sabour et al., arXiv 2404.14507, appendix; ``ALIGNED_LEVELS``.
    """
    logs = torch.tensor([math.log(level) for level in ALIGNED_LEVELS], dtype=torch.float64)
    places = torch.linspace(0, len(logs) - 1, steps + 1, dtype=torch.float64)[:-1]
    below = places.long().clamp(max=len(logs) - 2)
    levels = logs[below].lerp(logs[below + 1], places - below).exp().clamp(least, most)
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)]).float()
