"""What all parts share: the device, the sizes, the clock, and how seconds and bytes are measured."""

from __future__ import annotations

import gc
import resource
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sonic_core.models.base.config import BaseConfig

from .record import Record

TINY = Path(__file__).resolve().parents[2] / "tests" / "parity" / "tiny.json"
USUAL_SHARE = 0.2
"""Share of the matrix rate that a step is expected to reach at least, when its time is estimated."""
USUAL_RATE = 2e14
"""Operations a second expected of a card before its rate is measured: less than an H100 or H200 gives."""
REHEARSED = 1.0
"""Seconds that a step of the rehearsal is taken for."""


class NotHereError(Exception):
    """A part cannot be measured here; the message says why, and this is no fault."""


@dataclass(frozen=True)
class Part:
    """One thing that is measured."""

    key: str
    run: Callable[[Bench], dict[str, Any]]
    """Measures, prints its lines by ``Bench.say`` and returns what goes into the JSON."""
    seconds: Callable[[Bench], float]
    """Estimates how long it takes on a card."""
    most: float = 90.0
    """Seconds after which it is taken for hung and its process ended."""


@dataclass(eq=False)
class Bench:
    """The device under test."""

    device: torch.device
    rehearse: bool
    record: Record
    began: float
    """``time.time()`` when the whole began."""
    limit: float
    """Seconds that the whole may take."""
    held: dict[Any, Any] = field(default_factory=dict)
    """What several parts use, by name; ``drop`` forgets it."""

    @property
    def card(self) -> bool:
        """Say whether a graphics card is measured."""
        return self.device.type == "cuda"

    @property
    def dtype(self) -> torch.dtype:
        """The number type of the networks, as the engine chooses it."""
        return torch.float16 if self.card else torch.float32

    @cached_property
    def config(self) -> BaseConfig:
        """The sizes of the networks."""
        return BaseConfig.read(TINY if self.rehearse else None)

    @property
    def sides(self) -> tuple[int, int, int]:
        """Pixels of a side of the squares that are measured."""
        return (64, 128, 192) if self.rehearse else (512, 768, 1024)

    @property
    def clip_side(self) -> int:
        """Pixels of a side of the clips that are made."""
        return 128 if self.rehearse else 512

    @property
    def frames(self) -> int:
        """Frames of a window."""
        return 4 if self.rehearse else 25

    @property
    def rate(self) -> float:
        """The measured operations a second of large matrix products in the networks' type; a guess before."""
        return self.record.done.get("machine", {}).get("rate", USUAL_RATE)

    def since(self) -> float:
        """Return the seconds since the whole began."""
        return time.time() - self.began

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.limit - self.since()

    def say(self, text: str) -> None:
        """Print one line at once."""
        print(f"[{self.since():5.1f} s] {text}", flush=True)

    def need_card(self, what: str) -> None:
        """Leave a part that only a card can answer.

        Raises:
            NotHereError: There is no card.
        """
        if not self.card:
            raise NotHereError(f"{what} needs a card")

    def expect(self, operations: float, extra: float = 1.0) -> float:
        """Estimate the seconds for so many operations, and ``extra`` for what goes with them."""
        return REHEARSED if self.rehearse else operations / (USUAL_SHARE * self.rate) + extra

    def synchronize(self) -> None:
        """Wait until the device has done what it was told."""
        if self.card:
            torch.cuda.synchronize(self.device)

    def seconds(self, work: Callable[[], Any], times: int = 2, *, warm: bool = True) -> float:
        """Return the least seconds that ``work`` takes, after one run that does not count."""
        if warm:
            work()
        taken = []
        for _ in range(1 if self.rehearse else times):
            self.synchronize()
            began = time.perf_counter()
            work()
            self.synchronize()
            taken.append(time.perf_counter() - began)
        return min(taken)

    def peak(self) -> Peak:
        """Begin to watch the memory."""
        return Peak(self.device)

    def drop(self) -> None:
        """Forget what parts share, and give the memory back."""
        self.held.clear()
        gc.collect()
        if self.card:
            torch.cuda.empty_cache()


class Peak:
    """What the device, or this process, takes more than at the beginning, at its peak, in bytes."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.most = device, 0
        self.base = 0
        gc.collect()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            self.base = torch.cuda.memory_allocated(device)
            return
        self.base, self.ended = resident(), threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        while not self.ended.wait(0.005):
            self.most = max(self.most, resident() - self.base)

    def stop(self) -> int:
        """Return the peak."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) - self.base
        self.ended.set()
        self.thread.join()
        return self.most


def resident() -> int:
    """Count the bytes of main memory that this process holds."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text(encoding="utf-8").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def relative(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return ‖got − wanted‖ / ‖wanted‖."""
    difference = (got.double() - wanted.double()).norm() / wanted.double().norm()
    return float(difference)


def size_of(*networks: nn.Module) -> int:
    """Count the bytes of networks' parameters."""
    return sum(tensor.nbytes for network in networks for tensor in network.parameters())
