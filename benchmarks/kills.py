"""What becomes of a batch whose workers and whose own process are killed, and whether all ways make the same files.

    python benchmarks/kills.py --jobs 200 --kills 20 --ends 10
    python benchmarks/kills.py --jobs 200 --ways here processes ray

The first makes the list once undisturbed, then once more while ``--kills`` times a worker and ``--ends`` times the
whole command is killed (SIGKILL) at moments drawn by ``--seed``, and begun again until it is done. The second makes it
in each way and compares. One job in 20 is bad: its picture is not there or has no face, or its sound is none.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
IMAGE, SOUND = ROOT / "assets/portrait.png", ROOT / "assets/speech.wav"
BAD = 20
"""One job in so many is bad."""
WAYS = {"here": (), "processes": ("--workers", "2"), "ray": ("--ray", "--workers", "2")}
"""Flags of each way to make a batch."""
SIDE = 256
"""Pixels of a video's sides."""
PATIENCE = 60.0
"""Seconds after which the processes of a command that was killed have ended."""


class Verdict(NamedTuple):
    """What is wrong in a folder, compared with one that was made undisturbed."""

    lost: int
    """Videos that are not there."""
    twice: int
    """Videos of which the journal says more than once that they were made."""
    half: int
    """Files under a video's name that are another file."""
    left: int
    """Temporary files."""

    def __str__(self) -> str:
        return f"{self.lost} lost, {self.twice} twice, {self.half} half; {self.left} temporary files left"


def write_jobs(folder: Path, jobs: int, seconds: float) -> Path:
    """Write a list, and the bad files that it names."""
    (folder / "none.wav").write_bytes(b"no sound" * 100)
    cv2.imwrite(str(folder / "grey.png"), np.full((256, 256, 3), 127, np.uint8))
    lines = ["id,image,audio,duration,min_resolution,seed"]
    bad = [(folder / "gone.png", SOUND), (folder / "grey.png", SOUND), (IMAGE, folder / "none.wav")]
    for number in range(jobs):
        image, sound = bad[number // BAD % len(bad)] if number % BAD == BAD - 1 else (IMAGE, SOUND)
        lines.append(f"v{number:04},{image},{sound},{seconds},{SIDE},{number}")
    path = folder / "list.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def hashes(folder: Path) -> dict[str, str]:
    """Name what is in every video of a folder."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("[!.]*.mp4"))}


def judge(folder: Path, meant: dict[str, str]) -> Verdict:
    """Compare a folder with what was meant."""
    there, journal = hashes(folder), folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines() if journal.is_file() else []
    told = Counter(one["id"] for one in map(_entry, lines) if one and not one["error"])
    return Verdict(
        lost=len(set(meant) - set(there)),
        twice=sum(count > 1 for count in told.values()),
        half=sum(meant.get(name) != content for name, content in there.items()),
        left=sum(path.name.startswith(".sonic-") for path in folder.iterdir()),
    )


def _entry(line: bytes) -> dict[str, str] | None:
    try:
        return json.loads(line)
    except ValueError:
        return None  # somebody was killed within it


def command(manifest: Path, folder: Path, *more: str) -> list[str]:
    """Name the command that makes a list."""
    start = [sys.executable, "-W", "ignore", "-m", "sonic_core", "batch", str(manifest), "--output", str(folder)]
    return [*start, "--model", "sonic-preview", "--json", *more]


def made(manifest: Path, folder: Path, *more: str) -> tuple[dict[str, int], float]:
    """Make a list; return what the command answers, and seconds."""
    began = time.monotonic()
    done = subprocess.run(
        command(manifest, folder, *more), cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    return json.loads(done.stdout), time.monotonic() - began


class Moments(NamedTuple):
    """Who is killed how often, and when."""

    kills: int
    """How often a worker is."""
    ends: int
    """How often the command is."""
    wait: float
    """Seconds at most between two of them."""


def disturb(manifest: Path, folder: Path, moments: Moments, drawn: random.Random) -> Counter[str]:
    """Make a list while workers and the command itself are killed; return how often each was, and how often begun."""
    waiting = ["worker"] * moments.kills + ["command"] * moments.ends
    most = len(waiting) + 1
    drawn.shuffle(waiting)
    counted: Counter[str] = Counter()
    while waiting:
        counted["begun"] += 1
        running = subprocess.Popen(
            command(manifest, folder, *WAYS["processes"]), cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while waiting and running.poll() is None:
            _kill(running, waiting, counted, drawn.uniform(0, moments.wait))
        running.wait()
        if waiting and counted["begun"] > most:
            break  # nothing is left to be done
    return counted


def _kill(running: subprocess.Popen[bytes], waiting: list[str], counted: Counter[str], wait: float) -> None:
    """Wait a moment, and kill whom the list names next."""
    try:
        running.wait(wait)
        return
    except subprocess.TimeoutExpired:
        children = psutil.Process(running.pid).children(recursive=True)
    workers = [one for one in children if "spawn_main" in " ".join(_words(one))]
    if not workers:
        return  # none has been started yet
    if waiting[-1] == "command":
        running.send_signal(signal.SIGKILL)
        running.wait()
        psutil.wait_procs(children, timeout=PATIENCE)
    else:
        workers[len(waiting) % len(workers)].kill()
    counted[waiting.pop()] += 1


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def main() -> None:
    """Print the figures; exit with 1 where anything was lost, made twice, or differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200, metavar="N", help="(%(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="S", help="of each video (%(default)g)")
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="how often a worker is killed")
    parser.add_argument("--ends", type=int, default=0, metavar="N", help="how often the whole command is killed")
    parser.add_argument("--wait", type=float, default=12.0, metavar="S", help="at most between two kills (%(default)g)")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=["here"], help="(here)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    moments, wrong = Moments(options.kills, options.ends, options.wait), False
    with tempfile.TemporaryDirectory() as lent:
        folder = Path(lent)
        manifest, meant = write_jobs(folder, options.jobs, options.seconds), {}
        for way in options.ways:
            told, took = made(manifest, folder / way, *WAYS[way])
            meant = meant or hashes(folder / way)
            verdict = judge(folder / way, meant)
            wrong |= any(verdict)
            print(f"{way:9} {told['made']} made, {told['failed']} bad, {took:.0f} s: {verdict}", flush=True)
        if options.kills or options.ends:
            counted = disturb(manifest, folder / "kills", moments, random.Random(options.seed))  # noqa: S311
            before = judge(folder / "kills", meant)
            told, _ = made(manifest, folder / "kills", *WAYS["processes"])
            after = judge(folder / "kills", meant)
            wrong |= any((before.half, before.twice, *after[:-1]))
            print(f"killed: {dict(counted)}; then {before}", flush=True)
            print(
                f"again: {told['made']} made, {told['already_there']} there, {told['failed']} bad: {after}", flush=True
            )
    sys.exit(int(wrong))


if __name__ == "__main__":
    main()
