"""Denoising: Euler steps over windows that shift from step to step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from .windows import Ring, Schedule, Window, Windows

Kept = tuple[torch.Tensor, ...]
"""What a prediction leaves for the next steps, per frame: each (n, …), on whatever device."""
WindowCallback = Callable[[int, int, torch.Tensor], None]
"""Called with windows done, windows in all, and the denoised estimate of a window's frames, (n, 4, h, w)."""


@dataclass(frozen=True, eq=False)
class Task:
    """A window whose velocity is wanted."""

    window: Window
    sigma: float
    """Its noise level."""
    samples: torch.Tensor
    """(n, 4, h, w) float32 on the CPU, its noisy frames."""
    kept: Kept = ()
    """What was left for these frames; empty where nothing was."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """What was predicted of a task."""

    velocity: torch.Tensor
    """(n, 4, h, w) float32 on the CPU."""
    kept: Kept = ()
    """What is to be kept of it from now on; empty leaves what is there."""


Predict = Callable[[Sequence[Task]], Sequence[Predicted]]
"""The network with its guidance."""


def timestep(sigma: float) -> float:
    """Return what the UNet is told about a noise level: 0.25 · ln σ (Karras et al., table 1)."""
    return 0.25 * math.log(sigma)


def deviation(sigma: float) -> float:
    """Return the standard deviation of the noisy latents, by which the UNet's input is divided: √(σ² + 1)."""
    return math.sqrt(sigma**2 + 1)


def frame_noise(seed: int, shape: tuple[int, ...]) -> Iterator[torch.Tensor]:
    """Draw noise frame by frame, on the CPU: the same on every device, and a longer clip begins with the same.

    NumPy's generator reads the whole seed; torch's on the CPU only its lower 32 bits.

    Args:
        seed: 0 … 2^64 − 1.
        shape: (4, h, w) of one frame.

    Yields:
        (4, h, w) float32, without an end.
    """
    generator = np.random.default_rng(seed)
    while True:
        yield torch.from_numpy(generator.standard_normal(shape, dtype=np.float32))


def noisy_frames(seed: int, sigma: float, reference: torch.Tensor) -> Iterator[torch.Tensor]:
    """Draw the frames with which denoising begins: a reference (4, h, w) under noise of a level, without an end."""
    for noise in frame_noise(seed, tuple(reference.shape)):
        yield noise.mul_(sigma).add_(reference)


def denoised(sample: torch.Tensor, prediction: torch.Tensor, sigma: float) -> torch.Tensor:
    """Return what is left of ``sample`` when the predicted velocity is trusted at once.

    Source: v-prediction, Salimans and Ho, arXiv 2202.00512, appendix D, in the scaling of Karras et al.
    """
    return prediction * (-sigma / math.sqrt(sigma**2 + 1)) + sample / (sigma**2 + 1)


def euler_step(sample: torch.Tensor, clean: torch.Tensor, sigma: float, following: float) -> torch.Tensor:
    """Go from noise level ``sigma`` to ``following`` towards ``clean`` (Karras et al., algorithm 1 without churn)."""
    return sample + (sample - clean) / sigma * (following - sigma)


class FrameStore(Protocol):
    """Holds the frames that are being denoised."""

    def take(self, frames: Sequence[int]) -> torch.Tensor:
        """Return copies of some frames, (n, 4, h, w); an index may come more than once."""
        ...

    def put(self, frame: int, value: torch.Tensor) -> None:
        """Take a frame's next value, (4, h, w)."""
        ...

    def pop(self, frame: int) -> torch.Tensor:
        """Return a frame that is final; it is not asked for again."""
        ...


class WholeClip:
    """All frames of a clip in one tensor, which is changed in place."""

    def __init__(self, latents: torch.Tensor) -> None:
        self.latents = latents

    def take(self, frames: Sequence[int]) -> torch.Tensor:
        """Return copies of some frames."""
        return self.latents[list(frames)]

    def put(self, frame: int, value: torch.Tensor) -> None:
        """Take a frame's next value."""
        self.latents[frame] = value

    def pop(self, frame: int) -> torch.Tensor:
        """Return a frame that is final."""
        return self.latents[frame]


class PassingFrames:
    """Only those frames of a clip that are being denoised; each is drawn when it is first looked at."""

    def __init__(self, noise: Iterator[torch.Tensor]) -> None:
        """Take the noisy frames (4, h, w) in their order."""
        self.noise, self.drawn = noise, 0
        self.held: dict[int, torch.Tensor] = {}

    def take(self, frames: Sequence[int]) -> torch.Tensor:
        """Return copies of some frames."""
        while self.drawn <= max(frames):
            self.held[self.drawn] = next(self.noise)
            self.drawn += 1
        return torch.stack([self.held[frame] for frame in frames])

    def put(self, frame: int, value: torch.Tensor) -> None:
        """Take a frame's next value."""
        self.held[frame] = value

    def pop(self, frame: int) -> torch.Tensor:
        """Return a frame that is final, and forget it."""
        return self.held.pop(frame)


@dataclass
class _Frame:
    """How far one frame is."""

    step: int
    """Steps that it has taken."""
    left: int
    """Windows of the next step that have not looked at it yet."""
    results: list[tuple[int, torch.Tensor, Kept]]
    """What windows made of it: their numbers, its next value, what is kept of it."""
    kept: Kept = ()


class Course:
    """The way of a clip's frames through all steps, window by window.

    A window can be computed once all its frames have taken the steps before; a frame goes on once all windows that look
    at it have. Whatever the order in which windows are computed within that, the numbers are the same: a frame that
    several windows made is their mean, summed in the order of their numbers.
    """

    def __init__(self, store: FrameStore, windows: Windows, sigmas: torch.Tensor, *, wavefront: bool = False) -> None:
        """Begin.

        Args:
            store: The noisy frames.
            windows: Which frames pass together.
            sigmas: (steps + 1,), falling to 0.
            wavefront: Prefer the windows that are furthest, so that the first frames are final soon and few are under
                way; without, step after step.
        """
        self.store, self.windows, self.wavefront = store, windows, wavefront
        self.sigmas = [float(sigma) for sigma in sigmas]
        self.steps = len(sigmas) - 1
        self.total = sum(len(windows.numbers(step)) for step in range(self.steps))
        self.done = self.given = 0
        self._next = [windows.numbers(step).start for step in range(self.steps)]
        self._returned: list[Task] = []
        self._frames: dict[int, _Frame] = {}

    def ready(self, most: int) -> list[Task]:
        """Begin up to ``most`` windows that can be computed now; of one step, unless it is a wavefront."""
        if self._returned:
            chosen, self._returned = self._returned[:most], self._returned[most:]
            return chosen
        chosen = []
        for step in reversed(range(self.steps)) if self.wavefront else range(self.steps):
            while len(chosen) < most and self._next[step] in self.windows.numbers(step):
                window = self.windows.window(step, self._next[step])
                if any(self._frame(number).step != step for number in set(window.frames)):
                    break
                self._next[step] += 1
                chosen.append(self._task(window))
            if chosen and (len(chosen) == most or not self.wavefront):
                break
        return chosen

    def again(self, tasks: Sequence[Task]) -> None:
        """Take back windows that could not be computed; they are the next."""
        self._returned += tasks

    def finish(self, task: Task, predicted: Predicted) -> torch.Tensor:
        """Take an Euler step with what was predicted of a window.

        Returns:
            (n, 4, h, w), the denoised estimate of its frames.
        """
        window, following = task.window, self.sigmas[task.window.step + 1]
        clean = denoised(task.samples, predicted.velocity, task.sigma)
        results = euler_step(task.samples, clean, task.sigma, following)
        for place in window.written:
            kept = tuple(one[place] for one in predicted.kept)
            self._frame(window.frames[place]).results.append((window.number, results[place], kept))
        for number in set(window.frames):
            frame = self._frame(number)
            frame.left -= 1
            if not frame.left:
                self._advance(number, frame)
        self.done += 1
        return clean

    def final(self) -> Iterator[torch.Tensor]:
        """Give the frames that became final, in their order: (4, h, w) each, every one once."""
        while self.given < self.windows.frames:
            frame = self._frames.get(self.given)
            if frame is None or frame.step < self.steps:
                return
            del self._frames[self.given]
            yield self.store.pop(self.given)
            self.given += 1

    def _task(self, window: Window) -> Task:
        kept = [self._frame(number).kept for number in window.frames]
        stacked = tuple(map(torch.stack, zip(*kept, strict=True))) if all(kept) else ()
        return Task(window, self.sigmas[window.step], self.store.take(window.frames), stacked)

    def _frame(self, number: int) -> _Frame:
        if number not in self._frames:
            self._frames[number] = _Frame(0, self.windows.readers(0, number), [])
        return self._frames[number]

    def _advance(self, number: int, frame: _Frame) -> None:
        """Let a frame take its step: the mean of what windows made of it."""
        frame.results.sort(key=lambda result: result[0])  # stable: the places of one window stay in order
        values = [value for _, value, _ in frame.results]
        self.store.put(number, _mean(values))
        if frame.results[0][2]:
            frame.kept = tuple(map(_mean, zip(*(kept for *_, kept in frame.results), strict=True)))
        frame.results.clear()
        frame.step += 1
        if frame.step < self.steps:
            frame.left = self.windows.readers(frame.step, number)
        else:
            frame.kept = ()


def _mean(values: Sequence[torch.Tensor]) -> torch.Tensor:
    total = values[0].clone()
    for value in values[1:]:
        total += value
    return total / len(values)


def denoise(
    latents: torch.Tensor,
    sigmas: torch.Tensor,
    schedule: Schedule,
    predict: Predict,
    callback: WindowCallback,
    *,
    at_once: int = 1,
) -> torch.Tensor:
    """Denoise a clip on a ring, step by step: each window takes one Euler step, and frames covered twice get the mean.

    Args:
        latents: (frames, 4, h, w) float32 on the CPU at noise level ``sigmas[0]``; changed in place.
        sigmas: (steps + 1,), falling to 0.
        schedule: How the windows lie.
        predict: The network with its guidance.
        callback: Called after each UNet call, with the estimate of its last window.
        at_once: Windows that are predicted together.

    Returns:
        ``latents``, denoised.
    """
    course = Course(WholeClip(latents), Ring(len(latents), schedule), sigmas)
    for _ in walk(course, predict, callback, at_once=at_once):
        pass
    return latents


def walk(course: Course, predict: Predict, callback: WindowCallback, *, at_once: int = 1) -> Iterator[torch.Tensor]:
    """Go a clip's whole way with one network.

    Args:
        course: The way.
        predict: The network with its guidance.
        callback: Called after each UNet call, with the estimate of its last window.
        at_once: Windows that are predicted together.

    Yields:
        (4, h, w), each frame in its order as soon as it is final.
    """
    while tasks := course.ready(at_once):
        clean = [course.finish(task, made) for task, made in zip(tasks, predict(tasks), strict=True)]
        callback(course.done, course.total, clean[-1])
        yield from course.final()
