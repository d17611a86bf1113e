"""Lists are read and checked before anything is made: every bad row is named, with its column and what was expected."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sonic_core.batch.manifest import Usual, pair_folders, read_manifest
from sonic_core.direction import Direction
from sonic_core.errors import InputError, MediaError
from sonic_core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PORTRAIT, SPEECH = ROOT / "assets/portrait.png", ROOT / "assets/speech.wav"


@pytest.fixture(name="folder")
def folder_fixture(tmp_path):
    """A folder with a portrait and a sound beside the manifest."""
    shutil.copyfile(PORTRAIT, tmp_path / "ann.png")
    shutil.copyfile(SPEECH, tmp_path / "hello.wav")
    return tmp_path


def written(folder, text, name="list.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return read_manifest(folder / name, folder / "out")


def test_a_row_says_what_differs_and_the_rest_holds_for_all(folder):
    (folder / "list.csv").write_text(
        "\ufeffid, image, audio, seed, paste_back, fps, face, output\n"
        'a,ann.png,hello.wav,7,yes,29.97,"1,2,30,40",deep/a.webm\n'
        "b,ann.png,hello.wav,,,,,\n",
        encoding="utf-8",
    )
    usual = Usual(Settings(seed=3, dynamic_scale=1.1), "sonic-preview", crf=20, mark=False)
    first, second = read_manifest(folder / "list.csv", folder / "out", usual).rows
    assert first.mark is first.described()["mark"] is False
    assert (first.id, first.line, first.image, first.audio) == ("a", 2, folder / "ann.png", folder / "hello.wav")
    assert first.settings == Settings(seed=7, dynamic_scale=1.1, paste_back=True, fps=29.97, face=(1, 2, 30, 40))
    assert (first.model, first.crf, first.output) == ("sonic-preview", 20, folder.resolve() / "out/deep/a.webm")
    assert (second.settings.seed, second.output.name) == (3, "b.mp4")


def test_lines_of_json_say_the_same(folder):
    rows = [
        {"image": "ann.png", "audio": "hello.wav", "seed": 7, "face": [1, 2, 30, 40], "stream": True},
        {"id": "x", "image": "ann.png", "audio": "hello.wav", "format": "gif"},
    ]
    read = written(folder, "\n".join(map(json.dumps, rows)) + "\n\n", "list.jsonl")
    assert not read.faults
    assert [row.output.name for row in read.rows] == ["ann-hello.mp4", "x.gif"]
    assert read.rows[0].settings == Settings(seed=7, face=(1, 2, 30, 40), stream=True)


def test_several_people_are_a_column(folder):
    shutil.copyfile(SPEECH, folder / "hi.wav")
    read = written(folder, "image,speakers,id\nann.png,0=hello.wav; 1=hi.wav@2.5,\nann.png,2=hi.wav,x\n")
    first = read.rows[0]
    assert not read.faults
    assert first.speakers == ((0, folder / "hello.wav", 0.0), (1, folder / "hi.wav", 2.5))
    assert (first.audio, first.sounds) == (None, (folder / "hello.wav", folder / "hi.wav"))
    assert [row.output.name for row in read.rows] == ["ann-hello-hi.mp4", "x.mp4"]
    told = json.dumps({"image": "ann.png", "speakers": ["1=hi.wav@2.5", "0=hello.wav"]})
    assert written(folder, told, "list.jsonl").rows[0].speakers == first.speakers
    assert "speakers" in first.described()
    (plain,) = written(folder, "image,audio\nann.png,hello.wav\n").rows
    assert set(plain.described()) == {"settings", "model", "format", "crf"}
    assert "listeners" not in plain.described()["settings"], "what was made before need not be made again"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("hello.wav", "expected N=SOUND"),
        ("0=nothing.wav", "nothing.wav"),
        ("0=hello.wav;0=hello.wav@1", "face 0 has two sounds"),
    ],
)
def test_speakers_that_cannot_be_are_a_fault(folder, said, text):
    (fault,) = written(folder, f"image,speakers\nann.png,{said}\n").faults
    assert fault.column == "speakers" and text in fault.text


def test_a_row_has_one_sound_or_speakers(folder):
    (fault,) = written(folder, "image,audio,speakers\nann.png,hello.wav,0=hello.wav\n").faults
    assert fault.column == "speakers" and "give either audio, said by one, or speakers" in fault.text


def test_faces_may_say_voices_of_one_sound(folder):
    text = "id,image,audio,speakers\nx,ann.png,hello.wav,1=voice:2; 0=voice:1\n"
    (row,) = written(folder, text).rows
    assert (row.audio, row.voices, row.speakers) == (folder / "hello.wav", ((0, 1), (1, 2)), ())
    assert row.sounds == (folder / "hello.wav",)
    told = json.dumps({"image": "ann.png", "audio": "hello.wav", "speakers": ["0=voice:1", "1=voice:2"]})
    assert written(folder, told, "list.jsonl").rows[0].voices == row.voices
    described = [json.dumps(one.described(), default=str) for one in (row, replace(row, voices=((0, 2), (1, 1))))]
    assert described[0] != described[1] and "listeners" in described[0]
    shutil.copyfile(SPEECH, folder / "voice:1")
    (own,) = written(folder, "id,image,speakers\nx,ann.png,0=voice:1\n").rows
    assert own.speakers == ((0, folder / "voice:1", 0.0),), "a file of that very name is a sound of its own"


@pytest.mark.parametrize(
    ("audio", "said", "text"),
    [
        ("", "0=voice:1", "give that sound as audio"),
        ("", "0=hello.wav; 1=voice:1", "give that sound as audio"),
        ("hello.wav", "0=voice:1; 1=hello.wav", "give either audio"),
        ("hello.wav", "0=voice:1@2", "leave out @"),
        ("hello.wav", "0=voice:1; 0=voice:2", "face 0 has two sounds"),
        ("hello.wav", "0=voice:one", "give either audio"),
    ],
)
def test_voices_that_cannot_be_are_a_fault(folder, audio, said, text):
    (fault,) = written(folder, f"image,audio,speakers\nann.png,{audio},{said}\n").faults
    assert (fault.line, fault.column) == (2, "speakers") and text in fault.text


@pytest.mark.parametrize(
    ("row", "column", "text"),
    [
        ("image=gone.png", "image", "no file is there"),
        ("audio=", "audio", "a sound is wanted; nothing was given"),
        ("seed=x", "seed", "expected a whole number; got 'x'"),
        ("seed=1.5", "seed", "expected a whole number; got '1.5'"),
        ("duration=0", "duration", "duration must be above 0"),
        ("min_resolution=1e9", "min_resolution", "expected a whole number"),
        ("paste_back=perhaps", "paste_back", "expected true or false; got 'perhaps'"),
        ("quality=best", "quality", "quality must be one of"),
        ("model=sonic-max", "model", "expected auto, sonic-base"),
        ("format=avi", "format", "avi"),
        ("output=a.xyz", "output", "xyz"),
        ("crf=many", "crf", "expected a number; got 'many'"),
        ("output=../a.mp4", "output", "does not lie inside"),
        ("output=/tmp/a.mp4", "output", "does not lie inside"),
        ("id=../../a", "id", "does not lie inside"),
        ("output=first.mp4", "output", "first.mp4 is line 2's already"),
    ],
)
def test_a_bad_row_is_named_and_the_others_stay(folder, row, column, text):
    given = {"id": "bad", "image": "ann.png", "audio": "hello.wav"}
    given.update([row.split("=", 1)])
    names = list(given)
    lines = [",".join(names), "first,ann.png,hello.wav" + "," * (len(names) - 3), ",".join(given.values())]
    lines.append("last,ann.png,hello.wav" + "," * (len(names) - 3))
    read = written(folder, "\n".join(lines))
    assert [row.id for row in read.rows] == ["first", "last"]
    (fault,) = read.faults
    assert (fault.line, fault.column) == (3, column)
    assert text in fault.text
    assert str(fault).startswith(f"line 3, {column}: ")


def test_columns_that_nobody_knows_are_named(folder):
    (fault,) = written(folder, "image,audio,sped\nann.png,hello.wav,2\n").faults
    assert (fault.line, fault.column) == (2, "sped")
    assert "there is no such column (there are id, image, audio" in fault.text
    (fault,) = written(folder, "image,audio\nann.png,hello.wav,2\n").faults
    assert "too many fields" in fault.text


@pytest.mark.parametrize("column", ["output", "id"])
def test_a_name_with_a_nul_is_a_fault_of_its_row(folder, column):
    row = {"image": "ann.png", "audio": "hello.wav", column: "a\0b.mp4"}
    (fault,) = written(folder, json.dumps(row), "list.jsonl").faults
    assert (fault.column, "holds a NUL" in fault.text) == (column, True)


def test_lines_that_are_no_json_are_named(folder):
    read = written(folder, '{"image": "ann.png"\n[1]\n', "list.jsonl")
    assert [(fault.line, fault.text[:7]) for fault in read.faults] == [(1, "no JSON"), (2, "an obje")]


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("list.xlsx", b"x", InputError, r"A manifest is a \.csv, a \.jsonl or a \.parquet; got list\.xlsx"),
        ("list.csv", b"image,audio\n", InputError, "list.csv has no rows"),
        ("list.csv", b"image,audio\n\xff\xfe\x00,a\n", InputError, "save it as UTF-8"),
        ("gone.csv", None, MediaError, "no file is there"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path, name, content, error, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=words):
        read_manifest(tmp_path / name, tmp_path)


@pytest.fixture(name="folders")
def folders_fixture(tmp_path):
    for name in ("faces/ann.png", "faces/bob.png", "faces/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(PORTRAIT, tmp_path / name)
    for name in ("sounds/ann.wav", "sounds/eve.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(SPEECH, tmp_path / name)
    return tmp_path


def test_two_folders_are_paired(folders):
    made = pair_folders(folders / "faces", folders / "sounds", folders / "out")
    assert [row.id for row in made.rows] == ["ann-ann", "ann-eve", "bob-ann", "bob-eve"]
    made = pair_folders(folders / "faces", folders / "sounds", folders / "out", pairing="name")
    assert [row.id for row in made.rows] == ["ann-ann"]
    assert sorted(fault.text for fault in made.faults) == [
        "bob.png has no partner of its name", "eve.wav has no partner of its name",
    ]  # fmt: skip
    with pytest.raises(InputError, match="paired by product or name; got 'zip'"):
        pair_folders(folders / "faces", folders / "sounds", folders / "out", pairing="zip")
    with pytest.raises(MediaError, match="A folder was expected"):
        pair_folders(folders / "none", folders / "sounds", folders / "out")
    with pytest.raises(InputError, match="has no file of audio or video"):
        pair_folders(folders / "faces", folders / "faces", folders / "out")


def test_a_row_may_be_directed_by_texts_or_by_files_beside_the_list(folder):
    (folder / "turn.csv").write_text("seconds,head_yaw\n0,0\n2,9\n")
    rows = [
        {"image": "ann.png", "audio": "hello.wav", "direction": "turn.csv; smile=.5", "id": "a"},
        {"image": "ann.png", "audio": "hello.wav", "direction": {"smile": "0:0, 1:1"}, "id": "b"},
        {"image": "ann.png", "audio": "hello.wav", "direction": "grin=1", "id": "c"},
        {"image": "ann.png", "audio": "hello.wav", "id": "d"},
    ]
    (folder / "list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    read = read_manifest(folder / "list.jsonl", folder / "out", Usual(Settings(direction="smile=.1; sad=.2")))
    directed, other, usual = (row.settings.direction for row in read.rows)
    assert directed == Direction.of({"head_yaw": "0:0, 2:9", "smile": 0.5, "sad": 0.2})
    assert other == Direction.of({"smile": "0:0, 1:1", "sad": 0.2})
    assert usual == Direction.of({"smile": 0.1, "sad": 0.2})
    assert [fault.column for fault in read.faults] == ["direction"] and "'grin' cannot be directed" in str(read.faults)
    told = [json.dumps(row.described(), default=str) for row in read.rows]
    assert len(set(told)) == 3, "what is directed decides whether a video is made anew"


def test_a_row_without_direction_is_known_as_it_was_before(folder):
    read = written(folder, "image,audio\nann.png,hello.wav\n")
    assert "direction" not in read.rows[0].described()["settings"]
