"""One voice of a long sound, cut into stretches that become rows of a manifest."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from ..errors import InputError
from ..media.files import check_new_folder, file_errors, folder_beside
from ..media.wav import SUFFIX, write_wav
from ..speech.voice.activity import Stretch
from ..speech.voice.turns import Turn, Voices
from ..types import Audio

MANIFEST = "manifest.csv"
"""The list in the folder, which ``batch`` reads."""
_PAUSE = 1.0  # s of silence that end a stretch; less is a pause within it
_LEAST = 1.0  # s of a stretch
_AROUND = 0.15  # s that are kept before and after


def find_stretches(voices: Voices, voice: int) -> list[Stretch]:
    """Tell where one voice speaks and nobody else between, in order.

    Args:
        voices: Who speaks when.
        voice: Whose stretches.
    """
    runs: list[list[Turn]] = []
    for before, turn in pairwise((None, *voices.turns)):
        if turn is None or turn.voice != voice:
            continue
        if before is not None and before.voice == voice and turn.start - before.end < _PAUSE:
            runs[-1].append(turn)
        else:
            runs.append([turn])
    edges = [0.0, *(edge for turn in voices.turns if turn.voice != voice for edge in (turn.start, turn.end))]
    found = [Stretch(run[0].start, run[-1].end) for run in runs if run[-1].end - run[0].start >= _LEAST]
    return [_widened(span, edges, voices.duration) for span in found]


def _widened(span: Stretch, edges: list[float], duration: float) -> Stretch:
    """Keep a little around a stretch, but nothing of anybody else."""
    first = max(edge for edge in edges if edge <= span.start + 1e-9)
    last = min((edge for edge in edges if edge >= span.end - 1e-9), default=duration)
    return Stretch(max(span.start - _AROUND, first), min(span.end + _AROUND, last, duration))


def write_stretches(
    audio: Audio,
    voices: Voices,
    folder: str | os.PathLike[str],
    *,
    voice: int,
    image: str | os.PathLike[str] | None = None,
) -> list[Path]:
    """Write a voice's stretches as WAV files, and a manifest of them.

    Args:
        audio: The sound, or what ``clean_voice`` made of it.
        voices: Who speaks when in it.
        folder: A folder that is not there yet.
        voice: Whose stretches.
        image: The portrait that shall say them; None leaves the manifest's column image empty, to be filled in.

    Returns:
        The files; the manifest, ``MANIFEST``, lies beside them.

    Raises:
        InputError: There is no stretch of that voice.
        MediaError: The folder is there already, or cannot be written.
    """
    target, spans = check_new_folder(folder), find_stretches(voices, voice)
    if not spans:
        raise InputError(f"Expected a stretch of {_LEAST:g} s or more of voice {voice}; there is none.")
    with folder_beside(target) as part:
        names = [f"voice-{voice}-{number:03}{SUFFIX}" for number in range(1, len(spans) + 1)]
        for name, span in zip(names, spans, strict=True):
            first, last = (round(moment * audio.rate) for moment in span)
            write_wav(part / name, replace(audio, samples=audio.samples[:, first:last]))
        with file_errors(target), (part / MANIFEST).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(_rows(names, image))
    return [target / name for name in names]


def _rows(names: list[str], image: str | os.PathLike[str] | None) -> Iterator[list[str]]:
    yield ["id", "image", "audio"]
    portrait = "" if image is None else str(Path(image).resolve())
    yield from ([Path(name).stem, portrait, name] for name in names)
