"""Teach the mouth network."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ...errors import CheckpointError
from ...media.files import written_beside
from ...speech.network import CHANNELS, KINDS, Mouth, MouthNetwork, pressed, save_network
from ..plans import check_limits
from .corpus import Roughener, make_noises, read_clips

_CHANNEL_WEIGHTS = (2.0, 0.7, 1.0, 0.7, 0.7, 1.0)
_PAUSE_WEIGHT = 0.15  # in pauses real mouths do as they like
_PARTS: tuple[str, ...] = ("curves", "opening", "closure", "likeness", "kind")
_OPEN_KINDS = torch.tensor([KINDS.index(name) for name in KINDS if "vowel" in name])

SAVED, TOLD = 100, 100
"""Steps between two checkpoints, half a minute, and between two lines that say how far it has come."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that shapes a training.

    Raises:
        SettingsError: A value is not possible.
    """

    steps: int = 7_000
    """Steps to take."""
    width: int = 112
    """Channels inside the network."""
    batch: int = 24
    """Crops a step."""
    rate: float = 2e-3
    """Learning rate at its highest."""
    noises: int = 160
    """Backgrounds to invent, 12 s each."""
    seed: int = 0
    """The same seed, clips and machine give the same weights."""

    def __post_init__(self) -> None:
        check_limits(self, _LIMITS)


_MANY = 1_000_000
_LIMITS = {
    "steps": (1, _MANY),
    "width": (1, 4096),
    "batch": (1, 4096),
    "rate": (1e-9, 1),
    "noises": (1, _MANY),
    "seed": (0, 2**63),
}


def train(folder: Path, weights: Path, plan: TrainingPlan, start: Path | None = None, *, fresh: bool = False) -> None:
    """Train on the clips of ``folder`` and write the moving average of the weights.

    Args:
        folder: What ``make_dataset`` wrote.
        weights: File to write; beside it, every ``SAVED`` steps, a checkpoint that the same call goes on from.
        plan: Everything that shapes the training; the same plan and clips give the same weights on the same machine.
        start: A checkpoint (``.pt``) whose weights another training begins with.
        fresh: Begin anew, whatever was begun before.

    Raises:
        CheckpointError: A checkpoint is damaged, or of another plan.
    """
    source = Roughener(read_clips(sorted(folder.glob("*.npz"))), make_noises(plan.noises), plan.seed)
    hours = sum(len(clip.clean) for clip in source.clips) / 360_000
    notes = {"plan": json.dumps(asdict(plan)), "clips": str(len(source.clips)), "channels": ",".join(CHANNELS)}
    _log.info("%s, %.1f h", notes, hours)
    training, checkpoint = LipTraining(plan, clips=len(source.clips)), weights.with_suffix(".pt")
    if start is not None:
        training.begin_with(start)
    elif checkpoint.exists() and not fresh:
        training.resume(checkpoint)
        _log.info("going on from step %d of %s", training.step, checkpoint)
    weights.parent.mkdir(parents=True, exist_ok=True)
    training.run(source, checkpoint)
    save_network(training.average, weights, notes)


class LipTraining:
    """A network on its way; what it has become after n steps does not depend on how often it was interrupted."""

    def __init__(self, plan: TrainingPlan, network: MouthNetwork | None = None, clips: int = 0) -> None:
        """Begin.

        Args:
            plan: Everything that shapes the training.
            network: What is taught; None makes a new one, which the plan's seed decides.
            clips: How many there are to learn from: with others a training is another.
        """
        torch.manual_seed(plan.seed)
        self.plan, self.step = plan, 0
        self.network = network or MouthNetwork(plan.width)
        self.average = copy.deepcopy(self.network).eval()
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=plan.rate, weight_decay=0.02, betas=(0.9, 0.98)
        )
        self._told = json.dumps({**asdict(plan), "clips": clips})

    def run(self, source: Roughener, checkpoint: Path | None = None) -> None:
        """Take the steps that are left.

        Args:
            source: Gives the batch of each step, which depends on seed and step alone.
            checkpoint: Where it is kept every ``SAVED`` steps.
        """
        begin, sums, first = time.monotonic(), dict.fromkeys(_PARTS, 0.0), self.step
        while self.step < self.plan.steps:
            for name, value in self.advance(source).items():
                sums[name] += value
            if self.step % TOLD == 0 or self.step == self.plan.steps:
                shown = ", ".join(f"{name} {value / max(1, self.step - first):.3f}" for name, value in sums.items())
                minutes = (time.monotonic() - begin) / 60
                _log.info("%5.1f min, step %d of %d: %s", minutes, self.step, self.plan.steps, shown)
                sums, first = dict.fromkeys(_PARTS, 0.0), self.step
            if checkpoint is not None and (self.step % SAVED == 0 or self.step == self.plan.steps):
                self.save(checkpoint)

    def advance(self, source: Roughener) -> dict[str, float]:
        """Take one step, all of whose chances follow from seed and step; return the parts of its loss."""
        source.random = np.random.default_rng([self.plan.seed, self.step])
        torch.manual_seed(int(source.random.integers(2**63)))  # which channels are dropped
        self.step += 1
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        levels, targets = source.batch(self.plan.batch)
        parts = losses(self.network(torch.from_numpy(levels)), torch.from_numpy(targets))
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        _follow(self.average, self.network, min(0.998, self.step / (self.step + 20)))
        return {name: float(value.detach()) for name, value in parts.items()}

    def _rate(self) -> float:
        falling = 0.02 + 0.49 * (1 + np.cos(np.pi * self.step / self.plan.steps))
        return float(self.plan.rate * min(1, self.step / 200) * falling)

    def save(self, path: Path) -> None:
        """Keep everything that the next step depends on."""
        state = {
            "plan": self._told,
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with written_beside(path) as part:
            torch.save(state, part)

    def resume(self, path: Path) -> None:
        """Go on from what ``save`` wrote.

        Raises:
            CheckpointError: The file is damaged, or of a training with another plan.
        """
        state = _read_state(path)
        if state["plan"] != self._told:
            raise CheckpointError(
                f"Expected {path} to be of a training with the same plan {self._told}, got {state['plan']}; ask for "
                "the same again, or begin anew with --fresh."
            )
        self.step = int(state["step"])
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])

    def begin_with(self, path: Path) -> None:
        """Take the weights of a checkpoint, and nothing else.

        Raises:
            CheckpointError: The file is damaged, or its network has another width.
        """
        try:
            self.network.load_state_dict(_read_state(path)["average"])
        except RuntimeError as error:
            raise CheckpointError(f"Expected a network of width {self.plan.width} in {path}: {error}") from error
        self.average.load_state_dict(self.network.state_dict())


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, weights_only=True)
        return {name: state[name] for name in ("plan", "step", "network", "average", "optimizer")}
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"Expected a training to go on with in {path}, which is damaged, or older than this version; use --fresh."
        ) from error


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
