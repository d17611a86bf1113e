"""Two things at once: the next frames are made while the last are encoded; somebody listens while others work.

A signal may raise an exception in the main thread between any two instructions. What has its locks in Python, as
``threading.Event`` and ``queue.Queue``, then keeps one for ever, and whoever waits for it never ends: queues and locks
of the interpreter's own are taken instead.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from contextlib import closing, suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

Item = TypeVar("Item")

DEPTH = 4
"""Items that wait at most; more would only take memory."""
_PATIENCE = 0.1
"""Seconds after which a waiting maker looks whether anybody still wants its items."""
MOST_IDLE = 2
"""Threads that wait for more to do at most. A graphics card's libraries choose their ways anew in every new thread: a
first call of a UNet's shape takes 0.9 s where the next takes 0.14 (``benchmarks/card.py``)."""


def read_ahead(items: Generator[Item, None, None], depth: int = DEPTH) -> Generator[Item, None, None]:
    """Iterate over ``items`` in a thread of its own, ``depth`` items ahead of whoever takes them.

    The thread infers (``torch.inference_mode``) if whoever starts it does. What it raises is raised here, in its place.
    When this generator is closed early, the thread stops after the item it is at and closes ``items`` before ``close``
    returns.

    >>> list(read_ahead(number * number for number in range(4)))
    [0, 1, 4, 9]
    """
    maker = _Maker(items, depth)
    _in_a_thread(maker.run, maker.done)
    try:
        while (made := maker.take()).error is None and made.items:
            yield made.items[0]
        if made.error is not None:
            raise made.error
    finally:
        maker.wanted = False
        maker.done.get()


def attended(work: Callable[[], Item], report: Callable[[], None], every: float = 0.2) -> Item:
    """Do ``work`` that cannot be stopped in a thread of its own, and call ``report`` until it is done.

    What ``report`` raises is raised here at once; the work then ends alone, and what it makes is dropped.

    >>> attended(lambda: 42, lambda: None)
    42
    """
    task: Future[Item] = Future()
    inferring = torch.is_inference_mode_enabled()

    def run() -> None:
        try:
            with torch.inference_mode(inferring):
                task.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            task.set_exception(error)

    threading.Thread(target=copy_context().run, args=(run,), name="sonic-attended", daemon=True).start()
    while wait([task], every).not_done:
        report()
    return task.result()


class UnwantedError(BaseException):
    """Nobody takes any more what a thread makes; no error that anybody should catch, like ``GeneratorExit``."""


def check_wanted() -> None:
    """Let the thread that reads ahead end where it would wait for something that may never come.

    Raises:
        UnwantedError: Whoever took its items has gone.
    """
    maker = getattr(_MAKING, "maker", None)
    if maker is not None and not maker.wanted:
        raise UnwantedError


def threads_at_work() -> frozenset[threading.Thread]:
    """List the threads that make items for ``read_ahead`` now: none when every reader has ended or been closed."""
    with _LOCK:
        return frozenset(thread for thread in threading.enumerate() if isinstance(thread, _Worker)) - frozenset(_IDLE)


def closable(items: Iterator[Item]) -> Generator[Item, None, None]:
    """Make a generator of any iterator, so that whoever stops early can close it and the file behind it."""
    yield from items


@dataclass(frozen=True)
class _Made(Generic[Item]):
    """One item, or none at the end, or what was raised."""

    items: tuple[Item, ...] = ()
    error: BaseException | None = None


class _Maker(Generic[Item]):
    """Makes items until there are no more or nobody wants them."""

    def __init__(self, items: Generator[Item, None, None], depth: int) -> None:
        self.items = items
        self.waiting: queue.SimpleQueue[_Made[Item]] = queue.SimpleQueue()
        self.places: queue.SimpleQueue[None] = queue.SimpleQueue()
        """As many as there are places in line."""
        for _ in range(depth):
            self.places.put(None)
        self.wanted = True
        self.done: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Gives something once the thread is done with this."""
        self.inferring = torch.is_inference_mode_enabled()

    def run(self) -> None:
        """Make them."""
        _MAKING.maker = self
        try:
            with torch.inference_mode(self.inferring), closing(self.items):
                for item in self.items:
                    self.offer(_Made((item,)))
                    if not self.wanted:
                        return
            self.offer(_Made())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the items are taken
            self.offer(_Made(error=error))

    def take(self) -> _Made[Item]:
        """Wait for the next one, as long as somebody wants what is made of it."""
        while True:
            with suppress(queue.Empty):
                made = self.waiting.get(timeout=_PATIENCE)
                self.places.put(None)
                return made
            check_wanted()

    def offer(self, made: _Made[Item]) -> None:
        """Put it in line, waiting for a place as long as items are wanted."""
        while self.wanted:
            with suppress(queue.Empty):
                self.places.get(timeout=_PATIENCE)
                self.waiting.put(made)
                return


class _Worker(threading.Thread):
    """Does one thing after the other, and waits in between."""

    def __init__(self) -> None:
        super().__init__(name="sonic-read-ahead", daemon=True)
        self.tasks: queue.SimpleQueue[tuple[Callable[[], None], queue.SimpleQueue[None]]] = queue.SimpleQueue()
        self.start()

    def run(self) -> None:
        """Work until enough others wait."""
        waits = True
        while waits:
            task, done = self.tasks.get()
            task()
            del task  # and all that it holds
            with _LOCK:
                waits = len(_IDLE) < MOST_IDLE
                if waits:
                    _IDLE.append(self)
            done.put(None)  # whoever is told may give this thread the next task


def _in_a_thread(task: Callable[[], None], done: queue.SimpleQueue[None]) -> None:
    """Do something, which raises nothing, in the thread that waited last, or in a new one, and tell when it is done."""
    with _LOCK:
        worker = _IDLE.pop() if _IDLE else _Worker()
    worker.tasks.put((task, done))


def _forget_threads() -> None:
    """Begin anew in a forked process, in which no thread goes on."""
    global _LOCK  # noqa: PLW0603 - somebody may have held it
    _LOCK = threading.Lock()
    _IDLE.clear()


_MAKING = threading.local()
"""``maker``: on whose behalf this thread works."""
_IDLE: list[_Worker] = []
_LOCK = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
