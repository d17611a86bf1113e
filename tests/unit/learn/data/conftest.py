"""Videos of every kind, a few seconds long, and the set that is made of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core.clip import Clip, open_clip
from sonic_core.learn.data.gathering import gather_set
from sonic_core.learn.data.plan import DataPlan
from sonic_core.media.audio import read_audio
from sonic_core.media.mixing import cut, shift
from sonic_core.types import Audio

ASSETS = Path(__file__).resolve().parents[4] / "assets"
SHORT, FRAMES, HALF = 50, 85, 80
"""Frames of a video that is dropped whatever it says, of any other, and of each part of one that has two."""
PLAN = DataPlan(size=128, least_seconds=2.0, most_seconds=5.0)


def seen_as(clip: Clip, change, size=None) -> Clip:
    """Change every frame (3, h, w) of a clip by its number."""

    def read():
        for number, frame in enumerate(clip.frames()):
            yield change(number, frame)[None]

    return replace(clip, read=read, size=size or clip.size)


def chords(seconds: float, rate: int = 16000) -> Audio:
    """Play some chords, one after the other."""
    time = np.arange(round(seconds * rate)) / rate
    sound = np.zeros_like(time)
    for begin in np.arange(0, seconds, 0.5):
        here = (time >= begin) & (time < begin + 0.5)
        for note in (220.0, 277.2, 329.6):
            pitch = note * 2 ** (int(begin * 2) % 5 / 12)
            sound[here] += np.sin(2 * np.pi * pitch * time[here]) * np.exp(-3 * (time[here] - begin))
    return Audio(torch.from_numpy(0.2 * sound).float()[None], rate)


def make_kinds(long: Clip, folder: Path) -> None:
    """Make a video of every kind out of a drawn person's talk."""
    talk, short = long.cut(0, FRAMES), long.cut(0, SHORT)
    still = next(iter(talk.frames()))
    height, width = talk.size
    zoomed = torch.nn.functional.interpolate

    def nearer(number, frame):
        if number < HALF:
            return frame
        part = frame[:, 30 : height - 30, 30 : width - 30].flip(2)
        return (zoomed(part[None], (height, width), mode="area")[0] * 0.8).clamp(0, 1)

    fast = [int(number * 25 / 60) for number in range(round(FRAMES * 60 / 25))]
    frames = list(talk.frames())
    english = read_audio(ASSETS / "sounds" / "english.wav")
    voices = torch.cat([long.audio.samples[:, : round(HALF / 25 * long.audio.rate)], english.samples], 1)
    assert long.audio.rate == english.rate
    kinds = {
        "talk": talk,
        "cut": seen_as(long.cut(0, 2 * HALF), nearer),
        "two": seen_as(short, lambda _, frame: torch.cat([frame, still.flip(2)], 2), (height, 2 * width)),
        "faceless": seen_as(short, lambda _, frame: torch.full_like(frame, 0.5)),
        "silent": replace(short, audio=replace(short.audio, samples=0 * short.audio.samples, mapped=None)),
        "music": replace(short, audio=cut(chords(8.0), short.duration)),
        "late": replace(talk, audio=shift(talk.audio, 0.12)),
        "fast": replace(talk, read=lambda: (frames[one][None] for one in fast), fps=Fraction(60), length=len(fast)),
        "turned": seen_as(short, lambda _, frame: frame.flip(1, 2)),
        "voices": replace(long.cut(0, 2 * HALF), audio=Audio(voices, english.rate)),
    }
    for name, clip in kinds.items():
        clip.export(folder / f"{name}.mp4", sound="trimmed")
    (folder / "corrupt.mp4").write_bytes((folder / "talk.mp4").read_bytes()[:4000])


@pytest.fixture(scope="package")
def videos(talking, tmp_path_factory):
    """A folder of them."""
    folder = tmp_path_factory.mktemp("kinds")
    make_kinds(open_clip(talking.cut(0, 2 * HALF).export(tmp_path_factory.mktemp("long") / "long.mp4")), folder)
    return folder


@pytest.fixture(scope="package")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("set")


@pytest.fixture(scope="package")
def made(videos, folder):
    """The set, made by two processes."""
    return gather_set(sorted(videos.iterdir()), folder, PLAN, workers=2)


@pytest.fixture(scope="package", name="plan")
def plan_fixture():
    return PLAN
