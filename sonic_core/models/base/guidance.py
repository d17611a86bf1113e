"""One prediction of the UNet under two guidances, at the size that memory allows.

Three branches are conditioned on more and more: A on nothing, B on the image, C on the image and the audio. The
prediction is A + g₁(B − A) + g₂(C − B) (Ho and Salimans, arXiv 2207.12598, twice).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .attention import AudioTokens, BatchConditioning, Branch, FaceMask, ImageToken
from .calls import call_unet
from .config import MODEL_FPS
from .denoise import deviation


@dataclass(frozen=True)
class Guidance:
    """Scales of the two guidances."""

    appearance: float
    """g₁."""
    audio: float
    """g₂."""

    @property
    def weights(self) -> tuple[float, float, float]:
        """Shares of the branches A, B and C in the prediction; they add up to 1."""
        return 1 - self.appearance, self.appearance - self.audio, self.audio


@dataclass(frozen=True, eq=False)
class ClipConditioning:
    """The conditioning of a whole clip, on the UNet's device."""

    image: ImageToken
    image_latents: torch.Tensor
    """(4, h, w), unscaled."""
    audio: AudioTokens
    unconditional_audio: AudioTokens
    """One frame of unconditional tokens."""
    buckets: torch.Tensor
    """(frames, 2) on the CPU, already scaled: movement of head and expression."""
    mask: FaceMask


@dataclass(frozen=True, eq=False)
class _Row:
    """One row of the UNet's batch: a branch of one window, and its share in the window's prediction."""

    window: int
    share: float
    branch: Branch
    scaled: torch.Tensor
    """(n, 4, h, w) the window's noisy latents at unit variance, on the device."""
    ids: torch.Tensor
    """(3,) what the UNet is told of rate and movement."""


def guided_prediction(
    unet: Any,  # noqa: ANN401 - diffusers' type, imported late
    conditioning: ClipConditioning,
    guidance: Guidance,
    *,
    samples: torch.Tensor,
    indices: torch.Tensor,
    sigma: float,
    timestep: float,
    at_once: int,
) -> torch.Tensor:
    """Predict the velocity of some windows.

    Args:
        unet: The UNet with audio attention, on its device.
        conditioning: That of the clip.
        guidance: Its scales.
        samples: (windows, n, 4, h, w) noisy latents on the CPU.
        indices: (windows, n) which frames they are.
        sigma: Their noise level.
        timestep: What the UNet is told about it.
        at_once: Rows, branches of whichever windows, that pass through the UNet together.

    Returns:
        (windows, n, 4, h, w) float32 on the CPU.
    """
    scaled = (samples / deviation(sigma)).to(conditioning.image_latents)
    rows = [
        row for window in range(len(samples)) for row in _rows(conditioning, guidance, window, scaled, indices[window])
    ]
    predictions = torch.zeros(samples.shape, device=scaled.device)
    with torch.inference_mode():
        for start in range(0, len(rows), at_once):
            group = rows[start : start + at_once]
            for row, answer in zip(group, _run(unet, conditioning, group, timestep), strict=True):
                predictions[row.window] += row.share * answer.float()
    return predictions.cpu()


def _rows(
    conditioning: ClipConditioning, guidance: Guidance, window: int, scaled: torch.Tensor, indices: torch.Tensor
) -> Iterator[_Row]:
    """List the branches of one window that have a share in its prediction."""
    audio, unconditional = conditioning.audio.window(indices), conditioning.unconditional_audio.window()
    branches = Branch(None, unconditional), Branch(conditioning.image, unconditional), Branch(conditioning.image, audio)
    ids = torch.tensor([MODEL_FPS, *conditioning.buckets[indices].mean(0).tolist()], device=scaled.device)
    for share, branch in zip(guidance.weights, branches, strict=True):
        if share:
            yield _Row(window, share, branch, scaled[window], ids)


def _run(unet: Any, conditioning: ClipConditioning, rows: Sequence[_Row], timestep: float) -> torch.Tensor:  # noqa: ANN401
    """Run the UNet over some rows: (rows, n, 4, h, w)."""
    latents = torch.stack([row.scaled for row in rows])
    images = torch.zeros_like(latents)
    for image, row in zip(images, rows, strict=True):
        if row.branch.image is not None:
            image[:] = conditioning.image_latents
    moments = torch.full((len(rows),), timestep, device=latents.device)
    ids = torch.stack([row.ids for row in rows])
    batch = BatchConditioning([row.branch for row in rows], conditioning.mask)
    return call_unet(unet, torch.cat([latents, images], 2), moments, ids, batch)
