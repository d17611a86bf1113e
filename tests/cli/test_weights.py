"""The commands about weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sonic_core.cli.main import main

pytestmark = pytest.mark.usefixtures("empty_place")

ROOT = Path(__file__).resolve().parents[2]
PART_KEYS = {"name", "found", "missing_goes_to", "source", "bytes", "licence", "purpose"}


def base_row(capsys, *flags: str) -> dict:
    assert main(["models", "--json", *flags]) == 0
    return next(row for row in json.loads(capsys.readouterr().out)["models"] if row["name"] == "sonic-base")


def test_models_lists_the_parts_of_the_base_model(capsys, tmp_path):
    row = base_row(capsys)
    assert row["found"] is None
    parts = {part["name"]: part for part in row["parts"]}
    needed = {"unet", "audio2token", "audio2bucket", "whisper", "interpolator", "svd"}
    assert {name for name, part in parts.items() if part["required"]} == needed
    assert set(parts) - needed == {"yoloface", "tiny-vae", "student"}
    assert all(set(part) >= PART_KEYS for part in parts.values())
    home = tmp_path / "home" / ".cache" / "sonic"
    assert parts["unet"]["missing_goes_to"] == str(home / "Sonic" / "unet.pth")
    assert parts["whisper"]["missing_goes_to"] == str(home / "whisper-tiny")
    assert parts["svd"]["missing_goes_to"] == str(home / "stable-video-diffusion-img2vid-xt")
    assert parts["svd"]["gated"]
    assert parts["tiny-vae"]["missing_goes_to"] == str(home / "Sonic" / "taesdv.pth")
    assert parts["tiny-vae"]["source"] == "github.com/madebyollin/taesdv"
    assert parts["student"]["missing_goes_to"] == str(home / "Sonic" / "unet_student.safetensors")
    assert "none is published" in parts["student"]["source"]


def test_models_for_people_fits_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("SONIC_HOME", "/w")
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    assert "python -m sonic_core download sonic-base" in shown
    assert "/w/Sonic/unet.pth" in shown


def test_download_then_models(filled, capsys, tmp_path):
    goal = tmp_path / "weights"
    assert main(["download", "sonic-base", "--weights", str(goal), "--json"]) == 0
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert result["folder"] == str(goal)
    assert len(result["fetched"]) == 11
    for said in ("11 files, about 8.2 GB", str(goal), "licence of svd: Stability AI licence", "CC BY-NC-SA 4.0"):
        assert said in shown.err
    row = base_row(capsys, "--weights", str(goal))
    assert row["found"] == str(goal / "Sonic")
    assert {part["name"] for part in row["parts"] if not part["found"]} == {"yoloface", "tiny-vae", "student"}
    assert main(["download", "sonic-base", "--weights", str(goal)]) == 0
    assert "was there" in capsys.readouterr().out


def test_a_refused_download_is_one_line(filled, capsys, tmp_path):
    filled.refused["stabilityai/stable-video-diffusion-img2vid-xt"] = 403
    assert main(["download", "sonic-base", "--weights", str(tmp_path / "weights"), "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "accept the licence" in shown.err.splitlines()[-1]
    assert all(line.startswith("sonic: ") for line in shown.err.splitlines())


def test_download_as_a_program_keeps_standard_output_clean(filled, tmp_path):
    filled.files["LeonJoe13/Sonic/yoloface_v5m.pt"] = bytes(30_000_000)
    command = [sys.executable, "-m", "sonic_core", "download", "yoloface", "--weights", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["fetched"] == [{"path": str(tmp_path / "yoloface_v5m.pt"), "bytes": 30_000_000}]
    assert "yoloface_v5m.pt, MB 30/30" in done.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith("sonic: ")] == []
    paths = {seen.path for seen in filled.seen}
    name = "LeonJoe13/Sonic{}/yoloface_v5m.pt"
    assert paths == {"/" + name.format("/resolve/main"), f"/cdn/{filled.commit}/" + name.format("")}


def test_a_name_that_cannot_be_fetched(capsys):
    assert main(["download", "sonic-preview"]) == 2
    assert capsys.readouterr().err.startswith("sonic: Expected one of sonic-base, yoloface")


def test_convert_turns_files_into_safetensors_once(capsys, tmp_path):
    torch.save({"proj1.weight": torch.ones(3, 2), "proj3.weight": torch.ones(3)}, tmp_path / "audio2bucket.pth")
    assert main(["convert", str(tmp_path), "--json", "--precision", "bf16"]) == 0
    (made,) = json.loads(capsys.readouterr().out)["converted"]
    assert (made["source"], made["result"]) == (
        str(tmp_path / "audio2bucket.pth"),
        str(tmp_path / "audio2bucket.safetensors"),
    )
    assert made["tensors"] == 2
    assert made["bytes"] > 0
    assert load_file(tmp_path / "audio2bucket.safetensors")["proj1.weight"].dtype == torch.bfloat16
    assert main(["convert", str(tmp_path), "--precision", "bf16"]) == 0
    assert "Nothing to convert" in capsys.readouterr().out


def test_convert_wants_a_folder_and_a_known_precision(capsys, tmp_path):
    assert main(["convert", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert main(["convert", str(tmp_path), "--precision", "int8"]) == 2
    assert capsys.readouterr().err.startswith("sonic: ")
