"""Say invented text in many voices and store what it sounds like with what is said when.

Each batch is spoken in a process of its own, since some voices crash the synthesiser; what a crash takes is left out
and said.
"""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch

from ...speech.mel import measure_levels
from ...speech.spectrum import RATE
from ...types import Audio
from .coarticulation import Script, script_of
from .espeak import RATE as SPOKEN_RATE
from .espeak import Synthesizer, Utterance
from .invention import HELD_OUT, HELD_OUT_VARIANTS, TRAINING, TRAINING_VARIANTS, invent
from .roughening import with_effort, worn

BATCH = 24
"""Clips in a file."""
_LONGEST = 11.0  # s
_SHORTEST = 2.0  # s

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Batch:
    """A job: some clips of one language, written to one file."""

    path: Path
    language: str
    count: int
    seed: int


def make_dataset(folder: Path, clips: int, seed: int, jobs: int, languages: Sequence[str] = tuple(TRAINING)) -> None:
    """Speak and store ``clips`` clips of every language of the training set; what is there already is kept.

    Args:
        folder: Where files ``LANGUAGE_NUMBER.npz`` go.
        clips: Clips per language.
        seed: The same seed says the same things.
        jobs: Processes at a time.
        languages: Some of the training set's.
    """
    Synthesizer()  # says at once when it is not installed
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [
        Batch(folder / f"{language}_{number}.npz", language, min(BATCH, clips - number * BATCH), seed + number)
        for number in range(-(-clips // BATCH))
        for language in languages
    ]
    missing = [batch for batch in wanted if not batch.path.exists()]
    with ThreadPoolExecutor(jobs) as pool:
        for done, batch in enumerate(pool.map(_run, missing), 1):
            state = "spoken" if batch.path.exists() else "left out: the synthesiser crashed"
            _log.info("%d/%d %s %s", done, len(missing), batch.path.stem, state)


def speak(synthesizer: Synthesizer, language: str, random: np.random.Generator) -> tuple[np.ndarray, Script]:
    """Say something new in a language, with a voice, speed and size of mouth drawn at random.

    Returns:
        Samples (n,) float32 at ``spectrum.RATE`` and what is said when.
    """
    held_out = language in HELD_OUT
    speed = random.uniform(95, 250)
    variants = HELD_OUT_VARIANTS if held_out else TRAINING_VARIANTS
    voice = f"{language}+{random.choice(variants)}" if held_out or random.random() < 0.92 else language
    spelling = HELD_OUT[language] if held_out else TRAINING[language]
    said = synthesizer.say(
        invent(spelling, int(np.clip(8.0 * 4.4 * speed / 165, 14, 60)), random),
        voice,
        rate=int(speed),
        pitch=int(random.uniform(15, 90)),
        range=int(random.uniform(15, 90)),
        word_gap=int(random.choice([0, 0, 0, 1, 3])),
    )
    rate = SPOKEN_RATE * float(np.exp(random.uniform(np.log(0.82), np.log(1.24))))  # moves the formants
    most = int(_LONGEST * rate)
    samples = said.samples[:most] / (np.abs(said.samples[:most]).max(initial=0) + 1e-6)
    samples = with_effort(samples, random, SPOKEN_RATE).astype(np.float32)
    script = script_of(Utterance(samples, [phone for phone in said.phones if phone.end <= most]), rate)
    return soxr.resample(samples, rate, RATE, "HQ").astype(np.float32), script


def levels_of(samples: np.ndarray) -> np.ndarray:
    """Measure mel levels (n, bands) of samples (count,) at ``spectrum.RATE``, as inference does."""
    return measure_levels(Audio(torch.from_numpy(samples.astype(np.float32))[None], RATE))


def _run(batch: Batch) -> Batch:
    """Make a batch in a process of its own."""
    process = multiprocessing.get_context("spawn").Process(target=make_batch, args=(batch,))
    process.start()
    process.join()
    return batch


def make_batch(batch: Batch) -> None:
    """Speak a batch and write it: clips one after another along time, mel levels clean and worn, what is said when."""
    torch.set_num_threads(1)
    random = np.random.default_rng([batch.seed, *batch.language.encode()])
    synthesizer = Synthesizer()
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("clean", "rough", "symbols", "closures", "lengths")}
    for _ in range(batch.count):
        samples, script = speak(synthesizer, batch.language, random)
        if len(samples) < _SHORTEST * RATE:
            continue
        clean, rough = levels_of(samples), levels_of(worn(samples, random))
        frames, number = min(len(clean), len(rough)), len(rows["lengths"])
        rows["clean"].append(clean[:frames])
        rows["rough"].append(rough[:frames])
        rows["symbols"].append(_numbered(script.sounds, number))
        rows["closures"].append(_numbered(script.closures, number))
        rows["lengths"].append(np.array([frames]))
    unfinished = batch.path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, **{name: np.concatenate(parts) for name, parts in rows.items()})  # pyright: ignore[reportArgumentType]
    unfinished.rename(batch.path)


def _numbered(rows: np.ndarray, clip: int) -> np.ndarray:
    """Put the clip's number before every row (k, c): (k, 1 + c)."""
    return np.column_stack([np.full(len(rows), clip, np.float32), rows])
