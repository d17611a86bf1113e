"""``python -m sonic_core learn distil``: teach a student of sonic-base that needs one branch and few steps.

Videos go in, a LoRA comes out, which quality live takes where it lies beside the unet. What was begun is gone on with:
the same command after a crash, or after Ctrl-C, loses a minute at most.
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from ...devices import choose_device
from ...errors import SonicWarning
from ...media.files import check_writable
from ...models.base.files import BaseFiles, find_base
from ...models.base.guidance import Guidance
from ...models.base.loading import Networks
from ...weights.catalog import STUDENT, UNET
from ...weights.lora import Lora, as_lora, check_lora, load_with_loras
from ..harness import TaskLine, run_task
from ..plans import add_flags, plan_of
from ..tune.caching import Prepared
from ..tune.commands import Materials, add_materials, prepared_videos
from ..tune.examples import Excerpts, split
from ..tune.network import add_changes, choose_number_type, trainable_unet
from ..tune.together import Together, local_device
from .ladder import make_ladder
from .pair import Pair
from .plan import DistillingPlan
from .training import Distillation, distil

NAME = STUDENT.files[0].others[0]
"""Name under which quality live looks for changes, in the unet's folder."""

_log = logging.getLogger("sonic")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the status is 0, 2 with one sentence on what is missing, or that of a program that was ended."""
    return run_task(run, _parser().parse_args(arguments))


def run(options: argparse.Namespace) -> None:
    """Prepare the videos that are not prepared yet, and distil with them.

    Raises:
        SonicError: Something is missing, damaged or not possible, or no student moved enough.
    """
    plan = plan_of(DistillingPlan, options)
    device = choose_device(local_device(options.device))
    files, loras = find_base(options.weights), [as_lora(one) for one in options.lora]
    for lora in loras:
        check_lora(lora)
    output = check_writable(options.output or str(files.unet.with_name(NAME)), ".safetensors")
    together = Together(device)
    try:
        progress = TaskLine(shown=together.first)
        dtype = choose_number_type(device, plan.precision)
        materials = Materials(options.videos, options.data or output.with_suffix("") / "data", plan, files, device)
        prepared = prepared_videos(materials, together, progress)
        if options.prepare_only:
            return
        work = distillation(files, plan, prepared, loras, (device, dtype))
        distil(work, output, output.with_suffix("") / "run", together, progress)
    finally:
        together.part()
    if together.first:
        _tell_place(output, files, loras)


def distillation(
    files: BaseFiles,
    plan: DistillingPlan,
    prepared: Prepared,
    loras: Sequence[Lora],
    on: tuple[torch.device, torch.dtype],
) -> Distillation:
    """Set up teacher and student.

    Args:
        files: The teacher's.
        plan: How.
        prepared: The videos.
        loras: Changes that make the teacher what it is, as when it animates.
        on: Device and number type of the UNet.
    """
    device, dtype = on
    config = Networks(files, dtype).config
    unet = trainable_unet(config, checkpointing=plan.checkpointing)
    load_with_loras(unet, files.unet, loras, dtype=dtype)
    changes = add_changes(unet, plan.layers, plan.rank, plan.scale, plan.seed)
    unet.to(device)
    changes.to(device)
    learned, judging = split(prepared.paths, plan)
    ladder = make_ladder(plan.teacher_steps, plan.student_steps, config.scheduler)
    count = sum(parameter.numel() for parameter in changes.parameters())
    _log.info("%d layers change, by %.1f million numbers, on %s in %s.", len(changes.names), count / 1e6, device, dtype)
    notes = {
        "model": "sonic-base",
        "licence": f"{UNET.licence}, as the weights it changes",
        "teacher": ", ".join([files.unet.name, *(f"{lora.path.name}:{lora.strength:g}" for lora in loras)]),
    }
    guidance = Guidance(plan.appearance_guidance, plan.audio_guidance)
    return Distillation(plan, Pair(unet, changes, guidance), ladder, Excerpts(learned, plan), judging, notes)


def _tell_place(output: Path, files: BaseFiles, loras: Sequence[Lora]) -> None:
    """Say how the student is used, and where that is not by itself."""
    place = files.unet.with_name(NAME)
    taken = place.with_name(STUDENT.files[0].path)
    if taken.is_file():
        warnings.warn(
            f"Quality live takes {taken} before {place}; move it away to use this one.", SonicWarning, stacklevel=2
        )
    moved = "" if output.resolve() == place.resolve() else f" as {place}"
    more = "".join(f" --lora {lora.path}:{lora.strength:g}" for lora in loras)
    sys.stdout.write(f"{output}{moved}: python -m sonic_core generate --model sonic-base --quality live{more} …\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sonic_core learn distil",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_materials(parser, "videos of people who speak, or folders")
    parser.add_argument(
        "--output", metavar="O.safetensors", help=f"the student to write, a folder beside it ({NAME} beside the unet)"
    )
    parser.add_argument(
        "--lora", action="append", default=[], metavar="FILE[:S]", help="changes that the teacher is used with; again"
    )
    add_flags(parser, DistillingPlan)
    return parser
