from __future__ import annotations

import threading
import time

import pytest

from sonic_core.media.ahead import read_ahead


def makers():
    return [thread for thread in threading.enumerate() if thread.name == "sonic-read-ahead"]


def test_items_come_in_order_and_all():
    assert list(read_ahead((number for number in range(100)), depth=3)) == list(range(100))
    assert not makers()


def test_what_the_maker_raises_comes_out_in_its_place():
    def failing():
        yield 1
        raise KeyError("second")

    taken = read_ahead(failing())
    assert next(taken) == 1
    with pytest.raises(KeyError, match="second"):
        next(taken)
    assert not makers()


def test_closing_early_stops_the_maker_and_closes_its_source():
    closed = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    taken = read_ahead(endless(), depth=2)
    next(taken)
    taken.close()
    assert closed == [True]
    assert not makers()


def test_it_runs_ahead_but_not_far():
    made = []

    def counting():
        for number in range(50):
            made.append(number)
            yield number

    taken = read_ahead(counting(), depth=3)
    next(taken)
    time.sleep(0.3)
    assert 3 <= len(made) <= 6
    taken.close()
