"""Frames are made once, and their file goes with the clip."""

import gc
import tempfile
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch

from sonic_core.clip import Clip
from sonic_core.errors import MediaError
from sonic_core.media.video import write_lossless
from sonic_core.post.keep import keep
from sonic_core.sync.mouth import MouthMeter

FRAMES = torch.randint(0, 256, (7, 3, 32, 48), generator=torch.Generator().manual_seed(0)) / 255


class NoFace:
    """A finder that never finds anything."""

    name = "none"

    def find(self, image):
        return []


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
    clip = keep(counted(reads), lambda *report: told.append(report))
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


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (17, 31), (66, 50)])
@pytest.mark.parametrize("codec", ["utvideo", "libx264rgb", "ffv1"])
def test_any_frame_comes_back_bit_for_bit_whichever_codec_is_there(folder, monkeypatch, codec, size):
    missing = ["utvideo", "libx264rgb", "ffv1"]
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - set(missing[: missing.index(codec)]))
    frames = torch.rand(5, 3, *size, generator=torch.Generator().manual_seed(1)) * 1.2 - 0.1
    clip = keep(Clip(lambda: iter(frames.split(2)), Fraction(30000, 1001), 5, size, None))
    [file] = files(folder)
    with av.open(str(file)) as container:
        assert container.streams.video[0].codec_context.name == codec.replace("libx264rgb", "h264")
    assert torch.equal(torch.cat(list(clip.read())), (frames.clamp(0, 1) * 255).round() / 255)


def test_a_kept_clip_takes_no_more_room_than_a_lossless_video(folder, talking):
    clip = keep(talking)
    other = write_lossless(folder / "x.mkv", clip.read(), fps=clip.fps, length=clip.length, size=clip.size, audio=None)
    [own] = [path for path in files(folder) if path != other]
    assert own.stat().st_size < 1.15 * other.stat().st_size


def test_a_cancelled_one_leaves_nothing(folder):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(counted([]), stop)
    gc.collect()
    assert list(folder.iterdir()) == []


def test_frames_are_seen_as_they_pass(folder):
    seen, reads = [], []
    clip = keep(counted(reads), see=lambda frame: seen.append(frame.clone()))
    assert torch.equal(torch.stack(seen), FRAMES) and len(reads) == 1
    assert torch.equal(torch.cat(list(clip.read())), FRAMES)


def test_who_sees_may_fail_and_nothing_is_left(folder):
    def fail(frame):
        raise ArithmeticError

    threads = threading.active_count()
    with pytest.raises(ArithmeticError):
        keep(counted([]), see=fail)
    gc.collect()
    assert list(folder.iterdir()) == [] and threading.active_count() == threads


def test_too_many_frames_are_said_to_be_so_whoever_sees(folder):
    meter = MouthMeter(Fraction(25), 6, NoFace())
    with pytest.raises(MediaError, match="Expected 6 frames"):
        keep(replace(counted([]), length=6), see=meter.see)
