"""A smoothed clip is a stream: chunks do not matter, it can be read again or left early, and it stays small."""

import json
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sonic_core.clip import Clip
from sonic_core.post.retime import retime
from sonic_core.post.smooth import smooth

ROOT = Path(__file__).parents[2]
SIZE = (64, 80)
LENGTH = 30
CUT = 17


class NoFace:
    """A finder that never finds anything."""

    name = "none"

    def find(self, image):
        return []


def shaken(number):
    """A wall that shakes and flickers; another one from the cut on."""
    chance = np.random.default_rng(number)
    noise = np.random.default_rng(1000 + (number >= CUT)).standard_normal((96, 112, 3)).astype(np.float32)
    wall = 0.5 + 0.5 * cv2.GaussianBlur(noise, (0, 0), 2)
    right, down = chance.normal(0, 0.8, 2) - 16
    pixels = cv2.warpAffine(wall, np.float32([[1, 0, right], [0, 1, down]]), SIZE[::-1], flags=cv2.INTER_CUBIC)
    return torch.from_numpy(np.clip(pixels * chance.normal(1, 0.02), 0, 1).astype(np.float32)).permute(2, 0, 1)


FRAMES = torch.stack([shaken(number) for number in range(LENGTH)])


def source(chunk, log=None):
    log = [] if log is None else log

    def read():
        log.append("begin")
        try:
            for part in FRAMES.split(chunk):
                log.append("chunk")
                yield part.clone()
        finally:
            log.append("end")

    return Clip(read, Fraction(25), LENGTH, SIZE, None)


@pytest.mark.parametrize("method", ["flow", "ema"])
def test_chunks_change_nothing_and_neither_does_reading_again(method):
    clips = [smooth(source(chunk), method=method, finder=NoFace()).clip for chunk in (1, 3, 8, 40)]
    reads = [torch.cat(list(clip.read())) for clip in (*clips, clips[0])]
    assert all(len(frames) == LENGTH for frames in reads) and not torch.equal(reads[0], FRAMES)
    assert all(torch.equal(frames, reads[0]) for frames in reads)


def test_two_readers_do_not_disturb_each_other():
    clip = smooth(source(4), finder=NoFace()).clip
    alone = torch.cat(list(clip.read()))
    pairs = list(zip(clip.read(), clip.read(), strict=True))
    assert torch.equal(torch.cat([one for one, _ in pairs]), alone)
    assert torch.equal(torch.cat([other for _, other in pairs]), alone)


@pytest.mark.parametrize("taken", [0, 1, 12])
def test_leaving_early_ends_the_source_and_its_thread(taken):
    log, threads = [], threading.active_count()
    reader = smooth(source(2, log), finder=NoFace()).clip.read()
    for _ in range(taken):
        next(reader)
    reader.close()
    assert log[-1:] == (["end"] if taken else []) and threading.active_count() == threads


def test_a_failure_of_the_source_comes_through():
    def read():
        yield FRAMES[:9]
        raise ArithmeticError

    reader = smooth(Clip(read, Fraction(25), LENGTH, SIZE, None), finder=NoFace()).clip.read()
    with pytest.raises(ArithmeticError):
        list(reader)


def test_the_first_frame_needs_a_window_and_no_more():
    log = []
    reader = smooth(source(1, log), finder=NoFace()).clip.read()
    next(reader)
    assert log.count("chunk") <= 8 + 4
    reader.close()


def test_changing_what_is_given_changes_nothing_later():
    clip = smooth(source(4), finder=NoFace()).clip
    wanted, given = torch.cat(list(clip.read())), []
    for chunk in clip.read():
        given.append(chunk.clone())
        chunk.zero_()
    assert torch.equal(torch.cat(given), wanted)


def test_smoothed_and_retimed_is_one_stream_too():
    reads = [
        torch.cat(list(retime(smooth(source(chunk), finder=NoFace()).clip, Fraction(30)).clip.read()))
        for chunk in (1, 7)
    ]
    assert len(reads[0]) == 36 and torch.equal(*reads)


def test_memory_does_not_grow_with_length():
    pytest.importorskip("resource")  # not on Windows
    script = """
import json, resource, sys
from fractions import Fraction
import torch
from sonic_core.clip import Clip
from sonic_core.post.retime import retime
from sonic_core.post.smooth import smooth
torch.set_num_threads(1)
size = (128, 160)
picture = torch.rand(3, 16, 20, generator=torch.Generator().manual_seed(1))
picture = torch.nn.functional.interpolate(picture[None], size, mode="bicubic").clamp(0, 1)[0]

class NoFace:
    name = "none"
    def find(self, image):
        return []

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)

def work(length):
    def read():
        for number in range(0, length, 4):
            yield torch.stack([picture.roll(one % 3, -1) for one in range(number, number + 4)])
    clip = smooth(Clip(read, Fraction(25), length, size, None), finder=NoFace()).clip
    assert sum(map(len, retime(clip, Fraction(30)).clip.read())) == length * 30 // 25

work(60)
begin = peak()
work(600)
print(json.dumps([begin, peak()]))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    begin, end = json.loads(done.stdout)
    assert end - begin < 16  # 600 frames are 147 MB
