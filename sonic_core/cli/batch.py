"""The command ``batch``: many talking videos from one list."""

# ruff: noqa: PLC0415 - torch and its kin load only when they are needed
from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from ..errors import SettingsError
from .console import ProgressLine, answer, say
from .options import add_settings, loading_of, settings_of

Command = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(command: Command) -> None:
    """Offer the command.

    Args:
        command: Adds a command by its name, what it runs and a text about it, and returns its parser.
    """
    batch = command("batch", run, "make a talking video of every row of a list; begun again, it goes on")
    batch.add_argument(
        "manifest", nargs="?", metavar="LIST",
        help="a .csv, .jsonl or .parquet with the columns image and audio, or speakers; id, output, model, format, crf "
        "and settings if wanted; files, and the list itself, may be named by URL",
    )  # fmt: skip
    batch.add_argument("--images", metavar="DIR", help="in place of a list: a folder of portraits, with --sounds")
    batch.add_argument("--sounds", metavar="DIR", help="a folder of sounds or videos")
    batch.add_argument(
        "--pair", default="product", metavar="HOW",
        help="product: every portrait says every sound; name: those of one name belong together (%(default)s)",
    )  # fmt: skip
    batch.add_argument("--output", required=True, metavar="DIR", help="the folder for videos, journal and report")
    batch.add_argument(
        "--workers", type=int, default=0, metavar="N", help="processes that share the work; 0 is this one (%(default)s)"
    )
    batch.add_argument(
        "--stretch", type=float, metavar="SECONDS",
        help="share longer videos of sonic-preview out among workers, so many seconds each; the files are the same",
    )  # fmt: skip
    batch.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS",
        help="have a Ray cluster work: auto, HOST:PORT or ray://HOST:PORT; without an address one of this machine "
        "alone. --workers is then how many at most",
    )  # fmt: skip
    batch.add_argument("--ray-cpus", type=float, default=1.0, metavar="N", help="processors a worker (%(default)g)")
    batch.add_argument(
        "--ray-gpus", type=float, metavar="N", help="cards a worker, or a share of one; else 1 where there are cards"
    )
    batch.add_argument("--check", action="store_true", help="only tell what is wrong with the list")
    add_settings(batch)


def run(options: argparse.Namespace) -> int:
    """Make every video of a list that is not there yet."""
    from ..batch.cluster import RayCluster
    from ..batch.manifest import Usual, pair_folders, read_manifest
    from ..batch.page import write_reports
    from ..batch.work import run_batch

    folder = _folder(options.output)
    usual = Usual(settings_of(options), options.model, options.format, options.crf, options.mark)
    if options.workers < 0:
        raise SettingsError(f"--workers counts processes, from 0; got {options.workers}.")
    pair = options.images, options.sounds
    if (options.manifest is None) == (None in pair) or (options.manifest is not None and any(pair)):
        raise SettingsError("batch needs a list, or --images and --sounds, and not both; see 'batch --help'.")
    if options.manifest is not None:
        read = read_manifest(options.manifest, folder, usual)
    else:
        read = pair_folders(*pair, folder, usual, pairing=options.pair)
    for fault in read.faults:
        say(f"{fault}")
    if options.check:
        told = {"rows": len(read.rows), "faults": [fault._asdict() for fault in read.faults]}
        answer(options, told, f"{len(read.rows)} rows can be tried, {len(read.faults)} cannot.")
        return 1 if read.faults else 0
    ray = None if options.ray is None else RayCluster(options.ray, options.ray_cpus, options.ray_gpus)
    with redirect_stdout(sys.stderr):  # Ray tells of lost machines there; the answer is one line of its own
        outcome = run_batch(
            read.rows, folder, workers=options.workers, loading=loading_of(options), ray=ray, stretch=options.stretch,
            progress=ProgressLine(),
        )  # fmt: skip
    for row, entry in outcome.rows:
        for text in (*entry.remarks, *([entry.error] if entry.error else [])):
            say(f"{row.id}: {text}")
    report, page = write_reports(outcome, read.faults, folder)
    failed = len(outcome.failed) + len(read.faults)
    told = {
        "made": outcome.made, "already_there": outcome.known, "failed": failed, "seconds": round(outcome.seconds, 2),
        "report": str(report), "page": str(page),
    }  # fmt: skip
    answer(options, told, f"{outcome.made} made, {outcome.known} there already, {failed} failed: {page}")
    return 1 if failed else 0


def _folder(output: str) -> Path:
    """Return the batch's folder, which must be one of this machine."""
    from ..batch.remote import is_url

    if is_url(output):
        raise SettingsError(
            "--output is a folder of this machine, where journal and videos are kept; name URLs in the list's column "
            "output."
        )
    return Path(output)
