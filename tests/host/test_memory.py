"""Networks on a graphics card that the host pretends to have."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.host.conftest import HOSTS
from tests.host.harness import ROOT, needed_python


@pytest.mark.parametrize("checkout", HOSTS or [None], ids=lambda path: path.name if path else "no host")
def test_networks_are_whole_where_they_run_and_leave_when_others_need_room(checkout: Path, tmp_path: Path) -> None:
    script = ROOT / "tests/host/memory.py"
    done = subprocess.run(
        [needed_python(checkout), str(script), str(checkout), str(ROOT), str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ["well kept"], done.stdout + done.stderr
    assert "emory leak" not in done.stdout + done.stderr
