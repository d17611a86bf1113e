"""How well offsets between sound and picture are measured.

    python benchmarks/sync.py VIDEO [VIDEO …] [--sounds FILE …]

For every video: the offset as it is; the error when the sound is moved by −200 … +200 ms in steps of 20; what is left
after a forced correction; and how often the sounds of the other videos, of ``--sounds`` and noise are trusted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sonic_core.clip import open_clip
from sonic_core.media.audio import read_audio
from sonic_core.media.mixing import cut, shift
from sonic_core.speech import Speech
from sonic_core.sync.compare import compare
from sonic_core.sync.mouth import MouthMotion, mouth_motion
from sonic_core.types import Audio

SHIFTS = np.arange(-200, 201, 20) / 1000
CLOSE = 0.02
"""Seconds of error that are allowed."""


def main() -> None:
    """Print everything for the videos of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--sounds", nargs="*", default=[], type=Path)
    options = parser.parse_args()
    clips = {path.stem: open_clip(path) for path in options.videos}
    wrong = {name: clip.audio for name, clip in clips.items() if clip.audio} | pieces(options.sounds) | noises()
    trusted, pairs = [], 0
    for name, clip in clips.items():
        motion = mouth_motion(clip)
        if clip.audio is not None:
            report(name, motion, clip.audio)
        others = {other: compare(motion, Speech.of(sound)) for other, sound in wrong.items() if other != name}
        trusted += [f"{name} with {other}" for other, found in others.items() if found.confident]
        pairs += len(others)
    print(f"wrong sounds trusted: {len(trusted)} of {pairs} ({', '.join(trusted) or 'none'})")


def report(name: str, motion: MouthMotion, audio: Audio) -> None:
    """Print how one video's offset is measured."""
    still = compare(motion, Speech.of(audio))
    moved = [compare(motion, Speech.of(shift(audio, by))) for by in SHIFTS]
    errors = np.array([found.offset - still.offset for found in moved]) - SHIFTS
    sure = np.array([found.confident for found in moved])
    left = [
        abs(compare(motion, Speech.of(shift(shift(audio, by), -found.offset))).offset)
        for by, found in zip(SHIFTS, moved, strict=True)
        if found.confident
    ]
    print(f"{name}: {still}; {still.verdict}")
    if sure.any():
        good = np.abs(errors[sure]) <= CLOSE
        print(
            f"    confident on {sure.sum()} of {len(sure)} shifts, within {CLOSE * 1000:.0f} ms on {good.sum()}; "
            f"largest error {np.abs(errors[sure]).max() * 1000:.0f} ms, left after correction {max(left) * 1000:.0f} ms"
        )


def pieces(files: list[Path]) -> dict[str, Audio]:
    """Cut sounds into pieces of ten seconds."""
    found = {}
    for path in files:
        for number in range(int(read_audio(path).duration // 10)):
            found[f"{path.stem} {number}"] = read_audio(path, start=10.0 * number, duration=10.0)
    return found


def noises() -> dict[str, Audio]:
    """Make noise of three kinds: even, in bursts, and swelling."""
    generator = torch.Generator().manual_seed(0)
    even = 0.1 * torch.randn(1, 10 * 16000, generator=generator)
    times = torch.arange(even.shape[1]) / 16000
    bursts = (torch.rand(100, generator=generator) > 0.5).float().repeat_interleave(1600)
    swelling = 1 + torch.sin(2 * torch.pi * 3 * times)
    made = {"even noise": even, "bursts of noise": even * bursts, "swelling noise": even * swelling}
    return {name: cut(Audio(samples, 16000), 10.0) for name, samples in made.items()}


if __name__ == "__main__":
    main()
