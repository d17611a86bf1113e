"""Frames are made once, and their file goes with the clip."""

import gc
import tempfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from sonic_core.clip import Clip
from sonic_core.post.keep import kept

FRAMES = torch.randint(0, 256, (7, 3, 32, 48), generator=torch.Generator().manual_seed(0)) / 255


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def counted(reads):
    def read():
        reads.append(1)
        yield FRAMES[:5]
        yield FRAMES[5:]

    return Clip(read, Fraction(25), 7, (32, 48), None)


def files(folder):
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def test_frames_are_made_once(folder):
    reads, told = [], []
    clip = kept(counted(reads), lambda *report: told.append(report))
    for _ in range(2):
        assert torch.equal(torch.cat(list(clip.read())), FRAMES)
    assert len(reads) == 1
    assert told[-1] == ("frames", 7, 7)
    derived = replace(clip, fps=Fraction(50))
    del clip
    gc.collect()
    assert len(files(folder)) == 1
    assert sum(len(chunk) for chunk in derived.read()) == 7
    del derived
    gc.collect()
    assert list(folder.iterdir()) == []


def test_a_cancelled_one_leaves_nothing(folder):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(counted([]), stop)
    gc.collect()
    assert list(folder.iterdir()) == []
