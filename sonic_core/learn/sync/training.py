"""Teach the sync network: windows of a mouth and a sound of one moment belong together, all others do not.

Source: van den Oord, Li and Vinyals, Representation Learning with Contrastive Predictive Coding, 2018 (InfoNCE);
Smith and Topin, Super-Convergence, 2019 (one cycle).
"""

from __future__ import annotations

import json
import logging
import math
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from ...errors import CheckpointError
from ...media.unfinished import Unfinished
from ...sync.lip_shape import LIP_CURVES
from ...sync.network import SyncNetwork
from ..plans import check_limits
from .batches import FRAMES, Batches, SyncBatch
from .judging import SyncTrials

SAVED, TOLD = 50, 10
"""Steps between two checkpoints, and between two lines that say how far it has come."""
LATEST_START = 60
"""Steps by which the loss must be a tenth below chance; where it is not, something is broken."""
LEARNT, ALIKE = 0.1, 0.25
"""Share by which a loss must be below chance for anything to be learnt, and mean cosine above which all mouths begin to
look alike; healthy trainings stay below 0.05."""
_WARM, _LAST = 0.25, 1e-3
"""Share of the steps in which the learning rate rises, and what it ends at, as a share of its highest."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SyncPlan:
    """Everything that shapes a training.

    Raises:
        SettingsError: A value is not possible.
    """

    steps: int = 600
    """Steps to take."""
    batch: int = 16
    """Rows a step."""
    frames: int = FRAMES
    """Frames of a row that are compared."""
    rate: float = 3e-3
    """Learning rate at its highest."""
    seed: int = 0
    """The same seed and material give the same weights."""
    pieces: int = 0
    """How many there are to learn from: with others a training is another."""

    def __post_init__(self) -> None:
        check_limits(self, _LIMITS)


_MANY = 1_000_000
_LIMITS = {
    "steps": (1, _MANY),
    "batch": (1, 4096),
    "frames": (1, _MANY),
    "rate": (1e-9, 1),
    "seed": (0, 2**63),
    "pieces": (0, _MANY),
}


def contrast(network: SyncNetwork, batch: SyncBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """Compare all windows of a batch with all sounds of it.

    Returns:
        The loss, the mean of both directions; and the windows of the mouths, (rows, …).
    """
    seen, heard = network.see(batch.mouths).flatten(0, 1), network.hear(batch.sounds).flatten(0, 1)
    logits = network.sharpness.exp() * seen @ heard.T
    own = torch.arange(len(logits))
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2, seen


def likeness(rows: torch.Tensor) -> float:
    """Average the cosines between different rows (n, …) of length 1: near 1 all inputs look alike, near 0 is well."""
    count = len(rows)
    return float((rows.sum(0).square().sum() - count) / (count * (count - 1)))


class SyncTraining:
    """A network on its way; what it has become after n steps does not depend on how often it was interrupted."""

    def __init__(self, plan: SyncPlan, curves: int = len(LIP_CURVES)) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.step = plan, 0
        self.network = SyncNetwork(curves)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=plan.rate, weight_decay=0.01)

    def run(self, batches: Batches, trials: SyncTrials | None = None, checkpoint: Path | None = None) -> None:
        """Take the steps that are left.

        Args:
            batches: Gives the batch of each step.
            trials: Judged now and then, if there are any.
            checkpoint: Where it is kept every ``SAVED`` steps.
        """
        while self.step < self.plan.steps:
            loss, chance = self.advance(batches.draw(self.step, self.plan.batch, self.plan.frames))
            if self.step == 1 or self.step % TOLD == 0 or self.step == self.plan.steps:
                self.tell(loss, chance)
            if checkpoint is not None and (self.step % SAVED == 0 or self.step == self.plan.steps):
                self.save(checkpoint)
                if trials is not None:
                    _log.info("        %s", trials.judge(self.network))

    def advance(self, batch: SyncBatch) -> tuple[float, float]:
        """Take one step; return its loss and the loss of chance."""
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate * one_cycle((self.step + 1) / self.plan.steps)
        loss, seen = contrast(self.network, batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.alike = likeness(seen.detach())
        return float(loss.detach()), math.log(len(seen))

    def tell(self, loss: float, chance: float) -> None:
        """Say how far a loss is from chance."""
        below = 1 - loss / chance
        rows = round(math.exp(chance))
        if below >= LEARNT:
            words = f"{below:.0%} below chance ({chance:.2f} for {rows} rows)"
        elif self.step >= LATEST_START:
            words = f"= chance for {rows} rows ({chance:.2f}): nothing is learnt, which at this step means a fault"
        else:
            words = f"= chance for {rows} rows ({chance:.2f}): nothing is learnt yet"
        sharpness = float(self.network.sharpness.detach().exp())
        _log.info(
            "step %d of %d: loss %.2f %s; cosines times %.1f; mean cosine between mouths %.3f%s",
            *(self.step, self.plan.steps, loss, words, sharpness, self.alike),
            ", collapsing" if self.alike > ALIKE else "",
        )

    def save(self, path: Path) -> None:
        """Keep everything that the next step depends on."""
        state = {
            "plan": json.dumps(asdict(self.plan)),
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        with Unfinished(f"{path}.part") as part:
            torch.save(state, part)
            Path(part).replace(path)

    def resume(self, path: Path) -> None:
        """Go on from what ``save`` wrote.

        Raises:
            CheckpointError: The file is damaged, or of a training with another plan.
        """
        state = _read_state(path)
        if state["plan"] != json.dumps(asdict(self.plan)):
            raise CheckpointError(
                f"Expected {path} to be of a training with the same plan {json.dumps(asdict(self.plan))}, got "
                f"{state['plan']}; ask for the same again, or begin anew with --fresh."
            )
        self.step = int(state["step"])
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, weights_only=True)
        return {name: state[name] for name in ("plan", "step", "network", "optimizer")}
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, TypeError, ValueError) as error:
        raise CheckpointError(f"Expected a training to go on with in {path}, which is damaged; use --fresh.") from error


def one_cycle(share: float) -> float:
    """Return the learning rate's share of its highest when ``share`` of the steps is taken: it rises, then falls."""
    if share < _WARM:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * share / _WARM)) / 2
    return _LAST + (1 - _LAST) * (1 + math.cos(math.pi * (share - _WARM) / (1 - _WARM))) / 2
