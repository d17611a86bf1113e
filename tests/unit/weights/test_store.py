from __future__ import annotations

from pathlib import Path

import pytest

from sonic_core import CheckpointError
from sonic_core.weights import store


@pytest.fixture(autouse=True)
def nothing_added(monkeypatch, tmp_path):
    """A store without the host's folders, in an empty home and working folder."""
    monkeypatch.setattr(store, "_added", [])
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SONIC_HOME", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def laid(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return path


def test_the_order_is_given_then_home_then_the_hosts_then_the_rest(tmp_path, monkeypatch):
    given, home, host = tmp_path / "given", tmp_path / "sonic_home", tmp_path / "host"
    for folder in (given, home, host):
        laid(folder, "a.pt")
    monkeypatch.setenv("SONIC_HOME", str(home))
    store.add_folder(host)
    assert store.folders([given])[:3] == [given, home, host]
    assert store.locate("a.pt", [given]) == given / "a.pt"
    assert store.locate("a.pt") == home / "a.pt"


@pytest.mark.parametrize("nested", ["", "sonic", "Sonic"])
def test_both_published_layouts_are_found(tmp_path, nested):
    path = laid(tmp_path / "models" / nested, "yoloface_v5m.pt")
    assert store.locate("yoloface_v5m.pt", [tmp_path / "models"]) == path


def test_what_is_nowhere_is_none():
    assert store.locate("nothing.pt") is None


def test_a_folder_that_was_asked_for_must_exist(tmp_path):
    with pytest.raises(CheckpointError, match="no_such"):
        store.folders([tmp_path / "no_such"])
