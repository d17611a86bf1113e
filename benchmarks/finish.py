"""Time what follows the model: ``python benchmarks/finish.py [--sizes 384 512] [--clip VIDEO …] [--profile]``.

A talking clip of sonic-preview (or each ``--clip``) is kept without loss. Then each step reads it from there, alone:
read, refine, smooth and encode (H.264, with sound); together, as they are chained: refined, smoothed, encoded; and as
``generate`` does it (whole): kept once more as if it came from a model, with whatever is measured on the way.
Told are the wall time and the processor's time in seconds per second of video, each the least of ``--runs``, how many
times faster than real time that is, and what must not change: the offset and a digest of the smoothed frames.

With ``--profile`` the functions that took the most time are listed for every step, all threads together.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import pstats
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sonic_core import load_model
from sonic_core.clip import Clip, open_clip
from sonic_core.faces import RememberingFinder, face_finder
from sonic_core.post.align import refine
from sonic_core.post.finish import Finish
from sonic_core.post.keep import keep
from sonic_core.post.smooth import smooth

ROOT = Path(__file__).resolve().parents[1]
LISTED = 25
"""Functions of a profile that are listed."""


def talking(size: int, seconds: float | None) -> Clip:
    """Let the bundled portrait say the bundled speech."""
    return load_model("sonic-preview").generate(
        ROOT / "assets" / "speech.wav",
        ROOT / "assets" / "portrait.png",
        min_resolution=size,
        duration=seconds,
        lip_sync_refinement=False,
        temporal_smoothing=False,
    )


def digest(clip: Clip) -> str:
    """Read a clip and boil its frames, rounded to 8 bits, down to a few letters."""
    found = hashlib.sha256()
    for chunk in clip.read():
        found.update((chunk * 255).round_().to(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:12]


def least(work: Callable[[], object], runs: int) -> tuple[float, float]:
    """Return the least wall time and the least processor time of some runs."""
    times = []
    for _ in range(runs):
        wall, own = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - wall, time.process_time() - own))
    return min(wall for wall, _ in times), min(own for _, own in times)


def profiled(name: str, work: Callable[[], object]) -> None:
    """List where the time goes, by function, in whichever thread."""
    profiles = [cProfile.Profile(time.thread_time)]

    def begin(*_: object) -> None:
        profiles.append(cProfile.Profile(time.thread_time))
        profiles[-1].enable()

    threading.setprofile(begin)  # each new thread calls it once, and then has a profile of its own
    try:
        profiles[0].runcall(work)
    finally:
        threading.setprofile(None)
    print(f"\n{name}: seconds of the processor, each thread's own; what OpenCV's and FFmpeg's threads do is not in it")
    stats = pstats.Stats(profiles[0])
    for profile in profiles[1:]:
        stats.add(profile)
    stats.sort_stats("tottime").print_stats(LISTED)


def measure(name: str, clip: Clip, runs: int, *, profile: bool) -> None:
    """Print a clip's figures."""
    finder, clip = RememberingFinder(face_finder()), keep(clip)

    def together(folder: str) -> None:
        finder = RememberingFinder(face_finder())
        smooth(refine(clip, finder=finder).clip, finder=finder).clip.export(f"{folder}/together.mp4")

    with tempfile.TemporaryDirectory() as folder:
        steps: dict[str, Callable[[], object]] = {
            "read": lambda: sum(map(len, clip.read())),
            "refine": lambda: refine(clip, finder=face_finder()),
            "smooth": lambda: sum(map(len, smooth(clip, finder=face_finder()).clip.read())),
            "encode": lambda: clip.export(f"{folder}/encoded.mp4"),
            "together": lambda: together(folder),
            "whole": lambda: Finish().apply(clip).clip.export(f"{folder}/whole.mp4"),
        }
        for step, work in steps.items():
            wall, own = (spent / clip.duration for spent in least(work, runs))
            print(f"{name:12} {step:9} wall {wall:5.2f}  processor {own:5.2f}  × real time {1 / wall:5.2f}", flush=True)
            if profile:
                profiled(f"{name} {step}", work)
    offset = refine(clip, finder=finder).report.measurement.offset
    print(f"{name:12} offset {offset * 1000:.6f} ms, smoothed frames {digest(smooth(clip, finder=finder).clip)}")


def main() -> None:
    """Measure the clips of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[384, 512], help="shorter sides of the clips to make")
    parser.add_argument("--seconds", type=float, help="length of the clips to make; left out: the speech's, 7.89")
    parser.add_argument("--clip", type=Path, nargs="+", default=[], help="measure these videos instead")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    clips = {path.stem: open_clip(path) for path in options.clip}
    clips = clips or {f"{size}²": talking(size, options.seconds) for size in options.sizes}
    for name, clip in clips.items():
        measure(name, clip, options.runs, profile=options.profile)


if __name__ == "__main__":
    main()
