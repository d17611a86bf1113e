"""One entry per model, from which everything that lists models is made."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import pytest

import sonic_core as sonic
from sonic_core import CheckpointError, Settings, SettingsError
from sonic_core.cli.doctor import examine
from sonic_core.cli.main import main
from sonic_core.models.registry import MODEL_NAMES, MODELS, find_model, weight_files
from sonic_core.weights.catalog import CATALOG

BASE, PREVIEW = MODELS


def test_the_order_is_that_in_which_auto_asks():
    assert sonic.MODEL_NAMES == MODEL_NAMES == ("auto", "sonic-base", "sonic-preview")
    assert {spec.weights for spec in MODELS} < set(CATALOG)
    assert MODELS[-1].parts == ()


def test_auto_takes_the_first_whose_weights_are_there(tiny_set, empty_place, tmp_path):
    assert find_model("auto", tiny_set) is BASE
    assert find_model("auto") is PREVIEW
    assert find_model("sonic-base") is BASE
    with pytest.raises(SettingsError, match="model must be one of auto, sonic-base, sonic-preview; got 'other'"):
        find_model("other")
    with pytest.raises(CheckpointError, match="which is not there"):
        find_model("auto", tmp_path / "nowhere")


def test_the_files_that_would_be_loaded_are_listed(tiny_set, empty_place):
    assert tiny_set / "Sonic" / "unet.pth" in weight_files("auto", tiny_set)
    assert weight_files("auto") == weight_files("sonic-preview", tiny_set) == []


def test_what_a_model_alone_heeds_is_a_setting_like_any_other():
    assert PREVIEW.heeds == frozenset()
    assert {"inference_steps", "quality", "stream"} < BASE.heeds < {field.name for field in fields(Settings)}
    assert isinstance(Settings(inference_steps=30), BASE.options)


def test_asking_for_one_model_leaves_the_other_alone():
    code = (
        "import sys, sonic_core; sonic_core.load_model('sonic-preview'); "
        "print([name for name in sys.modules if name.startswith('sonic_core.models.base')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_svd_by_its_old_name_is_still_understood_and_says_what_to_write(tiny_single_file_set, empty_place):
    svd = tiny_single_file_set / "svd_xt.safetensors"
    with pytest.warns(sonic.SonicWarning, match="on the processor"), pytest.warns(DeprecationWarning) as caught:
        model = sonic.load_model("sonic-base", weights=tiny_single_file_set, svd=svd, device="cpu")
    (told,) = [one for one in caught if one.category is DeprecationWarning]
    assert "name the file or folder of Stable Video Diffusion among weights" in str(told.message)
    assert told.filename == __file__
    assert model.model.networks.files.svd == svd


def test_the_command_line_says_so_too_and_takes_several_weights(empty_place, tmp_path, capsys):
    nowhere = tmp_path / "nowhere"
    flags = ["--output", str(tmp_path / "o.mp4"), "--model", "sonic-base", "--weights", str(tmp_path)]
    assert main(["demo", *flags, "--weights", str(nowhere)]) == 2
    said = capsys.readouterr().err
    assert f"got {nowhere}, which is not there" in said
    assert "warning" not in said
    assert main(["demo", *flags, "--svd", str(nowhere)]) == 2
    said = capsys.readouterr().err
    assert "sonic: warning: --svd goes with the next release; name the file or folder" in said
    assert f"got {nowhere}, which is not there" in said


def test_the_doctor_looks_at_every_model(empty_place):
    found = {one.what: one for one in examine() if one.what.startswith("model ")}
    assert list(found) == [f"model {spec.name}" for spec in MODELS]
    assert found["model sonic-preview"].good
    base = found["model sonic-base"]
    assert (base.good, base.needed, base.detail) == (
        False, False, "its weights are not there; python -m sonic_core download sonic-base"
    )  # fmt: skip
