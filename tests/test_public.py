"""The names and settings people rely on; a change here is a change for them."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import sonic_core
from sonic_core import Settings, TalkingPortrait, load_model

ROOT = Path(__file__).resolve().parent.parent


def test_public_names_are_frozen():
    assert sorted(sonic_core.__all__) == [
        "Align", "Audio", "CHANNELS", "Cast", "CheckpointError", "Clip", "ClipReport", "Compose", "Conditions",
        "DUBBING", "Direction", "DubConditions", "Dubbing", "Dubs", "Face", "FaceFinder", "FaceNotFoundError",
        "InputError", "Job", "Layer", "MODEL_NAMES", "MediaError", "Model", "OutOfMemoryError", "PRECISIONS",
        "Placement", "Portrait", "Progress", "RayCluster", "Refinement", "Result", "Retime", "SETTINGS", "SearchPath",
        "Settings", "SettingsError", "Signer", "Smooth", "SmoothReport", "SonicError", "SonicWarning", "Source",
        "Speaker", "Stage", "Staged", "SyncMeasurement", "TalkingPortrait", "Voices", "Watching", "Weights", "at_rate",
        "available_formats", "best_interpolator", "check_portrait", "check_possible", "choose_face", "clean_voice",
        "compose", "crop_portrait", "describe_formats", "describe_quality", "describe_reports", "draw_cast",
        "draw_crop", "draw_curve", "draw_direction", "draw_dub", "draw_report", "draw_search", "evaluate_clip",
        "face_finder", "find_denoiser", "follow_beat", "follow_head", "gather_cast", "hear_speakers", "hear_voices",
        "list_figures", "load_model", "measure_sync", "open_clip", "pair_folders", "paste", "pick_voice", "prepare_dub",
        "prepare_heard", "prepare_portrait", "quality_warnings", "read_audio", "read_image", "read_manifest", "refine",
        "refined", "retime", "run", "run_batch", "smooth", "smoothed", "trim_audio", "weight_files", "write_report",
    ]  # fmt: skip
    for name in sonic_core.__all__:
        assert hasattr(sonic_core, name)
    assert set(sonic_core.__all__) <= set(dir(sonic_core))


def test_unknown_names_are_no_attributes():
    assert not hasattr(sonic_core, "no_such_name")


def test_names_are_listed_before_they_are_imported():
    code = "import sys, sonic_core as s; print(set(s.__all__) <= set(dir(s)), 'torch' in sys.modules, s.load_model)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert shown.startswith("True False <function load_model")


def test_every_documented_setting_exists():
    documented = {"duration", "min_resolution", "expand_ratio", "inference_steps", "dynamic_scale", "motion_scale"}
    documented |= {"lip_sync_refinement", "temporal_smoothing", "seed", "fps", "paste_back"}
    assert documented <= set(Settings.__dataclass_fields__)


def test_generate_takes_files_first():
    assert list(inspect.signature(TalkingPortrait.generate).parameters)[1:3] == ["audio", "image"]
    assert "weights" in inspect.signature(load_model).parameters


def test_errors_are_called_by_where_people_import_them_from():
    for name in (name for name in sonic_core.__all__ if name.endswith("Error")):
        kind = getattr(sonic_core, name)
        assert f"{kind.__module__}.{kind.__qualname__}" == f"sonic_core.{name}"
        assert isinstance(pickle.loads(pickle.dumps(kind("said"))), kind)  # noqa: S301 - our own bytes
