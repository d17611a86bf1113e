"""Which measures can be taken: those whose networks are here. Nothing is ever fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ...clip import Clip
from ...devices import choose_device
from ...errors import CheckpointError, InputError
from ...weights.catalog import FID, FVD, LPIPS, SYNCNET, Part
from ...weights.search import Weights
from ...weights.store import find_part
from ..portrait import Still
from .embedding import FILES, PACKAGE, EmbeddingScorer, can_run, locate_recogniser
from .frechet import FeatureStatistics
from .lipsync import LipSyncScorer
from .perceptual import PerceptualScorer
from .protocol import Meter, Scorer, filled
from .sets import SET_MEASURES, FrameFeatures, PieceFeatures, Pool
from .syncnet import SyncNet

MEASURED: dict[str, tuple[str, ...]] = {
    "syncnet": ("sync_c", "sync_d"),
    "lpips": ("lpips",),
    "csim": ("csim",),
    "fid": ("fid",),
    "fvd": ("fvd",),
}
"""What each network measures, by the name that people call it by."""
PARTS: dict[str, Part] = {"syncnet": SYNCNET, "lpips": LPIPS, "fid": FID, "fvd": FVD}
SCORED = tuple(name for names in MEASURED.values() for name in names if name not in SET_MEASURES)
"""Those of them that a video alone has."""
UNASKED = "it was not asked for"
NO_FACES = (
    f"no face recogniser is here ({FILES[0]} of insightface's pack buffalo_l, for non-commercial research, beside its "
    "detector)"
)
NO_RUNTIME = f"the package {PACKAGE} is not installed (pip install {PACKAGE})"

Features = FrameFeatures | PieceFeatures


@dataclass(frozen=True)
class Scores:
    """The measures that can be taken with networks of others."""

    scorers: tuple[Scorer, ...] = ()
    features: Mapping[str, Features] = field(default_factory=dict)
    """Those of whole sets of videos, by measure."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why a measure cannot be taken, by its name."""
    pool: Pool | None = None
    """Where a video's features go; None where no sets are compared."""

    def meters(self, clip: Clip, still: Still | None, *, paired: bool) -> list[Meter]:
        """Begin with a video; the arguments are those of ``Scorer.meter``."""
        found: list[Meter] = [scorer.meter(clip, still, paired=paired) for scorer in self.scorers]
        pool = self.pool or {}
        return found + [self.features[name].collect(statistics) for name, statistics in pool.items()]

    def new_pool(self) -> Pool:
        """Make an empty place for what is seen of a set of videos."""
        return {name: FeatureStatistics() for name in self.features}


def find_scores(weights: Weights = (), wanted: Sequence[str] | None = None, device: str = "auto") -> Scores:
    """Load the networks that are here.

    Args:
        weights: Folders in which they are looked for first.
        wanted: Names of ``MEASURED`` that must be there, others are left alone; None takes what there is.
        device: Where they compute; "auto" takes a CUDA card or else the processor.

    Raises:
        InputError: A name is unknown.
        CheckpointError: What is wanted is not here, or damaged.
    """
    strange = next((name for name in wanted or () if name not in MEASURED), None)
    if strange is not None:
        raise InputError(f"Expected scores among {', '.join(MEASURED)}, got {strange!r}.")
    place = choose_device(device)
    place = torch.device("cpu") if device == "auto" and place.type != "cuda" else place
    scorers: list[Scorer] = []
    features: dict[str, Features] = {}
    missing: dict[str, str] = {}
    for name, measures in MEASURED.items():
        if wanted is not None and name not in wanted:
            missing |= dict.fromkeys(measures, UNASKED)
            continue
        try:
            found = _load(name, weights, place)
        except CheckpointError as error:
            if wanted is not None:
                raise CheckpointError(f"{name} cannot score: {error}") from error
            missing |= dict.fromkeys(measures, f"{error}")
            continue
        if isinstance(found, (FrameFeatures, PieceFeatures)):
            features[name] = found
        else:
            scorers.append(found)
    return Scores(tuple(scorers), features, missing)


def _load(name: str, weights: Weights, device: torch.device) -> Scorer | Features:
    if name == "csim":
        path = locate_recogniser(weights)
        if path is None or not can_run():
            raise CheckpointError(NO_FACES if path is None else NO_RUNTIME)
        return EmbeddingScorer(path)
    path = find_part(PARTS[name], weights)
    if path is None:
        raise CheckpointError(f"the weights are not here (python -m sonic_core download {name})")
    return _LOADERS[name](path, device)


def _load_syncnet(path: Path, device: torch.device) -> LipSyncScorer:
    return LipSyncScorer(filled(SyncNet, path, device), device)


_LOADERS: dict[str, Callable[[Path, torch.device], Scorer | Features]] = {
    "syncnet": _load_syncnet,
    "lpips": PerceptualScorer.load,
    "fid": FrameFeatures.load,
    "fvd": PieceFeatures,
}
