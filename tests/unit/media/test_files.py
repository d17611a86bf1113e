"""Where output goes is checked before any work, and nothing half-made stays."""

import pytest

from sonic_core.errors import MediaError
from sonic_core.media.files import check_readable, check_writable, written_beside


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
