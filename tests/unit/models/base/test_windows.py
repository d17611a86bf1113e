"""Windows on a ring and on a line, and the order in which they may be computed."""

from __future__ import annotations

import itertools

import pytest
import torch

from sonic_core.models.base.denoise import Course, PassingFrames, Predicted, WholeClip, frame_noise, walk
from sonic_core.models.base.schedules import karras_sigmas
from sonic_core.models.base.windows import LEAST_WINDOW, Line, Ring, Schedule

STEPS = 9
LINES = [
    (40, Schedule(8, 0, 3)), (41, Schedule(8, 3, 3)), (23, Schedule(8, 5, 1)), (60, Schedule(10, 0, 7)),
    (33, Schedule(8, 0, 0)), (33, Schedule(8, 2, 0)), (12, Schedule(8, 0, 20)), (9, Schedule(8, 7, 4)),
    (8, Schedule(8, 0, 3)), (5, Schedule(8, 2, 3)), (1, Schedule(8, 0, 3)), (20, Schedule(25, 0, 7)),
]  # fmt: skip


def shown(line, step):
    return [line.window(step, number) for number in line.numbers(step)]


def test_lines_worked_out_by_hand():
    line = Line(12, Schedule(5, 0, 2))
    assert [list(window.frames) for window in shown(line, 0)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [7, 8, 9, 10, 11]]
    assert [list(window.written) for window in shown(line, 0)] == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4], [3, 4]]
    assert [list(window.frames) for window in shown(line, 1)] == [[0, 1, 2, 3, 4], [3, 4, 5, 6, 7], [7, 8, 9, 10, 11]]
    assert [list(window.written) for window in shown(line, 1)] == [[0, 1, 2], [0, 1, 2, 3, 4], [1, 2, 3, 4]]
    assert list(Line(3, Schedule(25, 0, 7)).window(4, 0).frames) == [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1]


@pytest.mark.parametrize(("frames", "schedule"), LINES)
def test_on_a_line_every_frame_is_written_and_every_window_is_whole(frames, schedule):
    line = Line(frames, schedule)
    for step in range(STEPS):
        windows = shown(line, step)
        written = [window.frames[place] for window in windows for place in window.written]
        assert set(written) == set(range(frames))
        if not schedule.overlap:
            assert len(written) == frames, "without an overlap nothing is made twice"
        for window in windows:
            assert len(window.frames) == min(schedule.window, max(frames, LEAST_WINDOW))
            assert set(window.frames) <= set(range(frames))
        if frames > schedule.window:
            assert len(windows) <= -(-frames // schedule.stride) + 1


@pytest.mark.parametrize("kind", [Line, Ring])
@pytest.mark.parametrize(("frames", "schedule"), LINES)
def test_windows_that_look_at_a_frame_are_counted(kind, frames, schedule):
    windows = kind(frames, schedule)
    for step in range(STEPS):
        looked = [set(window.frames) for window in shown(windows, step)]
        counted = [windows.readers(step, frame) for frame in range(frames)]
        assert counted == [sum(frame in one for one in looked) for frame in range(frames)]


def neighbourly(tasks):
    """Predict so that each place in a window counts, and so does every neighbour; and keep something."""
    made = []
    for task in tasks:
        frames = torch.tensor(list(task.window.frames))[:, None, None, None]
        places = torch.arange(len(frames))[:, None, None, None]
        velocity = task.samples.roll(1, 0) / (1 + task.sigma) + torch.sin(places + frames * 0.7)
        if task.kept:
            velocity = velocity + 0.1 * task.kept[0]
        made.append(Predicted(velocity, (velocity / 3,) if task.window.step % 2 == 0 else ()))
    return made


def latents(seed, frames):
    return torch.stack(list(itertools.islice(frame_noise(seed, (4, 3, 2)), frames))) * 700


def begun(windows, *, wavefront, passing):
    noise = latents(3, windows.frames)
    store = PassingFrames(iter(noise)) if passing else WholeClip(noise)
    return Course(store, windows, karras_sigmas(STEPS), wavefront=wavefront)


@pytest.mark.parametrize(("frames", "schedule"), LINES)
def test_a_wavefront_gives_the_numbers_of_step_by_step(frames, schedule):
    line = Line(frames, schedule)
    plain = begun(line, wavefront=False, passing=False)
    expected = torch.stack(list(walk(plain, neighbourly, lambda *_: None)))
    front = begun(line, wavefront=True, passing=True)
    got = torch.stack(list(walk(front, neighbourly, lambda *_: None)))
    assert torch.equal(got, expected)
    assert plain.done == front.done == front.total


@pytest.mark.parametrize("at_once", [2, 5])
def test_windows_of_several_steps_can_pass_together(at_once):
    line, sizes = Line(60, Schedule(10, 0, 7)), []

    def predict(tasks):
        sizes.append(len({task.sigma for task in tasks}))
        return neighbourly(tasks)

    expected = torch.stack(list(walk(begun(line, wavefront=False, passing=False), neighbourly, lambda *_: None)))
    got = torch.stack(list(walk(begun(line, wavefront=True, passing=True), predict, lambda *_: None, at_once=at_once)))
    assert torch.equal(got, expected)
    assert max(sizes) > 1


@pytest.mark.parametrize("frames", [400, 2000])
@pytest.mark.parametrize(("steps", "shift", "first", "ahead"), [(25, 7, 127, 200), (10, 7, 31, 100), (4, 3, 7, 50)])
def test_few_frames_are_under_way_however_long_the_clip_is(frames, steps, shift, first, ahead):
    """The first frame comes after as many windows, and no more frames are held, in a longer clip."""
    line = Line(frames, Schedule(25, 0, shift))
    course = Course(PassingFrames(frame_noise(1, (4, 1, 1))), line, karras_sigmas(steps), wavefront=True)
    done, held, drawn = [], 0, 0
    for number, _ in enumerate(walk(course, lambda tasks: [Predicted(one.samples) for one in tasks], lambda *_: None)):
        done.append(course.done)
        held = max(held, len(course.store.held), len(course._frames))
        drawn = max(drawn, course.store.drawn - number)
    assert (done[0], len(done)) == (first, frames)
    assert max(held, drawn) <= ahead
    assert line.look_ahead(steps) <= ahead
