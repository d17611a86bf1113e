"""What is learned from at a step: a window, a portrait, a noise level, and sometimes no sound.

Everything is drawn from the seed, the step and the number within the step alone, so that whoever goes on later draws
what he would have drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...errors import InputError
from ...faces.crop import face_mask
from ...models.base.config import LATENT_SCALE, LATENT_SIDE
from ...types import Box
from .caching import Talk, read_talk
from .plan import LearningPlan, TuningPlan

MOST_BUCKET = 128.0
"""Motion bucket that is never exceeded."""


@dataclass(frozen=True)
class Span:
    """Frames of a prepared piece from which windows are taken."""

    path: Path
    first: int
    end: int

    def windows(self, frames: int) -> int:
        """Count the windows of so many frames."""
        return max(0, self.end - self.first - frames + 1)


@dataclass(frozen=True, eq=False)
class Example:
    """One window to learn from, on the processor."""

    clean: torch.Tensor
    """(n, 4, h, w) float32, the latents inside the diffusion process."""
    noise: torch.Tensor
    """(n, 4, h, w) of deviation 1."""
    sigma: float
    """Noise level."""
    image: torch.Tensor | None
    """(4, h, w) the portrait's latents, unscaled; None where the picture is dropped."""
    embedding: torch.Tensor | None
    """(width,) what CLIP sees in it."""
    tokens: torch.Tensor
    """(n, tokens, width) what is heard; (1, …) where the sound is dropped."""
    buckets: tuple[float, float]
    """Movement of head and expression."""
    mask: torch.Tensor
    """(1, h, w) in pixels: the portrait's face, as it is masked when it is animated."""
    weight: torch.Tensor
    """(h, w) how much each latent pixel counts; 1 in the mean."""


def split(paths: Sequence[Path], plan: LearningPlan) -> tuple[list[Span], list[Span]]:
    """Part what is learned from and what judges it: whole pieces where there are enough, else the ends of the longer.

    Args:
        paths: Prepared pieces.
        plan: ``held_out`` and ``window`` count.

    Raises:
        InputError: There is less than two windows of video.
    """
    lengths = {path: read_talk(path).length for path in paths}
    every = round(1 / plan.held_out) if plan.held_out else len(paths) + 1
    judging = [path for number, path in enumerate(paths) if number % every == every // 2]
    if plan.held_out and not judging:
        share = max(plan.window, round(plan.held_out * sum(lengths.values()) / len(lengths)))
        kept = {path: length for path, length in lengths.items() if length >= plan.window + share}
        if not kept:
            raise InputError(
                f"Expected a piece of video of {plan.window + share} frames, so that some of it can judge the rest; "
                f"the longest has {max(lengths.values())}: add videos, or set held_out to 0."
            )
        learned = [Span(path, 0, length - share if path in kept else length) for path, length in lengths.items()]
        return learned, [Span(path, length - share, length) for path, length in kept.items()]
    learned = [Span(path, 0, length) for path, length in lengths.items() if path not in judging]
    if not learned:
        raise InputError(f"Expected at least two pieces of video, got {len(paths)}: add videos, or set held_out to 0.")
    return learned, [Span(path, 0, lengths[path]) for path in judging]


class Movement:
    """How much head and expression move, in the model's own units.

    A window's movement is measured in the picture: the deviation of the face's place, and that of its points within the
    face, both in widths of the face. The model knows buckets, which it guesses from a sound; the mean movement of all
    windows is told as the mean of what it guesses for them, and twice the movement as twice the bucket, which is what
    ``dynamic_scale`` means.
    """

    def __init__(self, spans: Sequence[Span], frames: int) -> None:
        """Measure what movement is usual.

        Args:
            spans: What is learned from.
            frames: Of a window; windows are measured one after the other.
        """
        measured, guessed = [], []
        for span in spans:
            talk = read_talk(span.path)
            for first in range(span.first, span.end - frames + 1, frames):
                measured.append(measure_movement(talk, first, frames))
                guessed.append(talk.predicted[first : first + frames].mean(0).tolist())
        usual = np.maximum(np.mean(measured, 0), 1e-6)
        self.factors = np.mean(guessed, 0) / usual

    def buckets(self, talk: Talk, first: int, frames: int) -> tuple[float, float]:
        """Tell the motion buckets of a window."""
        head, expression = np.clip(measure_movement(talk, first, frames) * self.factors, 0, MOST_BUCKET)
        return float(head), float(expression)


def measure_movement(talk: Talk, first: int, frames: int) -> np.ndarray:
    """Measure by how much head and expression move in a window: (2,) in widths of the face."""
    boxes = talk.boxes[first : first + frames].numpy()
    points = talk.points[first : first + frames].numpy()
    middles, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    head = np.sqrt((middles / sides.mean(0)).var(0).sum())
    inside = (points - middles[:, None]) / sides[:, None]
    return np.array([head, np.sqrt(inside.var(0).sum(-1).mean())])


class Excerpts:
    """Makes examples of windows."""

    def __init__(self, spans: Sequence[Span], plan: LearningPlan) -> None:
        """Take what is learned from.

        Args:
            spans: Where windows are taken.
            plan: ``window``, ``seed``, ``judged`` and ``face_weight`` count.

        Raises:
            InputError: No window fits.
        """
        self.plan = plan
        self.spans = [span for span in spans if span.windows(plan.window)]
        if not self.spans:
            raise InputError(f"Expected pieces of {plan.window} frames to learn from, got none that long.")
        self.counts = np.cumsum([span.windows(plan.window) for span in self.spans])
        self.movement = Movement(self.spans, plan.window)

    def place(self, chance: np.random.Generator) -> tuple[Talk, int, int]:
        """Draw a window: its piece, its first frame, and which of the piece's references is the portrait."""
        window = int(chance.integers(self.counts[-1]))
        place = int(np.searchsorted(self.counts, window, side="right"))
        span = self.spans[place]
        first = span.first + window - int(self.counts[place - 1] if place else 0)
        talk = read_talk(span.path)
        return talk, first, int(chance.integers(len(talk.references)))

    def fixed(self, spans: Sequence[Span], sigmas: Sequence[float]) -> list[Example]:
        """List the same examples at every asking, evenly over other ``spans``, at each of some noise levels."""
        made = []
        for number, (span, first) in enumerate(self.places(spans)):
            talk = read_talk(span.path)
            for sigma in sigmas:
                chance = np.random.default_rng([self.plan.seed, number])
                noise = draw_noise(chance, talk, self.plan.window)
                made.append(self.make(talk, first, 0, sigma=sigma, noise=noise))
        return made

    def places(self, spans: Sequence[Span]) -> list[tuple[Span, int]]:
        """Choose ``judged`` windows evenly over ``spans``: their pieces and first frames."""
        frames = self.plan.window
        places = [(span, first) for span in spans for first in range(span.first, span.end - frames + 1)]
        if not places:
            return []
        chosen = {round(one) for one in np.linspace(0, len(places) - 1, min(self.plan.judged, len(places)))}
        return [places[one] for one in sorted(chosen)]

    def make(self, talk: Talk, first: int, reference: int, *, sigma: float, noise: torch.Tensor) -> Example:
        """Make the example of a window.

        Args:
            talk: A prepared piece.
            first: The window's first frame.
            reference: Which of its references is the portrait.
            sigma: Noise level.
            noise: (n, 4, h, w), of the window's length.
        """
        window = slice(first, first + len(noise))
        portrait, size = int(talk.references[reference]), (talk.size, talk.size)
        left, top, right, bottom = (float(side) for side in talk.boxes[portrait])
        face = talk.boxes[window]
        low, high = face[:, :2].min(0).values.tolist(), face[:, 2:].max(0).values.tolist()
        return Example(
            talk.latents[window].float() * LATENT_SCALE,
            noise,
            sigma,
            talk.latents[portrait].float(),
            talk.embeddings[reference],
            talk.tokens[window],
            self.movement.buckets(talk, first, len(noise)),
            face_mask(size, (left, top, right, bottom)),
            face_weight(size, (low[0], low[1], high[0], high[1]), self.plan.face_weight),
        )


class Examples(Excerpts):
    """Draws what a tuning learns from."""

    def __init__(self, spans: Sequence[Span], plan: TuningPlan, least: float, most: float) -> None:
        """Take what is learned from.

        Args:
            spans: Where windows are taken.
            plan: How they are drawn.
            least: The least noise level of the model.
            most: The greatest.

        Raises:
            InputError: No window fits.
        """
        super().__init__(spans, plan)
        self.tuning, self.least, self.most = plan, least, most

    def draw(self, step: int, number: int) -> Example:
        """Draw example ``number`` of a step."""
        chance = np.random.default_rng([self.plan.seed, step, number])
        talk, first, reference = self.place(chance)
        sigma = math.exp(self.tuning.mean + self.tuning.deviation * chance.standard_normal())
        dropped = chance.random()
        noise = draw_noise(chance, talk, self.plan.window)
        made = self.make(talk, first, reference, sigma=min(max(sigma, self.least), self.most), noise=noise)
        if dropped < self.tuning.drop_all:
            return without(made, talk, picture=True)
        return without(made, talk) if dropped < self.tuning.drop_all + self.tuning.drop_sound else made


def without(example: Example, talk: Talk, *, picture: bool = False) -> Example:
    """Drop the sound, and with ``picture`` the picture, as guidance does when it animates."""
    image, embedding = (None, None) if picture else (example.image, example.embedding)
    return Example(**{**vars(example), "image": image, "embedding": embedding, "tokens": talk.unheard})


def face_weight(size: tuple[int, int], box: Box, times: float) -> torch.Tensor:
    """Weigh latent pixels: those of a face, ``box`` in pixels, ``times`` as much as the others; 1 in the mean."""
    mask = face_mask(size, box)
    share = torch.nn.functional.avg_pool2d(mask[None], LATENT_SIDE)[0, 0]
    weight = 1 + (times - 1) * share
    return weight / weight.mean()


def draw_noise(chance: np.random.Generator, talk: Talk, frames: int) -> torch.Tensor:
    """Draw noise of deviation 1 for a window of a piece: (frames, 4, h, w)."""
    return torch.from_numpy(chance.standard_normal((frames, *talk.latents.shape[1:]), dtype=np.float32))
