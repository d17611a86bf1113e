"""The command for a graphics card, rehearsed on the processor: whoever is lent a card for minutes loses none."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks.card import overdue
from benchmarks.card_parts.bench import Bench, NotHereError, Part
from benchmarks.card_parts.record import Record
from benchmarks.card_parts.run import all_parts, measure
from benchmarks.card_parts.table import markdown
from benchmarks.card_parts.unet_step import COUNTED, count

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, str(ROOT / "benchmarks" / "card.py"), "--rehearse"]
NEEDS_A_CARD = ("needs a card", "not installed")
"""Reasons for which the rehearsal may leave something out."""
KINDS = ("machine", "step", "clip", "kit", "decoder", "tiny decoder", "interpolator", "memory", "kernels", "moves")


@pytest.fixture
def bench(tmp_path):
    """A rehearsal that has just begun."""
    return Bench(torch.device("cpu"), True, Record(tmp_path / "record"), time.time(), 60.0)


@pytest.mark.slow
def test_the_rehearsal_measures_every_part(tmp_path, bench):
    command = [*COMMAND, "--limit", "500", "--json", str(tmp_path / "a.json"), "--markdown", str(tmp_path / "a.md")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert json.loads(done.stdout.splitlines()[-1]) == found
    assert found["errors"] == {} and found["rehearsal"] is True
    keys = {part.key for part in all_parts(bench)}
    assert found["parts"].keys() | found["skipped"].keys() == keys
    assert {key: why for key, why in found["skipped"].items() if not any(one in why for one in NEEDS_A_CARD)} == {}
    for begin in (*KINDS, "transfers"):
        assert any(key.startswith(begin) for key in found["parts"]), begin
        assert any(line.partition("] ")[2].startswith(begin) for line in done.stdout.splitlines()), begin
    assert all(found["parts"][key]["above"] == [] for key in found["parts"] if key.startswith("kit"))
    steps = [one for key, one in found["parts"].items() if key.startswith("step")]
    assert all(one["seconds"] > 0 and one["share"] > 0 and one["first_seconds"] > 0 for one in steps)
    assert all(one["difference"] < 1e-4 for one in steps if "difference" in one)
    tables = (tmp_path / "a.md").read_text(encoding="utf-8")
    assert tables in done.stdout and "| 64² | lean | 3 |" in tables


def test_what_there_is_no_time_for_is_skipped_with_a_line(tmp_path):
    command = [*COMMAND, "--limit", "1", "--json", str(tmp_path / "a.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert done.returncode == 0 and found["parts"] == {} and found["errors"] == {}
    assert all(why.startswith("no time") for why in found["skipped"].values())
    assert done.stdout.count("skipped: no time") == len(found["skipped"]) > 25


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_without_a_card_it_says_so_and_ends(tmp_path):
    command = [*COMMAND[:2], "--json", str(tmp_path / "a.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "start: FAILED: torch sees no cuda:0 here" in done.stdout
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["parts"] == {}


def test_a_part_that_fails_is_told_in_one_line_and_the_next_goes_on(bench, capsys):
    def fail(_):
        raise ValueError("first line\nsecond line")

    def leave(_):
        raise NotHereError("a loom needs a card")

    for part in (Part("bad", fail, lambda _: 0), Part("absent", leave, lambda _: 0), Part("good", dict, lambda _: 0)):
        assert measure(bench, Part(part.key, part.run if part.key != "good" else lambda _: {}, part.seconds))
    record = Record.read(bench.record.path)
    assert record.errors == {"bad": "ValueError: first line"}
    assert record.skipped == {"absent": "a loom needs a card"}
    assert set(record.done) == {"good"}
    assert [line.partition("] ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "bad: FAILED: ValueError: first line",
        "absent: skipped: a loom needs a card",
    ]


def test_a_part_that_hangs_is_overdue_and_so_is_a_process_beyond_the_limit(tmp_path):
    record = Record(tmp_path / "record")
    record.write("begin", "slow", at=10.0, most=30.0)
    assert not overdue(record, 0.0, 39.0, 400.0)
    assert overdue(record, 0.0, 41.0, 400.0) == "it took more than 30 s"
    assert "beyond the limit" in overdue(record, 0.0, 25.0, 4.0)
    record.write("done", "slow", result={})
    assert not overdue(record, 0.0, 300.0, 400.0)
    assert "began nothing" in overdue(Record(tmp_path / "other"), 0.0, 130.0, 400.0)


def test_a_process_that_ends_in_the_middle_of_a_part_leaves_the_others_on_record(tmp_path):
    record = Record(tmp_path / "record")
    record.write("begin", "first", at=1.0, most=9.0)
    record.write("done", "first", result={"seconds": 2.5})
    record.write("begin", "second", at=4.0, most=9.0)
    with record.path.open("a", encoding="utf-8") as file:
        file.write('{"event": "done", "part": "sec')
    again = Record.read(record.path)
    assert again.done == {"first": {"seconds": 2.5}}
    assert (again.begun, again.at) == ("second", 4.0)
    again.write("error", "second", why="its process ended with status -9")
    assert Record.read(record.path).errors == {"second": "its process ended with status -9"}


def test_operations_at_full_size_are_those_that_are_counted(bench):
    full = Bench(bench.device, False, bench.record, bench.began, bench.limit)
    assert count(full, 512) == pytest.approx(COUNTED[512], rel=0.01)


def test_tables_leave_out_what_was_not_measured():
    assert markdown({"parts": {}, "errors": {}, "skipped": {}}).strip() == ""
    shown = markdown({"parts": {}, "errors": {"moves": "RuntimeError: no"}, "skipped": {}})
    assert "| moves | failed: RuntimeError: no |" in shown
