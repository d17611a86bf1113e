"""``python -m sonic_core learn tune``: teach sonic-base how one person speaks; docs/learning.md.

Videos go in, a LoRA comes out, which ``generate --lora FILE`` merges into the model. What was begun is gone on with:
the same command after a crash, or after Ctrl-C, loses a minute at most.
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...devices import OwnKeeper, choose_device, choose_dtype
from ...errors import SonicWarning
from ...media.files import check_writable
from ...models.base.files import BaseFiles, find_base
from ...models.base.loading import Networks
from ...types import Progress
from ...weights.catalog import UNET
from ...weights.read import load_into
from ..harness import TaskLine, run_task
from ..plans import add_flags, plan_of
from .caching import Prepared, Workshop, find_videos, prepare
from .examples import Examples, split
from .network import add_changes, choose_number_type, trainable_unet
from .plan import LearningPlan, TuningPlan
from .together import Together, local_device
from .training import Lesson, tune

_log = logging.getLogger("sonic")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the status is 0, 2 with one sentence on what is missing, or that of a program that was ended."""
    return run_task(run, _parser().parse_args(arguments))


def run(options: argparse.Namespace) -> None:
    """Prepare the videos that are not prepared yet, and learn from them.

    Raises:
        SonicError: Something is missing, damaged or not possible.
    """
    plan = plan_of(TuningPlan, options)
    output = check_writable(options.output, ".safetensors")
    device = choose_device(local_device(options.device))
    together = Together(device)
    try:
        data = options.data or output.with_suffix("") / "data"
        files, progress = find_base(options.weights), TaskLine(shown=together.first)
        dtype = choose_number_type(device, plan.precision)
        prepared = prepared_videos(Materials(options.videos, data, plan, files, device), together, progress)
        if options.prepare_only:
            return
        lesson = _lesson(files, plan, prepared, device, dtype)
        tune(lesson, output, output.with_suffix("") / "run", together, progress)
    finally:
        together.part()
    if together.first:
        sys.stdout.write(f"{output}: python -m sonic_core generate --model sonic-base --lora {output} …\n")


@dataclass(frozen=True)
class Materials:
    """What is learned from, before it is prepared."""

    videos: Sequence[Path]
    """Files and folders."""
    data: Path
    """Folder in which what is prepared is kept."""
    plan: LearningPlan
    files: BaseFiles
    """Of the model that learns."""
    device: torch.device


def prepared_videos(materials: Materials, together: Together, progress: Progress) -> Prepared:
    """Prepare the videos that are not prepared yet, one process after the first, and tell what became of them.

    Raises:
        SonicError: There is none, or nothing of them can be learned from.
    """
    device = materials.device
    videos = find_videos(materials.videos)
    if not together.first:
        together.wait()
    workshop = Workshop(materials.plan, Networks(materials.files, choose_dtype(device)), OwnKeeper(device))
    prepared = prepare(videos, materials.data, workshop, progress=progress)
    if together.first:
        together.wait()
        _tell(prepared, len(videos))
    return prepared


def _lesson(files: Any, plan: TuningPlan, prepared: Prepared, device: torch.device, dtype: torch.dtype) -> Lesson:  # noqa: ANN401
    networks = Networks(files, dtype)
    unet = trainable_unet(networks.config, checkpointing=plan.checkpointing)
    load_into(unet, files.unet, dtype=dtype)
    changes = add_changes(unet, plan.layers, plan.rank, plan.scale, plan.seed)
    unet.to(device)
    changes.to(device)
    learned, judging = split(prepared.paths, plan)
    levels = networks.config.scheduler
    examples = Examples(learned, plan, float(levels["sigma_min"]), float(levels["sigma_max"]))
    count = sum(parameter.numel() for parameter in changes.parameters())
    _log.info("%d layers change, by %.1f million numbers, on %s in %s.", len(changes.names), count / 1e6, device, dtype)
    notes = {
        "model": "sonic-base",
        "licence": f"{UNET.licence}, as the weights it changes",
        "seconds": f"{prepared.seconds:.1f}",
    }
    return Lesson(plan, unet, changes, examples, judging, notes)


def _tell(prepared: Prepared, videos: int) -> None:
    _log.info("%.1f s of %d videos in %d pieces.", prepared.seconds, videos, len(prepared.paths))
    for reason, seconds in prepared.dropped.items():
        _log.info("  dropped %.1f s: %s", seconds, reason)
    for name, reason in prepared.unread.items():
        _log.info("  not used: %s: %s", name, reason)
    if prepared.unmeasured:
        warnings.warn(
            f"Whether picture and sound are in step could not be told of {prepared.unmeasured} videos; they are taken "
            "as they are.",
            SonicWarning,
            stacklevel=2,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sonic_core learn tune",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_materials(parser, "videos of one person who speaks, or folders")
    parser.add_argument(
        "--output", required=True, metavar="O.safetensors", help="the LoRA to write; a folder beside it"
    )
    add_flags(parser, TuningPlan)
    return parser


def add_materials(parser: argparse.ArgumentParser, videos: str) -> None:
    """Give a command the arguments that say what is learned from, by what, and where; ``videos``: its help."""
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO", help=videos)
    parser.add_argument("--data", type=Path, metavar="DIR", help="where prepared videos are kept (beside the output)")
    parser.add_argument("--prepare-only", action="store_true", help="prepare the videos and tell what was dropped")
    parser.add_argument(
        "--weights", action="append", default=[], metavar="DIR", help="where weights are looked for first"
    )
    parser.add_argument("--device", default="auto", help="cuda, cuda:1, xpu, mps or cpu (%(default)s)")
