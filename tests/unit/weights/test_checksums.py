"""Weight files are what they were: pinned, or remembered from the first download."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from sonic_core import CheckpointError
from sonic_core.cli.main import main
from sonic_core.types import ignore_progress
from sonic_core.weights.catalog import BASE_PARTS, YOLOFACE
from sonic_core.weights.checksums import (
    BUNDLED,
    PACKAGE,
    RECORD,
    Checksum,
    hash_file,
    read_record,
    remember,
    verify_files,
)
from sonic_core.weights.download import DownloadPlan, Wanted, fetch, plan_download
from sonic_core.weights.hub import Hub, named_hub

LARGE = "LeonJoe13/Sonic/yoloface_v5m.pt"
NAME = "yoloface_v5m.pt"
CONFIG = "openai/whisper-tiny/config.json"


def run(name: str, folder: Path) -> list[Path]:
    return fetch(plan_download(name, folder), ignore_progress)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def told(folder: Path) -> dict:
    return json.loads((folder / RECORD).read_text())


def test_the_first_download_is_remembered(filled, tmp_path):
    run("sonic-base", tmp_path)
    record = told(tmp_path)
    files = {file.at for part in BASE_PARTS if part.required for file in (*part.files, *part.extras)}
    assert set(record) == files
    content = filled.files[CONFIG]
    assert record["whisper-tiny/config.json"] == {
        "sha256": sha256(content),
        "bytes": len(content),
        "source": "huggingface.co/openai/whisper-tiny, config.json",
        "address": filled.address,
        "revision": "c" * 40,
        "etag": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
    }
    assert all(one["sha256"] == sha256((tmp_path / at).read_bytes()) for at, one in record.items())


def test_another_content_is_refused_before_it_is_fetched(filled, tmp_path):
    first = filled.files[LARGE]
    run("yoloface", tmp_path)
    (tmp_path / NAME).unlink()
    filled.mend()
    filled.files[LARGE] = b"of somebody else"
    with pytest.raises(CheckpointError) as caught:
        run("yoloface", tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{NAME} from {filled.address} is not what was first fetched from {filled.address}: ")
    assert sha256(first)[:16] in said and sha256(b"of somebody else")[:16] in said
    assert said.endswith(f"remove what {tmp_path / RECORD} says of it and run the same command again.")
    assert filled.bodies() == []
    assert not (tmp_path / NAME).exists()
    assert told(tmp_path)[NAME]["sha256"] == sha256(first)


def test_a_mirror_that_tells_no_sum_is_found_out_when_the_file_is_there(filled, tmp_path):
    run("sonic-base", tmp_path)
    (tmp_path / "whisper-tiny" / "config.json").unlink()
    filled.files[CONFIG] = b"{}"
    with pytest.raises(CheckpointError, match=r"whisper-tiny/config\.json from .* is not what was first fetched"):
        run("sonic-base", tmp_path)
    assert not (tmp_path / "whisper-tiny" / "config.json").exists()
    assert not list(tmp_path.rglob("*.incomplete"))
    del filled.files[CONFIG]  # whoever knows of the change says so, and gets it
    filled.files[CONFIG] = b"{}"
    record = told(tmp_path)
    del record["whisper-tiny/config.json"]
    (tmp_path / RECORD).write_text(json.dumps(record))
    run("sonic-base", tmp_path)
    assert told(tmp_path)["whisper-tiny/config.json"]["sha256"] == sha256(b"{}")


def test_a_mirror_is_held_to_what_another_gave(filled, tmp_path):
    remember(tmp_path, NAME, Checksum(sha256(b"first"), 5, "a, b", "https://hub.example"))
    with pytest.raises(CheckpointError, match=r"is not what was first fetched from https://hub\.example: "):
        run("yoloface", tmp_path)
    remember(tmp_path, NAME, Checksum(sha256(filled.files[LARGE]), 5, "a, b", "https://hub.example"))
    run("yoloface", tmp_path)
    assert told(tmp_path)[NAME]["address"] == "https://hub.example", "where it first came from stays"


def test_the_revision_that_came_first_is_asked_for_where_the_hub_has_it(filled, tmp_path):
    first = filled.files[LARGE]
    run("yoloface", tmp_path)
    (tmp_path / NAME).unlink()
    filled.older["c" * 40] = dict(filled.files)
    filled.commit, filled.files[LARGE] = "d" * 40, b"a newer one"
    run("yoloface", tmp_path)
    assert (tmp_path / NAME).read_bytes() == first
    filled.older.clear()
    (tmp_path / NAME).unlink()
    with pytest.raises(CheckpointError, match="is not what was first fetched"):
        run("yoloface", tmp_path)


@pytest.mark.slow
def test_a_continued_download_is_compared_too(filled, tmp_path):
    filled.files[LARGE] = content = os.urandom(23_000_000)
    filled.cut_after = 15_000_000
    with pytest.raises(CheckpointError, match="cut at"):
        run("yoloface", tmp_path)
    assert not (tmp_path / RECORD).exists(), "what is not complete is not known"
    filled.mend()
    run("yoloface", tmp_path)
    assert "range" in filled.bodies()[0].headers
    assert told(tmp_path)[NAME]["sha256"] == sha256(content)


def test_what_the_catalogue_pins_goes_before_what_is_remembered(filled, tmp_path):
    content = filled.files[LARGE]
    for pin, refused in ((sha256(content), False), (sha256(b"published"), True)):
        file = replace(YOLOFACE.files[0], sha256=pin)
        folder = tmp_path / pin[:4]
        folder.mkdir()
        remember(folder, NAME, Checksum(sha256(b"remembered"), 1, "a, b", "https://hub.example"))
        wanted = Wanted(replace(YOLOFACE, files=(file,)), file, folder / NAME, named_hub())
        plan = DownloadPlan("yoloface", folder, (wanted,), ())
        if refused:
            with pytest.raises(CheckpointError, match=r"is not what was published: .*let HF_ENDPOINT name another"):
                fetch(plan, ignore_progress)
        else:
            fetch(plan, ignore_progress)
        assert (folder / NAME).exists() is not refused


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"a": 1}', '{"a": {}}', '{"a": {"sha256": "x", "bytes": 1, "source": "", "address": ""}}']
)
def test_a_record_that_cannot_be_read_stops_a_download(filled, tmp_path, text):
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(CheckpointError, match=r"which remembers what was downloaded, cannot be read .*; put an older"):
        run("yoloface", tmp_path)
    assert filled.bodies() == []


def test_a_newer_record_is_read(tmp_path):
    remember(tmp_path, "b", Checksum("0" * 64, 1, "", ""))
    (tmp_path / RECORD).write_text((tmp_path / RECORD).read_text().replace('"bytes"', '"new": 1, "bytes"'))
    remember(tmp_path, "a", Checksum("1" * 64, 2, "", ""))
    assert [(at, one.sha256[0]) for at, one in read_record(tmp_path).items()] == [("a", "1"), ("b", "0")]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [RECORD]


def test_tokens_travel_over_https_only(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    for address, sent in (
        ("https://mirror.example", True),
        ("http://mirror.example", False),
        ("http://127.0.0.1.mirror.example", False),
        ("http://localhost@mirror.example", False),
        ("HTTPS://mirror.example", True),
        ("mirror.example", False),
        ("http://[::1]:80", True),
        ("http://localhost:8000", True),
    ):
        assert ("authorization" in Hub(address).headers()) is sent, address


def test_a_refusal_over_http_says_that_no_token_was_sent(filled, tmp_path, monkeypatch):
    filled.refused["LeonJoe13/Sonic"] = 401
    monkeypatch.setenv("HF_TOKEN", filled.token)
    monkeypatch.setenv("HF_ENDPOINT", f"http://mirror.example:{filled.server_port}")
    find = socket.getaddrinfo

    def lead_here(host: str, *rest: object, **named: object) -> list:
        return find("127.0.0.1" if "mirror.example" in str(host) else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lead_here)
    with pytest.raises(CheckpointError, match=r"a token opens it, which is sent over https only, and http://mirror"):
        run("yoloface", tmp_path)
    assert filled.seen and all("authorization" not in seen.headers for seen in filled.seen)


def test_the_packages_own_weights_are_those_of_the_table():
    """Whoever trains anew puts the new sum into ``BUNDLED``."""
    there = sorted(path for path in PACKAGE.rglob("*.safetensors"))
    assert {path.relative_to(PACKAGE).as_posix(): sha256(path.read_bytes()) for path in there} == BUNDLED


def test_files_that_are_there_are_verified(filled, tmp_path, capsys):
    run("sonic-base", tmp_path / "w")
    (tmp_path / "w" / "RIFE" / "flownet.pkl").write_bytes(b"changed since")
    (tmp_path / "w" / "Sonic" / "taesdv.pth").write_bytes(b"put by hand")
    (tmp_path / "w" / "Sonic" / "unet.safetensors").write_bytes(b"converted, and taken first")
    flags = ["models", "--verify", "--weights", str(tmp_path / "w")]
    assert main([*flags, "--json"]) == 1
    rows = {row["path"]: row for row in json.loads(capsys.readouterr().out)["verified"]}
    states = {Path(path).relative_to(tmp_path / "w").as_posix(): rows[path]["state"] for path in rows if "/w/" in path}
    assert {name for name, state in states.items() if state == "different"} == {"RIFE/flownet.pkl"}
    assert {name for name, state in states.items() if state == "unknown"} == {
        "Sonic/taesdv.pth", "Sonic/unet.safetensors"
    }  # fmt: skip
    assert len([name for name, state in states.items() if state == "same"]) == 10
    changed = rows[str(tmp_path / "w" / "RIFE" / "flownet.pkl")]
    assert changed["sha256"] == sha256(b"changed since") and changed["by"] == str(tmp_path / "w" / RECORD)
    assert changed["expected"] == sha256(b"content of RIFE/flownet.pkl")
    assert {rows[str(PACKAGE / name)]["by"] for name in BUNDLED} == {"this package"}
    assert main(flags) == 1
    shown = capsys.readouterr().out
    assert f"different  {tmp_path / 'w' / 'RIFE' / 'flownet.pkl'}\n" in shown
    assert "remove the file, and fetch it or install the package again" in " ".join(shown.split())
    filled.seen.clear()
    (tmp_path / "w" / "RIFE" / "flownet.pkl").unlink()
    assert main(flags) == 0
    assert filled.seen == [], "nothing is fetched unasked"


def test_a_damaged_package_is_verified_too(tmp_path, monkeypatch):
    from sonic_core.weights import checksums

    monkeypatch.setattr(checksums, "PACKAGE", tmp_path)
    path = tmp_path / "sync" / "sync.safetensors"
    path.parent.mkdir()
    path.write_bytes((PACKAGE / "sync" / "sync.safetensors").read_bytes()[:-1] + b"?")
    assert [one.state for one in verify_files()] == ["different"] * len(BUNDLED)
    assert [one.path for one in verify_files() if one.sha256] == [path]


def test_a_hub_without_a_token_hears_none(filled, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", filled.token)
    fetch(plan_download("yoloface", tmp_path, hub=Hub(filled.address, token=False)), ignore_progress)
    assert filled.seen and all("authorization" not in seen.headers for seen in filled.seen)


def test_progress_of_reading_is_in_megabytes_begun(tmp_path):
    (tmp_path / "a").write_bytes(bytes(17_200_000))
    reports = []
    assert hash_file(tmp_path / "a", lambda *report: reports.append(report)) == sha256(bytes(17_200_000))
    assert reports == [("checking a, MB", 16, 18), ("checking a, MB", 18, 18)]


def test_a_token_that_somebody_names_is_refused_over_http_even_on_this_machine():
    assert Hub("https://mirror.example", "hf_mine").headers()["authorization"] == "Bearer hf_mine"
    for address in ("http://mirror.example", "http://127.0.0.1:8000", "mirror.example"):
        with pytest.raises(CheckpointError, match="A token is sent over https only, and"):
            Hub(address, "hf_mine")
        assert "authorization" not in Hub(address, False).headers()
