"""What threads leave in their heaps goes back to the system once a video is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sonic_core import memory

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import threading
from fractions import Fraction
import psutil, torch
import sonic_core as sonic

torch.set_num_threads(1)
kept, together = [], threading.Barrier(6)

def work():
    blocks = [bytearray(60_000) for _ in range(800)]
    together.wait()
    kept.append(blocks[-1])  # what is freed is not at the end of its heap

def held():
    return psutil.Process().memory_info().rss >> 20

frames = torch.rand(2, 3, 64, 64)
clip = sonic.Clip(lambda: iter([frames]), Fraction(25), 2, (64, 64), None)
clip.export("first.gif")
before = held()
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
left = held()
clip.export("second.gif")
print(left - before, held() - before)
"""


def test_memory_that_threads_freed_is_returned(tmp_path):
    if memory._trimmer() is None:
        pytest.skip("this C library returns memory by itself, or not at all")
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{PROGRAM}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    left, after = map(int, done.stdout.split())
    assert left > 150, "MiB that the threads left"
    assert after < 60, "MiB that are still held"
