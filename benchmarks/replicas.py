"""How windows are shared out over cards; the cards are pretended: they take a set time and compute nothing.

    python benchmarks/replicas.py [--seconds 0.1] [--frames 375]

Prints windows a second for one, two, four and eight cards, and the share of the time that Python takes beside them,
going step by step on the published ring and as a wavefront on a line.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sonic_core.models.base.denoise import Course, PassingFrames, Predicted, Task, WholeClip, noisy_frames  # noqa: E402
from sonic_core.models.base.predictor import Predictor  # noqa: E402
from sonic_core.models.base.replicas import share_out  # noqa: E402
from sonic_core.models.base.schedules import karras_sigmas  # noqa: E402
from sonic_core.models.base.windows import Line, Ring, Schedule  # noqa: E402

LATENTS = (4, 64, 64)
"""Of a frame of 512²."""
SCHEDULE = Schedule(25, 0, 7)
STEPS = 10


class PretendedCard:
    """Takes as long for a window as it is told to."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.plan = SimpleNamespace(windows=1)

    def __call__(self, tasks: Sequence[Task]) -> list[Predicted]:
        """Wait, and predict what was given."""
        time.sleep(self.seconds)
        return [Predicted(task.samples) for task in tasks]


def rate(cards: int, seconds: float, frames: int, *, wavefront: bool) -> tuple[float, float]:
    """Denoise a clip: windows a second, and the share of one processor that Python took."""
    noise = noisy_frames(1, 700.0, torch.zeros(LATENTS))
    sigmas = karras_sigmas(STEPS)
    if wavefront:
        course = Course(PassingFrames(noise), Line(frames, SCHEDULE), sigmas, wavefront=True)
    else:
        latents = torch.stack([next(noise) for _ in range(frames)])
        course = Course(WholeClip(latents), Ring(frames, SCHEDULE), sigmas)
    predictors = [cast("Predictor", cast("Any", PretendedCard(seconds))) for _ in range(cards)]
    began, spent = time.perf_counter(), time.process_time()
    for _ in share_out(course, predictors, lambda *_: None, lambda: None):
        pass
    wall = time.perf_counter() - began
    return course.total / wall, (time.process_time() - spent) / wall


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.1, help="that a card takes for a window-step (%(default)s)")
    parser.add_argument("--frames", type=int, default=375, help="of the clip, at 12.5 a second (%(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name, wavefront in (("ring, step by step", False), ("line, wavefront", True)):
        alone = None
        for cards in (1, 2, 4, 8):
            windows, share = rate(cards, options.seconds, options.frames, wavefront=wavefront)
            alone = alone or windows
            told = f"{windows:6.1f} windows a second, {windows / alone:.2f} times one card's, Python {share:.0%}"
            print(f"{name}, {cards} cards: {told}", flush=True)


if __name__ == "__main__":
    main()
