"""The distillation itself: first guidance, then steps; judged as it goes, and stopped when the student goes still."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ...errors import InputError, SonicError, SonicWarning
from ...types import Progress, ignore_progress
from ...weights.student import DISTILLED
from ..tune.examples import Excerpts, Span
from ..tune.running import Run, rate_at, write_changes
from ..tune.together import Together
from .guard import Guard
from .judging import Judging, Standing
from .ladder import Ladder
from .pair import Pair
from .plan import DistillingPlan
from .targets import Question, Questions, learn_from

STAGES = ("guidance", "steps")
"""Names of the two parts, under which progress is reported too."""

_log = logging.getLogger("sonic")


@dataclass(frozen=True, eq=False)
class Distillation:
    """What is distilled, how, and from what."""

    plan: DistillingPlan
    pair: Pair
    ladder: Ladder
    excerpts: Excerpts
    judging: Sequence[Span]
    """What is held out."""
    notes: dict[str, str]
    """What the student's file says of itself besides."""


def distil(
    work: Distillation, output: Path, folder: Path, together: Together, progress: Progress = ignore_progress
) -> Standing | None:
    """Distil, going on where a former run was stopped; the last student that moves enough is written as it goes.

    Args:
        work: What is distilled, how, and from what.
        output: File of the student.
        folder: Of the run: its state, and ``log.jsonl`` with a line per step and per judgement.
        together: The processes that share the work.
        progress: Called with ("guidance" or "steps", steps done, steps in all).

    Returns:
        The last judgement; None where another process judges.

    Raises:
        CheckpointError: The run in the folder is another one.
        InputError: Nothing is held out to judge by.
        SonicError: No student moved enough.

    Warns:
        SonicWarning: It was stopped because the student went still; the last good one is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan, under_way = work.plan, UnderWay(work, output, folder, together)
    under_way.go_on()
    saved = time.monotonic()
    if under_way.run.step == 0:
        under_way.judge()
    while under_way.run.step < plan.total and not together.heed_first(bool(under_way.guard.stopped)):
        stage = under_way.take_step()
        done = under_way.run.step
        progress(STAGES[stage], done, plan.total)
        ends = done in {plan.guidance_steps, plan.total}
        if ends or done % plan.judge_every == 0:
            under_way.judge()
        if done == plan.guidance_steps and plan.steps:
            under_way.begin_steps()
        if time.monotonic() - saved >= plan.save_every:
            under_way.save()
            saved = time.monotonic()
    under_way.save()
    under_way.end()
    return under_way.standing


class UnderWay:
    """A distillation under way."""

    def __init__(self, work: Distillation, output: Path, folder: Path, together: Together) -> None:
        self.work, self.output, self.together = work, output, together
        plan = work.plan
        of = [
            [[span.path.name, span.first, span.end] for span in work.excerpts.spans],
            [[span.path.name, span.first, span.end] for span in work.judging],
            work.notes,
        ]
        self.run = Run(folder, work.pair.changes, plan, of, together)
        self.guard = Guard(plan.least_amplitude, plan.grace)
        self.questions = Questions(work.pair, work.excerpts, plan, work.ladder)
        self.judging = Judging(work.pair, work.excerpts, work.judging, work.ladder)
        self.standing: Standing | None = None
        if not self.judging.scenes:
            raise InputError(
                f"Expected held-out video of {plan.window} frames, by which a student is stopped when it goes still; "
                "there is none: raise held_out, or add videos."
            )

    @property
    def few(self) -> bool:
        """Whether it learns to arrive in few steps."""
        return self.run.step >= self.work.plan.guidance_steps

    def take_step(self) -> int:
        """Learn from a batch; return which of ``STAGES`` it was of."""
        plan, step, few, began = self.work.plan, self.run.step, self.few, time.perf_counter()
        self.run.forget_gradients()
        loss = 0.0
        for number in self.together.share(plan.batch):
            loss += learn_from(self.work.pair, self._question(step, number), plan.batch)
        if few:
            rate = rate_at(step - plan.guidance_steps, plan)
        else:
            rate = rate_at(step, replace(plan, steps=max(1, plan.guidance_steps)))
        loss, norm = self.run.advance(loss, rate)
        self.run.note(loss=loss, gradient=norm, seconds=round(time.perf_counter() - began, 3))
        return int(few)

    def judge(self) -> None:
        """Judge the moving average on what was held out, and write it where it moves enough."""
        if not self.together.first:
            return
        plan, done = self.work.plan, self.run.step
        few = done > plan.guidance_steps or not plan.guidance_steps
        with self.work.pair.changes.being(self.run.average):
            self.standing = self.judging.judge(few=few)
        self.run.note(stage=STAGES[few], **self.standing.words())
        _log.info("%s, step %d of %d: %s", STAGES[few], done, plan.total, self.standing)
        if self.guard.watch(self.standing.amplitude, done, plan.guidance_steps if few else 0):
            self._write(self.work.ladder.student if few else self.work.ladder.teacher)

    def begin_steps(self) -> None:
        """Begin the second part."""
        self.guard.begin_part()

    def save(self) -> None:
        """Keep all that going on needs."""
        self.run.save(guard=self.guard.to_text())

    def go_on(self) -> None:
        """Go on where a former run was saved, if there was one.

        Raises:
            CheckpointError: It was another run.
        """
        header = self.run.go_on(self.work.plan.total)
        if header is not None:
            self.guard.remember(header["guard"])

    def end(self) -> None:
        """Say how it ended, where that is not as it was meant.

        Raises:
            SonicError: No student moved enough, or what was written is gone.

        Warns:
            SonicWarning: The student went still; the last good one is kept.
        """
        if not self.together.first:
            return
        if self.guard.good_step < 0:
            least = self.guard.least
            raise SonicError(
                self.guard.stopped or f"No student moved {least:g} as much as its teacher: none is written."
            )
        if not self.output.is_file():
            raise SonicError(
                f"The student of step {self.guard.good_step} was written to {self.output}, which is gone; remove "
                f"{self.run.folder} to make it anew."
            )
        if self.guard.stopped:
            warnings.warn(self.guard.stopped, SonicWarning, stacklevel=3)

    def _question(self, step: int, number: int) -> Question:
        if self.few:
            return self.questions.of_steps(step, number, self.run.average)
        return self.questions.of_guidance(step, number)

    def _write(self, sigmas: torch.Tensor) -> None:
        """Write the average as the student that quality "live" takes, with its noise levels."""
        levels = [f"{sigma:.9g}" for sigma in sigmas[:-1].tolist()]
        notes = {"steps": str(len(levels)), "schedule": ",".join(levels), "guidance": DISTILLED}
        write_changes(self.output, self.run.average, self.work.plan, {**self.work.notes, **notes})
