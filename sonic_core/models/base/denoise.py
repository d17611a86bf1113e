"""Denoising: Euler steps over windows that shift from step to step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

Predict = Callable[[torch.Tensor, torch.Tensor, float, float], torch.Tensor]
"""From some windows' noisy frames (windows, n, 4, h, w) on the CPU, their indices (windows, n), sigma and timestep to
the guided predictions, of the same shape, float32, on the CPU."""
WindowCallback = Callable[[int, int, torch.Tensor], None]
"""Called with windows done, windows in all, and the denoised estimate of a window's frames, (n, 4, h, w)."""


@dataclass(frozen=True)
class Schedule:
    """How the windows lie."""

    window: int
    """Frames that pass through the UNet together."""
    overlap: int
    """Frames that a window shares with the next."""
    shift: int
    """Frames by which the windows move back from step to step, so that no seam stays in one place."""


def karras_sigmas(steps: int, least: float = 0.002, most: float = 700.0, rho: float = 7.0) -> torch.Tensor:
    """Return the noise levels of ``steps`` steps and the final 0: (steps + 1,) float32.

    Source: Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models", arXiv 2206.00364,
    equation 5.
    """
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    low, high = least ** (1 / rho), most ** (1 / rho)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1, dtype=torch.float64)]).float()


def timestep(sigma: float) -> float:
    """Return what the UNet is told about a noise level: 0.25 · ln σ (Karras et al., table 1)."""
    return 0.25 * math.log(sigma)


def deviation(sigma: float) -> float:
    """Return the standard deviation of the noisy latents, by which the UNet's input is divided: √(σ² + 1)."""
    return math.sqrt(sigma**2 + 1)


def frame_noise(seed: int, frames: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """Draw noise frame by frame, on the CPU: the same on every device, and a longer clip begins with the same.

    NumPy's generator reads the whole seed; torch's on the CPU only its lower 32 bits.

    Args:
        seed: 0 … 2^64 − 1.
        frames: Number of frames.
        shape: (4, h, w) of one frame.

    Returns:
        (frames, 4, h, w) float32.
    """
    generator = np.random.default_rng(seed)
    noise = torch.empty(frames, *shape)
    for frame in noise.numpy():
        generator.standard_normal(dtype=np.float32, out=frame)
    return noise


def window_frames(frames: int, schedule: Schedule, shifted: int) -> Iterator[torch.Tensor]:
    """List the windows of one step: (window,) indices each, on a ring of ``frames`` frames.

    Args:
        frames: Frames of the clip; with fewer than a window's, a window holds some more than once.
        schedule: How the windows lie.
        shifted: How far they have moved back by now.
    """
    for start in range(0, frames, schedule.window - schedule.overlap):
        yield (start - shifted + torch.arange(schedule.window)) % frames


def denoised(sample: torch.Tensor, prediction: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return what is left of ``sample`` when the predicted velocity is trusted at once.

    Source: v-prediction, Salimans and Ho, arXiv 2202.00512, appendix D, in the scaling of Karras et al.
    """
    return prediction * (-sigma / math.sqrt(sigma**2 + 1)) + sample / (sigma**2 + 1)


def euler_step(sample: torch.Tensor, clean: torch.Tensor, sigma: float, following: float) -> torch.Tensor:
    """Go from noise level ``sigma`` to ``following`` towards ``clean`` (Karras et al., algorithm 1 without churn)."""
    return sample + (sample - clean) / sigma * (following - sigma)


def denoise(
    latents: torch.Tensor,
    sigmas: torch.Tensor,
    schedule: Schedule,
    predict: Predict,
    callback: WindowCallback,
    *,
    at_once: int = 1,
) -> torch.Tensor:
    """Denoise a clip: at every step each window takes one Euler step, and frames covered twice get the mean.

    Args:
        latents: (frames, 4, h, w) float32 on the CPU at noise level ``sigmas[0]``; changed in place.
        sigmas: (steps + 1,), falling to 0.
        schedule: How the windows lie.
        predict: The network with its guidance.
        callback: Called after each UNet call, with the estimate of its last window.
        at_once: Windows that are predicted together.

    Returns:
        ``latents``, denoised.
    """
    steps, done = len(sigmas) - 1, 0
    total = steps * sum(1 for _ in window_frames(len(latents), schedule, 0))
    for step in range(steps):
        sigma, following = float(sigmas[step]), float(sigmas[step + 1])
        windows = list(window_frames(len(latents), schedule, step * schedule.shift))
        merged = _Merge(latents, windows)
        for some in (torch.stack(windows[first : first + at_once]) for first in range(0, len(windows), at_once)):
            samples = latents[some]
            clean = denoised(samples, predict(samples, some, sigma, timestep(sigma)), sigma)
            for indices, result in zip(some, euler_step(samples, clean, sigma, following), strict=True):
                merged.put(indices, result)
            done += len(some)
            callback(done, total, clean[-1])
    return latents


class _Merge:
    """Writes windows' results over the clip; a frame that several windows need is written when the last one is done."""

    def __init__(self, latents: torch.Tensor, windows: list[torch.Tensor]) -> None:
        self.latents = latents
        self.times = torch.bincount(torch.cat(windows), minlength=len(latents))
        self.left = self.times.clone()
        self.sums: dict[int, torch.Tensor] = {}

    def put(self, indices: torch.Tensor, results: torch.Tensor) -> None:
        """Take the results of one window."""
        for index, result in zip(indices.tolist(), results, strict=True):
            self.left[index] -= 1
            total = self.sums[index].add_(result) if index in self.sums else result.clone()
            if self.left[index]:
                self.sums[index] = total
            else:
                self.sums.pop(index, None)
                self.latents[index] = total / self.times[index]
