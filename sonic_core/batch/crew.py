"""Processes that share work, making videos for one: each loads what it needs once; one that is lost is replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol

import torch

from ..media import unfinished
from .journal import JournalEntry
from .making import make

Work = Callable[[Any, Mapping[str, Any], dict[str, Any]], Any]
"""Does what a row asks for, which is told what to load and may keep that: a function at the top of a module."""
PATIENCE = 10.0
"""Seconds that a process may take to put things in order when it is asked to end."""


class LostError(Exception):
    """A process ended within a row."""


class Workforce(Protocol):
    """Whoever makes rows' videos, several at a time: processes of this machine, or a cluster's workers."""

    @property
    def free(self) -> Sized:
        """Those who can be given a row."""
        ...

    @property
    def busy(self) -> Sized:
        """Those who have one."""
        ...

    def give(self, task: Any, /) -> None:  # noqa: ANN401 - whatever the work is about
        """Have a free one make a row's video, or do what else there is to do for one."""

    def finished(self, waiting: int) -> Iterator[tuple[Any, JournalEntry | LostError]]:
        """Wait until somebody is done, or lost, or a moment has passed; ``waiting`` rows were given to nobody yet."""
        ...


def hand_out(
    crew: Workforce,
    rows: Iterable[Any],
    tries: int,
    passing: Callable[[Any], bool] = lambda _: False,
    following: Callable[[Any, Any], Iterable[Any]] = lambda *_: (),
) -> Iterator[tuple[Any, Any, int]]:
    """Have a crew do rows' work, the first row first.

    Args:
        crew: Who does it.
        rows: What is to be done.
        tries: How often a row is given out at most that somebody was lost with, or whose failure may pass.
        passing: Says of what came of a row whether that may pass.
        following: Says which rows are to be done next when one is done, and what came of it is known.

    Yields:
        Each row once, what came of it or a ``LostError``, and at which try.
    """
    given: dict[Any, int] = defaultdict(int)
    waiting = list(reversed([*rows]))
    while waiting or crew.busy:
        while waiting and crew.free:
            row = waiting.pop()
            given[row] += 1
            crew.give(row)
        for row, came in crew.finished(len(waiting)):
            if isinstance(came, LostError) and given[row] < tries:
                waiting.append(row)  # at once: a long one that begins last has everybody wait for it
            elif passing(came) and given[row] < tries:
                waiting.insert(0, row)
            else:
                waiting += following(row, came)
                yield row, came, given[row]


class Crew:
    """Several processes; leaving the block ends them, and what they had not finished is gone."""

    def __init__(self, count: int, loading: Mapping[str, Any], work: Work = make) -> None:
        self.loading, self.count, self.work = dict(loading), max(1, count), work
        self.free: list[_Worker] = []
        self.busy: dict[_Worker, Any] = {}
        self.leaving: list[_Worker] = []

    def __enter__(self) -> Crew:
        self.free = [self._hired() for _ in range(self.count)]
        return self

    def __exit__(self, *_: object) -> None:
        while self.free:
            self._dismiss(self.free.pop())
        workers = [*self.leaving, *self.busy]
        for worker in self.busy:
            worker.process.terminate()
        for worker in workers:
            worker.process.join(PATIENCE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()

    def give(self, row: Any) -> None:  # noqa: ANN401 - whatever the work is about
        """Have a free process do a row's work."""
        worker = self.free.pop()
        self.busy[worker] = row
        with suppress(OSError):  # whoever is gone is found out when its answer is waited for
            worker.pipe.send(row)

    def _hired(self) -> _Worker:
        return _Worker(self.loading, self.count, self.work)

    def finished(self, waiting: int) -> Iterator[tuple[Any, Any]]:
        """Wait until a process is done, or lost, and tell of its row: what came of it, or a ``LostError``.

        Args:
            waiting: Rows that nobody has been given yet; processes for which there is none are ended.
        """
        while len(self.free) > waiting:
            self._dismiss(self.free.pop())
        by_pipe = {worker.pipe: worker for worker in self.busy}
        for pipe in wait(list(by_pipe)):
            worker = by_pipe[pipe]  # type: ignore[index]
            row = self.busy.pop(worker)
            try:
                made = worker.pipe.recv()
            except (EOFError, OSError):
                worker.process.join()
                worker.pipe.close()
                self.free.append(self._hired())
                yield row, LostError(f"its process was lost (status {worker.process.exitcode})")
                continue
            self.free.append(worker)
            yield row, made

    def _dismiss(self, worker: _Worker) -> None:
        self.leaving.append(worker)
        with suppress(OSError):
            worker.pipe.send(None)


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, loading: Mapping[str, Any], count: int, work: Work) -> None:
        context = multiprocessing.get_context("spawn")  # torch and OpenCV do not survive a fork
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=serve, args=(theirs, loading, count, work), name="sonic-batch", daemon=True
        )
        self.process.start()
        theirs.close()


def serve(pipe: Connection, loading: Mapping[str, Any], count: int, work: Work) -> None:
    """Do rows' work until there are no more, or nobody wants it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all its processes; the first one decides
    signal.signal(signal.SIGTERM, _end)
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // count))
    kept: dict[str, Any] = {}
    try:
        while (row := pipe.recv()) is not None:
            pipe.send(work(row, loading, kept))
    except (EOFError, OSError):
        return
    except _Asked:
        unfinished.remove_all()


class _Asked(BaseException):
    """Somebody asks the process to end."""


def _end(number: int, _frame: object) -> None:
    raise _Asked(number)
