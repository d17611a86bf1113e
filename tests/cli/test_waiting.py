"""How the program's threads wait for each other."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sonic_core.cli.waiting import WAYS

SHOWN = """
import os, sys
import sonic_core.__main__ as program
assert not {"torch", "numpy", "cv2"} & set(sys.modules), "what reads the environment once is there already"
program._run = lambda: print(*(os.environ.get(name) for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"))) or 0
raise SystemExit(program.program())
"""


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "PASSIVE 3000"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE None"),
        ({"GOMP_SPINCOUNT": "7"}, "None 7"),
    ],
)
def test_the_program_waits_without_holding_processors_unless_told_otherwise(given, told):
    environment = {name: value for name, value in os.environ.items() if name not in WAYS}
    asked = [sys.executable, "-c", SHOWN]
    ended = subprocess.run(asked, env=environment | given, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, told), ended.stderr
