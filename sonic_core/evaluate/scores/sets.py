"""FID and FVD: how far a set of videos is from a set of real ones, by frames and by pieces of 16 frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ...errors import CheckpointError
from ...media.pixels import Bytes
from ...types import Landmarks
from ...weights.torchscript import load_computing
from ..report import Measure
from .frechet import FeatureStatistics, frechet_distance
from .inception import SIDE, UNUSED, Inception
from .protocol import Value, filled

GROUP = "as a set, beside the set of references"
SET_MEASURES = {
    "fid": Measure("fid", "FID", "", 1, "low", GROUP),
    "fvd": Measure("fvd", "FVD", "", 1, "low", GROUP),
}
BATCH = 8
"""Frames that go through Inception at a time."""
PIECE = 16
"""Frames of a piece of video: usual for FVD."""
PIECE_SIDE, CLASSES = 224, 400
"""Side of the pictures that I3D knows, and how many numbers it says of a piece: those before its answers."""
MIDDLE = 127.5
NO_REFERENCES = "no reference was given"
LEAST = 2
"""Samples of which there can be a spread."""

WHAT = {"fid": "frames", "fvd": "pieces of 16 frames"}
"""What a sample is called."""

Pool = Mapping[str, FeatureStatistics]
"""What was seen of a set of videos, by measure."""


@dataclass(frozen=True)
class SetScore:
    """How far a set of videos is from a set of real ones."""

    value: float | None
    note: str = ""
    """Why there is none, or what it must not be taken for."""
    samples: tuple[int, int] = (0, 0)
    """Frames, or pieces, of the set and of the references."""


class FrameFeatures:
    """Inception, ready: a feature of 2048 numbers for every frame."""

    def __init__(self, network: Inception, device: torch.device) -> None:
        self._network, self._device = network, device

    @classmethod
    def load(cls, path: Path, device: torch.device) -> FrameFeatures:
        """Read the network's file.

        Raises:
            CheckpointError: It cannot be read, or is of another network.
        """
        return cls(filled(Inception, path, device, UNUSED), device)

    def collect(self, statistics: FeatureStatistics) -> FeatureMeter:
        """Begin with a video whose features go there."""
        return FeatureMeter(self._features, BATCH, SIDE, statistics, whole=False)

    def _features(self, pictures: torch.Tensor) -> torch.Tensor:
        return self._network(pictures.to(self._device) / 255)


class PieceFeatures:
    """I3D, ready: a feature of 400 numbers for every 16 frames."""

    def __init__(self, path: Path, device: torch.device) -> None:
        """Load the network, which is published as TorchScript.

        Raises:
            CheckpointError: It cannot be read, or its code does other things than compute.
        """
        self._network: Any = load_computing(path).to(device)
        self._path, self._device = path, device

    def collect(self, statistics: FeatureStatistics) -> FeatureMeter:
        """Begin with a video whose features go there."""
        return FeatureMeter(self._features, PIECE, PIECE_SIDE, statistics, whole=True)

    def _features(self, pictures: torch.Tensor) -> torch.Tensor:
        piece = (pictures.to(self._device) / MIDDLE - 1).transpose(0, 1)[None]
        try:
            found = self._network(piece, rescale=False, resize=False, return_features=True)
        except RuntimeError as error:
            raise CheckpointError(f"{self._path} is of another network: it does not take 16 frames of 224².") from error
        if not isinstance(found, torch.Tensor) or found.shape != (1, CLASSES):
            raise CheckpointError(f"{self._path} is of another network: {CLASSES} numbers for a piece are expected.")
        return found


class FeatureMeter:
    """Gathers the features of one video, a few frames at a time."""

    def __init__(
        self,
        features: Callable[[torch.Tensor], torch.Tensor],
        count: int,
        side: int,
        statistics: FeatureStatistics,
        *,
        whole: bool,
    ) -> None:
        """Begin.

        Args:
            features: Makes features (m, d) of (n, 3, side, side), 0 … 255.
            count: Frames that it is given at a time.
            side: Pixels.
            statistics: Where features go.
            whole: Fewer frames than ``count`` are no use to it.
        """
        self._features, self._count, self._side, self._whole = features, count, side, whole
        self._statistics, self._waiting = statistics, []

    def see(self, picture: Bytes, landmarks: Landmarks | None, other: Bytes | None) -> None:
        """Take the next frame (h, w, 3)."""
        small = cv2.resize(picture.astype(np.float32), (self._side, self._side), interpolation=cv2.INTER_LINEAR)
        self._waiting.append(small)
        if len(self._waiting) == self._count:
            self._pass()

    def values(self) -> dict[str, Value]:
        """End; one video alone has no value."""
        if self._waiting and not self._whole:
            self._pass()
        return {}

    def _pass(self) -> None:
        pictures = torch.from_numpy(np.stack(self._waiting).transpose(0, 3, 1, 2).copy())
        with torch.inference_mode():
            self._statistics.add(self._features(pictures).float().cpu().numpy())
        self._waiting.clear()


def compare_sets(videos: Pool, references: Pool, missing: Mapping[str, str]) -> dict[str, SetScore]:
    """Compare a set of videos with real ones: by each of ``SET_MEASURES`` a distance, or why there is none.

    Args:
        videos: What was seen of them.
        references: What was seen of the real ones; empty where there are none.
        missing: Why nothing was seen, by measure.
    """
    scores = {}
    for name in SET_MEASURES:
        one, other = videos.get(name), references.get(name)
        if one is None or other is None:
            scores[name] = SetScore(None, missing.get(name, NO_REFERENCES))
        elif (few := min(one.count, other.count)) < LEAST:
            scores[name] = SetScore(None, f"there are {few} {WHAT[name]}, of {LEAST} at least")
        else:
            short = f"{few} {WHAT[name]} are few for {one.dimensions} dimensions: compare it with equally many only"
            samples = one.count, other.count
            scores[name] = SetScore(frechet_distance(one, other), "" if few > one.dimensions else short, samples)
    return scores
