"""What is said of a batch that was disturbed: a video that is lost, made twice or half is seen."""

from __future__ import annotations

import importlib
import json

import pytest

from sonic_core.batch.manifest import read_manifest

from .conftest import ROOT


@pytest.fixture(name="kills")
def kills_fixture(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.kills")


def test_what_is_lost_made_twice_or_half_is_counted(tmp_path, kills):
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_bytes(name.encode() * 10)
    lines = [json.dumps({"id": name, "error": ""}) for name in "abc"]
    lines += [json.dumps({"id": "bad", "error": "no face"})] * 2 + ['{"id": "a", "err']
    (tmp_path / "journal.jsonl").write_text("\n".join(lines))
    meant = kills.hashes(tmp_path)
    assert kills.judge(tmp_path, meant) == (0, 0, 0, 0)
    (tmp_path / "a.mp4").unlink()
    (tmp_path / "b.mp4").write_bytes(b"b")
    (tmp_path / ".sonic-0123abcd.part.mp4").touch()
    (tmp_path / "journal.jsonl").write_text("\n".join([*lines[:3], lines[2]]))
    assert kills.judge(tmp_path, meant) == (1, 1, 1, 1)


@pytest.mark.filterwarnings("ignore:min_resolution is 256")
def test_one_job_in_twenty_is_bad(tmp_path, kills):
    read = read_manifest(kills.write_jobs(tmp_path, 60, 2.0), tmp_path / "out")
    assert (len(read.rows), [fault.column for fault in read.faults]) == (59, ["image"])
    assert [row.image.name for row in read.rows if row.image.parent == tmp_path] == ["grey.png"]
    assert [row.audio.name for row in read.rows if row.audio.parent == tmp_path] == ["none.wav"]
