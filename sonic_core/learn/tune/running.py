"""Low-rank changes under way: their steps, their moving average, and a state from which they go on to the bit."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ...errors import CheckpointError
from ...media.files import written_beside
from .network import Changes
from .plan import LearningPlan
from .together import Together

LOWEST = 0.1
"""Share of the learning rate that is left at the end."""
_STATE, _LOG = "state.safetensors", "log.jsonl"
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""What AdamW keeps of every parameter."""

_log = logging.getLogger("sonic")


class Run:
    """Changes that learn, kept in a folder."""

    def __init__(self, folder: Path, changes: Changes, plan: LearningPlan, of: Any, together: Together) -> None:  # noqa: ANN401 - JSON
        """Begin.

        Args:
            folder: Its state, and ``log.jsonl`` with a line per step and per judgement.
            changes: What learns.
            plan: Rate, decay, clip and average count.
            of: What it learns from; whoever goes on with another is stopped.
            together: The processes that share the work.
        """
        self.folder, self.changes, self.plan, self.together = folder, changes, plan, together
        self.identity = json.dumps([plan.of_learning(), of], sort_keys=True)
        self.step = 0
        self.learned = changes.tensors()
        self.optimizer = torch.optim.AdamW(
            list(self.learned.values()), lr=plan.rate, weight_decay=plan.decay, betas=(0.9, 0.99)
        )
        self.average = {name: tensor.detach().clone() for name, tensor in self.learned.items()}
        self.lines: list[str] = []

    def forget_gradients(self) -> None:
        """Begin a step."""
        self.optimizer.zero_grad(set_to_none=False)

    def advance(self, loss: float, rate: float) -> tuple[float, float]:
        """End a step with the gradients that are there: one of the optimizer, and one of the average.

        Args:
            loss: This process's share in the step's loss.
            rate: Learning rate.

        Returns:
            The step's loss, and the norm of its gradient.
        """
        loss = self.together.add_up(self.learned.values(), loss)
        norm = torch.nn.utils.clip_grad_norm_(list(self.learned.values()), self.plan.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.step += 1
        kept = min(self.plan.average, self.step / (self.step + 9))
        with torch.no_grad():
            for name, tensor in self.learned.items():
                self.average[name].lerp_(tensor, 1 - kept)
        return loss, float(norm)

    def save(self, **told: str) -> None:
        """Keep all that going on needs, and what is ``told`` besides; a file is there whole or not at all."""
        if not self.together.first:
            return
        tensors = {f"learned.{name}": tensor.detach() for name, tensor in self.learned.items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.items()}
        for name, parameter in self.learned.items():
            state = self.optimizer.state.get(parameter, {})
            tensors |= {f"{kind}.{name}": state[kind] for kind in _MOMENTS if kind in state}
        _write_beside(self.folder / _STATE, tensors, {"step": str(self.step), "plan": self.identity, **told})
        with (self.folder / _LOG).open("a", encoding="utf-8") as file:
            file.writelines(self.lines)
        self.lines.clear()

    def go_on(self, steps: int) -> dict[str, str] | None:
        """Go on where a former run was saved.

        Args:
            steps: How many there will be, to be told.

        Returns:
            What was told when it was saved; None: there was none, and it begins.

        Raises:
            CheckpointError: It was another run, or is damaged.
        """
        path = self.folder / _STATE
        if not path.is_file():
            (self.folder / _LOG).unlink(missing_ok=True)
            return None
        try:
            with safe_open(str(path), framework="pt", device="cpu") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except SafetensorError as error:
            raise CheckpointError(f"{path} is damaged ({error}); remove its folder to begin anew.") from error
        if header.get("plan") != self.identity:
            raise CheckpointError(
                f"{self.folder} holds a run of another plan or of other videos; give back what was changed, or choose "
                "another output, or remove the folder to begin anew."
            )
        self._restore(tensors)
        self.step = int(header["step"])
        self._forget_later_lines()
        _log.info("going on from step %d of %d.", self.step, steps)
        return header

    def note(self, **words: Any) -> None:  # noqa: ANN401 - JSON
        """Note something in the log, which is written when the state is saved."""
        self.lines.append(json.dumps({"step": self.step, **words}) + "\n")

    def _restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        for name, parameter in self.learned.items():
            with torch.no_grad():
                parameter.copy_(tensors[f"learned.{name}"])
            self.average[name].copy_(tensors[f"average.{name}"])
            kinds = [kind for kind in _MOMENTS if f"{kind}.{name}" in tensors]
            if kinds:
                self.optimizer.state[parameter] = {
                    kind: tensors[f"{kind}.{name}"].to("cpu" if kind == "step" else parameter.device).clone()
                    for kind in kinds
                }

    def _forget_later_lines(self) -> None:
        path = self.folder / _LOG
        if path.is_file() and self.together.first:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= self.step]
            with written_beside(path) as part:
                part.write_text("".join(kept), encoding="utf-8")


def rate_at(step: int, plan: LearningPlan) -> float:
    """Tell the learning rate of a step: a rise, then a cosine down to ``LOWEST`` of it.

    >>> plan = LearningPlan(steps=100, warmup=10, rate=1.0)
    >>> rate_at(0, plan), rate_at(9, plan), round(rate_at(99, plan), 2)
    (0.1, 1.0, 0.1)
    """
    if step < plan.warmup:
        return plan.rate * (step + 1) / plan.warmup
    way = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.rate * (LOWEST + (1 - LOWEST) * 0.5 * (1 + math.cos(math.pi * way)))


def write_changes(
    path: Path, changes: Mapping[str, torch.Tensor], plan: LearningPlan, notes: Mapping[str, str]
) -> None:
    """Write changes as one file that ``generate --lora`` and everybody else who reads peft's names can load.

    Args:
        path: A ``.safetensors`` file.
        changes: ``<layer>.lora_A.weight`` and ``<layer>.lora_B.weight``.
        plan: Of how they were learned; its alpha and rank are in the header, in our words and in peft's.
        notes: What else the header says.
    """
    layers = sorted({name.rpartition(".lora_")[0] for name in changes})
    peft = {"unet.r": plan.rank, "unet.lora_alpha": plan.alpha, "unet.target_modules": layers}
    header = {
        "alpha": f"{plan.alpha:g}",
        "lora_adapter_metadata": json.dumps(peft),
        "plan": json.dumps(asdict(plan)),
        **notes,
    }
    tensors = {f"unet.{name}": tensor.half() for name, tensor in changes.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_beside(path, tensors, header)


def _write_beside(path: Path, tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    with written_beside(path) as part:
        held = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        part.write_bytes(save(held, {"format": "pt", **header}))  # a file that everybody may read, as others are
