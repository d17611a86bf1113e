"""How every task of ``learn`` speaks and ends: lines on standard error, one sentence for what is wrong."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import SonicError

_LOGS = ("sonic", __name__.partition(".")[0])
"""Those who have something to say."""
_BY_SIGNAL = 128
"""Added to a signal's number it is the exit status, as shells tell it."""


def run_task(run: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> int:
    """Run a task; the status is 0, 2 with one sentence on what is wrong, or that of a program that was ended."""
    with _heard():
        try:
            run(options)
        except SonicError as error:
            sys.stderr.write(f"sonic: {error}\n")
            return 2
        except KeyboardInterrupt as asked:
            sys.stderr.write("sonic: stopped; the same command goes on from what was saved last.\n")
            return _BY_SIGNAL + getattr(asked, "number", signal.SIGINT)
    return 0


class TaskLine:
    """Shows progress (types.Progress) on one line of a terminal, and nowhere else."""

    def __init__(self, *, shown: bool = True) -> None:
        self.shown = shown and sys.stderr.isatty()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take one report."""
        if self.shown:
            sys.stderr.write(f"\r{stage} {done}/{total}" + ("\n" if done == total else ""))


@contextmanager
def _heard() -> Iterator[None]:
    """Have what is said while the block runs written to standard error, as it is."""
    logs = [logging.getLogger(name) for name in _LOGS]
    before = [(log.level, log.handlers[:], log.propagate) for log in logs]
    handler = logging.StreamHandler(sys.stderr)
    for log in logs:
        log.setLevel(logging.INFO)
        log.handlers[:] = [handler]
        log.propagate = False
    try:
        yield
    finally:
        for log, (level, handlers, propagate) in zip(logs, before, strict=True):
            log.setLevel(level)
            log.handlers[:] = handlers
            log.propagate = propagate
