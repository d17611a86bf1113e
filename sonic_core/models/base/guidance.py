"""One prediction of the UNet under two guidances, at the size that memory allows.

Three branches are conditioned on more and more: A on nothing, B on the image, C on the image and the audio. The
prediction is A + g₁(B − A) + g₂(C − B) (Ho and Salimans, arXiv 2207.12598, twice).

Between steps less can be computed: the guidance, what the prediction is beyond its last branch, changes slowly and can
be kept per frame while only that branch is computed; or the UNet's deeper levels are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .config import MODEL_FPS
from .denoise import Kept, Predicted, Task, deviation, timestep
from .sampling import Sampling
from .unet.attention import AudioTokens, BatchConditioning, Branch, FaceMask, ImageToken, Indexed
from .unet.calls import call_unet


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
    buckets: Indexed
    """(frames, 2) on the CPU, already scaled: movement of head and expression."""
    mask: FaceMask


@dataclass(frozen=True, eq=False)
class _Row:
    """One row of the UNet's batch: a branch of one window, and its share in the window's prediction."""

    window: int
    place: int
    """Which of the window's branches."""
    share: float
    branch: Branch
    scaled: torch.Tensor
    """(n, 4, h, w) the window's noisy latents at unit variance, on the device."""
    moment: float
    """What the UNet is told of its noise level."""
    ids: torch.Tensor
    """(3,) what the UNet is told of rate and movement."""
    deep: torch.Tensor | None
    """(n, c, h, w) what the UNet's deeper levels made of it at a former step; None to compute it."""


def guided_predictions(
    unet: Any,  # noqa: ANN401 - diffusers' type, imported late
    conditioning: ClipConditioning,
    guidance: Guidance,
    sampling: Sampling,
    tasks: Sequence[Task],
    *,
    at_once: int,
) -> list[Predicted]:
    """Predict the velocities of some windows.

    Args:
        unet: The UNet with audio attention, on its device.
        conditioning: That of the clip.
        guidance: Its scales.
        sampling: Tells what is computed at which step.
        tasks: The windows, of the same number of frames.
        at_once: Rows, branches of whichever windows, that pass through the UNet together.

    Returns:
        What was predicted of each.
    """
    rows = [row for number, task in enumerate(tasks) for row in _rows(conditioning, guidance, sampling, number, task)]
    keeps_deep = sampling.deep_interval > 1
    device = conditioning.image_latents.device
    predictions = torch.zeros(len(tasks), *tasks[0].samples.shape, device=device)
    last: dict[int, torch.Tensor] = {}
    deep: dict[int, list[torch.Tensor]] = {}
    with torch.inference_mode():
        for group in _groups(rows, at_once):
            answers, depths = _run(unet, conditioning, group, keep_deep=keeps_deep and group[0].deep is None)
            for row, answer in zip(group, answers, strict=True):
                predictions[row.window] += row.share * answer.float()
                last[row.window] = answer
            for row, depth in zip(group, depths, strict=False):
                deep.setdefault(row.window, []).append(depth)
    made = []
    for number, task in enumerate(tasks):
        kept: Kept = (torch.stack(deep[number], 1),) if number in deep else ()
        if sampling.keeps_guidance:
            if _renews(sampling, task):
                kept = ((predictions[number] - last[number].float()).cpu(),)
            else:
                predictions[number] += task.kept[0].to(device)
        made.append(Predicted(predictions[number].cpu(), kept))
    return made


def _renews(sampling: Sampling, task: Task) -> bool:
    """Say whether all branches of a task are computed: at their steps, and where nothing is kept of its frames."""
    return not task.kept or sampling.renews_guidance(task.window.step)


def _groups(rows: Sequence[_Row], at_once: int) -> Iterator[Sequence[_Row]]:
    """Cut rows into groups of at most ``at_once``, each with or without what the deeper levels made."""
    first = 0
    for number, row in enumerate(rows):
        if number - first == at_once or (row.deep is None) != (rows[first].deep is None):
            yield rows[first:number]
            first = number
    yield rows[first:]


def _rows(
    conditioning: ClipConditioning, guidance: Guidance, sampling: Sampling, number: int, task: Task
) -> Iterator[_Row]:
    """List the branches of one window that are computed."""
    indices = torch.tensor(list(task.window.frames))
    audio, unconditional = conditioning.audio.window(indices), conditioning.unconditional_audio.window()
    branches = Branch(None, unconditional), Branch(conditioning.image, unconditional), Branch(conditioning.image, audio)
    weights = guidance.weights if sampling.guided else (0.0, 0.0, 1.0)
    used = [(share, branch) for share, branch in zip(weights, branches, strict=True) if share]
    if sampling.keeps_guidance and not _renews(sampling, task):
        used = [(1.0, used[-1][1])]
    scaled = (task.samples / deviation(task.sigma)).to(conditioning.image_latents)
    ids = torch.tensor([MODEL_FPS, *conditioning.buckets[indices].mean(0).tolist()], device=scaled.device)
    reuses = sampling.deep_interval > 1 and task.kept and not sampling.renews_deep(task.window.step)
    for place, (share, branch) in enumerate(used):
        deep = task.kept[0][:, place].to(scaled) if reuses else None
        yield _Row(number, place, share, branch, scaled, timestep(task.sigma), ids, deep)


def _run(
    unet: Any,  # noqa: ANN401 - diffusers' type
    conditioning: ClipConditioning,
    rows: Sequence[_Row],
    *,
    keep_deep: bool,
) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
    """Run the UNet over some rows: (rows, n, 4, h, w), and what its deeper levels made where that is kept."""
    latents = torch.stack([row.scaled for row in rows])
    images = torch.zeros_like(latents)
    for image, row in zip(images, rows, strict=True):
        if row.branch.image is not None:
            image[:] = conditioning.image_latents
    moments = torch.cat([torch.full((1,), row.moment, device=latents.device) for row in rows])  # no copy from the host
    ids = torch.stack([row.ids for row in rows])
    batch = BatchConditioning([row.branch for row in rows], conditioning.mask)
    inputs = torch.cat([latents, images], 2)
    if rows[0].deep is not None:
        deep = torch.cat([row.deep for row in rows if row.deep is not None])
        return call_unet(unet, inputs, moments, ids, batch, deep=deep), ()
    if keep_deep:
        answer, made = call_unet(unet, inputs, moments, ids, batch, keep_deep=True)
        return answer, made.cpu().unflatten(0, (len(rows), -1)).unbind()
    return call_unet(unet, inputs, moments, ids, batch), ()
