"""Many short prompts from several clients at once: does the host's memory stay flat, and is any file left behind?

    python -m tests.host.soak --prompts 100 --clients 2

It drives the newest host there is ($COMFYUI_PATH, $COMFYUI_PYTHON) and ends with status 1 where either is not so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import psutil

from tests.host.harness import Comfy, checkouts, needed_python, started
from tests.host.prompts import bundled

SECONDS, SIDE = 0.4, 256
"""How long a video is, and how many pixels high and wide."""
WARM, AROUND = 20, 10
"""Prompts after which memory must be flat, and prompts over which it is averaged at both ends."""
ALLOWED = 0.02
"""Share by which the server may have grown between the two."""
MEGABYTE = 1 << 20


@dataclass
class Soaked:
    """What was seen of the server."""

    megabytes: list[float] = field(default_factory=list)
    """Resident memory when each prompt had ended."""
    left: list[Path] = field(default_factory=list)
    """Files in the temporary folder once the host had forgotten all results."""

    @property
    def growth(self) -> float:
        """Share by which memory grew from after the warm-up to the end."""
        begun, ended = self.megabytes[WARM : WARM + AROUND], self.megabytes[-AROUND:]
        return statistics.mean(ended) / statistics.mean(begun) - 1

    @property
    def pictures(self) -> list[Path]:
        """What nodes showed, which stays until the host ends."""
        return [path for path in self.left if path.suffix == ".png"]


def short_prompt(number: int) -> dict[str, Any]:
    """Write a prompt that no other run answers: another part of the sound, another seed."""
    made = bundled("fast_digital_human")
    made["4"]["inputs"] |= {"start": round(0.05 * (number % 40), 2), "duration": SECONDS}
    made["5"]["inputs"]["model_name"] = "sonic-preview"
    made["6"]["inputs"]["min_resolution"] = SIDE
    made["7"]["inputs"] |= {"seed": number, "paste_back": False}
    made["8"]["inputs"]["filename_prefix"] = f"soak/{number}"
    return made


def soak(comfy: Comfy, prompts: int, clients: int, hear: Callable[[int, float], None] = lambda *_: None) -> Soaked:
    """Have clients send prompts, each the next one when its last has ended.

    Args:
        comfy: The host.
        prompts: How many in all.
        clients: How many send them.
        hear: Called with the number of prompts that have ended, and the server's megabytes.
    """
    server, found, lock = psutil.Process(comfy.pid), Soaked(), Lock()
    numbers = iter(range(prompts))

    def taken() -> Iterator[int]:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            yield number

    def send(name: str) -> None:
        for number in taken():
            ticket = comfy.queue(short_prompt(number), client=name)
            assert isinstance(ticket, str), ticket
            run = comfy.wait(ticket, seconds=600)
            assert comfy.path(run.file("8")).stat().st_size, "a video was made"
            with lock:
                found.megabytes.append(server.memory_info().rss / MEGABYTE)
                hear(len(found.megabytes), found.megabytes[-1])

    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(send, uuid.uuid4().hex) for _ in range(clients)]:
            done.result()
    comfy.forget()
    found.left = sorted(path for path in (comfy.home / "temp").rglob("*") if path.is_file())
    return found


def main() -> int:
    """Drive a host of its own, and say what was seen."""
    asked = argparse.ArgumentParser(description="Many short prompts, several clients: memory and files.")
    asked.add_argument("--prompts", type=int, default=100)
    asked.add_argument("--clients", type=int, default=2)
    options = asked.parse_args()
    if options.prompts < WARM + 2 * AROUND:
        asked.error(f"--prompts must be at least {WARM + 2 * AROUND}, so that memory can be compared")

    def say(done: int, megabytes: float) -> None:
        sys.stderr.write(f"\r{done}/{options.prompts} prompts, {megabytes:.0f} MB")

    (checkout,) = islice(reversed(checkouts() or [None]), 1)
    with tempfile.TemporaryDirectory() as home, started(checkout, needed_python(checkout), Path(home)) as comfy:
        found = soak(comfy, options.prompts, options.clients, say)
    marks = [WARM, *range(WARM + AROUND, options.prompts, WARM), options.prompts]
    told = ", ".join(f"{found.megabytes[mark - 1]:.0f} after {mark}" for mark in marks)
    others = [path.name for path in found.left if path not in found.pictures]
    sys.stdout.write(
        f"\nmegabytes: {told}; grown by {found.growth:.1%}\n"
        f"left in temp: {len(found.pictures)} pictures that nodes showed, {len(others)} others {others}\n"
    )
    return int(found.growth > ALLOWED or bool(others) or len(found.pictures) > 1)


if __name__ == "__main__":
    sys.exit(main())
