"""``python -m sonic_core learn lipreading``: speech to train on, training, and how good it is; docs/training.md."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ...errors import SonicError
from ...evaluate.likeness import judge_clips
from ...speech.motion import WEIGHTS
from .dataset import make_dataset
from .judging import MEASURES, judge_speech
from .training import TrainingPlan, train

FRESH = 2026
"""Seed of the held-out speech that ``all`` is judged on."""
HEADS = "frames a second | opening, lag 0 | best | lag | pauses left open, lag 0 | best | log energy, lag 0 | best"
"""Of the table of real people."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the status is 0, or 2 with one sentence on what is missing."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.jobs)
    try:
        options.run(options)
    except SonicError as error:
        sys.stderr.write(f"sonic: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sonic_core learn lipreading", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("outputs/train"), help="where speech and weights go")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="speak what is trained on")
    data.set_defaults(run=_data)
    learn = commands.add_parser("fit", help="train the network")
    learn.set_defaults(run=_fit)
    learn.add_argument("--start", type=Path, help="a checkpoint (.pt) to go on from")
    judge = commands.add_parser("evaluate", help="judge the weights in the package")
    judge.set_defaults(run=_evaluate)
    every = commands.add_parser("all", help="data, fit, put the weights into the package, evaluate")
    every.set_defaults(run=_all, start=None)
    for one in (data, every):
        one.add_argument("--clips", type=int, default=120, help="clips per language; default: 120")
    for one in (learn, every):
        one.add_argument("--steps", type=int, default=TrainingPlan.steps, help=f"default: {TrainingPlan.steps}")
        one.add_argument("--seed", type=int, default=TrainingPlan.seed)
    for one in (judge, every):
        one.add_argument("--speech-seed", type=int, default=FRESH, help="what held-out speech says")
        one.add_argument("--utterances", type=int, default=8, help="held-out clips per language; default: 8")
        one.add_argument(
            "--people", type=Path, action="append", default=[], metavar="DIR", help="X.mp4 with X.lips.npz"
        )
    return parser


def _data(options: argparse.Namespace) -> None:
    make_dataset(options.folder / "speech", options.clips, seed=0, jobs=options.jobs)


def _fit(options: argparse.Namespace) -> None:
    plan = replace(TrainingPlan(), steps=options.steps, seed=options.seed)
    train(options.folder / "speech", options.folder / WEIGHTS.name, plan, options.start)


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


def _all(options: argparse.Namespace) -> None:
    _data(options)
    _fit(options)
    WEIGHTS.write_bytes((options.folder / WEIGHTS.name).read_bytes())
    _evaluate(options)
