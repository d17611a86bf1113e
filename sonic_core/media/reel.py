"""What is to be written: frames as they come, a sound, and what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar, cast

import torch

from ..errors import MediaError
from ..types import Audio, Frames, Progress
from .mark import Mark
from .pixels import Pixels

STAGE = "encode"
"""The name under which progress is reported."""

Made = TypeVar("Made")


class ReadyPixels(NamedTuple):
    """Frames that are what the writer's own conversion would make of them, in place of a chunk."""

    pixels: tuple[Pixels, ...]


@dataclass(frozen=True, eq=False)
class Reel:
    """Everything that a writer needs to know, whatever the format."""

    chunks: Iterable[Frames | ReadyPixels]
    """Frames (n, 3, h, w) of any n, RGB float in [0, 1], on any device; they are read once, as they are written."""
    fps: Fraction
    """Frames per second."""
    length: int
    """Number of frames in all chunks together."""
    size: tuple[int, int]
    """(h, w) of the frames."""
    audio: Audio | None
    """The sound, with at least one sample; None for none."""
    samples: int
    """Samples of the sound to write; where it ends before, silence follows."""
    metadata: Mapping[str, str]
    """Texts to store in the file, by name."""
    progress: Progress
    """Called with ("encode", frames done, length)."""
    open_ended: bool = False
    """Whether fewer frames may come, with which the sound ends then."""
    plays: int = 0
    """How often a picture that moves plays; 0 is for ever. Videos know no such thing."""
    mark: Mark | None = None
    """What the file says of itself; its texts are among ``metadata`` already."""
    siting: int | None = None
    """Where ``ReadyPixels`` have their chroma, if that is elsewhere than the writer's own conversion has it."""

    def cropped(self, steps: tuple[int, int]) -> tuple[int, int]:
        """Return (h, w) without the rows and columns that a multiple of ``steps`` leaves over."""
        (height, width), (rows, columns) = self.size, steps
        return height - height % rows, width - width % columns

    def frames(
        self, convert: Callable[[torch.Tensor], Made], steps: tuple[int, int] = (1, 1)
    ) -> Generator[Made, None, None]:
        """Convert the frames one by one.

        Args:
            convert: Makes of a frame (3, h, w) what is to be encoded.
            steps: Frames are cropped to multiples of these rows and columns.

        Raises:
            MediaError: There are fewer or more than ``length``, or they have another size.
        """
        height, width = self.cropped(steps)
        done = 0
        for chunk in self.chunks:
            self._check(chunk, done)
            if isinstance(chunk, ReadyPixels):
                yield from cast("tuple[Made, ...]", chunk.pixels)
                done += len(chunk.pixels)
                continue
            for frame in chunk:
                yield convert(frame[:, :height, :width])
            done += len(chunk)
        if done < self.length and not self.open_ended:
            raise MediaError(f"Expected {self.length} frames, got only {done}.")

    def _check(self, chunk: Any, done: int) -> None:  # noqa: ANN401 - whatever a reader gave
        count = len(chunk.pixels) if isinstance(chunk, ReadyPixels) else len(chunk)
        if not isinstance(chunk, ReadyPixels) and tuple(chunk.shape[1:]) != (3, *self.size):
            raise MediaError(
                f"Expected frames of shape (3, {self.size[0]}, {self.size[1]}), got {tuple(chunk.shape[1:])}."
            )
        if done + count > self.length:
            raise MediaError(f"Expected {self.length} frames, got {done + count} or more.")
