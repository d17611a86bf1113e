"""Distilling sonic-base: what a tiny student reaches with one branch and four steps, measured.

    python benchmarks/distil.py DIR                 draw people, tune a tiny teacher on them, distil it, say how near
    python benchmarks/distil.py DIR --steps 100     with fewer steps for few steps

The teacher is the tiny model of ``benchmarks/tune.py``, tuned on the bundled portrait that says the bundled sounds. It
is as good as blind below noise of deviation 1, so that most of what its few steps lack is amplitude: at the student's
second last level the way to the next is the teacher's own velocity less 0.29 of what goes in.

Measured on two clips that were held out, with a teacher of some 300 of its 400 steps, in root mean square distances
from the latents of 25 steps of three branches:

- guidance, 25 evaluations: 0.401 at first, 0.219 after 50 steps, 0.164 after 100, 0.159 after 150; amplitude 0.97;
- steps, 4 evaluations: 0.313 after 50 steps (``hop`` 1) and 0.322 (``hop`` 4, from the written student of step 150);
  amplitude 0.70. The teacher's own four steps are 0.265 away at the same levels, 0.513 at those of quality exact, of
  which two windows were looked at.

So one branch learns what three say within minutes of one core, and 50 steps teach nothing yet of few steps; the aim,
twice as near as the teacher's own four, was not reached. The amplitude stops such a student, and the one of 25
evaluations is kept. Asked about that level alone, squared errors fall from 0.099 to 0.031 in 25 steps at the rate 4e-3,
and not at all at 1e-2: it wants hundreds of steps more, and no higher rate.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.tune import TEACHING  # noqa: E402
from benchmarks.tune_parts.drawn import prepared_people  # noqa: E402
from sonic_core.learn.distil.commands import NAME, distillation  # noqa: E402
from sonic_core.learn.distil.judging import Judging, Standing, distance  # noqa: E402
from sonic_core.learn.distil.plan import DistillingPlan  # noqa: E402
from sonic_core.learn.distil.training import Distillation, distil  # noqa: E402
from sonic_core.learn.tune.caching import Prepared  # noqa: E402
from sonic_core.learn.tune.examples import Examples, split  # noqa: E402
from sonic_core.learn.tune.network import add_changes, trainable_unet  # noqa: E402
from sonic_core.learn.tune.together import Together  # noqa: E402
from sonic_core.learn.tune.training import Lesson, tune  # noqa: E402
from sonic_core.models.base.loading import Networks  # noqa: E402
from sonic_core.models.base.schedules import karras_sigmas  # noqa: E402
from sonic_core.weights.lora import Lora  # noqa: E402
from sonic_core.weights.read import load_into  # noqa: E402

SPEEDS = (0.9, 1.1)
"""How fast each sound is said, pitch included: eight clips, of which two are held out."""
TEACHER = replace(TEACHING, steps=400, mean=1.5, deviation=2.0, drop_sound=0.15, drop_all=0.1)
"""How the tiny teacher is tuned: over all noise levels from which it will start, and often without sound or picture,
since guidance needs both."""
STUDENT = DistillingPlan(
    size=64, expand_ratio=0.2, window=8, least_seconds=1.0, references=4, layers="all", rank=32, alpha=32.0,
    guidance_steps=150, steps=300, batch=2, rate=2e-3, warmup=20, average=0.95, face_weight=1.0, held_out=0.2,
    judged=3, judge_every=50, grace=300, checkpointing=False, save_every=60.0,
)  # fmt: skip
"""How it is distilled."""


def tuned_teacher(folder: Path, networks: Networks, prepared: Prepared) -> Path:
    """Tune the tiny model until it is a teacher; one that is there stays."""
    output = folder / "teacher.safetensors"
    if not output.is_file():
        unet = trainable_unet(networks.config, checkpointing=False)
        load_into(unet, networks.files.unet)
        changes = add_changes(unet, TEACHER.layers, TEACHER.rank, TEACHER.scale, TEACHER.seed)
        learned, judging = split(prepared.paths, TEACHER)
        levels = networks.config.scheduler
        examples = Examples(learned, TEACHER, float(levels["sigma_min"]), float(levels["sigma_max"]))
        tune(Lesson(TEACHER, unet, changes, examples, judging, {}), output, folder / "teacher", Together())
    return output


def measure(folder: Path, plan: DistillingPlan) -> Standing | None:
    """Distil, and print how near the student comes."""
    networks, prepared = prepared_people(folder, TEACHER, SPEEDS)
    teacher = tuned_teacher(folder, networks, prepared)
    on = torch.device("cpu"), torch.float32
    work = distillation(networks.files, plan, prepared, [Lora(teacher)], on)
    began = time.process_time()
    standing = distil(work, folder / NAME, folder / "student", Together())
    print(f"{time.process_time() - began:.0f} s of one core")
    print(standing)
    print_published(work)
    return standing


def print_published(work: Distillation) -> None:
    """Print how far the teacher's own few steps are at the levels that quality exact takes for as many."""
    judging = Judging(work.pair, work.excerpts, work.judging, work.ladder)
    sigmas = karras_sigmas(work.plan.student_steps, work.ladder.sigmas[-2], work.ladder.sigmas[0])
    made = [work.pair.arrive(scene, sigmas, taught=False) for scene in judging.scenes]
    print(f"the teacher's own few steps at quality exact's levels: {distance(made, judging.wanted):.4f} away")


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where everything is kept, and gone on with")
    parser.add_argument("--steps", type=int, default=STUDENT.steps, help="for few steps (%(default)s)")
    parser.add_argument("--guidance-steps", type=int, default=STUDENT.guidance_steps, help="before (%(default)s)")
    parser.add_argument("--own-share", type=float, default=STUDENT.own_share, help="as of learn distil (%(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    measure(
        options.folder,
        replace(STUDENT, steps=options.steps, guidance_steps=options.guidance_steps, own_share=options.own_share),
    )


if __name__ == "__main__":
    main()
