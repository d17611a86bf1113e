"""A video that is made while somebody speaks ends when it is asked to, though the talker is silent."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RATE = 16000
HEAD = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 2**32 - 1, b"WAVE", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16, b"data",
                   2**32 - 1)  # fmt: skip
COMMAND = [sys.executable, "-m", "sonic_core", "generate", "--model", "sonic-preview", "--min-resolution", "128",
           "--image", str(ROOT / "assets" / "portrait.png"), "--audio", "-", "--output", "-"]  # fmt: skip


@contextmanager
def speaking():
    """A program that has made its first frames, of a talker who has stopped but not gone."""
    with subprocess.Popen(
        COMMAND, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            process.stdin.write(HEAD + bytes(2 * 3 * RATE))
            process.stdin.flush()
            assert b"ftyp" in process.stdout.read(4000)
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(os.name != "posix", reason="signals are a POSIX matter")
@pytest.mark.parametrize(("asked", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_when_it_is_asked_to(asked, status):
    with speaking() as process:
        process.send_signal(asked)
        assert process.wait(20) == status
        assert b"Traceback" not in process.stderr.read()


def test_it_ends_when_nobody_watches_any_more():
    with speaking() as process:
        process.stdout.close()
        process.stdin.write(bytes(2 * 3 * RATE))  # the next fragment finds nobody
        process.stdin.flush()
        assert process.wait(20) in {2, 141}
        said = process.stderr.read()
        assert b"Traceback" not in said
        assert b"Fatal" not in said
