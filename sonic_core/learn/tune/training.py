"""The tuning itself: steps and judgements."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from ...types import Progress, ignore_progress
from .examples import Example, Examples, Span
from .loss import judge, learn_from
from .network import Changes
from .plan import TuningPlan
from .running import Run, rate_at, write_changes
from .together import Together

STAGE = "learn"
QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Shares of the noise levels that are learned from below those that are judged."""

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
    if learner.run.step == 0:
        learner.judge()
    while learner.run.step < plan.steps:
        learner.take_step()
        progress(STAGE, learner.run.step, plan.steps)
        if learner.run.step % plan.judge_every == 0 or learner.run.step == plan.steps:
            learner.judge()
        if time.monotonic() - saved >= plan.save_every:
            learner.save()
            saved = time.monotonic()
    learner.save()
    if together.first:
        write_changes(output, learner.run.average, plan, lesson.notes)
    return learner.judged


class Learner:
    """A tuning under way."""

    def __init__(self, lesson: Lesson, folder: Path, together: Together) -> None:
        self.lesson, self.together = lesson, together
        self.plan = lesson.plan
        of = [[span.path.name, span.first, span.end] for span in lesson.examples.spans]
        self.run = Run(folder, lesson.changes, lesson.plan, of, together)
        self.judged: dict[float, float] = {}
        sigmas = judged_levels(lesson.plan)
        self.held_out: list[Example] = lesson.examples.fixed(lesson.judging, sigmas) if together.first else []

    def take_step(self) -> None:
        """Learn from a batch."""
        plan, step, began = self.plan, self.run.step, time.perf_counter()
        drawn = [self.lesson.examples.draw(step, number) for number in self.together.share(plan.batch)]
        self.run.forget_gradients()
        loss = learn_from(self.lesson.unet, drawn, plan.batch)
        loss, norm = self.run.advance(loss, rate_at(step, plan))
        self.run.note(loss=loss, gradient=norm, seconds=round(time.perf_counter() - began, 3))

    def judge(self) -> None:
        """Judge the moving average on what was held out."""
        if not self.held_out:
            return
        with self.lesson.changes.being(self.run.average):
            self.judged = judge(self.lesson.unet, self.held_out)
        mean = math.fsum(self.judged.values()) / len(self.judged)
        self.run.note(held_out=mean, by_level={f"{sigma:.3g}": loss for sigma, loss in self.judged.items()})
        shown = ", ".join(f"{loss:.4f} at {sigma:.2g}" for sigma, loss in self.judged.items())
        _log.info("step %d of %d: held out %.4f (%s)", self.run.step, self.plan.steps, mean, shown)

    def save(self) -> None:
        """Keep all that going on needs."""
        self.run.save(judged=json.dumps(list(self.judged.items())))

    def go_on(self) -> None:
        """Go on where a former run was saved, if there was one.

        Raises:
            CheckpointError: It was another run.
        """
        header = self.run.go_on(self.plan.steps)
        if header is not None:
            self.judged = dict(map(tuple, json.loads(header["judged"])))


def judged_levels(plan: TuningPlan) -> list[float]:
    """List the noise levels that are judged: ``QUANTILES`` of those that are learned from."""
    normal = NormalDist(plan.mean, plan.deviation)
    return [math.exp(normal.inv_cdf(share)) for share in QUANTILES]
