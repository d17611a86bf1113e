"""Judge the shipped path, sound → ``Speech.motion`` → ``Motion.at``, on fresh synthesised speech."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...errors import SonicError
from ...speech import Speech
from ...speech.motion import ADVANCE, Motion
from ...speech.network import CHANNELS, pressed
from ...speech.spectrum import LEVEL_RATE, RATE
from ...types import Audio
from .articulation import SOUNDS
from .coarticulation import Script, draw_targets
from .dataset import levels_of, speak
from .espeak import Synthesizer
from .invention import HELD_OUT
from .roughening import noise, worn

DEGREES = {
    "clean": (False, None),
    "noisy 20 dB": (False, 20.0),
    "noisy 10 dB": (False, 10.0),
    "worn": (True, None),
    "worn, noisy 15 dB": (True, 15.0),
    "worn, noisy 0 … 12 dB": (True, -1.0),
}
"""Roughness by name: whether rooms, colour, codecs and overload wear the sound, and its signal to noise in dB, −1 for
one drawn from 0 … 12. Noise is measured against the whole clip, pauses included."""
MEASURES = (
    "closed",
    "closed in a frame",
    "shut elsewhere",
    "open over close",
    "rounder",
    "likeness",
    "closed in pauses",
)
_OPEN, _CLOSE = set("aɑæɐ"), set("iuyɨɯʉɪʊ")
_ROUND, _FLAT = set("uyoøɔœʉ"), set("iɪeɛaɑæɐɯɨ")
_SHUT = 0.15  # of the clip's 90th percentile
_LEEWAY = 0.015  # s by which a closure may be early or late
_FRAME = 0.04  # s
_PAUSE = 1.0  # s of silence before and after each utterance; noise goes on in it

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Trial:
    """An utterance of a held-out language and voice."""

    sounds: dict[str, np.ndarray]
    """By name of ``DEGREES``: samples (n,) at ``spectrum.RATE``."""
    script: Script


def judge_speech(folder: Path, seed: int, clips: int, jobs: int) -> dict[str, dict[str, float]]:
    """Judge on fresh speech in the languages and voices held out of training.

    Args:
        folder: Where that speech is kept, by seed and number of clips.
        seed: Says what is said; a new one says something new.
        clips: Clips per language.
        jobs: Processes at a time.

    Returns:
        By name of ``DEGREES``, each of ``MEASURES`` as a share, 0 … 1, or a correlation.
    """
    place = folder / f"held-out-{seed}-{clips}"
    place.mkdir(parents=True, exist_ok=True)
    paths = [place / f"{language}.npz" for language in HELD_OUT]
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda path: _speak(path, seed, clips), [path for path in paths if not path.exists()]))
    sums: dict[str, dict[str, list[float]]] = {degree: {name: [] for name in MEASURES} for degree in DEGREES}
    for path in paths:
        for trial in _read(path):
            for degree, sound in trial.sounds.items():
                for name, values in measure(sound, trial.sounds["clean"], trial.script).items():
                    sums[degree][name] += values
    if not sums["clean"]["closed"]:
        raise SonicError(f"Expected held-out speech in {place}, but espeak-ng crashed in every language.")
    return {degree: {name: float(np.mean(values)) for name, values in row.items()} for degree, row in sums.items()}


def measure(sound: np.ndarray, clean: np.ndarray, script: Script) -> dict[str, list[float]]:
    """Measure the shipped path on one utterance; one entry per closure, pair of vowels, pause or clip.

    Args:
        sound: Samples (n,) at ``spectrum.RATE``, roughened or not.
        clean: The same before it was roughened.
        script: What is said when.
    """
    motion = Speech.of(Audio(torch.from_numpy(sound)[None], RATE)).motion
    targets = draw_targets(script, levels_of(clean))
    times = np.arange(len(targets)) / LEVEL_RATE
    shown, end = motion.at(times - ADVANCE), times[-1] - 0.05
    truth = targets[:, 0] * (1 - pressed(torch.from_numpy(targets[:, len(CHANNELS)])).numpy())
    limit = _SHUT * float(np.percentile(shown.opening, 90))
    spans = script.closures[script.closures[:, 1] < end]
    heights, roundings = _vowels(script, end, shown)
    voiced = targets[:, -1] > 0
    pauses = [row for row in script.sounds if chr(int(row[2])) == "_" and row[1] - row[0] > 0.6]
    return {
        "closed": _closed(motion, spans, limit, 0.01),
        "closed in a frame": _closed(motion, spans, limit, _FRAME),
        "shut elsewhere": [float((shown.opening <= limit)[truth > 0.25].mean())] if (truth > 0.25).any() else [],
        "open over close": heights,
        "rounder": roundings,
        "likeness": [float(np.corrcoef(shown.opening[voiced], truth[voiced])[0, 1])],
        "closed in pauses": [float(motion.at(np.array([end - 0.3])).opening[0] <= limit) for _, end, _ in pauses],
    }


def _closed(motion: Motion, spans: np.ndarray, limit: float, step: float) -> list[float]:
    """Say for each closure whether the lips, seen every ``step`` seconds, are shut at some moment while it sounds."""
    result = []
    for start, end in spans:
        first, last = np.ceil((start - _LEEWAY) / step), np.floor((end + _LEEWAY) / step)
        seen = motion.at(np.arange(first, last + 1) * step).opening
        result.append(float(len(seen) > 0 and seen.min() <= limit))
    return result


def _vowels(script: Script, last: float, shown: Motion) -> tuple[list[float], list[float]]:
    """Compare every open vowel with every close one, and every rounded one with every other, in their middle thirds."""
    found: dict[str, list[float]] = {"open": [], "close": [], "round": [], "flat": []}
    for start, end, code in script.sounds:
        symbol, third = chr(int(code)), (end - start) / 3
        if symbol not in SOUNDS or end - start < 0.05 or end > last:
            continue
        inside = slice(round((start + third) * LEVEL_RATE), round((end - third) * LEVEL_RATE) + 1)
        for name, group, curve in (
            ("open", _OPEN, shown.opening),
            ("close", _CLOSE, shown.opening),
            ("round", _ROUND, shown.rounding),
            ("flat", _FLAT, shown.rounding),
        ):
            if symbol in group:
                found[name].append(float(curve[inside].mean()))
    return (
        [float(a > b) for a in found["open"] for b in found["close"]],
        [float(a > b) for a in found["round"] for b in found["flat"]],
    )


def _speak(path: Path, seed: int, clips: int) -> None:
    """Speak a language's trials in a process of its own."""
    process = multiprocessing.get_context("spawn").Process(target=make_trials, args=(path, seed, clips))
    process.start()
    process.join()
    if not path.exists():
        _log.info("%s left out: the synthesiser crashed", path.stem)


def make_trials(path: Path, seed: int, clips: int) -> None:
    """Speak ``clips`` utterances of the language that ``path`` is named after, roughened to every degree."""
    random, synthesizer = np.random.default_rng([seed, *path.stem.encode()]), Synthesizer()
    stored: dict[str, np.ndarray] = {}
    for number in range(clips):
        clean, script = _framed(*speak(synthesizer, path.stem, random))
        background, old = noise(len(clean), random), worn(clean, random).astype(np.float32)
        drawn = random.uniform(0, 12)
        for degree, (wears, below) in DEGREES.items():
            sound = old if wears else clean
            if below is not None:
                sound = sound + background * sound.std() * 10 ** (-(drawn if below < 0 else below) / 20)
            stored[f"{number} {degree}"] = sound.astype(np.float32)
        stored[f"{number} sounds"], stored[f"{number} closures"] = script.sounds, script.closures
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, **stored)  # pyright: ignore[reportArgumentType]
    unfinished.rename(path)


def _framed(samples: np.ndarray, script: Script) -> tuple[np.ndarray, Script]:
    """Put a pause before and after an utterance."""
    end = len(samples) / RATE + _PAUSE
    pauses = [(0, _PAUSE, ord("_")), (end, end + _PAUSE, ord("_"))]
    sounds = np.concatenate([pauses[:1], script.sounds + np.array([_PAUSE, _PAUSE, 0]), pauses[1:]])
    return np.pad(samples, round(_PAUSE * RATE)), Script(sounds.astype(np.float32), script.closures + _PAUSE)


def _read(path: Path) -> Iterator[Trial]:
    """Read a language's trials one by one; none where there is no file."""
    if not path.exists():
        return
    with np.load(path) as stored:
        for number in range(sum(name.endswith(" sounds") for name in stored.files)):
            sounds = {degree: stored[f"{number} {degree}"] for degree in DEGREES}
            yield Trial(sounds, Script(stored[f"{number} sounds"], stored[f"{number} closures"]))
