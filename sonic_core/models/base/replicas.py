"""Several devices denoise one clip: its windows are shared out, and those of a device that fails go to the others."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context

import torch

from ...errors import SettingsError, SonicWarning
from .denoise import Course, Predicted, Task, WindowCallback, walk
from .predictor import Predictor

log = logging.getLogger("sonic")

FAILURES = (RuntimeError, MemoryError, SettingsError)
"""What a device that fails raises: torch's errors, and ours when its memory does not suffice. A cancel is none."""


def share_out(
    course: Course, predictors: Sequence[Predictor], callback: WindowCallback, settled: Callable[[], None]
) -> Iterator[torch.Tensor]:
    """Go a clip's whole way with one network or several.

    Args:
        course: The way.
        predictors: One per device; each is asked for one group of windows at a time.
        callback: Called after each UNet call, with the estimate of its last window.
        settled: Called after frames became final.

    Yields:
        (4, h, w), each frame in its order as soon as it is final.

    Raises:
        Exception: What the last device that was left raised.
    """
    if len(predictors) == 1:
        (one,) = predictors
        for frame in walk(course, one, callback, at_once=one.plan.windows):
            yield frame
            settled()
        return
    with ThreadPoolExecutor(len(predictors), "sonic-replica") as threads:
        crew = _Crew(course, list(predictors), threads)
        try:
            while crew.working():
                for clean in crew.finished():
                    callback(course.done, course.total, clean)
                for frame in course.final():
                    yield frame
                    settled()
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


class _Crew:
    """Devices at work."""

    def __init__(self, course: Course, free: list[Predictor], threads: ThreadPoolExecutor) -> None:
        self.course, self.free, self.threads = course, free, threads
        self.left = len(free)
        self.busy: dict[Future[list[Predicted]], tuple[Predictor, list[Task]]] = {}
        self.inferring = torch.is_inference_mode_enabled()

    def working(self) -> bool:
        """Give every free device its next windows, and say whether anything is being done."""
        idle = []
        for predictor in self.free:
            tasks = self.course.ready(predictor.plan.windows)
            if tasks:
                future = self.threads.submit(copy_context().run, self._predict, predictor, tasks)
                self.busy[future] = predictor, tasks
            else:
                idle.append(predictor)
        self.free = idle
        return bool(self.busy)

    def finished(self) -> Iterator[torch.Tensor]:
        """Wait for some windows, and give the estimate of the last one of each group: (n, 4, h, w)."""
        for future in wait(self.busy, return_when=FIRST_COMPLETED).done:
            predictor, tasks = self.busy.pop(future)
            error = future.exception()
            if error is not None:
                self._dismiss(predictor, tasks, error)
                continue
            self.free.append(predictor)
            clean = [self.course.finish(task, made) for task, made in zip(tasks, future.result(), strict=True)]
            yield clean[-1]

    def _predict(self, predictor: Predictor, tasks: list[Task]) -> list[Predicted]:
        with torch.inference_mode(self.inferring):
            return predictor(tasks)

    def _dismiss(self, predictor: Predictor, tasks: list[Task], error: BaseException) -> None:
        """Go on without a device."""
        self.left -= 1
        if not self.left or not isinstance(error, FAILURES):
            raise error
        self.course.again(tasks)
        warnings.warn(
            f"{predictor.station.keeper.device} failed, and its windows go to the other devices: {error}",
            SonicWarning,
            stacklevel=2,
        )
