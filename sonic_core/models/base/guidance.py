"""One prediction of the UNet under two guidances, at the size that memory allows.

Three branches see and hear more and more: A nothing, B the picture, C the picture and the sound. The prediction is
A + g₁(B − A) + g₂(C − B) (Ho and Salimans, arXiv 2207.12598, twice).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .attention import Branch, FaceMask, Picture, Scene, Sound
from .config import MODEL_FPS
from .denoise import deviation


@dataclass(frozen=True)
class Guidance:
    """How strongly picture and sound are followed."""

    appearance: float
    """g₁."""
    audio: float
    """g₂."""

    @property
    def weights(self) -> tuple[float, float, float]:
        """Shares of the branches A, B and C in the prediction; they add up to 1."""
        return 1 - self.appearance, self.appearance - self.audio, self.audio


@dataclass(frozen=True, eq=False)
class Cast:
    """Everything of a clip that the UNet sees and hears, on its device."""

    picture: Picture
    image_latents: torch.Tensor
    """(4, h, w), unscaled."""
    sound: Sound
    silence: Sound
    """One frame of unconditional tokens."""
    buckets: torch.Tensor
    """(frames, 2) on the CPU, already scaled: movement of head and expression."""
    mask: FaceMask


def guided_prediction(
    unet: Any,  # noqa: ANN401 - diffusers' type, imported late
    cast: Cast,
    guidance: Guidance,
    *,
    sample: torch.Tensor,
    indices: torch.Tensor,
    sigma: float,
    timestep: float,
    at_once: int,
) -> torch.Tensor:
    """Predict the velocity of one window.

    Args:
        unet: The UNet with ears, on its device.
        cast: What it sees and hears.
        guidance: How strongly.
        sample: (window, 4, h, w) noisy latents on the CPU.
        indices: (window,) which frames they are.
        sigma: Their noise level.
        timestep: What the UNet is told about it.
        at_once: Branches that pass through the UNet together.

    Returns:
        (window, 4, h, w) float32 on the CPU.
    """
    device, dtype = cast.image_latents.device, cast.image_latents.dtype
    scaled = (sample / deviation(sigma)).to(device, dtype)
    bucket = cast.buckets[indices].mean(0)
    ids = torch.tensor([MODEL_FPS, *bucket.tolist()], device=device)
    heard, unheard = cast.sound.at(indices), cast.silence.at()
    branches = [Branch(None, unheard), Branch(cast.picture, unheard), Branch(cast.picture, heard)]
    wanted = [(weight, branch) for weight, branch in zip(guidance.weights, branches, strict=True) if weight]
    prediction = torch.zeros(sample.shape, device=device)
    with torch.inference_mode():
        for group in _groups(wanted, at_once):
            scene = Scene([branch for _, branch in group], cast.mask)
            for (weight, _), answer in zip(
                group, _run(unet, scene, scaled=scaled, cast=cast, timestep=timestep, ids=ids), strict=True
            ):
                prediction += weight * answer.float()
    return prediction.cpu()


def _run(
    unet: Any,  # noqa: ANN401
    scene: Scene,
    *,
    scaled: torch.Tensor,
    cast: Cast,
    timestep: float,
    ids: torch.Tensor,
) -> torch.Tensor:
    """Run the UNet over the branches of a scene: (branches, window, 4, h, w)."""
    rows, frames = len(scene.branches), len(scaled)
    inputs = scaled.new_zeros(rows, frames, 2 * scaled.shape[1], *scaled.shape[2:])
    inputs[:, :, : scaled.shape[1]] = scaled
    for row, branch in zip(inputs, scene.branches, strict=True):
        if branch.picture is not None:
            row[:, scaled.shape[1] :] = cast.image_latents
    unet.stage.show(scene)
    try:
        moment = torch.tensor(timestep, device=scaled.device)
        nothing = scaled.new_zeros(rows, 1, 1)  # what is seen and heard stands on the stage
        return unet(inputs, moment, nothing, ids.expand(rows, -1), return_dict=False)[0]
    finally:
        unet.stage.clear()


def _groups(wanted: Sequence[tuple[float, Branch]], size: int) -> Iterator[Sequence[tuple[float, Branch]]]:
    for start in range(0, len(wanted), size):
        yield wanted[start : start + size]
