"""``python -m sonic_core learn sync``: teach sync whether a mouth and a sound belong together; docs/training.md."""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import SettingsError, SonicError
from ...sync.network import WEIGHTS, save_network
from ..data.notes import listed_clips
from ..harness import run_task
from ..lipreading.corpus import make_noises
from ..lipreading.dataset import make_dataset
from ..lipreading.invention import TRAINING
from ..plans import add_flags, plan_of
from .batches import Batches
from .judging import SyncTrials
from .people import gather
from .pieces import Piece, read_heard, read_spoken
from .shapes import draw, fit_slopes
from .training import SyncPlan, SyncTraining

ASSETS = Path(__file__).resolve().parents[3] / "assets"
PORTRAIT, DRAWN = ASSETS / "portrait.png", (ASSETS / "speech.wav", *sorted((ASSETS / "sounds").glob("*.wav")))
"""Whom the product draws to learn what a mesh sees of its motion, and what he says."""
LANGUAGES = 28
"""Languages that are spoken: ten minutes of speech do nearly as well as an hour."""
NOISES = 24
"""Backgrounds to invent, 12 s each."""
HELD_OUT = 8
"""Every so manieth language is only judged."""
PEOPLE_RATE, PEOPLE_SHARE = 1e-3, 0.5
"""Highest learning rate with videos of people, and the share of rows that is theirs: they only refine what is known."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Material:
    """What is learned from, and what is judged."""

    pieces: list[Piece]
    trials: SyncTrials
    noises: NDArray[np.float32]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the status is 0, 2 with one sentence on what is missing, or that of a program that was ended."""
    return run_task(learn, _parser().parse_args(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sonic_core learn sync", description=__doc__)
    say = parser.add_argument
    say("--folder", type=Path, default=Path("outputs/train"), help="where speech, checkpoints and weights go")
    say("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    say("--clips", type=int, default=12, help="clips of speech per language; default: 12")
    say("--sounds", type=Path, metavar="DIR", help="learn from these sounds as well")
    say(
        "--videos",
        type=Path,
        metavar="DIR",
        help="learn from these videos of people, or from a set that learn data made, as well, once it knows enough",
    )
    say("--people-steps", type=int, default=150, help="steps with them; default: 150")
    say("--fresh", action="store_true", help="begin anew, whatever was begun before")
    say("--install", action="store_true", help="put the weights into the package")
    add_flags(parser, SyncPlan, without=("pieces",))
    return parser


def learn(options: argparse.Namespace) -> None:
    """Make the material, train, and write the weights.

    Raises:
        SettingsError: A number or a folder is not possible.
        SonicError: There is no synthesiser, or no sound.
    """
    _check(options)
    plan = plan_of(SyncPlan, options)
    torch.set_num_threads(options.jobs)
    begin = time.monotonic()
    options.folder.mkdir(parents=True, exist_ok=True)
    material = prepare(options)
    plan = replace(plan, pieces=len(material.pieces))
    training = _trained(plan, material, options.folder / "sync.pt", options.fresh)
    if options.videos is not None:
        training = _with_people(options, training, material)
    network, target = training.network.eval(), options.folder / WEIGHTS.name
    notes = {"pieces": str(len(material.pieces)), "people": "" if options.videos is None else "yes"}
    save_network(network, target, notes)
    _log.info("%s: %s; %.1f min", target, material.trials.judge(network), (time.monotonic() - begin) / 60)
    if options.install:
        WEIGHTS.write_bytes(target.read_bytes())
        _log.info("%s: put into the package", WEIGHTS)


def _check(options: argparse.Namespace) -> None:
    for name in ("jobs", "clips", "people_steps"):
        if getattr(options, name) < 1:
            given = f"--{name.replace('_', '-')}"
            raise SettingsError(f"Expected {given} to be 1 or more, got {getattr(options, name)}; choose a larger one.")
    for name in ("sounds", "videos"):
        folder = getattr(options, name)
        if folder is not None and not folder.is_dir():
            raise SettingsError(f"Expected --{name} to be a folder, got {folder}, which is none; check the name.")


def prepare(options: argparse.Namespace) -> Material:
    """Make what is missing of speech and drawn clips in the folder, and read all of it."""
    folder = options.folder / "sync-speech"
    make_dataset(folder, options.clips, 0, options.jobs, tuple(TRAINING)[:LANGUAGES])
    slopes = _slopes(options.folder / "sync-slopes.npy")
    paths = sorted(folder.glob("*.npz"))
    pieces = [list(read_spoken(some, slopes)) for some in (paths, paths[::HELD_OUT])]
    held_out = {piece.source for piece in pieces[1]}
    learned = [piece for piece in pieces[0] if piece.source not in held_out]
    if options.sounds is not None:
        learned += list(read_heard(sorted(options.sounds.iterdir()), slopes))
    if not learned or not pieces[1]:
        raise SonicError(f"Expected speech in {folder}, got none that is long enough; ask for more with --clips.")
    minutes = sum(piece.mouth.shape[1] for piece in learned) / 25 / 60
    _log.info("%d pieces to learn from, %.0f min; %d to judge by", len(learned), minutes, len(pieces[1]))
    return Material(learned, SyncTrials.of(pieces[1]), make_noises(NOISES))


def _slopes(path: Path) -> NDArray[np.float64]:
    """Fit what a mesh sees of the product's motion, once."""
    if not path.exists():
        slopes = fit_slopes(draw(PORTRAIT, DRAWN))
        part = path.with_suffix(".part.npy")
        np.save(part, slopes)
        part.replace(path)
    return np.load(path)


def _trained(plan: SyncPlan, material: Material, checkpoint: Path, fresh: bool) -> SyncTraining:
    """Train, going on where an earlier run was interrupted."""
    training = SyncTraining(plan)
    if checkpoint.exists() and not fresh:
        training.resume(checkpoint)
        _log.info("going on from step %d of %s", training.step, checkpoint)
    training.run(Batches(material.pieces, material.noises, plan.seed), material.trials, checkpoint)
    return training


def _with_people(options: argparse.Namespace, known: SyncTraining, material: Material) -> SyncTraining:
    """Go on with videos of people, which the network that has not seen any brings in step."""
    found = gather(listed_clips(options.videos) or sorted(options.videos.iterdir()), known.network.eval())
    _log.info("%s", found)
    if not found.pieces:
        raise SonicError(f"Expected videos of people that can be used in {options.videos}, got none: {found}.")
    plan = replace(known.plan, steps=options.people_steps, rate=PEOPLE_RATE, seed=known.plan.seed + 1)
    training = SyncTraining(plan)
    training.network.load_state_dict(known.network.state_dict())
    batches = Batches([*material.pieces, *found.pieces], material.noises, plan.seed, real=PEOPLE_SHARE)
    training.run(batches, material.trials)
    return training
