"""Teach the mouth network."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ...speech.network import CHANNELS, KINDS, Mouth, MouthNetwork, pressed, save_network
from .corpus import Roughener, make_noises, read_clips

_CHANNEL_WEIGHTS = (2.0, 0.7, 1.0, 0.7, 0.7, 1.0)
_PAUSE_WEIGHT = 0.15  # in pauses real mouths do as they like
_PARTS: tuple[str, ...] = ("curves", "opening", "closure", "likeness", "kind")
_OPEN_KINDS = torch.tensor([KINDS.index(name) for name in KINDS if "vowel" in name])

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that shapes a training."""

    steps: int = 7_000
    width: int = 112
    """Channels inside the network."""
    batch: int = 24
    """Crops a step."""
    rate: float = 2e-3
    """Learning rate at its highest."""
    noises: int = 160
    """Backgrounds to invent, 12 s each."""
    seed: int = 0


def train(folder: Path, weights: Path, plan: TrainingPlan, start: Path | None = None) -> None:
    """Train on the clips of ``folder`` and write the moving average of the weights.

    Args:
        folder: What ``make_dataset`` wrote.
        weights: File to write; beside it, every 500 steps, what ``start`` takes.
        plan: Everything that shapes the training; the same plan and clips give the same weights on the same machine.
        start: A checkpoint (``.pt``) to go on from.
    """
    torch.manual_seed(plan.seed)
    paths = sorted(folder.glob("*.npz"))
    source = Roughener(read_clips(paths), make_noises(plan.noises), plan.seed)
    network = MouthNetwork(plan.width)
    if start:
        network.load_state_dict(torch.load(start, weights_only=True))
    hours = sum(len(clip.clean) for clip in source.clips) / 360_000
    notes = {"plan": json.dumps(asdict(plan)), "clips": str(len(source.clips)), "channels": ",".join(CHANNELS)}
    _log.info("%s, %.1f h", notes, hours)
    average = fit(network, source, plan, lambda average: _keep(average, weights, notes))
    _keep(average, weights, notes)


def fit(
    network: MouthNetwork, source: Roughener, plan: TrainingPlan, keep: Callable[[MouthNetwork], None]
) -> MouthNetwork:
    """Take ``plan.steps`` steps and return the moving average of the weights; ``keep`` sees it every 500 steps."""
    average = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=0.02, betas=(0.9, 0.98))
    begin, sums = time.monotonic(), dict.fromkeys(_PARTS, 0.0)
    for step in range(1, plan.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * min(1, step / 200) * (0.02 + 0.49 * (1 + np.cos(np.pi * step / plan.steps)))
        levels, targets = source.batch(plan.batch)
        parts = losses(network(torch.from_numpy(levels)), torch.from_numpy(targets))
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        _follow(average, network, min(0.998, step / (step + 20)))
        for name, value in parts.items():
            sums[name] += float(value.detach())
        if step % 100 == 0:
            shown = ", ".join(f"{name} {value / 100:.3f}" for name, value in sums.items())
            _log.info("%5.1f min, step %d of %d: %s", (time.monotonic() - begin) / 60, step, plan.steps, shown)
            sums = dict.fromkeys(_PARTS, 0.0)
        if step % 500 == 0:
            keep(average)
    return average


def losses(mouth: Mouth, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    """Compare what the network says with what it should have said.

    A missed closure costs more than a false one, and a false one over a consonant less than one that shuts a vowel:
    that is how much each is seen.

    Args:
        mouth: For (b, n) moments.
        targets: (b, channels + 2, n), as ``draw_targets`` orders them.

    Returns:
        The loss is their sum.
    """
    curves, closure, kind = targets[:, :-2], targets[:, -2], targets[:, -1].long()
    weight = torch.where(kind == 0, _PAUSE_WEIGHT, 1.0)
    aim = curves[:, 0] * (1 - pressed(closure))
    opening = mouth.curves[:, 0].clamp_min(0) * (1 - pressed(mouth.closure.sigmoid()))
    scale = torch.tensor(_CHANNEL_WEIGHTS)[None, :, None]
    fear = torch.where(torch.isin(kind, _OPEN_KINDS), 1.5, torch.where(kind == 0, 0.5, 0.6))
    missed = functional.binary_cross_entropy_with_logits(mouth.closure, closure, reduction="none")
    off = (((mouth.curves - curves) ** 2 * scale).mean(1) * weight).sum() / weight.sum()
    gap = ((opening - aim) ** 2 * weight * (1 + 3 * (closure > 0.6))).sum() / weight.sum()
    return {
        "curves": 10 * off,
        "opening": 10 * gap,
        "closure": (missed * (fear + 7 * closure)).mean(),
        "likeness": 0.5 * (1 - _likeness(opening, aim, weight)).mean(),
        "kind": 0.25 * functional.cross_entropy(mouth.kind, kind),
    }


def _likeness(first: torch.Tensor, second: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Correlate rows (b, n) with weights."""
    weight = weight / weight.sum(1, keepdim=True)
    first = first - (first * weight).sum(1, keepdim=True)
    second = second - (second * weight).sum(1, keepdim=True)
    energy = (first**2 * weight).sum(1) * (second**2 * weight).sum(1)
    return (first * second * weight).sum(1) / (energy + 1e-6).sqrt()


@torch.no_grad()
def _follow(average: MouthNetwork, network: MouthNetwork, decay: float) -> None:
    """Move the average weights towards the newest."""
    for kept, new in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def _keep(network: MouthNetwork, weights: Path, notes: dict[str, str]) -> None:
    """Write the weights, and a checkpoint to go on from."""
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_network(network, weights, notes)
    torch.save(network.state_dict(), weights.with_suffix(".pt"))
