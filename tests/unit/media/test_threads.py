"""OpenCV's threads rest while somebody draws beside others, and are back afterwards."""

from __future__ import annotations

import threading

import cv2
import pytest

from sonic_core.media.threads import single_threaded


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
