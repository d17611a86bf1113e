"""What a batch costs beside its videos, and how many workers many jobs want.

    python benchmarks/scale.py --overhead 20     seconds a job here, in a process, and on a Ray cluster of one worker
    python benchmarks/scale.py --jobs 10000      that many jobs through the scheduler itself, in a clock that jumps

Jobs of ``--overhead`` are alike but for their seed, each one frame of video, so that what is beside it shows. The
lengths of ``--jobs`` are drawn, and workers are lost now and then and come back.
"""

from __future__ import annotations

import argparse
import heapq
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sonic_core.batch.cluster import RayCluster  # noqa: E402
from sonic_core.batch.crew import LostError  # noqa: E402
from sonic_core.batch.journal import JournalEntry  # noqa: E402
from sonic_core.batch.manifest import ManifestRow  # noqa: E402
from sonic_core.batch.work import run_batch, share_out  # noqa: E402
from sonic_core.settings import Settings  # noqa: E402

MEDIAN, SPREAD = 15.0, 0.8
"""Seconds of a simulated job's sound, and the deviation of their logarithm: mean 21 s."""
COSTS = {"sonic-preview, a processor core": 1.1, "sonic-base fast, an H200": 2.2, "sonic-base exact, an H200": 6.1}
"""Seconds that one worker needs for a second of video at 512², as docs/performance.md has them."""
BETWEEN_LOSSES = 8 * 3600.0
"""Seconds after which a simulated worker is lost, on average."""
RETURN = 180.0
"""Seconds until another one has taken its place and loaded its models."""


def _rows(folder: Path, count: int) -> list[ManifestRow]:
    made = [Settings(duration=0.04, min_resolution=384, temporal_smoothing=False, seed=seed) for seed in range(count)]
    image, sound = ROOT / "assets/portrait.png", ROOT / "assets/speech.wav"
    return [
        ManifestRow(f"v{number}", image, sound, folder.resolve() / f"v{number}.mp4", settings, "sonic-preview")
        for number, settings in enumerate(made)
    ]


def measure_overhead(count: int) -> dict[str, float]:
    """Measure seconds a job, the first one of each way left out."""
    ways = {"here": {}, "process": {"workers": 1}, "ray": {"workers": 1, "ray": RayCluster()}}
    found = {}
    for name, how in ways.items():
        moments: list[float] = []

        def note(*_: object, moments: list[float] = moments) -> None:
            moments.append(time.perf_counter())

        with tempfile.TemporaryDirectory() as folder:
            rows = _rows(Path(folder), count + 1)
            outcome = run_batch(rows, folder, progress=note, **how)
        if outcome.failed:
            raise RuntimeError(outcome.failed[0][1].error)
        found[name] = (moments[-1] - moments[1]) / count
    return found


class _Simulated:
    """Workers in a clock that jumps from one event to the next."""

    def __init__(self, count: int, lengths: dict[str, float], cost: float) -> None:
        self.lengths, self.cost, self.random = lengths, cost, np.random.default_rng(0)
        self.now, self.worked, self.lost = 0.0, 0.0, 0
        self.free = list(range(count))
        self.busy: dict[int, ManifestRow] = {}
        self._events: list[tuple[float, int, bool]] = []
        self._away: list[tuple[float, int]] = []

    def give(self, row: ManifestRow) -> None:
        """Have a worker begin a row, and see when that ends, and how."""
        worker, takes = self.free.pop(), self.lengths[row.id] * self.cost
        fails = float(self.random.exponential(BETWEEN_LOSSES))
        self.busy[worker] = row
        heapq.heappush(self._events, (self.now + min(takes, fails), worker, fails < takes))
        self.worked += takes if takes <= fails else 0.0

    def finished(self, waiting: int) -> Iterator[tuple[ManifestRow, JournalEntry | LostError]]:
        """Jump to the next moment at which somebody is done, lost, or there again."""
        if waiting and self._away and (not self._events or self._away[0][0] <= self._events[0][0]):
            self.now, worker = heapq.heappop(self._away)
            self.free.append(worker)
            return
        self.now, worker, lost = heapq.heappop(self._events)
        row = self.busy.pop(worker)
        if lost:
            self.lost += 1
            heapq.heappush(self._away, (self.now + RETURN, worker))
            yield row, LostError("a worker was lost")
        else:
            self.free.append(worker)
            yield row, JournalEntry(row.id, row.id, "", seconds=self.lengths[row.id])


def simulate(jobs: int, workers: int, cost: float) -> tuple[float, float, int, int]:
    """Return hours, the share of them that workers worked, workers lost, and rows of which nothing came."""
    rows = _rows(Path("videos"), jobs)
    drawn = np.random.default_rng(0).lognormal(np.log(MEDIAN), SPREAD, jobs)
    lengths = {row.id: float(length) for row, length in zip(rows, sorted(drawn, reverse=True), strict=True)}
    crew = _Simulated(workers, lengths, cost)
    failed = sum(bool(entry.error) for _, entry in share_out(crew, rows))
    return crew.now / 3600, crew.worked / (crew.now * workers), crew.lost, failed


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--overhead", type=int, metavar="N", help="jobs of each way")
    parser.add_argument("--jobs", type=int, metavar="N", help="jobs that are simulated")
    parser.add_argument("--workers", type=int, nargs="+", default=[16, 64, 256, 512])
    options = parser.parse_args()
    if options.overhead:
        for name, seconds in measure_overhead(options.overhead).items():
            print(f"{name:8} {seconds * 1000:7.0f} ms a job", flush=True)
    for model, cost in COSTS.items() if options.jobs else ():
        for workers in options.workers:
            hours, share, lost, failed = simulate(options.jobs, workers, cost)
            print(f"{model:34} {workers:4} workers {hours:7.2f} h {share:5.0%} at work {lost:4} lost {failed:3} failed")


if __name__ == "__main__":
    main()
