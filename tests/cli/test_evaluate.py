"""The command ``evaluate``."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
import torch

import sonic_core as sonic
from sonic_core.cli.main import main
from sonic_core.evaluate.figures import written
from sonic_core.evaluate.report import MEASURES
from sonic_core.evaluate.scores.perceptual import AlexNet
from sonic_core.evaluate.summary import Table

PORTRAIT = Path(__file__).resolve().parents[2] / "assets" / "portrait.png"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """What two models made of one input, small and short."""
    folder = tmp_path_factory.mktemp("models")
    for name, scale in (("one", 1.0), ("other", 0.4)):
        (folder / name).mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sonic.SonicWarning)
            clip = sonic.load_model("sonic-preview").generate(
                PORTRAIT.with_name("speech.wav"), PORTRAIT, duration=1.2, min_resolution=160, motion_scale=scale
            )
        clip.export(folder / name / "a.mp4")
    return folder


def clip_size(models):
    height, width = sonic.open_clip(models / "one" / "a.mp4").size
    return f"{width}x{height}"


def run(capsys, *arguments):
    status = main(["evaluate", *(str(one) for one in arguments)])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_a_table_and_a_page(capsys, models, tmp_path):
    page = tmp_path / "r.html"
    status, out, err = run(capsys, models / "one" / "a.mp4", "--portrait", PORTRAIT, "--html", page)
    assert status == 0
    lines = out.splitlines()
    assert lines[0].split() == ["a"] and lines[-1] == f"page: {page}"
    assert all(one.title in out for one in MEASURES.values()), "measured, or it is said why not"
    assert not any(line.strip().startswith("PSNR") and line.endswith("–") for line in lines)
    assert "no reference was given." in out
    assert f"a.mp4: 30 frames of {clip_size(models)}" in err
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_table_of_nothing_says_why():
    assert written(Table(("a",), (), ("no face was found",))).split() == ["a", "–", "no", "face", "was", "found"]


def test_two_models_are_compared_in_pairs_beside_what_is_real(capsys, models):
    real = models / "one" / "a.mp4"
    arguments = [models / "one", "--against", models / "other", "--reference", models / "one", "--json"]
    status, out, err = run(capsys, *arguments)
    told = json.loads(out)
    assert status == 0
    (ours,), (theirs,) = told["videos"], told["against"]
    assert ours["measures"]["psnr"] == 100 and theirs["measures"]["psnr"] < 50
    assert ours["measures"]["head_ratio"] == pytest.approx(1)
    assert theirs["measures"]["head_ratio"] < 0.8
    apart = told["paired_differences"]["yaw"]
    assert apart["mean"] == pytest.approx(ours["measures"]["yaw"] - theirs["measures"]["yaw"], rel=1e-4)
    assert told["beyond_reference"]["yaw"]["mean"] == 0
    assert err.count(f"{real}: 30 frames") == 2, "the reference that both share is scored once"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.mp4"], "no file is there"),
        (["EMPTY"], "Expected videos in"),
        (["ONE", "--against", "ONE", "ONE"], "expected 1 of them, got 2"),
        (["ONE", "--html", "report.txt"], "ends in"),
        (["ONE", "--reference", "EMPTY"], "Expected a file called a"),
        (["ONE", "--portrait", "missing.png"], "no file is there"),
    ],
)
def test_bad_input_is_one_line(capsys, models, tmp_path, arguments, words):
    (tmp_path / "empty").mkdir()
    places = {"ONE": models / "one" / "a.mp4", "EMPTY": tmp_path / "empty"}
    status, out, err = run(capsys, *(places.get(one, one) for one in arguments))
    assert (status, out) == (2, "")
    assert words in err.splitlines()[-1] and err.splitlines()[-1].startswith("sonic: ")


def test_a_folder_is_read_by_names_and_what_is_no_video_is_passed_over(capsys, models, tmp_path):
    for name in ("b.mp4", "a.MP4"):
        shutil.copy(models / "one" / "a.mp4", tmp_path / name)
    (tmp_path / "notes.txt").write_text("no video")
    status, out, _ = run(capsys, tmp_path, "--json")
    assert status == 0
    assert [one["name"] for one in json.loads(out)["videos"]] == ["a", "b"]
    assert json.loads(out)["summary"]["yaw"]["deviation"] == pytest.approx(0, abs=1e-9)


def test_scores_of_other_networks_stand_beside_the_references_own(capsys, models, tmp_path):
    torch.manual_seed(0)
    torch.save(AlexNet().state_dict(), tmp_path / "alexnet-owt-7be5be79.pth")
    arguments = [models / "one", "--against", models / "other", "--reference", models / "one", "--scores", "lpips"]
    status, out, _ = run(capsys, *arguments, "--weights", tmp_path, "--json")
    told = json.loads(out)
    assert status == 0
    (ours,), (theirs,) = told["videos"], told["against"]
    assert ours["measures"]["lpips"] == 0 < theirs["measures"]["lpips"]
    assert ours["reference"]["missing"]["lpips"] == "no reference was given"
    assert told["set"]["fid"] == told["against_set"]["fvd"]
    assert told["set"]["fid"] == {"value": None, "samples": [0, 0], "note": "it was not asked for"}


def test_a_score_that_is_asked_for_and_cannot_be_taken_is_one_sentence(capsys, models, tmp_path):
    status, out, err = run(capsys, models / "one", "--scores", "fid, syncnet", "--weights", tmp_path)
    assert status == 2 and not out
    assert err == "sonic: syncnet cannot score: the weights are not here (python -m sonic_core download syncnet)\n"
