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
    cast: Cast,
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
        unet: The UNet with ears, on its device.
        cast: What it sees and hears.
        guidance: How strongly.
        samples: (windows, n, 4, h, w) noisy latents on the CPU.
        indices: (windows, n) which frames they are.
        sigma: Their noise level.
        timestep: What the UNet is told about it.
        at_once: Rows, branches of whichever windows, that pass through the UNet together.

    Returns:
        (windows, n, 4, h, w) float32 on the CPU.
    """
    scaled = (samples / deviation(sigma)).to(cast.image_latents)
    rows = [row for window in range(len(samples)) for row in _rows(cast, guidance, window, scaled, indices[window])]
    predictions = torch.zeros(samples.shape, device=scaled.device)
    with torch.inference_mode():
        for start in range(0, len(rows), at_once):
            group = rows[start : start + at_once]
            for row, answer in zip(group, _run(unet, cast, group, timestep), strict=True):
                predictions[row.window] += row.share * answer.float()
    return predictions.cpu()


def _rows(cast: Cast, guidance: Guidance, window: int, scaled: torch.Tensor, indices: torch.Tensor) -> Iterator[_Row]:
    """List the branches of one window that have a share in its prediction."""
    heard, unheard = cast.sound.at(indices), cast.silence.at()
    branches = Branch(None, unheard), Branch(cast.picture, unheard), Branch(cast.picture, heard)
    ids = torch.tensor([MODEL_FPS, *cast.buckets[indices].mean(0).tolist()], device=scaled.device)
    for share, branch in zip(guidance.weights, branches, strict=True):
        if share:
            yield _Row(window, share, branch, scaled[window], ids)


def _run(unet: Any, cast: Cast, rows: Sequence[_Row], timestep: float) -> torch.Tensor:  # noqa: ANN401
    """Run the UNet over some rows: (rows, n, 4, h, w)."""
    latents = torch.stack([row.scaled for row in rows])
    seen = torch.zeros_like(latents)
    for picture, row in zip(seen, rows, strict=True):
        if row.branch.picture is not None:
            picture[:] = cast.image_latents
    unet.stage.show(Scene([row.branch for row in rows], cast.mask))
    try:
        moment = torch.tensor(timestep, device=latents.device)
        nothing = latents.new_zeros(len(rows), 1, 1)  # what is seen and heard stands on the stage
        ids = torch.stack([row.ids for row in rows])
        return unet(torch.cat([latents, seen], 2), moment, nothing, ids, return_dict=False)[0]
    finally:
        unet.stage.clear()
