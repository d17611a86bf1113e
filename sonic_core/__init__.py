"""Sonic: one portrait and one sound become a talking video. The engine; it runs without any host.

import sonic_core as sonic

model = sonic.load_model("auto")
model.generate(audio="speech.wav", image="portrait.png").export("talking.mp4")
"""

from __future__ import annotations

import re
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import (
    CheckpointError,
    FaceNotFoundError,
    InputError,
    MediaError,
    SettingsError,
    SonicError,
    SonicWarning,
)
from .settings import Settings
from .types import Audio, Face, FaceFinder, Model, Placement, Portrait, Progress

if TYPE_CHECKING:
    from .clip import Clip, Source, open_clip
    from .models.registry import MODEL_NAMES
    from .pipeline import TalkingPortrait, load_model
    from .post.align import Align, Refinement, refine
    from .post.compose import Compose, Layer, compose, paste
    from .post.renamed import at_rate, refined, smoothed
    from .post.retime import Retime, retime
    from .post.smooth import Smooth, SmoothReport, smooth
    from .post.stage import Stage, Staged
    from .sync.compare import measure_sync
    from .sync.offset import SyncMeasurement

__all__ = [
    "MODEL_NAMES",
    "Align",
    "Audio",
    "CheckpointError",
    "Clip",
    "Compose",
    "Face",
    "FaceFinder",
    "FaceNotFoundError",
    "InputError",
    "Layer",
    "MediaError",
    "Model",
    "Placement",
    "Portrait",
    "Progress",
    "Refinement",
    "Retime",
    "Settings",
    "SettingsError",
    "Smooth",
    "SmoothReport",
    "SonicError",
    "SonicWarning",
    "Source",
    "Stage",
    "Staged",
    "SyncMeasurement",
    "TalkingPortrait",
    "at_rate",
    "compose",
    "load_model",
    "measure_sync",
    "open_clip",
    "paste",
    "refine",
    "refined",
    "retime",
    "smooth",
    "smoothed",
]

_LAZY = {
    "Align": "post.align",
    "Clip": "clip",
    "Compose": "post.compose",
    "Layer": "post.compose",
    "MODEL_NAMES": "models.registry",
    "Refinement": "post.align",
    "Retime": "post.retime",
    "Smooth": "post.smooth",
    "SmoothReport": "post.smooth",
    "Source": "clip",
    "Stage": "post.stage",
    "Staged": "post.stage",
    "SyncMeasurement": "sync.offset",
    "TalkingPortrait": "pipeline",
    "at_rate": "post.renamed",
    "compose": "post.compose",
    "load_model": "pipeline",
    "measure_sync": "sync.compare",
    "open_clip": "clip",
    "paste": "post.compose",
    "refine": "post.align",
    "refined": "post.renamed",
    "retime": "post.retime",
    "smooth": "post.smooth",
    "smoothed": "post.renamed",
}
"""Modules of the names that are imported when they are first asked for: these modules take torch."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds (PEP 562)
    if name == "__version__":
        return _version()
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """Read the version where it is declared: in a checkout's ``pyproject.toml``, else by the installed package."""
    declared = Path(__file__).resolve().parent.with_name("pyproject.toml")
    found = re.search(r'^version = "(.+)"', declared.read_text("utf-8"), re.MULTILINE) if declared.is_file() else None
    return found[1] if found else metadata.version("sonic-portrait")
