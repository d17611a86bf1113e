"""Lists, pictures, sounds and videos may lie where a URL says; what gives access to them is told nowhere."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sonic_core.batch import remote
from sonic_core.batch.journal import key_of
from sonic_core.batch.making import make, may_pass
from sonic_core.batch.manifest import read_manifest
from sonic_core.batch.page import write_reports
from sonic_core.batch.remote import ConnectionFailedError, Remote, bring, look_at, redact, send
from sonic_core.batch.work import run_batch
from sonic_core.cli.main import main
from sonic_core.errors import InputError, MediaError, SettingsError

from .conftest import PORTRAIT, SECRET, SPEECH

COLUMNS = "id,image,audio,output,model,duration,min_resolution,temporal_smoothing\n"
HOW = "sonic-preview,0.2,384,no"


@pytest.fixture(name="memory")
def memory_fixture():
    """Lend a store of fsspec's that nothing else uses."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed (pip install fsspec)")
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pipe({"/in/ann.png": PORTRAIT.read_bytes(), "/in/hello.wav": SPEECH.read_bytes()})
    yield system
    system.store.clear()


def rows_of(folder, text, name="list.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return read_manifest(folder / name, folder / "out")


def test_a_list_and_all_that_it_names_may_lie_in_a_store(tmp_path, memory):
    memory.pipe("/in/list.csv", f"{COLUMNS}a,ann.png,hello.wav,memory://videos/deep/a.mp4,{HOW}\n".encode())
    read = read_manifest("memory://in/list.csv", tmp_path)
    assert not read.faults
    (row,) = read.rows
    assert (str(row.image), str(row.audio)) == ("memory://in/ann.png", "memory://in/hello.wav")
    outcome = run_batch([row], tmp_path)
    assert (outcome.made, [entry.error for _, entry in outcome.failed]) == (1, [])
    assert memory.cat("/videos/deep/a.mp4") == row.output.read_bytes()
    assert row.output == tmp_path.resolve() / "uploads/memory/videos/deep/a.mp4"
    assert run_batch(read_manifest("memory://in/list.csv", tmp_path).rows, tmp_path).known == 1
    memory.pipe("/in/hello.wav", SPEECH.read_bytes()[:-2])
    (changed,) = read_manifest("memory://in/list.csv", tmp_path).rows
    assert key_of(changed, tmp_path) != key_of(row, tmp_path), "a sound that changed there is said anew"


def test_the_web_gives_and_takes_and_no_secret_is_told(tmp_path, web, capsys):
    given = [f"{web.url('in/ann.png')},{web.url('in/hello.wav')},{web.url(f'v/{name}.mp4')}" for name in "ab"]
    bad = f"bad,{web.url('in/gone.png')},{web.url('in/hello.wav')},,{HOW}\nno,{web.url('in/hello.wav')},"
    bad += f"{web.url('in/hello.wav')},,{HOW}\n"
    lines = "".join(f"{name},{row},{HOW}\n" for name, row in zip("ab", given, strict=True))
    read = rows_of(tmp_path, COLUMNS + lines + bad)
    assert [(fault.line, fault.column) for fault in read.faults] == [(4, "image")]
    assert "there is none" in read.faults[0].text or "answers 404" in read.faults[0].text
    outcome = run_batch(read.rows, tmp_path / "out", workers=1)
    assert [row.id for row, _ in outcome.failed] == ["no"], outcome
    for row in read.rows[:2]:
        assert web.files[f"/v/{row.id}.mp4"] == row.output.read_bytes()
    write_reports(outcome, read.faults, tmp_path / "out")
    told = "".join(path.read_text() for path in (tmp_path / "out").glob("*.*") if path.is_file())
    assert "in/hello.wav?…" in outcome.failed[0][1].error
    said = f"{told}{read}{outcome}{capsys.readouterr()}"
    assert "journal" in {path.stem for path in (tmp_path / "out").iterdir()}
    assert SECRET not in said
    web.seen.clear()
    assert run_batch(read.rows[:2], tmp_path / "out").known == 2
    assert "GET /in/ann.png" in web.seen, "a server that tells nothing of its contents has them read"


def test_a_video_that_cannot_be_taken_away_is_not_made(tmp_path, web):
    row = f"a,{PORTRAIT},{SPEECH},{web.url('v/a.mp4')},{HOW}\n"
    (one,) = rows_of(tmp_path, COLUMNS + row).rows
    web.status, web.failing = 503, "PUT"
    entry = make(one, {}, {})
    assert may_pass(entry) and "the server answers 503" in entry.error and SECRET not in entry.error
    assert "/v/a.mp4" not in web.files
    web.status, web.failing = 503, "PUT"
    outcome = run_batch([one], tmp_path / "out")
    assert (outcome.made, outcome.rows[0][1].tries) == (1, 2), "a server that was busy is tried again"
    assert web.files["/v/a.mp4"] == one.output.read_bytes()
    web.status, web.failing = 403, "PUT"
    entry = make(replace(one, output=one.output.with_name("b.mp4")), {}, {})
    assert "answers 403" in entry.error and not may_pass(entry)


def test_a_file_that_went_away_meanwhile_costs_one_row(tmp_path, web):
    sound = tmp_path / "hello.wav"
    sound.write_bytes(SPEECH.read_bytes())
    text = (
        f"far,{web.url('in/ann.png')},{SPEECH},,{HOW}\nnear,{PORTRAIT},{sound},,{HOW}\nc,{PORTRAIT},{SPEECH},,{HOW}\n"
    )
    read = rows_of(tmp_path, COLUMNS + text)
    web.files.clear()
    sound.unlink()
    outcome = run_batch(read.rows, tmp_path / "out")
    assert (outcome.made, outcome.known, [row.id for row, _ in outcome.failed]) == (1, 0, ["far", "near"])
    assert ["answers 404" in entry.error for _, entry in outcome.failed] == [True, False]
    assert "could be read a moment ago" in outcome.failed[1][1].error
    assert SECRET not in str(outcome)


def test_a_store_that_fails_half_way_has_the_old_file_or_none(tmp_path, memory, monkeypatch):
    (tmp_path / "video").write_bytes(b"new" * 10)
    monkeypatch.setattr(remote, "_PIECE", 8)
    copy = remote._copy

    def broken(source, target):
        target.write(source.read(8))
        raise OSError("the line is cut")

    monkeypatch.setattr(remote, "_copy", broken)
    memory.pipe("/videos/a.mp4", b"old")
    for name in ("a", "b"):
        with pytest.raises(ConnectionFailedError, match="the line is cut"):
            send(tmp_path / "video", Remote(f"memory://videos/{name}.mp4"))
    assert (memory.cat("/videos/a.mp4"), memory.exists("/videos/b.mp4")) == (b"old", False)
    monkeypatch.setattr(remote, "_copy", copy)
    send(tmp_path / "video", Remote("memory://videos/a.mp4"))
    assert memory.cat("/videos/a.mp4") == b"new" * 10


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("no https://me:pw@host:80/a/b.png?token=x&y=1 there", "no https://host:80/a/b.png?… there"),
        ("s3://key:word@bucket/a.png", "s3://bucket/a.png"),
        ("'gs://bucket/a.png#frag'", "'gs://bucket/a.png?…'"),
        ("a.wav@2.5, 1 < 2?", "a.wav@2.5, 1 < 2?"),
    ],
)
def test_what_gives_access_is_left_out(text, left):
    assert redact(text) == left
    assert "pw" not in repr(Remote("https://me:pw@host/a?token=x"))


def test_names_and_passwords_reach_the_server_alone(tmp_path, web):
    url = f"http://me:{SECRET}@127.0.0.1:{web.server_port}/in/ann.png"
    assert bring(Remote(url), "a picture", tmp_path).read_bytes() == PORTRAIT.read_bytes()
    with pytest.raises(MediaError, match="answers 403") as caught:
        bring(Remote(url.replace(SECRET, "wr0ng")), "a picture", tmp_path)
    assert "wr0ng" not in str(caught.value)


def test_files_are_no_larger_than_may_be(tmp_path, web, memory, monkeypatch):
    monkeypatch.setitem(remote.MOST_BYTES, "a picture", 1 << 20)
    web.files["/in/large.png"] = memory.store["/in/large.png"] = b"x" * ((1 << 20) + 1)
    memory.pipe("/in/large.png", web.files["/in/large.png"])
    for url in (web.url("in/large.png"), "memory://in/large.png"):
        with pytest.raises(MediaError, match="a picture of 1 MB at most"):
            look_at(Remote(url), "a picture")
        with pytest.raises(MediaError, match="a picture of 1 MB at most"):
            bring(Remote(url), "a picture", tmp_path)
    web.files["/in/empty.png"] = b""
    with pytest.raises(MediaError, match="got an empty file"):
        look_at(Remote(web.url("in/empty.png")), "a picture")


@pytest.mark.parametrize(
    ("column", "given", "text"),
    [
        ("image", "s4://bucket/ann.png?key=s3cr3t", "s4://bucket/ann.png?… cannot be opened here (Protocol not known"),
        ("image", "memory://in/gone.png", "Expected a picture at memory://in/gone.png, but there is none"),
        ("image", "memory://in", "got a folder"),
        ("image", "zip://a.png::memory://in/a.zip", "One URL is wanted, got a chain of them"),
        ("image", "http://127.0.0.1:9/a.png?key=s3cr3t", "a.png?…, which cannot be reached"),
        ("audio", "file:///gone/hello.wav", "no file is there"),
        ("output", "file:///elsewhere/a.mp4", "goes into the batch's folder"),
        ("output", "memory://", "Expected the URL of a file"),
        ("output", "s4://bucket/a.mp4", "Protocol not known"),
        ("output", "https://me:s3cr3t@host/a.xyz?key=s3cr3t", ".xyz"),
        ("speakers", "x=https://host/a.wav?s3cr3t", "got 'x=https://host/a.wav?…'"),
    ],
)
@pytest.mark.usefixtures("memory")
def test_a_url_that_cannot_be_used_is_a_fault(tmp_path, column, given, text):
    row = {"image": str(PORTRAIT), "audio": str(SPEECH)} | {column: given}
    if column == "speakers":
        del row["audio"]
    (fault,) = rows_of(tmp_path, json.dumps(row), "list.jsonl").faults
    assert fault.column == column
    assert text in fault.text
    assert SECRET not in str(fault)


def test_a_folder_of_pictures_is_not_taken_to_a_url(tmp_path):
    row = {"image": str(PORTRAIT), "audio": str(SPEECH), "output": "https://host/frames", "format": "png16"}
    (fault,) = rows_of(tmp_path, json.dumps(row), "list.jsonl").faults
    assert (fault.column, "is a folder of files" in fault.text) == ("output", True)


@pytest.mark.parametrize("way", ["a.mp4", "../../../../a.mp4", "x/../a.mp4?x=s3cr3t"])
def test_what_is_taken_away_is_kept_within_the_folder(tmp_path, way):
    row = {"image": str(PORTRAIT), "audio": str(SPEECH), "output": f"https://me:pw@host:80/{way}"}
    (one,) = rows_of(tmp_path, json.dumps(row), "list.jsonl").rows
    assert one.output == tmp_path.resolve() / "out/uploads/https/host_80/a.mp4"


def test_a_file_url_is_a_file(tmp_path):
    row = {"image": PORTRAIT.as_uri(), "speakers": [f"0={SPEECH.as_uri()}@0.5"]}
    (one,) = rows_of(tmp_path, json.dumps(row), "list.jsonl").rows
    assert (one.image, one.speakers) == (PORTRAIT, ((0, SPEECH, 0.5),))


def test_journal_and_videos_are_kept_on_this_machine(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["batch", "list.csv", "--output", "s3://bucket/videos"]) == 2
    assert "--output is a folder of this machine" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_fsspec_is_asked_for_where_it_is_not_installed(monkeypatch):
    monkeypatch.setattr(remote, "PACKAGE", "no_such_package")
    with pytest.raises(SettingsError, match=r"s3://bucket/a\.png wants no_such_package, which is not installed here"):
        look_at(Remote("s3://bucket/a.png"), "a picture")


def test_a_list_may_be_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed (pip install pyarrow: 170 MB)")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "id": ["a", "b", None], "image": [str(PORTRAIT), str(PORTRAIT), "gone.png"], "audio": [str(SPEECH)] * 3,
        "seed": [7.0, None, 1.0], "paste_back": [True, None, False], "face": [[1.0, 2.0, 30.0, 40.0], None, None],
    }  # fmt: skip
    parquet.write_table(arrow.table(columns), tmp_path / "list.parquet")
    read = read_manifest(tmp_path / "list.parquet", tmp_path)
    first, second = (row.settings for row in read.rows)
    assert (first.seed, first.paste_back, first.face) == (7, True, (1, 2, 30, 40))
    assert [row.line for row in read.rows] == [1, 2] and second.face is None
    assert [(fault.line, fault.column) for fault in read.faults] == [(3, "image")]
    parquet.write_table(arrow.table(columns | {"seed": [1.5] * 3}), tmp_path / "list.parquet")
    faults = read_manifest(tmp_path / "list.parquet", tmp_path).faults
    assert faults[0].text == "expected a whole number; got 1.5"
    (tmp_path / "list.parquet").write_bytes(b"PAR1 and then something else")
    with pytest.raises(InputError, match=r"list\.parquet is no Parquet that can be read"):
        read_manifest(tmp_path / "list.parquet", tmp_path)


def test_pyarrow_is_asked_for_where_it_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr("sonic_core.batch.tables.PACKAGE", "no_such_package")
    (tmp_path / "list.parquet").write_bytes(b"PAR1")
    with pytest.raises(SettingsError, match="which wants no_such_package, and that is not installed here"):
        read_manifest(tmp_path / "list.parquet", tmp_path)
