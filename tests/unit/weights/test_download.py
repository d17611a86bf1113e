from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sonic_core import CheckpointError
from sonic_core.models.base.files import find_base
from sonic_core.types import ignore_progress
from sonic_core.weights.catalog import BASE_PARTS, YOLOFACE
from sonic_core.weights.download import DownloadPlan, fetch, free_space, plan_download
from sonic_core.weights.search import locate
from sonic_core.weights.store import has_parts

SVD = "stabilityai/stable-video-diffusion-img2vid-xt"
LARGE = "LeonJoe13/Sonic/yoloface_v5m.pt"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """The library waits a second before it tries again."""
    monkeypatch.setattr("time.sleep", lambda _: None)


def run(name: str, folder: Path, progress=ignore_progress) -> list[Path]:
    return fetch(plan_download(name, folder), progress)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.suffix == ".incomplete" or "lock" in path.name]


def test_a_fresh_folder_becomes_a_whole_model(filled, tmp_path):
    goal = tmp_path / "weights"
    plan = plan_download("sonic-base", goal)
    assert 7_000_000_000 < plan.bytes < 9_000_000_000
    assert plan.licences["Stability AI licence"] == ["svd"]
    fetched = fetch(plan, ignore_progress)
    base = find_base([goal])
    assert base.unet == goal / "Sonic" / "unet.pth"
    assert base.unet.read_bytes() == b"content of Sonic/unet.pth"
    assert base.whisper == goal / "whisper-tiny"
    assert (base.whisper / "preprocessor_config.json").is_file()
    assert base.svd == goal / "stable-video-diffusion-img2vid-xt"
    assert base.sizes is None
    assert len(fetched) == 11
    assert goal / "yoloface_v5m.pt" not in fetched
    assert not leftovers(goal)


def test_nothing_is_fetched_twice(filled, tmp_path, monkeypatch):
    run("sonic-base", tmp_path / "weights")
    filled.seen.clear()
    assert run("sonic-base", tmp_path / "weights") == []
    assert filled.seen == []
    monkeypatch.setenv("SONIC_HOME", str(tmp_path / "weights"))
    assert run("sonic-base", tmp_path / "elsewhere") == []
    assert filled.seen == []


def test_only_what_is_missing_is_fetched(filled, tmp_path):
    run("sonic-base", tmp_path)
    (tmp_path / "whisper-tiny" / "model.safetensors").unlink()
    shutil.rmtree(tmp_path / "RIFE")
    wanted = [wanted.file.at for wanted in plan_download("sonic-base", tmp_path).wanted]
    assert wanted == ["whisper-tiny/model.safetensors", "RIFE/flownet.pkl"]


def test_a_single_svd_file_spares_the_gated_download(filled, tmp_path):
    filled.refused[SVD] = 401
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "svd_xt_1_1.safetensors").write_bytes(b"svd")
    run("sonic-base", tmp_path)
    assert find_base([tmp_path]).svd == tmp_path / "checkpoints" / "svd_xt_1_1.safetensors"


def test_the_default_folder_is_the_environments(filled, tmp_path, monkeypatch):
    assert plan_download("yoloface").folder == tmp_path / "home" / ".cache" / "sonic"
    monkeypatch.setenv("SONIC_HOME", str(tmp_path / "mine"))
    assert fetch(plan_download("yoloface"), ignore_progress) == [tmp_path / "mine" / "yoloface_v5m.pt"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_repository_is_explained_before_anything_is_fetched(filled, tmp_path, status):
    filled.refused[SVD] = status
    with pytest.raises(CheckpointError, match=f"{SVD}.*accept the licence.*HF_TOKEN"):
        run("sonic-base", tmp_path)
    assert not list(tmp_path.rglob("*.pth"))
    assert not leftovers(tmp_path)


def test_a_token_opens_it_and_stays_with_the_hub(filled, tmp_path, monkeypatch):
    filled.refused[SVD] = 401
    monkeypatch.setenv("HF_TOKEN", filled.token)
    run("sonic-base", tmp_path)
    assert has_parts(BASE_PARTS, [tmp_path])
    assert filled.bodies()
    assert all("authorization" not in seen.headers for seen in filled.bodies())


def test_a_file_that_a_mirror_lacks(filled, tmp_path):
    del filled.files["openai/whisper-tiny/model.safetensors"]
    with pytest.raises(CheckpointError, match=r"whisper-tiny, model\.safetensors is not there \(404.*mirror"):
        run("sonic-base", tmp_path)


def test_no_network(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match=r"127\.0\.0\.1:9 cannot be reached.*HF_ENDPOINT.*by hand") as caught:
        run("yoloface", tmp_path)
    assert str(tmp_path / "yoloface_v5m.pt") in str(caught.value)


def test_an_address_that_is_none(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "mirror.example")
    with pytest.raises(CheckpointError, match=r"mirror\.example cannot be reached"):
        run("yoloface", tmp_path)


def test_a_hub_in_trouble(filled, tmp_path):
    filled.status = 503
    with pytest.raises(CheckpointError, match=r"answered 503.*again later"):
        run("yoloface", tmp_path)


def test_offline_means_offline(filled, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE"):
        run("yoloface", tmp_path)
    assert filled.seen == []


def test_a_cut_connection_is_continued_by_the_next_run(filled, tmp_path):
    content = os.urandom(23_000_000)
    filled.files[LARGE] = content
    filled.cut_after = 15_000_000
    with pytest.raises(CheckpointError, match=r"cut at 1\d MB of yoloface_v5m.pt; run the same command again"):
        run("yoloface", tmp_path)
    assert not (tmp_path / "yoloface_v5m.pt").exists()
    (partial,) = tmp_path.glob("*.incomplete")
    kept = partial.stat().st_size
    assert 0 < kept <= 15_000_000
    assert locate("yoloface_v5m.pt", [tmp_path]) is None
    filled.mend()
    reports = []
    run("yoloface", tmp_path, lambda *report: reports.append(report))
    (seen,) = filled.bodies()
    assert seen.headers["range"] == f"bytes={kept}-"
    assert (tmp_path / "yoloface_v5m.pt").read_bytes() == content
    assert reports[0] == ("yoloface_v5m.pt, MB", kept // 1_000_000, 23)
    assert ("yoloface_v5m.pt, MB", 23, 23) in reports
    assert not leftovers(tmp_path)


def test_cancelling_keeps_what_came(filled, tmp_path):
    content = os.urandom(23_000_000)
    filled.files[LARGE] = content

    def cancel(stage: str, done: int, total: int) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("yoloface", tmp_path, cancel)
    assert [path.suffix for path in tmp_path.iterdir() if path.is_file()] == [".incomplete"]
    filled.mend()
    run("yoloface", tmp_path)
    assert filled.bodies()[0].headers["range"].startswith("bytes=1")
    assert (tmp_path / "yoloface_v5m.pt").read_bytes() == content


def test_a_changed_file_is_not_continued(filled, tmp_path):
    filled.files[LARGE] = os.urandom(23_000_000)
    filled.cut_after = 15_000_000
    with pytest.raises(CheckpointError):
        run("yoloface", tmp_path)
    filled.mend()
    filled.files[LARGE] = b"a newer one"
    run("yoloface", tmp_path)
    assert "range" not in filled.bodies()[0].headers
    assert (tmp_path / "yoloface_v5m.pt").read_bytes() == b"a newer one"
    assert not leftovers(tmp_path)


def test_damage_is_noticed(filled, tmp_path):
    filled.files[LARGE] = os.urandom(23_000_000)
    filled.cut_after = 15_000_000
    with pytest.raises(CheckpointError):
        run("yoloface", tmp_path)
    (partial,) = tmp_path.glob("*.incomplete")
    partial.write_bytes(bytes(partial.stat().st_size))
    filled.mend()
    with pytest.raises(CheckpointError, match="damaged"):
        run("yoloface", tmp_path)
    assert not (tmp_path / "yoloface_v5m.pt").exists()
    assert not leftovers(tmp_path)


def test_a_full_disk_is_said_before_it_is_full(filled, tmp_path):
    filled.claimed[LARGE] = 10**18
    with pytest.raises(CheckpointError, match=r"1000000000\.0 GB are to be fetched.*only .* free"):
        run("yoloface", tmp_path)
    assert filled.bodies() == []
    assert free_space(tmp_path / "not" / "yet") == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.01)


def test_a_second_download_into_the_same_folder_waits_for_nobody(filled, tmp_path):
    def again(stage: str, done: int, total: int) -> None:
        run("yoloface", tmp_path)

    with pytest.raises(CheckpointError, match="under way"):
        run("yoloface", tmp_path, again)


def test_a_folder_that_cannot_be_made(filled, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        run("yoloface", tmp_path / "file" / "weights")


def test_names_that_cannot_be_fetched():
    for name in ("sonic-preview", "insightface", "nothing"):
        with pytest.raises(CheckpointError, match="sonic-base, yoloface"):
            plan_download(name)


def test_an_empty_plan_asks_nobody(hub, tmp_path):
    assert fetch(DownloadPlan("yoloface", tmp_path, (), ()), ignore_progress) == []
    assert hub.seen == []
    assert YOLOFACE.source == "huggingface.co/LeonJoe13/Sonic"


def test_a_refusal_leaves_no_empty_folder(filled, tmp_path):
    filled.status = 500
    here = tmp_path / "here"
    here.mkdir()
    for goal in (here / "a" / "b", here):
        with pytest.raises(CheckpointError, match="answered 500"):
            run("sonic-base", goal)
    assert list(here.iterdir()) == []
