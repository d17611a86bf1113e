"""Processes that make videos: each loads its models once; one that is lost is replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sized
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol

import torch

from ..media import unfinished
from .journal import JournalEntry
from .making import make
from .manifest import ManifestRow

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

    def give(self, row: ManifestRow) -> None:
        """Have a free one make a row's video."""

    def finished(self, waiting: int) -> Iterator[tuple[ManifestRow, JournalEntry | LostError]]:
        """Wait until somebody is done, or lost, or a moment has passed; ``waiting`` rows were given to nobody yet."""
        ...


class Crew:
    """Several processes; leaving the block ends them, and what they had not finished is gone."""

    def __init__(self, count: int, loading: Mapping[str, Any]) -> None:
        self.loading, self.count = dict(loading), max(1, count)
        self.free: list[_Worker] = []
        self.busy: dict[_Worker, ManifestRow] = {}
        self.leaving: list[_Worker] = []

    def __enter__(self) -> Crew:
        self.free = [_Worker(self.loading, self.count) for _ in range(self.count)]
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

    def give(self, row: ManifestRow) -> None:
        """Have a free process make a row's video."""
        worker = self.free.pop()
        self.busy[worker] = row
        with suppress(OSError):  # whoever is gone is found out when its answer is waited for
            worker.pipe.send(row)

    def finished(self, waiting: int) -> Iterator[tuple[ManifestRow, JournalEntry | LostError]]:
        """Wait until a process is done, or lost, and tell of its row.

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
                self.free.append(_Worker(self.loading, self.count))
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

    def __init__(self, loading: Mapping[str, Any], count: int) -> None:
        context = multiprocessing.get_context("spawn")  # torch and OpenCV do not survive a fork
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=serve, args=(theirs, loading, count), name="sonic-batch", daemon=True
        )
        self.process.start()
        theirs.close()


def serve(pipe: Connection, loading: Mapping[str, Any], count: int) -> None:
    """Make rows' videos until there are no more, or nobody wants them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all its processes; the first one decides
    signal.signal(signal.SIGTERM, _end)
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // count))
    models: dict[str, Any] = {}
    try:
        while (row := pipe.recv()) is not None:
            pipe.send(make(row, loading, models))
    except (EOFError, OSError):
        return
    except _Asked:
        unfinished.remove_all()


class _Asked(BaseException):
    """Somebody asks the process to end."""


def _end(number: int, _frame: object) -> None:
    raise _Asked(number)
