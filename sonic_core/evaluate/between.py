"""How good frames in between are: every other frame of a video is dropped, drawn again, and compared with what it was.

Where a video repeats frames, or shows them early or late because its rate was once changed, nobody can know where
between its neighbours a frame is; those that lie near the middle of their neighbours' motion are told apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from ..faces.track import FaceTracker
from ..media.pixels import as_bytes
from ..post.flow import as_gray, as_pixels, dense_flow
from ..post.retime import Interpolator
from ..types import FaceFinder
from .fidelity import psnr

REPEATED = 1e-3
"""Mean difference below which a frame repeats the one before."""
EVEN = 0.15
"""Distance from the middle of the motion up to which a frame counts as evenly moving."""
MIDDLE = 0.5


@dataclass(frozen=True)
class BetweenGain:
    """What drawing a frame gains over blending its neighbours, dB."""

    frame: float
    """In the whole frame."""
    face: float
    """In the face's box; not a number where none is seen."""
    even: bool
    """Whether the true frame lies near the middle of its neighbours' motion."""


def measure_between(
    frames: Iterable[torch.Tensor], interpolator: Interpolator, most: int, finder: FaceFinder | None = None
) -> Iterator[BetweenGain]:
    """Draw every other frame from its neighbours, and compare.

    Args:
        frames: (3, h, w) each; those that repeat the one before are passed over.
        interpolator: Draws the frames.
        most: Frames that are drawn at most, from the beginning on.
        finder: Finds the face; None takes the best one that is there.
    """
    tracker, number, made = FaceTracker(finder), 0, 0
    last: list[torch.Tensor] = []
    for frame in frames:
        if last and float((frame - last[-1]).abs().mean()) < REPEATED:
            continue
        last, number = [*last[-2:], frame.clone()], number + 1
        if number % 2 == 0 or number == 1:
            continue
        if made == most:
            return
        made += 1
        yield _gain(interpolator, tracker, *last)


def _gain(
    interpolator: Interpolator, tracker: FaceTracker, first: torch.Tensor, middle: torch.Tensor, last: torch.Tensor
) -> BetweenGain:
    face = tracker.follow(middle)
    drawn, blend = interpolator.between(first, last, MIDDLE), (first + last) / 2
    parts = [(slice(None), slice(None))]
    if face is not None:
        left, top, right, bottom = (max(0, round(side)) for side in face.box)
        parts.append((slice(top, bottom), slice(left, right)))
    true, ours, theirs = (as_bytes(one) for one in (middle, drawn, blend))
    gains = [psnr(ours[part], true[part]) - psnr(theirs[part], true[part]) for part in parts]
    even = abs(find_phase(first, middle, last) - MIDDLE) <= EVEN
    return BetweenGain(gains[0], gains[1] if face is not None else math.nan, even)


def find_phase(first: torch.Tensor, middle: torch.Tensor, last: torch.Tensor) -> float:
    """Say where on the way of the motion from the first to the last frame (3, h, w) the middle one is, 0 to 1."""
    grays = [as_gray(as_pixels(frame)) for frame in (first, middle, last)]
    whole, half = dense_flow(grays[0], grays[2]), dense_flow(grays[0], grays[1])
    return float((whole * half).sum() / max(float((whole * whole).sum()), 1e-6))
