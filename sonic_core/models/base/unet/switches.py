"""Switches of torch that are the whole process's, for threads that want them at once: one per device, say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

import torch

RECOMPILATIONS = 256
"""Forms of one function that are compiled at most: a UNet has about twenty of each size of picture. torch's own limit
of eight is meant for code whose inputs change without end."""


class Switch:
    """Something that is on while anybody holds it: the first to come turns it on, the last to go turns it back.

    Were each to put back what he found, whoever came second would leave it on for good, or lose it half-way.
    """

    def __init__(self, turn: Callable[[], AbstractContextManager[Any]]) -> None:
        self._turn, self._lock, self._holders = turn, threading.Lock(), 0
        self._turned: AbstractContextManager[Any] | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it."""
        with self._lock:
            if not self._holders:
                self._turned = self._turn()
                self._turned.__enter__()
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if not self._holders and self._turned is not None:
                    self._turned.__exit__(None, None, None)


@contextmanager
def _autotuning() -> Iterator[None]:
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def many_forms() -> AbstractContextManager[Any]:
    """Raise torch's limits of compiled forms as long as the block lasts; newer versions keep them for each thread."""
    return _many_forms() if _counts_per_thread() else _MANY_FORMS.held()


def _many_forms() -> Any:  # noqa: ANN401 - torch's own
    name = _limit()
    return torch._dynamo.config.patch({name: RECOMPILATIONS, f"accumulated_{name}": 16 * RECOMPILATIONS})


def _limit() -> str:
    return "recompile_limit" if hasattr(torch._dynamo.config, "recompile_limit") else "cache_size_limit"


@cache
def _counts_per_thread() -> bool:
    """Look from another thread."""
    with _MANY_FORMS.held(), ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(getattr, torch._dynamo.config, _limit()).result() != RECOMPILATIONS


AUTOTUNING = Switch(_autotuning)
"""cuDNN tries its ways to convolve at the first call of every shape."""
_MANY_FORMS = Switch(_many_forms)
