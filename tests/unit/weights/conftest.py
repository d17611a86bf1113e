from __future__ import annotations

import pytest

from sonic_core.weights import store


@pytest.fixture(autouse=True)
def nothing_added(monkeypatch, tmp_path):
    """A store without the host's folders, in an empty home and working folder."""
    monkeypatch.setattr(store, "_added", [])
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SONIC_HOME", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
