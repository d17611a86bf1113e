from __future__ import annotations

import contextvars
import itertools
import os
import subprocess
import sys
import threading
import time

import pytest
import torch

from sonic_core.media import ahead
from sonic_core.media.ahead import MOST_IDLE, attended, read_ahead, threads_at_work


def test_items_come_in_order_and_all():
    assert list(read_ahead((number for number in range(100)), depth=3)) == list(range(100))
    assert not threads_at_work()


def test_a_thread_that_is_done_makes_the_next_items_too():
    """A graphics card's libraries begin anew in every new thread."""

    def named():
        yield threading.get_ident()

    seen = [list(read_ahead(named())) for _ in range(5)]
    assert seen == [seen[0]] * 5


def test_few_threads_wait_for_more():
    readers = [read_ahead(iter_of(itertools.count())) for _ in range(6)]
    assert [next(reader) for reader in readers] == [0] * 6
    assert len(threads_at_work()) == 6
    for reader in readers:
        reader.close()
    assert len(ahead._IDLE) <= MOST_IDLE
    deadline = time.monotonic() + 10
    while threads_at_work() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not threads_at_work()


def iter_of(numbers):
    yield from numbers


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_begins_anew():
    assert list(read_ahead(iter_of(range(3)))) == [0, 1, 2]
    code = (
        "import os, sys\nfrom sonic_core.media.ahead import read_ahead\n"
        "list(read_ahead(n for n in range(3)))\nchild = os.fork()\n"
        "if not child:\n    os._exit(0 if list(read_ahead(n for n in range(3))) == [0, 1, 2] else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False, timeout=120).returncode == 0


def test_an_interruption_at_any_moment_leaves_nobody_waiting():
    """As a signal's handler does, it raises between two instructions: after each call of C's that there is, in turn."""
    code = """
import itertools, sys, threading, time
from sonic_core.media.ahead import read_ahead, threads_at_work
class Interrupted(KeyboardInterrupt):
    pass
def numbers():
    for number in itertools.count():
        time.sleep(0.001)
        yield number
def interrupted_after(calls):
    left = itertools.count(calls, -1)
    def look(frame, event, what):
        if event == "c_return" and next(left) == 0:
            raise Interrupted
    reader = read_ahead(numbers(), depth=2)
    next(reader)
    sys.setprofile(look)
    try:
        for number in reader:
            if number == 6:
                return False
    except Interrupted:
        return True
    finally:
        sys.setprofile(None)
        reader.close()
count = next(calls for calls in itertools.count() if not interrupted_after(calls))
print(count, flush=True)
deadline = time.monotonic() + 20
while threads_at_work() and time.monotonic() < deadline:
    time.sleep(0.01)
sys.exit(bool(threads_at_work()))
"""
    made = subprocess.run([sys.executable, "-c", code], check=False, timeout=120, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert int(made.stdout) >= 6


def test_what_the_maker_raises_comes_out_in_its_place():
    def failing():
        yield 1
        raise KeyError("second")

    taken = read_ahead(failing())
    assert next(taken) == 1
    with pytest.raises(KeyError, match="second"):
        next(taken)
    assert not threads_at_work()


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
    assert not threads_at_work()


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


def test_somebody_listens_while_others_work():
    heard, may_end = [], threading.Event()

    def report():
        heard.append(1)
        if len(heard) == 3:
            may_end.set()

    assert attended(lambda: may_end.wait(10), report, every=0.01)
    assert len(heard) >= 3


def test_what_the_work_raises_is_raised():
    with pytest.raises(KeyError, match="lost"):
        attended(lambda: {}["lost"], lambda: None)


def test_whoever_stops_listening_waits_no_longer():
    def stop():
        raise InterruptedError

    may_end, ended = threading.Event(), threading.Event()

    def work():
        may_end.wait(10)
        ended.set()

    with pytest.raises(InterruptedError):
        attended(work, stop, every=0.01)
    assert not ended.is_set()
    may_end.set()
    assert ended.wait(10), "the work ends alone"


def test_the_work_knows_whom_it_works_for():
    whom = contextvars.ContextVar("whom")
    whom.set("me")
    assert attended(whom.get, lambda: None) == "me"


@pytest.mark.parametrize("inferring", [True, False])
def test_the_work_has_gradients_where_the_caller_has(inferring):
    with torch.inference_mode(inferring):
        assert attended(torch.is_inference_mode_enabled, lambda: None) == inferring


@pytest.mark.parametrize("inferring", [True, False])
def test_items_are_made_inferring_where_they_are_taken_so(inferring):
    def modes():
        yield torch.is_inference_mode_enabled()

    with torch.inference_mode(inferring):
        assert list(read_ahead(modes())) == [inferring]
