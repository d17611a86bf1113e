"""Which of several ways is the fastest on a device: measured on small pieces of a call, once per process."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from .attend import LEAST_KEYS, attend

EXACT = ("sdpa", "cudnn", "flash")
"""Kernels among which "auto" chooses; "sage" rounds queries and keys to eight bits, so it must be asked for."""
TRIALS = 3
"""Runs of which the fastest counts, after one that is not counted."""
GAIN = 0.97
"""Share of the time that another form must stay below to be taken: less is noise."""
LONGEST = 300
"""Letters of an error's message that are shown."""


@cache
def fastest_attention(device: torch.device) -> str:
    """Measure every exact kernel that runs here."""
    known = {name: attention_seconds(device, name) for name in EXACT}
    taken = {name: seconds for name, seconds in known.items() if isinstance(seconds, float)}
    best = min(taken, key=lambda name: taken[name], default="sdpa")
    return best if "sdpa" not in taken or taken[best] < GAIN * taken["sdpa"] else "sdpa"


@cache
def attention_seconds(device: torch.device, name: str) -> float | str:
    """Measure a first level's attention over the pixels of eight frames by one kernel, or tell why it does not run."""
    try:
        rows = _drawn((8, 4096 if device.type != "cpu" else LEAST_KEYS, 320), device)
        return _seconds(lambda: attend(rows, rows, rows, 5, None if name == "sdpa" else name), device)
    except Exception as error:  # noqa: BLE001 - a kernel that is not there says so in its own way
        return first_paragraph(error)


def first_paragraph(error: BaseException) -> str:
    """Give the beginning of an error's message: compilers go on with pages."""
    text = " ".join(str(error).strip().split("\n\n")[0].split()) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _drawn(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Draw half-precision numbers by a generator of their own: whoever draws noise gets what he would have got."""
    chance = torch.Generator(device).manual_seed(0)
    return torch.randn(shape, device=device, dtype=torch.float16, generator=chance)


def _seconds(run: Callable[[], Any], device: torch.device) -> float:
    """Measure the fastest of some runs, after one that is not counted."""
    synchronize = getattr(torch, device.type).synchronize if device.type != "cpu" else lambda _: None
    spent = []
    with torch.inference_mode():
        for _ in range(TRIALS + 1):
            synchronize(device)
            began = time.perf_counter()
            run()
            synchronize(device)
            spent.append(time.perf_counter() - began)
    return min(spent[1:])
