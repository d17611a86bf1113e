"""The tuning itself: steps, the moving average, judgements, and a state from which it goes on to the bit."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ...errors import CheckpointError
from ...media.files import written_beside
from ...types import Progress, ignore_progress
from .examples import Example, Examples, Span
from .loss import judge, learn_from
from .network import Changes
from .plan import TuningPlan
from .together import Together

STAGE = "learn"
QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Shares of the noise levels that are learned from below those that are judged."""
LOWEST = 0.1
"""Share of the learning rate that is left at the end."""
_STATE, _LOG = "state.safetensors", "log.jsonl"

_log = logging.getLogger("sonic")


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learned, how, and from what."""

    plan: TuningPlan
    unet: Any
    """In the form that learns, with ``changes`` beside its layers, on its device."""
    changes: Changes
    """What learns."""
    examples: Examples
    judging: Sequence[Span]
    """What is held out."""
    notes: dict[str, str]
    """What the file says of itself besides."""


def tune(
    lesson: Lesson, output: Path, run: Path, together: Together, progress: Progress = ignore_progress
) -> dict[float, float]:
    """Learn, going on where a former run was stopped, and write the changes.

    Args:
        lesson: What is learned, how, and from what.
        output: File of the changes.
        run: Folder of the run: its state, and ``log.jsonl`` with a line per step and per judgement.
        together: The processes that share the work.
        progress: Called with ("learn", steps done, steps in all).

    Returns:
        The last judgement: loss by noise level.

    Raises:
        CheckpointError: The run in the folder is another one.
    """
    run.mkdir(parents=True, exist_ok=True)
    plan, learner = lesson.plan, Learner(lesson, run, together)
    learner.go_on()
    saved = time.monotonic()
    if learner.step == 0:
        learner.judge()
    while learner.step < plan.steps:
        learner.take_step()
        progress(STAGE, learner.step, plan.steps)
        if learner.step % plan.judge_every == 0 or learner.step == plan.steps:
            learner.judge()
        if time.monotonic() - saved >= plan.save_every:
            learner.save()
            saved = time.monotonic()
    learner.save()
    if together.first:
        write_changes(output, learner.average, plan, lesson.notes)
    return learner.judged


class Learner:
    """The state of a tuning."""

    def __init__(self, lesson: Lesson, run: Path, together: Together) -> None:
        self.lesson, self.run, self.together = lesson, run, together
        plan = self.plan = lesson.plan
        self.step = 0
        self.judged: dict[float, float] = {}
        self.learned = lesson.changes.tensors()
        self.optimizer = torch.optim.AdamW(
            list(self.learned.values()), lr=plan.rate, weight_decay=plan.decay, betas=(0.9, 0.99)
        )
        self.average = {name: tensor.detach().clone() for name, tensor in self.learned.items()}
        self.lines: list[str] = []
        sigmas = judged_levels(plan)
        self.held_out: list[Example] = lesson.examples.fixed(lesson.judging, sigmas) if together.first else []

    def take_step(self) -> None:
        """Learn from a batch."""
        plan, began = self.plan, time.perf_counter()
        drawn = [self.lesson.examples.draw(self.step, number) for number in self.together.share(plan.batch)]
        self.optimizer.zero_grad(set_to_none=False)
        loss = learn_from(self.lesson.unet, drawn, plan.batch)
        loss = self.together.add_up(self.learned.values(), loss)
        norm = torch.nn.utils.clip_grad_norm_(list(self.learned.values()), plan.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = rate_at(self.step, plan)
        self.optimizer.step()
        self.step += 1
        kept = min(plan.average, self.step / (self.step + 9))
        with torch.no_grad():
            for name, tensor in self.learned.items():
                self.average[name].lerp_(tensor, 1 - kept)
        self._note(loss=loss, gradient=float(norm), seconds=round(time.perf_counter() - began, 3))

    def judge(self) -> None:
        """Judge the moving average on what was held out."""
        if not self.held_out:
            return
        learned = {name: tensor.detach().clone() for name, tensor in self.learned.items()}
        self._take(self.average)
        self.judged = judge(self.lesson.unet, self.held_out)
        self._take(learned)
        mean = math.fsum(self.judged.values()) / len(self.judged)
        self._note(held_out=mean, by_level={f"{sigma:.3g}": loss for sigma, loss in self.judged.items()})
        shown = ", ".join(f"{loss:.4f} at {sigma:.2g}" for sigma, loss in self.judged.items())
        _log.info("step %d of %d: held out %.4f (%s)", self.step, self.plan.steps, mean, shown)

    def save(self) -> None:
        """Keep all that going on needs; a file is there whole or not at all."""
        if not self.together.first:
            return
        tensors = {f"learned.{name}": tensor.detach() for name, tensor in self.learned.items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.items()}
        for name, parameter in self.learned.items():
            state = self.optimizer.state.get(parameter, {})
            tensors |= {f"{kind}.{name}": state[kind] for kind in _MOMENTS if kind in state}
        header = {"step": str(self.step), "plan": self._plan(), "judged": json.dumps(list(self.judged.items()))}
        _write_beside(self.run / _STATE, tensors, header)
        with (self.run / _LOG).open("a", encoding="utf-8") as file:
            file.writelines(self.lines)
        self.lines.clear()

    def go_on(self) -> None:
        """Go on where a former run was saved, if there was one.

        Raises:
            CheckpointError: It was another run.
        """
        path = self.run / _STATE
        if not path.is_file():
            (self.run / _LOG).unlink(missing_ok=True)
            return
        try:
            with safe_open(str(path), framework="pt", device="cpu") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except SafetensorError as error:
            raise CheckpointError(f"{path} is damaged ({error}); remove its folder to begin anew.") from error
        if header.get("plan") != self._plan():
            raise CheckpointError(
                f"{self.run} holds a run of another plan or of other videos; give back what was changed, or choose "
                "another output, or remove the folder to begin anew."
            )
        self._restore(tensors)
        self.step = int(header["step"])
        self.judged = dict(map(tuple, json.loads(header["judged"])))
        self._forget_later_lines()
        _log.info("going on from step %d of %d.", self.step, self.plan.steps)

    def _restore(self, tensors: dict[str, torch.Tensor]) -> None:
        self._take({name: tensors[f"learned.{name}"] for name in self.learned})
        for name, parameter in self.learned.items():
            self.average[name].copy_(tensors[f"average.{name}"])
            kinds = [kind for kind in _MOMENTS if f"{kind}.{name}" in tensors]
            if kinds:
                self.optimizer.state[parameter] = {
                    kind: tensors[f"{kind}.{name}"].to("cpu" if kind == "step" else parameter.device).clone()
                    for kind in kinds
                }

    def _forget_later_lines(self) -> None:
        path = self.run / _LOG
        if path.is_file() and self.together.first:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= self.step]
            with written_beside(path) as part:
                part.write_text("".join(kept), encoding="utf-8")

    def _take(self, values: dict[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.learned.items():
                parameter.copy_(values[name])

    def _plan(self) -> str:
        spans = [[span.path.name, span.first, span.end] for span in self.lesson.examples.spans]
        return json.dumps([self.plan.of_learning(), spans], sort_keys=True)

    def _note(self, **words: Any) -> None:  # noqa: ANN401 - JSON
        self.lines.append(json.dumps({"step": self.step, **words}) + "\n")


_MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""What AdamW keeps of every parameter."""


def judged_levels(plan: TuningPlan) -> list[float]:
    """List the noise levels that are judged: ``QUANTILES`` of those that are learned from."""
    normal = NormalDist(plan.mean, plan.deviation)
    return [math.exp(normal.inv_cdf(share)) for share in QUANTILES]


def rate_at(step: int, plan: TuningPlan) -> float:
    """Tell the learning rate of a step: a rise, then a cosine down to ``LOWEST`` of it.

    >>> plan = TuningPlan(steps=100, warmup=10, rate=1.0)
    >>> rate_at(0, plan), rate_at(9, plan), round(rate_at(99, plan), 2)
    (0.1, 1.0, 0.1)
    """
    if step < plan.warmup:
        return plan.rate * (step + 1) / plan.warmup
    way = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return plan.rate * (LOWEST + (1 - LOWEST) * 0.5 * (1 + math.cos(math.pi * way)))


def write_changes(path: Path, changes: dict[str, torch.Tensor], plan: TuningPlan, notes: dict[str, str]) -> None:
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
    tensors = {f"unet.{name}": tensor.half().cpu().contiguous() for name, tensor in changes.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_beside(path, tensors, header)


def _write_beside(path: Path, tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    with written_beside(path) as part:
        held = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        part.write_bytes(save(held, {"format": "pt", **header}))  # a file that everybody may read, as others are
