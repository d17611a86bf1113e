"""Where output goes is checked before any work, and nothing half-made stays."""

import os
import stat
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from av.error import ExternalError
from av.error import MemoryError as AVMemoryError

from sonic_core.errors import MediaError, OutOfMemoryError, SonicError
from sonic_core.media.files import (
    check_new_folder,
    check_readable,
    check_writable,
    file_errors,
    folder_beside,
    written_beside,
)


def test_a_good_target(tmp_path):
    assert check_writable(tmp_path / "x.MP4") == tmp_path / "x.MP4"
    assert check_writable(str(tmp_path / "x.png"), ".png") == tmp_path / "x.png"
    assert not list(tmp_path.iterdir())


def test_bad_targets(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").write_text("x")
    for target, words in [
        ("x.avi", "ends in .mp4"),
        ("x", "ends in .mp4"),
        ("none/x.mp4", "existing folder"),
        ("file/x.mp4", "existing folder"),
        ("folder.mp4", "got the folder"),
        ("a" * 300 + "/x.mp4", "folder"),
    ]:
        with pytest.raises(MediaError, match=words) as caught:
            check_writable(tmp_path / target)
        assert "\n" not in str(caught.value)
    with pytest.raises(MediaError):
        check_writable("/proc/x.mp4")
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_read_is_told_for_what_it_is(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    for name, words in [
        ("empty", "in .*empty, got an empty file"),
        ("", "got the folder"),
        ("pipe", "got a pipe or a device"),
        ("none", "no file is there"),
        ("empty/x", "no file is there"),
        ("a" * 300, "cannot be opened"),
    ]:
        with pytest.raises(MediaError, match=f"Expected a picture.*{words}"):
            check_readable(tmp_path / name, "a picture")


def test_written_beside(tmp_path):
    target = tmp_path / "x.mp4"
    target.write_text("old")
    for error in (KeyboardInterrupt, RuntimeError):
        with pytest.raises(error), written_beside(target) as part:
            part.write_text("half")
            raise error
        assert target.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    with written_beside(target) as part:
        part.write_text("new")
    assert target.read_text() == "new" and len(list(tmp_path.iterdir())) == 1


def test_check_readable(tmp_path):
    with pytest.raises(MediaError, match="a sound"):
        check_readable(tmp_path / ("y" * 400), "a sound")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path, suffix):
    (tmp_path / "far").mkdir()
    real, link = tmp_path / "far" / f"real{suffix}", tmp_path / "link.mp4"
    link.symlink_to(real)
    for content in ("first", "second"):  # the first time, it leads nowhere
        assert check_writable(link) == link
        with written_beside(link) as part:
            assert part.parent == real.parent and part.suffix == ".mp4"
            part.write_text(content)
        assert link.is_symlink() and real.read_text() == content and not real.is_symlink()
    real.unlink()
    real.mkdir()
    with pytest.raises(MediaError, match="got the folder"):
        check_writable(link)
    link.unlink()
    link.symlink_to(tmp_path / "no" / "real.mp4")
    with pytest.raises(MediaError, match="existing folder"):
        check_writable(link)
    link.unlink()
    link.symlink_to(link)
    with pytest.raises(MediaError, match="symbolic links"):
        check_writable(link)
    assert len(list(tmp_path.rglob("*"))) == 3


@pytest.mark.skipif(os.name != "posix", reason="devices are a POSIX matter")
def test_pipes_and_devices_are_never_replaced(tmp_path):
    link, pipe = tmp_path / "null.mp4", tmp_path / "pipe.mp4"
    link.symlink_to(os.devnull)
    os.mkfifo(pipe)
    for path in (link, pipe):
        with pytest.raises(MediaError, match="pipe or a device"):
            check_writable(path)
        with pytest.raises(MediaError, match="pipe or a device"):
            check_readable(path, "a picture")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.skipif(os.name != "posix", reason="rights and owners are POSIX matters")
def test_a_file_that_is_replaced_keeps_its_rights_and_its_owner(tmp_path):
    target = tmp_path / "x.mp4"
    target.write_text("old")
    target.chmod(0o640)
    owner = (1234, 4321) if os.getuid() == 0 else (os.getuid(), os.getgid())
    os.chown(target, *owner)
    with written_beside(target) as part:
        part.write_text("new")
    state = target.stat()
    assert target.read_text() == "new"
    assert stat.S_IMODE(state.st_mode) == 0o640 and (state.st_uid, state.st_gid) == owner


@pytest.mark.parametrize("name", ["字" * 80, "🙂" * 60, "a" * 251, "ä" * 125])
def test_any_name_that_the_folder_holds_will_do(tmp_path, name):
    target = tmp_path / f"{name}.mp4"
    assert check_writable(target) == target
    with written_beside(target) as part:
        part.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    folder = check_new_folder(tmp_path / name)
    with folder_beside(folder) as part:
        (part / "00001.png").write_text("new")
    assert (folder / "00001.png").is_file()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("字" * 90 + ".mp4", "longer name than the folder can hold; shorten"),
        ("b/" * 2100 + "x.mp4", "longer name than the folder can hold; shorten"),
        ("x\0.mp4", "null"),
        ("\ud800.mp4", "surrogates not allowed"),
        ("x.mp4/", "got the folder"),
        ("x.mp4/.", "got the folder"),
    ],
)
def test_names_that_cannot_be_are_refused_before_any_work(tmp_path, name, words):
    with pytest.raises(MediaError, match=words):
        check_writable(f"{tmp_path}/{name}")
    with pytest.raises(MediaError) if "got" not in words else nullcontext():
        check_new_folder(f"{tmp_path}/{name}")


def test_what_a_killed_program_left_goes_after_a_day_and_nothing_else(tmp_path):
    kept = [".sonic-01234567.part.mp4", ".mine.part.mp4", "sonic-89abcdef.part.mp4", ".hidden", ".x.part",
            ".Lied.89abcdef.part.mp4", ".film-89abcdef.part"]  # fmt: skip
    gone = [".sonic-89abcdef.part.mp4", ".sonic-89abcdef.part"]
    for name in (*kept, *gone):
        (tmp_path / name).mkdir() if name.endswith("ef.part") else (tmp_path / name).write_text("x")
    (tmp_path / gone[-1] / "00001.png").write_text("x")
    for name in (*kept[1:], *gone):
        os.utime(tmp_path / name, (0, time.time() - 25 * 3600))
    with written_beside(tmp_path / "new.mp4") as part:
        part.write_text("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "new.mp4"])


@pytest.mark.parametrize(("error", "kind"), [(ExternalError, MediaError), (AVMemoryError, OutOfMemoryError)])
def test_every_error_of_ffmpeg_is_a_sentence(tmp_path, error, kind):
    with pytest.raises(kind, match=r"x\.mp4") as caught, file_errors(tmp_path / "x.mp4"):
        raise error(1, "Generic error in an external library")
    assert isinstance(caught.value, SonicError)
