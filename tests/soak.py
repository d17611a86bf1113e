"""Much work in one process: its memory, its open files and its threads stay as they are.

    python -m tests.soak [--jobs 100] [--threads 8] [--sound 60] [--seed S] [--minutes M] [--parts 1 2 3]

Three parts: short videos one after the other, as many shared out to threads that are new for each round, and one video
of a long sound. Which videos is drawn from the seed and their number. For each part a line is printed: memory once it
is warm (after two fifths) and at the end, by how much the line through all looks between rises, and the most
files and threads that were open between two videos. Exits with 1 where one of them grows. ``--minutes`` ends each part
after a third of them; ``--looks`` prints the memory after each video.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import torch

import sonic_core as sonic

ASSETS = Path(__file__).resolve().parents[1] / "assets"
SIDE = 256
WARM = 0.4
"""Share of a part after which what is kept is there: of a long video eyes that were drawn, for a minute and a half."""
MOST_RISE = 32.0
"""MiB from where it is warm to the end: what a heap breathes by itself."""
ENDINGS = ("mp4", "mp4", "gif", "webp")
SECONDS = (0.2, 0.8)
EVERY = 250
"""Frames of the long video between two looks."""


@dataclass
class Course:
    """How a part went."""

    name: str
    memory: list[float] = field(default_factory=list)
    """MiB after each video."""
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Note how much there is of everything."""
        gc.collect()
        process = psutil.Process()
        self.memory.append(process.memory_info().rss / 2**20)
        self.files.append(process.num_fds())
        self.threads.append(process.num_threads())

    @property
    def warm(self) -> int:
        """The first look that counts."""
        return int(len(self.memory) * WARM)

    @property
    def rise(self) -> float:
        """MiB that the line through what was seen rises by, from where it is warm to the end."""
        kept = np.array(self.memory[self.warm :])
        return float(np.polyfit(np.arange(len(kept)), kept, 1)[0] * (len(kept) - 1)) if len(kept) > 1 else 0.0

    def faults(self) -> list[str]:
        """Tell what grows."""
        grown = [f"{self.name}: memory rises by {self.rise:.0f} MiB"] if self.rise > MOST_RISE else []
        for what, seen in (("files", self.files), ("threads", self.threads)):
            if max(seen[-3:]) > max(seen[: self.warm + 1]):
                grown.append(f"{self.name}: {what} grow from {max(seen[: self.warm + 1])} to {max(seen[-3:])}")
        return grown

    def line(self) -> str:
        """Write it as a row of a table."""
        warm, end = self.memory[self.warm], self.memory[-1]
        numbers = f"{warm:.0f} | {end:.0f} | {self.rise:+.1f} | {max(self.files)} | {max(self.threads)}"
        return f"| {self.name} | {len(self.memory)} | {numbers} |"


def make(model: sonic.TalkingPortrait, number: int, seed: str, folder: Path) -> None:
    """Make the short video of a number."""
    chance = random.Random(f"{seed} {number}")  # noqa: S311
    path = folder / f"{threading.get_ident()}.{chance.choice(ENDINGS)}"
    video = model.generate(
        ASSETS / "speech.wav",
        ASSETS / "portrait.png",
        min_resolution=SIDE,
        duration=round(chance.uniform(*SECONDS), 2),
        temporal_smoothing=chance.random() < 0.5,
        lip_sync_refinement=chance.random() < 0.5,
        paste_back=chance.random() < 0.5,
        seed=number,
    )
    video.export(path)
    path.unlink()


def until(jobs: Iterable[int], seconds: float) -> Iterator[int]:
    """Give jobs until the time is over."""
    end = time.monotonic() + seconds
    for job in jobs:
        if time.monotonic() > end:
            return
        yield job


def one_after_the_other(model: sonic.TalkingPortrait, options: argparse.Namespace, folder: Path) -> Course:
    """Make many short videos."""
    course = Course("one after the other")
    for number in until(range(options.jobs), options.seconds):
        make(model, number, options.seed, folder)
        course.look()
    return course


def in_threads(model: sonic.TalkingPortrait, options: argparse.Namespace, folder: Path) -> Course:
    """Make many short videos in threads, which are new for each round."""
    course, failed = Course(f"in {options.threads} threads"), list[BaseException]()

    def work(number: int) -> None:
        try:
            make(model, number, options.seed, folder)
        except BaseException as error:  # noqa: BLE001 - raised below, where it is seen
            failed.append(error)

    for begin in until(range(0, options.jobs, options.threads), options.seconds):
        threads = [threading.Thread(target=work, args=(begin + number,)) for number in range(options.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        course.look()
    return course


def long_sound(model: sonic.TalkingPortrait, options: argparse.Namespace, folder: Path) -> Course:
    """Make one long video."""
    sound = sonic.read_audio(ASSETS / "speech.wav")
    times = max(1, round(options.sound / sound.duration))
    said = sonic.Audio(sound.samples.repeat(1, times), sound.rate)
    course, end = Course(f"a sound of {said.duration:.0f} s"), time.monotonic() + options.seconds

    def progress(_stage: str, done: int, _total: int) -> None:
        if done % EVERY == 0:
            course.look()
        if time.monotonic() > end:
            raise TimeoutError

    video = model.generate(said, ASSETS / "portrait.png", min_resolution=SIDE, duration=said.duration)
    try:
        video.export(folder / "long.mp4", progress=progress)
    except TimeoutError:
        course.name += ", not to its end"
    course.look()
    return course


def main() -> int:
    """Work, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100, help="short videos, of each of the first two parts")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--sound", type=float, default=60.0, help="seconds of the long sound")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--looks", action="store_true")
    parser.add_argument("--parts", type=int, nargs="+", choices=(1, 2, 3), default=(1, 2, 3), help="only these")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    options = parser.parse_args()
    options.seconds = options.minutes * 60 / 3
    torch.set_num_threads(1)
    model, faults = sonic.load_model("sonic-preview"), list[str]()
    sys.stdout.write(
        "| part | looks | MiB, warm | MiB, at the end | rise | files | threads |\n|---|---|---|---|---|---|---|\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate((one_after_the_other, in_threads, long_sound), 1):
            if number not in options.parts:
                continue
            course = part(model, options, Path(folder))
            sys.stdout.write(course.line() + "\n")
            if options.looks:
                sys.stdout.write(" ".join(f"{one:.0f}" for one in course.memory) + "\n")
            sys.stdout.flush()
            faults += course.faults()
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
