"""What passes from room to room.

Pixels are RGB float32 in [0, 1], channels first. Boxes are ``(left, top, right, bottom)`` in pixels, points ``(x, y)``.
Time is in seconds unless the name says frames or samples.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from .errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Point = tuple[float, float]
Frames: TypeAlias = "torch.Tensor"
"""A chunk of frames: (n, 3, h, w), RGB float32 in [0, 1]."""

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total), total being 0 where nobody knows it yet. What it raises cancels the work, and
everything half-made is removed."""


@runtime_checkable
class Watching(Protocol):
    """A progress report that also wants to see what is being made."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take a report (``Progress``)."""
        ...

    def show(self, picture: torch.Tensor) -> None:
        """Take a small, rough picture (3, h, w) in [0, 1] of what one frame may become."""
        ...


def ignore_progress(stage: str, done: int, total: int) -> None:
    """Take a progress report and do nothing with it."""


_MOST_CHANNELS = 64
"""Channels that a sound has at most; more are samples."""


def _in_form(samples: Any) -> torch.Tensor:  # noqa: ANN401 - whatever is given
    """Make (channels, n) float32 of an array or tensor; what is that already, or still comes, is returned as it is."""
    if not hasattr(samples, "dtype"):
        if hasattr(samples, "shape"):
            return samples
        raise InputError(f"Expected samples of a sound as a tensor or an array, got {type(samples).__name__}.")
    import torch  # noqa: PLC0415 - it takes a second, and whoever lists settings needs none

    try:
        samples = samples if isinstance(samples, torch.Tensor) else torch.tensor(samples)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"Expected samples of a sound as numbers, got {samples.dtype}; make them float32.") from error
    if samples.dtype.is_complex or samples.dtype is torch.bool:
        raise InputError(f"Expected samples of a sound as numbers, got {samples.dtype}; make them float32.")
    samples = _channels_first(samples)
    if not samples.is_floating_point():
        limits = torch.iinfo(samples.dtype)
        half = (limits.max - limits.min + 1) // 2
        samples = (samples.double() - (half if limits.min == 0 else 0)) / half
    return samples if samples.dtype is torch.float32 else samples.float()


def _channels_first(samples: torch.Tensor) -> torch.Tensor:
    match tuple(samples.shape):
        case (1, _, _):
            return _channels_first(samples[0])
        case (_,):
            return samples[None]
        case (count, channels) if count > _MOST_CHANNELS >= channels > 0:
            return samples.T
        case (channels, _) if channels <= _MOST_CHANNELS:
            return samples
    raise InputError(f"Expected samples of one sound, (channels, n), got {tuple(samples.shape)}; give one sound.")


@dataclass(frozen=True, eq=False)
class Audio:
    """A sound, whole. A long one read from a file stays on disk and is in memory only where it is being looked at.

    Raises:
        InputError: The samples are none, or the rate is no whole number above 0.
    """

    samples: torch.Tensor
    """(channels, n) float32; full scale is ±1, and every value is finite."""
    rate: int
    """Samples per second."""
    mapped: mmap.mmap | None = None
    """The file behind the samples, if there is one."""
    surround: bool = True
    """Whether six or eight channels are those of 5.1 and 7.1; if not, they are microphones, each as good as another."""

    def __post_init__(self) -> None:
        """Bring samples and rate into their form, where it is plain what is meant.

        (n,) is one channel, (1, channels, n) one sound of a batch, (n, channels) what other libraries write; whole
        numbers are divided by their range.

        Raises:
            InputError: It is not.
        """
        try:
            rate = int(self.rate)
        except (TypeError, ValueError, OverflowError):
            rate = 0
        if rate < 1 or rate != self.rate:
            raise InputError(f"Expected a rate of samples per second, a whole number above 0, got {self.rate!r}.")
        samples = _in_form(self.samples)
        if samples is not self.samples or rate is not self.rate:
            object.__setattr__(self, "samples", samples)
            object.__setattr__(self, "rate", rate)

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.samples.shape[1] / self.rate

    def rest(self) -> None:
        """Let the samples leave memory until they are looked at again, if there is a file behind them."""
        if self.mapped is not None:
            self.mapped.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True, eq=False)
class Landmarks:
    """A face read point by point, in a picture's pixels; the points' numbers are those of MediaPipe's face mesh."""

    points: NDArray[np.float32]
    """(468, 3): x, y, and z in the same unit, relative to the head's middle; smaller is nearer to the camera."""
    irises: NDArray[np.float32]
    """(2, 5, 2): the eye that is left in an upright picture first; of each the middle of its iris, then four places on
    its rim."""
    score: float
    """How sure the mesh is that it lies on a face, in [0, 1]."""

    def moved(self, origin: Point, scale: Point) -> Landmarks:
        """Express the points in the pixels of a crop that begins at ``origin`` and is then scaled (both x, y)."""
        (left, top), (across, down) = origin, scale
        points = (self.points - (left, top, 0.0)) * (across, down, (across + down) / 2)
        irises = (self.irises - origin) * scale
        return Landmarks(points.astype(self.points.dtype), irises.astype(self.irises.dtype), self.score)


@dataclass(frozen=True)
class Face:
    """A face in a picture, in that picture's pixels."""

    box: Box
    """(left, top, right, bottom): brow or forehead to chin, cheek to cheek."""
    points: tuple[Point, Point, Point, Point, Point]
    """Left-in-picture eye, other eye, nose tip, left-in-picture mouth corner, other corner."""
    score: float
    """The finder's confidence in [0, 1]."""
    landmarks: Landmarks | None = field(default=None, compare=False)
    """The face point by point, where it was read so."""

    @property
    def eye_distance(self) -> float:
        """Distance between the eyes in pixels, the unit in which a face is measured."""
        (ax, ay), (bx, by) = self.points[:2]
        return ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a crop came from, for pasting it back."""

    source: torch.Tensor
    """The full picture, (3, H, W)."""
    box: tuple[int, int, int, int]
    """The crop in the full picture's pixels."""
    room: tuple[int, int, int, int] | None = None
    """How far what moves may reach, where others stand beside it; None: to the picture's edges."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A face cropped out of a picture, ready to be animated."""

    image: torch.Tensor
    """The crop at working size, (3, h, w)."""
    face: Face
    """The face in the crop's pixels."""
    mask: torch.Tensor
    """1 over the face, 0 elsewhere, (1, h, w)."""
    placement: Placement


class FaceFinder(Protocol):
    """Finds faces in a picture."""

    name: str

    def find(self, image: torch.Tensor) -> list[Face]:
        """List the faces of ``image`` (3, h, w), the largest first; an empty list when there is none."""
        ...


def largest_first(faces: Sequence[Face]) -> list[Face]:
    """Sort faces by the area of their boxes, the largest first."""
    return sorted(faces, key=lambda face: face.area, reverse=True)
