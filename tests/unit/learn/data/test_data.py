"""Any talking videos become a set: what is used and what is not, why, and that it is done once."""

from __future__ import annotations

import json
import shutil
import tarfile
import wave
from dataclasses import replace

import numpy as np
import pytest

from sonic_core.batch.journal import locked
from sonic_core.cli.main import main
from sonic_core.clip import open_clip
from sonic_core.errors import MediaError, SettingsError
from sonic_core.learn.data.chapters import DataTask, chapter_spans, make_clips
from sonic_core.learn.data.gathering import gather_set
from sonic_core.learn.data.judging import _runs
from sonic_core.learn.data.looking import Seen
from sonic_core.learn.data.notes import listed_clips, read_note
from sonic_core.learn.data.plan import DataPlan
from sonic_core.learn.data.shards import shard_keys, write_shards
from sonic_core.learn.lipreading.training import TrainingPlan
from sonic_core.learn.plans import words_of
from sonic_core.learn.sync.people import gather
from sonic_core.learn.sync.training import SyncPlan
from sonic_core.learn.tune.caching import find_videos
from sonic_core.learn.tune.plan import TuningPlan
from sonic_core.learn.tune.watching import watch
from sonic_core.sync.network import sync_network

pytestmark = pytest.mark.slow
USED = {"talk": [0.0], "cut": [0.0, 3.2], "fast": [0.0], "late": [0.0], "voices": [0.0]}
"""Where the clips begin that are used, by video."""
UNUSED = {
    "two": "more faces than one",
    "silent": "silence",
    "music": "too little speech",
    "turned": "upside down",
    "voices": "another voice than this face's",
}
"""Why others are not."""


def name_of(told):
    return told["video"].rsplit("/", 1)[-1].partition(".")[0]


def test_every_kind_of_video_is_decided_on_rightly(made, videos):
    used: dict[str, list[float]] = {}
    for clip in made.clips:
        used.setdefault(name_of(clip), []).append(clip["begin"])
    assert used == USED
    assert {name_of(one): one["reason"] for one in made.unused} == UNUSED
    assert made.dropped["no face"] == pytest.approx(2.0)
    assert list(made.unread) == [str(videos / "corrupt.mp4")]
    assert "frame" in made.unread[str(videos / "corrupt.mp4")]


def test_no_second_is_lost_and_the_table_says_so(made, videos):
    whole = sum(open_clip(video).duration for video in videos.iterdir() if video.name != "corrupt.mp4")
    assert made.seconds + sum(made.dropped.values()) == pytest.approx(whole, abs=0.2)
    table = made.table()
    assert f"| used | 6 | {made.seconds:.1f} |" in table
    assert "| silence | 1 | 2.0 |" in table and "| no face | 0 | 2.0 |" in table


def test_clips_are_what_is_promised(made, folder):
    assert [path.stem for path in listed_clips(folder)] == [clip["key"] for clip in made.clips]
    for note, path in zip(made.clips, listed_clips(folder), strict=True):
        clip = open_clip(path)
        assert (clip.fps, clip.size, clip.length) == (25, (128, 128), note["frames"])
        with wave.open(str(path.with_suffix(".wav"))) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
            assert file.getnframes() == note["frames"] * 640
        assert read_note(path) == json.loads(json.dumps(note))
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["key"] for line in lines] == [clip["key"] for clip in made.clips]
    unused = (folder / "unused.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["reason"] for line in unused} == set(UNUSED.values())


def test_a_late_sound_is_moved_to_within_a_frame(made, folder):
    """The sound of the clip that was cut out of the late video is that of the one that was not late."""
    sounds = {}
    for clip, path in zip(made.clips, listed_clips(folder), strict=True):
        with wave.open(str(path.with_suffix(".wav"))) as file:
            sounds[name_of(clip)] = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
    part = slice(16000, 40000)
    alike = {by: float(sounds["talk"][part] @ np.roll(sounds["late"], by)[part]) for by in range(-2400, 2401, 16)}
    assert abs(max(alike, key=alike.__getitem__)) <= 640
    (late,) = (clip for clip in made.clips if name_of(clip) == "late")
    assert late["offset"] == pytest.approx(0.12, abs=0.02)


def test_shards_hold_what_belongs_together_under_one_name(made, folder):
    (shard,) = made.shards
    keys = [clip["key"] for clip in made.clips]
    with tarfile.open(shard) as file:
        names = file.getnames()
        told = json.loads(file.extractfile(f"{keys[0]}.json").read())
        sound = file.extractfile(f"{keys[0]}.wav").read()
    assert names == [f"{key}{part}" for key in keys for part in (".mp4", ".wav", ".json")]
    assert all(name.count(".") == 1 for name in names), "a key ends at the first full stop"
    assert told["key"] == keys[0] and sound == (folder / "clips" / f"{keys[0]}.wav").read_bytes()


def test_shards_are_small_and_not_packed_again(made, folder, tmp_path):
    shutil.copytree(folder / "clips", tmp_path / "clips")
    keys = [clip["key"] for clip in made.clips]
    size = sum((tmp_path / "clips" / f"{keys[0]}{part}").stat().st_size for part in (".mp4", ".wav", ".json"))
    assert size < 1_000_000 < 7 * size
    shards = write_shards(tmp_path, keys, 1)
    assert len(shards) > 1
    assert [key for shard in shards for key in shard_keys(shard)] == keys
    before = shards[0].stat().st_mtime_ns
    shards[1].write_bytes(shards[1].read_bytes()[:1000])
    assert write_shards(tmp_path, keys, 1) == shards
    assert shards[0].stat().st_mtime_ns == before and shard_keys(shards[1])
    assert write_shards(tmp_path, keys, 0) == [] and not list((tmp_path / "shards").iterdir())


def test_nothing_is_made_twice_and_what_a_killed_program_left_goes(made, folder, videos, plan):
    before = {path: path.stat().st_mtime_ns for path in (folder / "clips").iterdir()}
    left = folder / "clips" / ".sonic-0123abcd.part.mp4"
    left.write_bytes(b"half")
    heard = []
    again = gather_set(sorted(videos.iterdir()), folder, plan, progress=lambda *told: heard.append(told))
    assert heard == [("videos", 11, 11)]
    assert (again.clips, again.dropped, again.unread) == (made.clips, made.dropped, made.unread)
    assert {path: path.stat().st_mtime_ns for path in (folder / "clips").iterdir()} == before


def test_one_at_a_time_works_in_a_folder(tmp_path):
    with (tmp_path / ".lock").open("a+b") as file:
        assert locked(file)
        with pytest.raises(MediaError, match="Another learn data is at work"):
            gather_set([], tmp_path, DataPlan())


def test_whoever_is_stopped_goes_on_with_the_chapter(videos, tmp_path):
    class EnoughError(Exception):
        pass

    def stop(stage, done, total):
        seen.append(done)
        if done == 100:
            raise EnoughError

    seen: list[int] = []
    task = DataTask(videos / "cut.mp4", tmp_path, DataPlan(size=128, chapter=4.0, least_side=0.2))
    for inside in ("clips", "chapters"):
        (tmp_path / inside).mkdir()
    with pytest.raises(EnoughError):
        make_clips(task, progress=stop)
    (first,) = (tmp_path / "clips").glob("*.mp4")
    assert len(list((tmp_path / "clips").iterdir())) == 3, "no half file"
    before = first.stat().st_mtime_ns
    seen.clear()
    make_clips(task, progress=lambda stage, done, total: seen.append(done))
    assert seen == list(range(81, 161))
    assert first.stat().st_mtime_ns == before
    told = task.verdicts()
    assert [clip["begin"] for verdict in told for clip in verdict["clips"]] == [0.0, 3.2]
    assert task.done


def test_a_set_is_learned_from_as_it_is(made, folder, videos):
    assert find_videos([folder]) == listed_clips(folder)
    path = listed_clips(folder)[0]
    plan = TuningPlan(size=64, window=4, least_seconds=1.0, expand_ratio=0.3)
    found = watch(open_clip(path), plan, in_step=True)
    assert found.sure and found.offset == 0 and found.dropped == {}
    assert sum(piece.length for piece in found.pieces) == 40
    short = [path for clip, path in zip(made.clips, listed_clips(folder), strict=True) if clip["seconds"] < 3.5]
    people = gather([*short[:1], videos / "music.mp4"], sync_network())
    assert dict(people.dropped) == {"that is too short": 2}


def test_a_clip_of_a_set_is_not_measured_again(talking, talking_mouth):
    from sonic_core.learn.sync.people import in_step
    from sonic_core.media.mixing import shift

    strange = replace(talking, audio=shift(talking.audio, 0.39))
    assert isinstance(in_step(strange, talking_mouth, sync_network(), ""), str)
    piece = in_step(strange, talking_mouth, sync_network(), "", known=True)
    assert piece.mouth.shape[1] == talking.length


def test_faces_are_parted_by_scenes_and_by_length():
    face = np.zeros((468, 2), np.float32)
    seen = Seen([face] * 50 + [None] * 5 + [face] * 30, scenes={40, 60})
    plan = DataPlan(least_seconds=1.6, most_seconds=1.8)
    assert list(_runs(seen, plan)) == [(0, 20), (20, 40), (60, 85)]
    assert list(_runs(Seen([face] * 10), plan)) == []


def test_a_long_video_has_chapters_that_begin_with_a_frame_of_the_mesh():
    plan = DataPlan(chapter=4.0)
    assert chapter_spans(30, plan) == [(0, 30)]
    spans = chapter_spans(1013, plan)
    assert spans[0][0] == 0 and spans[-1][1] == 1013
    assert all(begin % 2 == 0 and 90 <= end - begin <= 110 for begin, end in spans)


def test_a_plan_says_what_is_not_possible_and_every_value_has_words():
    for values, said in (
        ({"size": 100}, "multiple of 64"),
        ({"least_seconds": 5.0, "most_seconds": 4.0}, "least_seconds, 5, or more; got 4"),
        ({"least_speech": 1.5}, "least_speech must be between 0 and 1"),
    ):
        with pytest.raises(SettingsError, match=said):
            DataPlan(**values)
    for kind in (DataPlan, SyncPlan, TrainingPlan):
        assert set(words_of(kind)) == set(kind.__dataclass_fields__)
    assert DataPlan().key() == DataPlan(shard=1).key() != DataPlan(crf=20.0).key()


def test_the_command_says_what_became_of_the_videos(made, folder, videos, tmp_path, capsys):
    (tmp_path / "plan.toml").write_text("size = 128\nleast_seconds = 2\nmost_seconds = 5\n")
    command = ["learn", "data", str(videos), "--output", str(folder), "--plan", str(tmp_path / "plan.toml")]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "| used | 6 |" in said and "not used: " in said and "corrupt.mp4" in said
    assert said.endswith(f"{folder}: 6 clips, 0.3 min\n")
    assert main([*command, "--workers", "-1"]) == 2
    assert capsys.readouterr().err == "sonic: Expected --workers to be 0 or more, got -1.\n"
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    assert main(["learn", "data", str(broken), "--output", str(tmp_path / "set")]) == 2
    assert "Nothing of these videos can be learned from" in capsys.readouterr().err
