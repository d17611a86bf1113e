"""A batch makes what is missing, once, whoever is lost on the way."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from sonic_core import open_clip
from sonic_core.batch.crew import Crew, LostError
from sonic_core.batch.journal import Journal, JournalEntry, key_of
from sonic_core.batch.manifest import ManifestRow
from sonic_core.batch.page import write_reports
from sonic_core.batch.work import TRIES, in_order, run_batch
from sonic_core.cli.main import main
from sonic_core.errors import MediaError
from sonic_core.media.image import write_png
from sonic_core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PORTRAIT, SPEECH = ROOT / "assets/portrait.png", ROOT / "assets/speech.wav"


def row_of(folder, name, **settings):
    made = Settings(duration=0.2, min_resolution=384, temporal_smoothing=False, **settings)
    return ManifestRow(name, PORTRAIT, SPEECH, folder.resolve() / f"{name}.mp4", made, "sonic-preview")


@pytest.fixture(name="faceless", scope="module")
def faceless_fixture(tmp_path_factory):
    return write_png(tmp_path_factory.mktemp("pictures") / "grey.png", torch.full((3, 64, 64), 0.5))


def test_one_failure_is_a_row_and_what_is_made_is_not_made_again(tmp_path, faceless):
    rows = [row_of(tmp_path, "a"), replace(row_of(tmp_path, "bad"), image=faceless), row_of(tmp_path, "b", seed=2)]
    heard = []
    outcome = run_batch(rows, tmp_path, progress=lambda *told: heard.append(told))
    assert (outcome.made, outcome.known, [row.id for row, _ in outcome.failed]) == (2, 0, ["bad"])
    assert "face" in outcome.failed[0][1].error
    assert [row for row, _ in outcome.rows] == rows, "in the list's order"
    assert heard == [("batch", done, 3) for done in range(4)]
    assert {path.name for path in tmp_path.iterdir()} == {"a.mp4", "b.mp4", "journal.jsonl"}
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.mp4")}

    again = run_batch([rows[0], rows[1], row_of(tmp_path, "b", seed=3)], tmp_path)
    assert (again.made, again.known, len(again.failed)) == (1, 1, 1), "what failed is tried, what changed is made"
    assert (tmp_path / "a.mp4").stat().st_mtime_ns == before[tmp_path / "a.mp4"]
    (tmp_path / "a.mp4").unlink()
    assert run_batch(rows[:1], tmp_path).made == 1, "what is gone is made again"

    report, page = write_reports(again, [], tmp_path)
    told = json.loads(report.read_text())
    assert (told["made"], told["already_there"], told["failed"]) == (1, 1, 1)
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg;base64,") == 2
    assert "http" not in text, "it opens offline"


def test_several_people_are_a_row_that_is_made_again_when_one_of_them_says_something_else(tmp_path):
    second = tmp_path / "second.wav"
    second.write_bytes(SPEECH.read_bytes())
    speakers = ((0, SPEECH, 0.0), (1, second, 0.1))
    row = replace(row_of(tmp_path, "talk"), image=ROOT / "assets/pair.jpg", audio=None, speakers=speakers)
    before = key_of(row, tmp_path)
    outcome = run_batch([row], tmp_path)
    assert (outcome.made, outcome.failed) == (1, [])
    assert open_clip(tmp_path / "talk.mp4").size == (672, 1064)
    second.write_bytes((ROOT / "assets/sounds/english.wav").read_bytes())
    assert len({before, key_of(row, tmp_path), key_of(replace(row, speakers=speakers[:1]), tmp_path)}) == 3


@pytest.fixture(name="as_two_workers")
def as_two_workers_fixture():
    """Compute with as many threads as each of two processes: with another number networks differ in the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("as_two_workers")
def test_processes_make_the_same_files(tmp_path):
    """Of voices of one sound as of two plain rows; what a process cannot make is told as here."""
    row = row_of(tmp_path, "talk")
    row = replace(row, image=ROOT / "assets/pair.jpg", voices=((0, 0), (1, 1)))
    row = replace(row, settings=replace(row.settings, duration=0.6))
    keys = {key_of(one, tmp_path) for one in (row, replace(row, voices=((0, 1),)), replace(row, voices=()))}
    assert len(keys) == 3, "who says what decides whether a video is made anew"
    rows = [row, *(row_of(tmp_path, name, seed=seed) for seed, name in enumerate("ab"))]
    outcome = run_batch(rows, tmp_path)
    assert (outcome.made, [entry.error for _, entry in outcome.failed]) == (3, [])
    assert open_clip(row.output).size == (672, 1064)
    there = tmp_path / "there"
    others = [replace(one, output=there.resolve() / one.output.name) for one in rows]
    absent = replace(others[0], output=others[0].output.with_name("absent.mp4"), voices=((0, 9),))
    outcome = run_batch([*others, absent], there, workers=2)
    for one, other in zip(rows, others, strict=True):
        assert other.output.read_bytes() == one.output.read_bytes()
    assert [entry.error[:7] for _, entry in outcome.failed] == ["Face 0:"]


def test_a_row_whose_process_is_lost_is_made_by_another(tmp_path):
    rows = [row_of(tmp_path, "a")]
    with Crew(1, {}) as crew:
        crew.give(rows[0])
        (worker,) = crew.busy
        worker.process.kill()
        ((row, came),) = crew.finished(1)
        assert row is rows[0]
        assert isinstance(came, LostError)
        crew.give(rows[0])
        ((row, came),) = crew.finished(1)
        assert isinstance(came, JournalEntry)
        assert not came.error


def test_a_row_that_takes_every_process_with_it_is_given_up(tmp_path, monkeypatch):
    rows, tries = [row_of(tmp_path, "a")], []
    give = Crew.give

    def give_and_kill(self, row):
        give(self, row)
        tries.append(row)
        for worker in self.busy:
            worker.process.kill()

    monkeypatch.setattr(Crew, "give", give_and_kill)
    outcome = run_batch(rows, tmp_path, workers=1)
    assert len(tries) == TRIES
    assert "its process was lost" in outcome.failed[0][1].error
    assert outcome.failed[0][1].tries == TRIES


def write_list(folder, count):
    lines = ["id,image,audio,duration,min_resolution,seed"]
    lines += [f"v{number},{PORTRAIT},{SPEECH},0.2,384,{number}" for number in range(count)]
    (folder / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    command = [sys.executable, "-W", "ignore", "-m", "sonic_core", "batch", str(folder / "list.csv")]
    return [*command, "--output", str(folder / "out"), "--model", "sonic-preview"]


def entries(folder):
    journal = folder / "out/journal.jsonl"
    return journal.read_text().splitlines() if journal.is_file() else []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("asked", [signal.SIGKILL, signal.SIGINT])
def test_whoever_is_ended_goes_on_where_he_was(tmp_path, capsys, asked):
    command = [*write_list(tmp_path, 3), "--workers", "2"]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while not entries(tmp_path) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    children = psutil.Process(running.pid).children(recursive=True) if running.poll() is None else []
    running.send_signal(asked)
    running.communicate(timeout=120)
    psutil.wait_procs(children, timeout=60)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    made = entries(tmp_path)
    assert 1 <= len(made) <= 3
    if asked != signal.SIGKILL:
        assert not list((tmp_path / "out").glob(".*part*")), "nothing half made is left"
    assert main([*command[command.index("batch") : -2], "--json"]) == 0, "in this process, which has all loaded"
    told = json.loads(capsys.readouterr().out)
    assert (told["made"] + told["already_there"], told["failed"]) == (3, 0)
    assert told["already_there"] >= len(made)
    assert len({json.loads(line)["id"] for line in entries(tmp_path)}) == 3


def test_check_makes_nothing(tmp_path, capsys):
    command = write_list(tmp_path, 2)
    (tmp_path / "list.csv").write_text((tmp_path / "list.csv").read_text() + "\nbad,gone.png,gone.wav,1,384,1\n")
    assert main([*command[command.index("batch") :], "--check"]) == 1
    shown = capsys.readouterr()
    assert shown.out == "2 rows can be tried, 1 cannot.\n"
    assert "line 4, image: Expected a picture at" in shown.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [[], ["--images", "a"], ["list.csv", "--images", "a", "--sounds", "b"]])
def test_a_list_or_two_folders_are_wanted(tmp_path, capsys, arguments):
    assert main(["batch", *arguments, "--output", str(tmp_path / "out")]) == 2
    assert "batch needs a list, or --images and --sounds" in capsys.readouterr().err


def test_two_batches_do_not_meet_in_a_folder(tmp_path):
    with Journal(tmp_path), pytest.raises(MediaError, match="Another batch is at work in"):
        run_batch([row_of(tmp_path, "a")], tmp_path)


def test_a_line_that_was_cut_off_costs_one_video(tmp_path):
    row = row_of(tmp_path, "a")
    row.output.write_bytes(b"a video")
    with Journal(tmp_path) as journal:
        journal.add(JournalEntry("a", key_of(row, tmp_path), "a.mp4", "sonic-preview", 1.0))
        journal.add(JournalEntry("b", "another key", "b.mp4"))
    journal.path.write_bytes(journal.path.read_bytes()[:-10])
    with Journal(tmp_path) as journal:
        assert journal.done(key_of(row, tmp_path))
        assert not journal.done("another key")
        journal.add(JournalEntry("c", "third", "c.mp4"))
    lines = journal.path.read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in (lines[0], lines[2])] == ["a", "c"]


def test_a_row_is_known_by_what_is_in_its_files(tmp_path):
    sound = tmp_path / "sound.wav"
    sound.write_bytes(SPEECH.read_bytes())
    row = replace(row_of(tmp_path, "a"), audio=sound)
    key = key_of(row, tmp_path)
    os.utime(sound, (1, 1))
    assert key_of(row, tmp_path) == key
    sound.write_bytes(SPEECH.read_bytes()[:-2])
    assert key_of(row, tmp_path) != key
    others = [replace(row, model="auto"), replace(row, crf=3.0), replace(row, output=row.output.with_name("b.mp4"))]
    assert len({key_of(one, tmp_path) for one in (row, *others)}) == 4


def test_the_longest_come_first_and_portraits_together(tmp_path):
    for name, size in (("short", 10), ("middle", 20), ("long", 30)):
        (tmp_path / name).write_bytes(b"x" * size)
    one, other = row_of(tmp_path, "one"), replace(row_of(tmp_path, "other"), image=tmp_path / "short")
    rows = [replace(one, audio=tmp_path / "short"), replace(other, audio=tmp_path / "middle"),
            replace(one, audio=tmp_path / "long")]  # fmt: skip
    assert in_order(rows) == [rows[2], rows[0], rows[1]]


def test_a_long_row_that_was_lost_is_not_left_until_the_end(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    scale = importlib.import_module("benchmarks.scale")
    hours, at_work, lost, failed = scale.simulate(jobs=2000, workers=100, cost=6.0)
    assert lost > 5
    assert failed == 0
    assert at_work > 0.9, f"{hours} h"
