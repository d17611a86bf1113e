"""OpenCV's threads rest while somebody draws beside others, and are back afterwards."""

from __future__ import annotations

import threading
from fractions import Fraction

import cv2
import pytest
import torch

from sonic_core.media.threads import single_threaded
from sonic_core.media.video import write_lossless, write_video


def test_one_thread_while_anybody_draws_and_as_before_when_the_last_is_done():
    before = cv2.getNumThreads()
    entered, leave = threading.Event(), threading.Event()

    def draw():
        with single_threaded():
            entered.set()
            leave.wait(10)

    other = threading.Thread(target=draw)
    with single_threaded():
        other.start()
        assert entered.wait(10)
    assert cv2.getNumThreads() == 1
    leave.set()
    other.join()
    assert cv2.getNumThreads() == before


def test_what_is_raised_while_drawing_gives_the_threads_back():
    before = cv2.getNumThreads()
    with pytest.raises(ValueError, match="torn"), single_threaded():
        raise ValueError("torn")
    assert cv2.getNumThreads() == before


@pytest.mark.parametrize("write", [write_video, write_lossless])
def test_whatever_is_made_while_a_video_is_written_is_made_by_one_thread(write, tmp_path):
    before = cv2.getNumThreads()
    seen = []

    def chunks():
        for _ in range(3):
            seen.append(cv2.getNumThreads())
            yield torch.zeros(1, 3, 64, 64)

    suffix = ".mp4" if write is write_video else ".mkv"
    write(tmp_path / f"made{suffix}", chunks(), fps=Fraction(25), length=3, size=(64, 64), audio=None)
    assert seen == [1, 1, 1]
    assert cv2.getNumThreads() == before
