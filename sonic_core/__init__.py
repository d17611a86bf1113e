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
    from .clip import Clip, open_clip
    from .models.registry import MODEL_NAMES
    from .pipeline import TalkingPortrait, load_model
    from .post.align import Refinement, refined
    from .post.retime import at_rate
    from .post.smooth import SmoothReport, smoothed
    from .sync.compare import measure_sync
    from .sync.offset import SyncMeasurement

__all__ = [
    "MODEL_NAMES",
    "Audio",
    "CheckpointError",
    "Clip",
    "Face",
    "FaceFinder",
    "FaceNotFoundError",
    "InputError",
    "MediaError",
    "Model",
    "Placement",
    "Portrait",
    "Progress",
    "Refinement",
    "Settings",
    "SettingsError",
    "SmoothReport",
    "SonicError",
    "SonicWarning",
    "SyncMeasurement",
    "TalkingPortrait",
    "at_rate",
    "load_model",
    "measure_sync",
    "open_clip",
    "refined",
    "smoothed",
]

_LAZY = {
    "Clip": "clip",
    "MODEL_NAMES": "models.registry",
    "Refinement": "post.align",
    "SmoothReport": "post.smooth",
    "SyncMeasurement": "sync.offset",
    "TalkingPortrait": "pipeline",
    "at_rate": "post.retime",
    "load_model": "pipeline",
    "measure_sync": "sync.compare",
    "open_clip": "clip",
    "refined": "post.align",
    "smoothed": "post.smooth",
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
