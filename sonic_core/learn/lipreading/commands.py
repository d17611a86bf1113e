"""``python -m sonic_core learn lipreading``: teach sonic-preview to read lips off a sound; docs/training.md.

Speech to train on is made, what is there already is kept; a network is trained, from where it was stopped; its weights
are written. The same command after a crash, or after Ctrl-C, goes on.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from ...errors import SettingsError
from ...evaluate.likeness import judge_clips
from ...speech.motion import WEIGHTS
from ..harness import run_task
from ..plans import add_flags, plan_of
from .dataset import make_dataset
from .judging import MEASURES, judge_speech
from .training import TrainingPlan, train

FRESH = 2026
"""Seed of the held-out speech that ``all`` is judged on."""
WORDS = {"data": " --speak-only", "fit": "", "evaluate": " --judge", "all": " --install"}
"""What earlier versions called parts of it, and the flags that say so now."""
HEADS = "frames a second | opening, lag 0 | best | lag | pauses left open, lag 0 | best | log energy, lag 0 | best"
"""Of the table of real people."""
_log = logging.getLogger("sonic")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the status is 0, 2 with one sentence on what is missing, or that of a program that was ended."""
    options = _parser().parse_args(arguments)
    return run_task(run, options)


def run(options: argparse.Namespace) -> None:
    """Speak what is missing, train, write the weights; with ``--install`` put them into the package and judge them.

    Raises:
        SonicError: A number is not possible, or there is no synthesiser.
    """
    _heed(options)
    plan = plan_of(TrainingPlan, options)
    torch.set_num_threads(options.jobs)
    if not options.judge:
        _learn(options, plan)
    if options.judge or options.install:
        _evaluate(options)


def _heed(options: argparse.Namespace) -> None:
    """Turn a word of earlier versions into what it is now, and refuse what is not possible."""
    if options.command:
        _log.info("learn lipreading %s: say learn lipreading%s instead.", options.command, WORDS[options.command])
    options.speak_only |= options.command == "data"
    options.install |= options.command == "all"
    options.judge |= options.command == "evaluate"
    for name in ("jobs", "clips", "utterances"):
        if getattr(options, name) < 1:
            raise SettingsError(
                f"Expected --{name} to be 1 or more, got {getattr(options, name)}; choose a larger one."
            )


def _learn(options: argparse.Namespace, plan: TrainingPlan) -> None:
    speech, weights = options.folder / "speech", options.folder / WEIGHTS.name
    if options.command != "fit":
        make_dataset(speech, options.clips, seed=0, jobs=options.jobs)
    if options.speak_only:
        return
    train(speech, weights, plan, options.start, fresh=options.fresh)
    _log.info("%s: written", weights)
    if options.install:
        WEIGHTS.write_bytes(weights.read_bytes())
        _log.info("%s: put into the package", WEIGHTS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sonic_core learn lipreading",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    say = parser.add_argument
    say("command", nargs="?", choices=tuple(WORDS), help="a word of earlier versions; say none")
    say("--folder", type=Path, default=Path("outputs/train"), help="where speech, checkpoints and weights go")
    say("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    say("--clips", type=int, default=120, help="clips of speech per language; default: 120")
    say("--speak-only", action="store_true", help="make the speech, and do not train")
    say("--start", type=Path, metavar="X.pt", help="begin a new training with the weights of this checkpoint")
    say("--fresh", action="store_true", help="begin anew, whatever was begun before")
    say("--install", action="store_true", help="put the weights into the package, and judge them")
    say("--judge", action="store_true", help="only judge the weights in the package")
    say("--speech-seed", type=int, default=FRESH, help="what held-out speech says")
    say("--utterances", type=int, default=8, help="held-out clips per language; default: 8")
    say("--people", type=Path, action="append", default=[], metavar="DIR", help="judge on X.mp4 with X.lips.npz too")
    add_flags(parser, TrainingPlan)
    return parser


def _evaluate(options: argparse.Namespace) -> None:
    say = sys.stdout.write
    results = judge_speech(options.folder, options.speech_seed, options.utterances, options.jobs)
    say(f"| speech never trained on, seed {options.speech_seed} | {' | '.join(MEASURES)} |\n")
    say(f"|{'---|' * (len(MEASURES) + 1)}\n")
    for degree, row in results.items():
        say(f"| {degree} | {' | '.join(f'{row[name]:.3f}' for name in MEASURES)} |\n")
    for folder in options.people:
        say(f"\n| {folder.name} | {HEADS} |\n|{'---|' * 9}\n")
        for one in judge_clips(folder):
            shown = f"{one.shown.at_once:.2f} | {one.shown.best:.2f} | {one.shown.lag:+d}"
            unclosed = f"{one.unclosed.at_once:.2f} | {one.unclosed.best:.2f}"
            energy = f"{one.energy.at_once:.2f} | {one.energy.best:.2f}"
            say(f"| {one.name} | {one.fps:.2f} | {shown} | {unclosed} | {energy} |\n")
