"""Sonic: one portrait and one sound become a talking video. The engine; it runs without any host.

import sonic_core as sonic

model = sonic.load_model("auto")
model.generate(audio="speech.wav", image="portrait.png").export("talking.mp4")
"""

from __future__ import annotations

import sys

if sys.argv[:1] == ["-m"] and "sonic_core" in sys.orig_argv:  # ``python -m sonic_core`` is on its way to the program
    from .cli.ending import listen

    listen()

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .cast.speakers import Speaker
from .direction import CHANNELS, Direction
from .errors import (
    CheckpointError,
    FaceNotFoundError,
    InputError,
    MediaError,
    OutOfMemoryError,
    SettingsError,
    SonicError,
    SonicWarning,
)
from .media.mark import read_version
from .models.protocol import Conditions, Dubs, Model
from .settings import SETTINGS, Settings, check_possible
from .types import Audio, Face, FaceFinder, Placement, Portrait, Progress, Watching

if TYPE_CHECKING:
    from .batch.cluster import RayCluster
    from .batch.manifest import pair_folders, read_manifest
    from .batch.work import run_batch
    from .cast.hearing import hear_speakers
    from .cast.people import Cast, draw_cast, gather_cast
    from .clip import Clip, Source, open_clip
    from .devices import PRECISIONS
    from .evaluate.evaluation import check_portrait, evaluate_clip
    from .evaluate.figures import describe_reports, list_figures
    from .evaluate.page import write_report
    from .evaluate.picture import draw_report
    from .evaluate.report import ClipReport
    from .faces import choose_face, crop_portrait, draw_crop, draw_search, face_finder, quality_warnings
    from .faces.head_track import follow_head
    from .media.audio import read_audio
    from .media.credentials import Signer
    from .media.formats import available_formats, describe_formats, describe_quality
    from .media.image import read_image
    from .models.preview.dub.dubbing import Dubbing
    from .models.registry import DUBBING, MODEL_NAMES, weight_files
    from .pipeline import Job, Result, TalkingPortrait, load_model, run
    from .post.align import Align, Refinement, refine
    from .post.compose import Compose, Layer, compose, paste
    from .post.curve import draw_curve
    from .post.direction_picture import draw_direction
    from .post.renamed import at_rate, refined, smoothed
    from .post.retime import Retime, best_interpolator, retime
    from .post.smooth import Smooth, SmoothReport, smooth
    from .post.stage import Stage, Staged
    from .preparing import DubConditions, prepare_portrait, trim_audio
    from .speech.beat import follow_beat
    from .speech.voice.cleaning import clean_voice
    from .speech.voice.denoisers import find_denoiser
    from .speech.voice.turns import Voices, hear_voices
    from .sync.compare import measure_sync
    from .sync.offset import SyncMeasurement
    from .voicing import draw_dub, pick_voice, prepare_dub, prepare_heard
    from .weights.search import SearchPath, Weights

__all__ = [
    "CHANNELS",
    "DUBBING",
    "MODEL_NAMES",
    "PRECISIONS",
    "SETTINGS",
    "Align",
    "Audio",
    "Cast",
    "CheckpointError",
    "Clip",
    "ClipReport",
    "Compose",
    "Conditions",
    "Direction",
    "DubConditions",
    "Dubbing",
    "Dubs",
    "Face",
    "FaceFinder",
    "FaceNotFoundError",
    "InputError",
    "Job",
    "Layer",
    "MediaError",
    "Model",
    "OutOfMemoryError",
    "Placement",
    "Portrait",
    "Progress",
    "RayCluster",
    "Refinement",
    "Result",
    "Retime",
    "SearchPath",
    "Settings",
    "SettingsError",
    "Signer",
    "Smooth",
    "SmoothReport",
    "SonicError",
    "SonicWarning",
    "Source",
    "Speaker",
    "Stage",
    "Staged",
    "SyncMeasurement",
    "TalkingPortrait",
    "Voices",
    "Watching",
    "Weights",
    "at_rate",
    "available_formats",
    "best_interpolator",
    "check_portrait",
    "check_possible",
    "choose_face",
    "clean_voice",
    "compose",
    "crop_portrait",
    "describe_formats",
    "describe_quality",
    "describe_reports",
    "draw_cast",
    "draw_crop",
    "draw_curve",
    "draw_direction",
    "draw_dub",
    "draw_report",
    "draw_search",
    "evaluate_clip",
    "face_finder",
    "find_denoiser",
    "follow_beat",
    "follow_head",
    "gather_cast",
    "hear_speakers",
    "hear_voices",
    "list_figures",
    "load_model",
    "measure_sync",
    "open_clip",
    "pair_folders",
    "paste",
    "pick_voice",
    "prepare_dub",
    "prepare_heard",
    "prepare_portrait",
    "quality_warnings",
    "read_audio",
    "read_image",
    "read_manifest",
    "refine",
    "refined",
    "retime",
    "run",
    "run_batch",
    "smooth",
    "smoothed",
    "trim_audio",
    "weight_files",
    "write_report",
]

_LAZY = {
    "Align": "post.align",
    "Cast": "cast.people",
    "Clip": "clip",
    "ClipReport": "evaluate.report",
    "Compose": "post.compose",
    "DUBBING": "models.registry",
    "DubConditions": "preparing",
    "Dubbing": "models.preview.dub.dubbing",
    "Job": "pipeline",
    "Layer": "post.compose",
    "MODEL_NAMES": "models.registry",
    "PRECISIONS": "devices",
    "RayCluster": "batch.cluster",
    "Refinement": "post.align",
    "Result": "pipeline",
    "Retime": "post.retime",
    "SearchPath": "weights.search",
    "Smooth": "post.smooth",
    "SmoothReport": "post.smooth",
    "Signer": "media.credentials",
    "Source": "clip",
    "Stage": "post.stage",
    "Staged": "post.stage",
    "SyncMeasurement": "sync.offset",
    "TalkingPortrait": "pipeline",
    "Voices": "speech.voice.turns",
    "Weights": "weights.search",
    "at_rate": "post.renamed",
    "available_formats": "media.formats",
    "best_interpolator": "post.retime",
    "check_portrait": "evaluate.evaluation",
    "choose_face": "faces",
    "clean_voice": "speech.voice.cleaning",
    "compose": "post.compose",
    "crop_portrait": "faces",
    "describe_formats": "media.formats",
    "describe_quality": "media.formats",
    "describe_reports": "evaluate.figures",
    "draw_cast": "cast.people",
    "draw_crop": "faces",
    "draw_curve": "post.curve",
    "draw_direction": "post.direction_picture",
    "draw_dub": "voicing",
    "draw_report": "evaluate.picture",
    "draw_search": "faces",
    "evaluate_clip": "evaluate.evaluation",
    "face_finder": "faces",
    "follow_beat": "speech.beat",
    "follow_head": "faces.head_track",
    "find_denoiser": "speech.voice.denoisers",
    "gather_cast": "cast.people",
    "hear_speakers": "cast.hearing",
    "hear_voices": "speech.voice.turns",
    "list_figures": "evaluate.figures",
    "load_model": "pipeline",
    "measure_sync": "sync.compare",
    "open_clip": "clip",
    "pair_folders": "batch.manifest",
    "paste": "post.compose",
    "pick_voice": "voicing",
    "prepare_dub": "voicing",
    "prepare_heard": "voicing",
    "prepare_portrait": "preparing",
    "quality_warnings": "faces",
    "read_audio": "media.audio",
    "read_image": "media.image",
    "read_manifest": "batch.manifest",
    "refine": "post.align",
    "refined": "post.renamed",
    "retime": "post.retime",
    "run": "pipeline",
    "run_batch": "batch.work",
    "smooth": "post.smooth",
    "smoothed": "post.renamed",
    "trim_audio": "preparing",
    "weight_files": "models.registry",
    "write_report": "evaluate.page",
}
"""Modules of the names that are imported when they are first asked for: these modules take torch."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds (PEP 562)
    if name == "__version__":
        return read_version()
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
