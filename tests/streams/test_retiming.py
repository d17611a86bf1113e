"""A retimed clip is a stream: chunks do not matter, it can be read again or left early, and it stays small."""

import itertools
import threading
import weakref
from fractions import Fraction

import pytest
import torch

from sonic_core.clip import Clip, frame_count
from sonic_core.post.retime import interpolate

LENGTH = 26
SIZE = (24, 32)
RATES = [24, 25, Fraction(30000, 1001), 30, 50, 60]


class Blend:
    """Draws the mixture of two frames."""

    def between(self, first, second, moment):
        return torch.lerp(first, second, moment)


def disc(number):
    """A disc that moves to the right by a pixel a frame."""
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in SIZE), indexing="ij")
    away = ((rows - 12) ** 2 + (columns - 3 - number) ** 2).sqrt()
    return (6 - away).clamp(0, 1).expand(3, *SIZE)


def moving(chunk, log=None, length=LENGTH, memories=None):
    """A clip of the disc that logs when its readers begin and end, and refers weakly to its chunks' memory."""
    log = [] if log is None else log

    def read():
        log.append("begin")
        try:
            for first in range(0, length, chunk):
                made = torch.stack([disc(number) for number in range(first, min(first + chunk, length))]).numpy()
                if memories is not None:
                    memories.append(weakref.ref(made))
                log.append("chunk")
                yield torch.from_numpy(made)
        finally:
            log.append("end")

    return Clip(read, Fraction(25, 2), length, SIZE, None)


@pytest.mark.parametrize("fps", RATES)
def test_chunks_change_nothing_and_neither_does_reading_again(fps):
    length = frame_count(LENGTH / 12.5, Fraction(fps))
    clips = [interpolate(moving(chunk), Fraction(fps), length, Blend()) for chunk in (1, 3, 8, 40)]
    reads = [torch.cat(list(clip.read())) for clip in (*clips, clips[0])]
    assert all(len(frames) == length for frames in reads)
    assert all(torch.equal(frames, reads[0]) for frames in reads)
    assert all(len(chunk) <= 8 for chunk in clips[0].read())


def test_the_disc_keeps_its_pace():
    clip = interpolate(moving(8), Fraction(60), 120, Blend())
    columns = torch.arange(SIZE[1], dtype=torch.float32)
    places = [float((frame[0].sum(0) * columns).sum() / frame[0].sum()) for frame in clip.frames()]
    for number in range(36, 90):  # where the whole disc is in the picture
        assert places[number] == pytest.approx(3 + number / 60 * 12.5, abs=0.05)


def test_the_next_frames_are_drawn_while_somebody_looks_at_the_last():
    drawn, counts = threading.Event(), itertools.count(1)

    class Telling(Blend):
        def between(self, first, second, moment):
            if next(counts) == 4:  # of every four frames two are drawn
                drawn.set()
            return super().between(first, second, moment)

    threads = threading.active_count()
    reader = interpolate(moving(4), Fraction(25), 51, Telling()).read()
    next(reader)
    assert drawn.wait(10)
    reader.close()
    assert threading.active_count() == threads


@pytest.mark.parametrize("chunk", [1, 8])
def test_leaving_early_ends_the_source(chunk):
    log = []
    reader = interpolate(moving(chunk, log), Fraction(25), 51, Blend()).read()
    next(reader)
    assert log[-1] != "end"
    reader.close()
    assert log[-1] == "end"


def test_a_failure_ends_the_source_at_once():
    class Failing:
        def between(self, first, second, moment):
            raise ArithmeticError

    log = []
    with pytest.raises(ArithmeticError) as failure:
        list(interpolate(moving(4, log), Fraction(25), 51, Failing()).read())
    assert failure.value.__traceback__ is not None and log[-1] == "end"


def test_only_what_is_needed_is_read():
    log = []
    assert sum(map(len, interpolate(moving(4, log), Fraction(25), 15, Blend()).read())) == 15
    assert log == ["begin", "chunk", "chunk", "end"]  # places 0 … 7 are in two chunks of four


@pytest.mark.parametrize("chunk", [1, 4])
def test_one_chunk_of_the_source_is_in_memory_while_a_frame_is_drawn(chunk):
    class Watching(Blend):
        alive = 0

        def between(self, first, second, moment):
            self.alive = max(self.alive, sum(memory() is not None for memory in memories))
            return super().between(first, second, moment)

    memories, watching = [], Watching()
    assert sum(map(len, interpolate(moving(chunk, memories=memories), Fraction(60), 125, watching).read())) == 125
    assert len(memories) == -(-LENGTH // chunk) and watching.alive == 1
