"""The models that can be asked for by name: one entry each, from which everything that lists models is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SettingsError
from ..settings import DiffusionOptions
from ..weights.catalog import BASE, PREVIEW, Entry, Part
from ..weights.search import Weights
from ..weights.store import find_parts, has_parts

if TYPE_CHECKING:
    from ..devices import Hardware
    from ..weights.lora import Lora
    from .protocol import Model

AUTO = "auto"
"""The name that stands for the first model whose weights are there."""


@dataclass(frozen=True)
class ModelSpec:
    """A model, before anything of it is imported."""

    weights: Entry
    """Its name, purpose and parts, and where they come from: its row in the catalogue of weights."""
    load: Callable[[Weights, Hardware, Sequence[Lora]], Model]
    """Import its code and find its weights; what it reads is read when it is first needed."""
    options: type | None = None
    """The part of ``Settings`` that this model alone heeds."""
    takes_loras: bool = False
    """Whether it has weights that a LoRA can change."""

    @property
    def name(self) -> str:
        """What it is asked for by."""
        return self.weights.name

    @property
    def parts(self) -> tuple[Part, ...]:
        """What it is made of; empty: it is part of the program."""
        return self.weights.parts

    @property
    def heeds(self) -> frozenset[str]:
        """Names of the settings that this model alone heeds."""
        return frozenset(field.name for field in fields(self.options)) if self.options else frozenset()

    def is_there(self, weights: Weights = ()) -> bool:
        """Say whether it could be loaded.

        Raises:
            CheckpointError: What the caller names does not exist, or is no part's file.
        """
        return has_parts(self.parts, weights)


def _load_base(weights: Weights, hardware: Hardware, loras: Sequence[Lora]) -> Model:
    from .base.load import load  # noqa: PLC0415 - the other model starts sooner without

    return load(weights, hardware, loras)


def _load_preview(_weights: Weights, _hardware: Hardware, _loras: Sequence[Lora]) -> Model:
    from .preview.model import PreviewModel  # noqa: PLC0415 - it takes torch, and nobody who lists models needs that

    return PreviewModel()


MODELS = (ModelSpec(BASE, _load_base, DiffusionOptions, takes_loras=True), ModelSpec(PREVIEW, _load_preview))
"""Every model, in the order in which "auto" asks for their weights; the last is always there."""
DUBBING = PREVIEW.name
"""The model that "auto" stands for where a video is dubbed."""
MODEL_NAMES = (AUTO, *(spec.name for spec in MODELS))
"""What ``load_model`` understands."""


def weight_files(name: str, weights: Weights = ()) -> list[Path]:
    """List the files and folders of the model that ``load_model`` would take, to tell when they have changed.

    Raises:
        SettingsError: There is no such model.
        CheckpointError: Files are missing.
    """
    spec = find_model(name, weights)
    return list(find_parts(spec.name, spec.parts, weights).values())


def find_model(name: str, weights: Weights = ()) -> ModelSpec:
    """Find a model by name; for "auto" the first whose weights are there.

    Raises:
        SettingsError: There is no such model.
        CheckpointError: What the caller names as ``weights`` does not exist, or is no part's file.
    """
    if name not in MODEL_NAMES:
        raise SettingsError(f"model must be one of {', '.join(MODEL_NAMES)}; got {name!r}.")
    return next(spec for spec in MODELS if spec.name == name or (name == AUTO and spec.is_there(weights)))
