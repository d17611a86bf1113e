"""``python -m sonic_core learn data``: any talking videos become a set to learn from; docs/learning.md.

Clips of one face, 25 frames a second, with a sound of 16 kHz that is in step; a note of what was measured beside each;
a list of them; shards as webdataset reads them. The same command after a crash, or after Ctrl-C, goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ...errors import InputError, SettingsError
from ..harness import TaskLine, run_task
from ..plans import add_flags, plan_of
from ..tune.caching import find_videos
from .gathering import gather_set
from .plan import DataPlan


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the status is 0, 2 with one sentence on what is missing, or that of a program that was ended."""
    return run_task(run, _parser().parse_args(arguments))


def run(options: argparse.Namespace) -> None:
    """Make what is missing of a set, and say what became of the videos.

    Raises:
        SonicError: Something is missing or not possible, or nothing can be used.
    """
    plan = plan_of(DataPlan, options)
    if options.workers < 0:
        raise SettingsError(f"Expected --workers to be 0 or more, got {options.workers}.")
    made = gather_set(
        find_videos(options.videos), options.output, plan, workers=options.workers, progress=TaskLine()
    )  # fmt: skip
    sys.stdout.write(f"{made.table()}\n")
    for video, reason in made.unread.items():
        sys.stdout.write(f"not used: {video}: {reason}\n")
    if not made.clips:
        raise InputError(
            "Nothing of these videos can be learned from; use videos of one face, larger and longer, that speaks."
        )
    sys.stdout.write(f"{options.output}: {len(made.clips)} clips, {made.seconds / 60:.1f} min\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sonic_core learn data",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO", help="videos of people who speak, or folders")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="the set's folder")
    parser.add_argument("--workers", type=int, default=0, help="processes that share the videos (none but this one)")
    add_flags(parser, DataPlan)
    return parser
