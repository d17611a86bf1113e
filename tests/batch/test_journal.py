"""What a batch remembers of its rows, whoever ends it and however it was ended."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from sonic_core import MediaError, Settings
from sonic_core.batch.journal import NAME, Journal, JournalEntry, key_of, locked
from sonic_core.batch.manifest import ManifestRow

MADE = JournalEntry("a", "k", "a.mp4", "sonic-preview", 1.5, 2.0, remarks=("dark",))


@pytest.fixture
def row(tmp_path):
    """A row whose files are there."""
    (tmp_path / "p.png").write_bytes(b"picture")
    (tmp_path / "s.wav").write_bytes(b"sound")
    return ManifestRow("a", tmp_path / "p.png", tmp_path / "s.wav", tmp_path / "a.mp4", Settings(), "sonic-preview")


def test_what_was_written_is_read_again(tmp_path):
    with Journal(tmp_path / "new" / "folder") as journal:
        assert journal.entries == {}
        journal.add(MADE)
        journal.add(replace(MADE, key="l", error="no face"))
        assert len(journal.path.read_bytes().splitlines()) == 2, "on the disk at once"
    with Journal(tmp_path / "new" / "folder") as journal:
        again = [replace(entry, remarks=tuple(entry.remarks)) for entry in journal.entries.values()]
        assert again == [MADE, replace(MADE, key="l", error="no face")]


def test_only_a_video_that_was_made_and_is_there_is_done(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"video")
    with Journal(tmp_path) as journal:
        assert journal.done("k") is None
        journal.add(MADE)
        assert journal.done("k") == MADE
        journal.add(replace(MADE, error="failed later"))
        assert journal.done("k") is None, "the last entry counts"
        journal.add(MADE)
        (tmp_path / "a.mp4").unlink()
        assert journal.done("k") is None


def test_one_batch_holds_it_at_a_time(tmp_path):
    with Journal(tmp_path) as journal:
        with pytest.raises(MediaError, match=r"Another batch is at work in .*; wait for it, or choose another folder"):
            Journal(tmp_path).__enter__()
        journal.add(MADE)
    with Journal(tmp_path) as journal, (tmp_path / NAME).open("ab") as other:
        assert not locked(other) and list(journal.entries) == ["k"]
    with (tmp_path / NAME).open("ab") as other:
        assert locked(other)


def test_it_is_written_to_only_while_it_is_held(tmp_path):
    with pytest.raises(RuntimeError, match="while it is held"):
        Journal(tmp_path).add(MADE)


def test_a_line_that_was_cut_off_costs_that_line_alone(tmp_path):
    with Journal(tmp_path) as journal:
        journal.add(MADE)
    whole = (tmp_path / NAME).read_bytes()
    for torn in (b'{"id": "b", "ke', b"[]", b"7", b'{"id": "b"}', b"\xff\xfe", b'{"id": "b", "key": "l", "output"'):
        (tmp_path / NAME).write_bytes(whole + torn)
        with Journal(tmp_path) as journal:
            assert list(journal.entries) == ["k"]
            journal.add(replace(MADE, key="m"))
        with Journal(tmp_path) as journal:
            assert list(journal.entries) == ["k", "m"]
    (tmp_path / NAME).write_bytes(whole)
    with Journal(tmp_path):
        pass
    assert (tmp_path / NAME).read_bytes() == whole, "what ends as it should is left as it is"


def test_what_a_newer_version_says_besides_is_left_out(tmp_path):
    (tmp_path / NAME).write_bytes(b'{"id": "a", "key": "k", "output": "a.mp4", "colour": "blue"}\n')
    with Journal(tmp_path) as journal:
        assert journal.entries["k"] == JournalEntry("a", "k", "a.mp4")


def test_a_key_names_contents_settings_and_place(tmp_path, row):
    key = key_of(row, tmp_path)
    others = [
        key_of(one, tmp_path)
        for one in (
            replace(row, output=tmp_path / "b.mp4"),
            replace(row, settings=Settings(seed=7)),
            replace(row, model="sonic-base"),
            replace(row, crf=30.0),
            replace(row, mark=False),
            replace(row, image=row.audio, audio=row.image),
        )
    ]
    assert len({key, *others}) == 1 + len(others)
    assert key_of(replace(row, id="b", line=9), tmp_path) == key, "what it is called is no matter"
    (tmp_path / "copy.png").write_bytes(b"picture")
    assert key_of(replace(row, image=tmp_path / "copy.png"), tmp_path) == key, "nor where its files lie"
    state = row.image.stat()
    row.image.write_bytes(b"another")
    os.utime(row.image, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert key_of(row, tmp_path) != key


def test_large_files_are_read_to_their_end(tmp_path, row):
    keys = []
    for end in (b"1", b"2"):
        path = tmp_path / f"large{end.decode()}.wav"
        path.write_bytes(bytes(3 << 20) + end)
        keys.append(key_of(replace(row, audio=path), tmp_path))
    assert keys[0] != keys[1]
