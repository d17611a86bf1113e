"""What a measure is that wants a network of others: a file that is looked for, and a meter for each video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import nn

from ...clip import Clip
from ...media.pixels import Bytes
from ...types import Landmarks
from ...weights.read import load_into, open_tensors
from ..portrait import Still

Value = float | str
"""A measure's value, or in one sentence why there is none."""
UNCOUNTED = ".num_batches_tracked"
"""End of names that older files have not and newer ones have; nothing reads them."""


class Meter(Protocol):
    """Looks at one video, frame after frame, in bounded memory."""

    def see(self, picture: Bytes, landmarks: Landmarks | None, other: Bytes | None) -> None:
        """Take the next frame.

        Args:
            picture: (h, w, 3) RGB.
            landmarks: Its face; None where none is seen.
            other: (h, w, 3) the reference at the same moment; None where there is none.
        """
        ...

    def values(self) -> dict[str, Value]:
        """Sum up after the last frame: a value for each of the measures, or why there is none."""
        ...


class Scorer(Protocol):
    """A network that is ready, and makes a meter for every video."""

    def meter(self, clip: Clip, still: Still | None, *, paired: bool) -> Meter:
        """Begin with a video.

        Args:
            clip: Its length, frame rate and sound count; its frames are shown to the meter.
            still: The portrait that it was made of.
            paired: Whether a reference is shown beside it.
        """
        ...


Network = TypeVar("Network", bound=nn.Module)


def filled(make: Callable[[], Network], path: Path, device: torch.device, unused: Sequence[str] = ()) -> Network:
    """Build a network without memory, fill it from a file, strictly, and make it ready for inference.

    Args:
        make: Builds it.
        path: Safetensors, or what ``torch.save`` writes; read as tensors only.
        device: Where it goes.
        unused: Beginnings of names of tensors that may be in the file and are not wanted.

    Raises:
        CheckpointError: The file cannot be read, or is of another network.
    """
    with torch.device("meta"):
        network = make()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.num_batches_tracked = None
            module.track_running_stats = False  # else it wants the count all the same; what was tracked is still used
    names = [name for name in open_tensors(path) if name.endswith(UNCOUNTED)]
    load_into(network, path, dtype=torch.float32, ignore=(*unused, *names))
    return network.eval().requires_grad_(False).to(device)
