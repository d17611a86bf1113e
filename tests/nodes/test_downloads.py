"""Weights fetched from the canvas: only what is in the catalogue, from where is offered, and as far as is wanted."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.nodes.conftest import ROOT, FolderPaths

SVD = "stabilityai/stable-video-diffusion-img2vid-xt"
SECRET = "hf_good"  # noqa: S105


@pytest.fixture
def rooms(pack: ModuleType, folders: FolderPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``nodes/host/downloads`` over model folders of the test's own."""
    monkeypatch.delenv("SONIC_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(folders, "folder_names_and_paths", {
        name: ([str(tmp_path / "models" / name)], set()) for name in ("sonic", "insightface", "checkpoints")
    })  # fmt: skip
    return import_module(f"{pack.__name__}.nodes.host.downloads")


def errors_of(pack: ModuleType) -> ModuleType:
    return import_module(f"{pack.__name__}.sonic_core.errors")


def ended(downloads: Any) -> dict[str, Any]:
    """Wait until what is under way has ended."""
    downloads._thread.join(30)
    assert not downloads._thread.is_alive()
    return downloads.state


def test_what_is_missing_is_fetched_and_found(rooms: ModuleType, filled: Any, tmp_path: Path, host: ModuleType) -> None:
    told: list[dict[str, Any]] = []
    downloads = rooms.Downloads(told.append)
    assert host.lacking("sonic-base").startswith(
        "sonic-base needs 8.2 GB of files that are missing: press Download on "
    )
    assert downloads.start("sonic-base", filled.address)["state"] == "running"
    assert ended(downloads) == {"name": "sonic-base", "count": 11, "number": 11, "state": "done"}
    assert [one["number"] for one in told] == sorted(one["number"] for one in told)
    assert {one["file"] for one in told if "file" in one} >= {"Sonic/unet.pth", "RIFE/flownet.pkl"}
    assert (tmp_path / "models/sonic/Sonic/unet.pth").read_bytes() == b"content of Sonic/unet.pth"
    assert host.lacking("sonic-base") == ""
    assert rooms.described("sonic-base", downloads.state)["files"] == []


def test_what_is_in_another_of_the_hosts_folders_is_not_fetched_again(
    rooms: ModuleType, filled: Any, tmp_path: Path
) -> None:
    place = tmp_path / "models/checkpoints/svd_xt.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"mine")
    told = rooms.described("sonic-base", {})
    assert not [one for one in told["files"] if "stable-video" in one["path"]]
    assert told["gated"] == []
    assert told["bytes"] < 7_000_000_000


def test_only_names_of_the_catalogue_and_mirrors_that_are_offered_are_taken(
    pack: ModuleType, rooms: ModuleType, filled: Any
) -> None:
    downloads, errors = rooms.Downloads(lambda _: None), errors_of(pack)
    assert rooms.mirrors() == [filled.address, "https://huggingface.co", "https://hf-mirror.com"]
    for name in ("../sonic-base", "/etc/passwd", "sonic-preview", ""):
        with pytest.raises(errors.CheckpointError, match="Expected one of sonic-base, yoloface"):
            downloads.start(name, filled.address)
    for mirror in ("http://localhost:1", f"{filled.address}/other", "file:///etc", ""):
        with pytest.raises(errors.CheckpointError, match="The mirror must be one of"):
            downloads.start("sonic-base", mirror)
    assert filled.seen == []


def test_a_token_goes_to_the_chosen_mirror_over_https_alone_and_is_written_nowhere(
    pack: ModuleType, rooms: ModuleType, filled: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    downloads = rooms.Downloads(lambda _: None)
    with pytest.raises(errors_of(pack).CheckpointError, match="A token is sent over https only") as caught:
        downloads.start("sonic-base", filled.address, SECRET)
    assert SECRET not in str(caught.value)
    assert filled.seen == []
    hub = rooms._hub("https://hf-mirror.com", SECRET)
    assert hub.headers()["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in repr(hub)
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    assert "authorization" not in rooms._hub("https://hf-mirror.com", "").headers(), "nobody said to send it there"
    assert rooms._hub(filled.address, "").headers()["authorization"] == "Bearer hf_mine", "as the environment says"


def test_a_part_that_asks_for_a_licence_says_what_to_do_at_the_canvas(
    rooms: ModuleType, filled: Any, caplog: pytest.LogCaptureFixture
) -> None:
    filled.refused[SVD] = 401
    downloads = rooms.Downloads(lambda _: None)
    with caplog.at_level(logging.DEBUG):
        downloads.start("sonic-base", filled.address)
        state = ended(downloads)
    assert state["state"] == "failed"
    assert state["message"].endswith("logged in there, enter a token of yours and press Download again.")
    assert filled.bodies() == [], "refused before any of the large files is fetched"


def test_a_stopped_download_goes_on_where_it_was(
    rooms: ModuleType, filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "OFTEN", 0.0)  # every piece is told
    filled.files["LeonJoe13/Sonic/Sonic/unet.pth"] = bytes(40_000_000)
    downloads = rooms.Downloads(lambda state: state.get("done", 0) >= 10 and downloads.stop())
    downloads.start("sonic-base", filled.address)
    assert ended(downloads)["state"] == "stopped"
    (part,) = (tmp_path / "models/sonic/Sonic").iterdir()
    have = part.stat().st_size
    assert part.name.endswith(".incomplete")
    assert 10_000_000 <= have < 40_000_000
    filled.mend()
    again = rooms.Downloads(lambda _: None)
    again.start("sonic-base", filled.address)
    assert ended(again)["state"] == "done"
    assert filled.bodies()[0].headers["range"] == f"bytes={have}-"


@pytest.mark.slow
def test_a_cut_line_is_told_and_one_download_runs_at_a_time(pack: ModuleType, rooms: ModuleType, filled: Any) -> None:
    filled.files["LeonJoe13/Sonic/Sonic/unet.pth"] = bytes(40_000_000)
    filled.cut_after = 20_000_000
    hold = lambda state: state.get("done") and time.sleep(0.3)  # noqa: E731
    downloads = rooms.Downloads(hold)
    downloads.start("sonic-base", filled.address)
    with pytest.raises(errors_of(pack).InputError, match="sonic-base is being downloaded already"):
        downloads.start("yoloface", filled.address)
    assert "press Download again, it continues there." in ended(downloads)["message"]


@pytest.mark.skipif(os.name == "nt", reason="that console has other words")
def test_the_command_is_one_that_runs(
    rooms: ModuleType, filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = rooms.described("yoloface", {})["command"]
    assert told == f"cd {shlex.quote(str(ROOT))} && {sys.executable} -m sonic_core download yoloface --weights " \
                   f"{tmp_path}/models/sonic"  # fmt: skip
    subprocess.run(["sh", "-c", told], check=True, capture_output=True)
    assert (tmp_path / "models/sonic/yoloface_v5m.pt").is_file()
