"""Distilling sonic-base: what a tiny student reaches with one branch and four steps, measured.

    python benchmarks/distil.py DIR                 draw people, tune a tiny teacher on them, distil it, say how near
    python benchmarks/distil.py DIR --steps 100     with fewer steps for few steps

The teacher is the tiny model of ``benchmarks/tune.py``, tuned on the bundled portrait that says the bundled sounds.
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
from sonic_core.learn.distil.judging import Standing, distance  # noqa: E402
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
    guidance_steps=150, steps=120, batch=2, rate=2e-3, warmup=20, average=0.95, face_weight=1.0, held_out=0.2,
    judged=3, judge_every=50, hop=4, grace=120, checkpointing=False, save_every=60.0,
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
    from sonic_core.learn.distil.judging import Judging  # noqa: PLC0415

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
