"""Sonic: one portrait and one sound become a talking video. The engine; it runs without any host.

import sonic_core as sonic

model = sonic.load_model("auto")
model.generate(audio="speech.wav", image="portrait.png").export("talking.mp4")
"""

from .clip import Clip, open_clip
from .errors import (
    CheckpointError,
    FaceNotFoundError,
    InputError,
    MediaError,
    SettingsError,
    SonicError,
    SonicWarning,
)
from .pipeline import MODEL_NAMES, TalkingPortrait, load_model
from .settings import Settings
from .types import Audio, Face, FaceFinder, Model, Placement, Portrait, Progress

__version__ = "0.1.0"

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
    "Settings",
    "SettingsError",
    "SonicError",
    "SonicWarning",
    "TalkingPortrait",
    "load_model",
    "open_clip",
]
