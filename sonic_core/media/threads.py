"""Libraries' threads, where they are in the way of others.

Where one thread draws and another encodes, each core has its work already: threads that OpenCV starts for every small
picture wait for each other, and waiting takes the cores from those who work.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import torch

_THREADS = Path("/proc/self/task")
"""Where Linux lists the threads of this process."""

_lock = threading.Lock()
_held = 0
_before = 0


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let OpenCV work in the calling thread alone; when the last of those who asked for it is done, as before."""
    global _held, _before  # noqa: PLW0603 - the setting is the process', so its keeper is too
    with _lock:
        if _held == 0:
            _before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _held += 1
    try:
        yield
    finally:
        with _lock:
            _held -= 1
            if _held == 0:
                cv2.setNumThreads(_before)


@contextmanager
def lone_networks() -> Iterator[None]:
    """Let torch compute in the calling thread alone: between two layers of a small network its threads only wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def usual_priority() -> Iterator[None]:
    """Keep the calling thread, and those that are started meanwhile, from becoming real-time threads.

    SVT-AV1 makes them so where the program may do that, as root in a container: whoever shares the processors with them
    then waits for them, which they in turn may wait for.
    """
    if not _THREADS.is_dir():
        yield
        return
    policy, parameter, before = os.sched_getscheduler(0), os.sched_getparam(0), _threads()
    try:
        yield
    finally:
        for thread in {0, *(_threads() - before)}:
            with suppress(OSError):  # it has ended
                os.sched_setscheduler(thread, policy, parameter)


def _threads() -> set[int]:
    return {int(thread.name) for thread in _THREADS.iterdir()}
