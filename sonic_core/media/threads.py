"""OpenCV's threads, where they are in the way of others.

Where one thread draws and another encodes, each core has its work already: threads that OpenCV starts for every small
picture wait for each other, and waiting takes the cores from those who work.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

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
