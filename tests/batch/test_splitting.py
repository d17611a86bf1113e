"""One long video is made by several workers, to the bit as by one."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from sonic_core.batch.crew import Crew, LostError
from sonic_core.batch.journal import JournalEntry
from sonic_core.batch.splitting import RowJoin, RowPart, Splitting, work_on
from sonic_core.batch.work import run_batch
from sonic_core.errors import SettingsError
from sonic_core.media.audio import read_audio
from sonic_core.settings import Settings

from .conftest import ROOT, SPEECH
from .test_batch import row_of


def long_row(folder, name="long", seconds=2.2, paste_back=False, **more):
    row = row_of(folder, name)
    return replace(row, settings=Settings(duration=seconds, min_resolution=384, paste_back=paste_back), **more)


def test_stretches_of_several_workers_are_the_video_of_one(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    several = {"image": ROOT / "assets/pair.jpg", "audio": None, "speakers": ((0, SPEECH, 0.0), (1, SPEECH, 0.3))}

    def rows(folder):
        mov = replace(long_row(folder, "mov", 1.04), output=folder.resolve() / "mov.mov", format="mov-prores")
        return [
            long_row(folder, seconds=1.2, paste_back=True),
            mov,
            replace(long_row(folder, "pair", 1.04), **several),
            row_of(folder, "short"),
        ]

    assert run_batch(rows(here), here).made == 4
    killed, give = [], Crew.give

    def give_and_kill(self, task):
        give(self, task)
        if isinstance(task, RowPart) and task.number == 1 and not killed:
            killed.append(task)
            for worker, given in self.busy.items():
                if given is task:
                    worker.process.kill()

    monkeypatch.setattr(Crew, "give", give_and_kill)
    heard = []
    outcome = run_batch(rows(there), there, workers=2, stretch=1.0, progress=lambda *told: heard.append(told[1]))
    assert (outcome.made, outcome.failed, heard) == (4, [], [0, 1, 2, 3, 4])
    assert killed and max(entry.tries for _, entry in outcome.rows) == 2
    for row in rows(here):
        assert (there / row.output.name).read_bytes() == row.output.read_bytes(), row.id
    assert not [path for path in there.iterdir() if path.name.startswith(".")], "frames go when their video is there"


@pytest.fixture(name="splitting")
def splitting_fixture(tmp_path):
    return Splitting(tmp_path / "room", 1.0, {})


def test_a_row_is_parted_where_its_frames_can_be_drawn_apart(tmp_path, splitting):
    rows = [
        long_row(tmp_path),
        long_row(tmp_path, "short", 1.0),
        replace(long_row(tmp_path, "frames"), output=tmp_path / "frames", format="png16"),
        long_row(tmp_path, "base", model="sonic-base"),
        replace(long_row(tmp_path, "whole"), settings=Settings()),
        replace(long_row(tmp_path, "gone"), settings=Settings(), audio=tmp_path / "gone.wav"),
    ]
    tasks = list(splitting.tasks(rows))
    counts = [[one.number for one in tasks if isinstance(one, RowPart) and one.row is row] for row in rows]
    assert counts[:4] == [[0, 1, 2], [], [], []]
    assert counts[4] == list(range(math.ceil(read_audio(SPEECH).duration)))
    assert counts[5] == []
    assert len({one.output for one in tasks if isinstance(one, RowPart)}) == 3 + len(counts[4])


def test_a_row_fails_once_when_its_stretches_do(tmp_path, splitting):
    row = long_row(tmp_path)
    first, second, third = splitting.tasks([row])
    good, bad = JournalEntry("", "", "", took=2.0, remarks=("dark",)), JournalEntry("", "", "", error="no face")
    assert splitting.following(first, good) == []
    assert splitting.finished(first, good) is None
    assert splitting.following(second, bad) == []
    failed = splitting.finished(second, bad)
    assert failed is not None and (failed[0], failed[1].error, failed[1].took) == (row, "no face", 2.0)
    assert splitting.following(third, LostError("gone")) == []
    assert splitting.finished(third, bad) is None
    *parts, last = list(splitting.tasks([row]))
    for part in parts:
        assert splitting.following(part, good) == []
        assert splitting.finished(part, good) is None
    (join,) = splitting.following(last, good)
    assert splitting.finished(last, replace(good, tries=2)) is None
    assert isinstance(join, RowJoin) and join.parts == tuple(part.output for part in (*parts, last))
    done = splitting.finished(join, JournalEntry("", "", "", took=1.0))
    assert done is not None and (done[1].took, done[1].tries, done[1].remarks) == (7.0, 2, ("dark",))


def test_a_stretch_of_nothing_is_drawn_of_a_clip_with_fewer_frames(tmp_path):
    row = replace(row_of(tmp_path, "a"), settings=Settings(duration=0.12, min_resolution=384))
    kept: dict[str, object] = {}
    parts = [RowPart(row, number, 5, tmp_path / f"room/{number}.frames") for number in range(5)]
    assert not [entry.error for entry in (work_on(part, {}, kept) for part in parts) if entry.error]
    assert [part.output.stat().st_size > 0 for part in parts].count(True) == 3
    lacking = work_on(RowJoin(row, (parts[1].output,)), {}, kept)
    assert lacking.error == "Expected 3 frames, got only 1." and not row.output.exists()
    assert not work_on(RowJoin(row, tuple(part.output for part in parts)), {}, kept).error
    whole = replace(row, output=tmp_path / "b.mp4")
    assert not work_on(whole, {}, kept).error
    assert row.output.read_bytes() == whole.output.read_bytes()


def test_stretches_want_several_workers_and_some_length(tmp_path):
    with pytest.raises(SettingsError, match="A stretch is for several workers"):
        run_batch([row_of(tmp_path, "a")], tmp_path, stretch=2.0)
    for seconds in (0.0, float("nan")):
        with pytest.raises(SettingsError, match="A stretch takes 1 s or more"):
            run_batch([row_of(tmp_path, "a")], tmp_path, workers=2, stretch=seconds)
