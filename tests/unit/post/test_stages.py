"""Every stage has one shape: it takes a clip, gives another, and says what it did in a sentence."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass
from fractions import Fraction

import pytest
import torch

import sonic_core as sonic
from sonic_core.clip import Clip, Source
from sonic_core.errors import InputError, SettingsError
from sonic_core.post.align import Align
from sonic_core.post.compose import Compose
from sonic_core.post.finish import Finish
from sonic_core.post.retime import Retime
from sonic_core.post.smooth import Smooth
from sonic_core.post.stage import Told, apply_stages


class NoFace:
    """A finder that never finds anything."""

    name = "none"

    def find(self, image):
        return []


def grey(length=6, size=(32, 40)):
    return Clip(lambda: iter(torch.full((length, 3, *size), 0.5).split(2)), Fraction(25), length, size, None)


STAGES = [
    Smooth(finder=NoFace()),
    Smooth(0),
    Retime(50),
    Retime(Fraction(25)),
    Compose(Source(torch.zeros(3, 64, 64)), ((8, 8, 48, 40),)),
    Finish(finder=NoFace()),
    Finish(align=False, smooth=False),
    Finish(streamed=True, finder=NoFace()),
]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: type(stage).__name__)
def test_a_stage_gives_a_clip_and_a_sentence(stage):
    staged = stage.apply(grey(), lambda *_: None)
    frames = torch.cat(list(staged.clip.read()))
    assert frames.shape == (staged.clip.length, 3, *staged.clip.size)
    assert staged.report.reason.endswith(".") or not (stage.align or stage.smooth)
    assert is_dataclass(stage) and type(stage).__dataclass_params__.frozen


def test_stages_follow_each_other_and_all_are_heard():
    staged = apply_stages([Retime(50), Compose(Source(torch.zeros(3, 64, 64)), ((8, 8, 48, 40),))], grey())
    assert (staged.clip.fps, staged.clip.length, staged.clip.size) == (50, 12, (64, 64))
    assert "25 → 50" in staged.report.reason and "1 face laid" in staged.report.reason
    assert len(staged.report.parts) == 2
    clip = grey()
    assert apply_stages([], clip).clip is clip


def test_cancelling_is_heard_by_what_is_done_at_once():
    class EnoughError(Exception):
        pass

    def stop(*_):
        raise EnoughError

    with pytest.raises(EnoughError):
        apply_stages([Finish(finder=NoFace())], grey(), stop)


def test_impossible_settings_are_refused_before_there_is_a_clip():
    for wrong in (
        lambda: Align(max_offset=1.0),
        lambda: Smooth(3.0),
        lambda: Smooth(method="median"),
        lambda: Retime(0.0),
    ):
        with pytest.raises(SettingsError):
            wrong()
    with pytest.raises(InputError):
        Retime(Fraction(0))


def test_a_rate_may_be_a_plain_number():
    assert Retime(29.97).fps == Fraction(30000, 1001)
    assert Retime(Fraction(14999, 500)).fps == Fraction(14999, 500)


@pytest.mark.parametrize(("verb", "stage"), [(sonic.refine, Align), (sonic.smooth, Smooth), (sonic.retime, Retime)])
def test_a_function_takes_what_its_stage_has(verb, stage):
    taken = {
        name: one.default
        for name, one in inspect.signature(verb).parameters.items()
        if name not in {"clip", "progress"}
    }
    has = {field.name: field.default for field in fields(stage)}
    assert list(taken) == list(has)
    assert all(taken[name] == default for name, default in has.items() if name != "fps")


def test_finishing_tells_what_could_not_be_measured():
    assert (
        Finish(smooth=False, finder=NoFace())
        .apply(grey())
        .report.reason.startswith("nothing was changed: Expected a face")
    )
    said = Finish(streamed=True, smooth=False, finder=NoFace()).apply(grey()).report
    assert said.reason == "nothing was changed: a stream is shown before its whole could be measured."


def test_the_participles_still_work_and_say_what_to_write():
    clip = grey()
    reports = []
    with pytest.warns(DeprecationWarning, match=r"write smooth\(clip\).clip"):
        made = sonic.smoothed(clip, finder=NoFace(), report=reports.append)
    assert sum(map(len, made.read())) == 6 and reports[0].frames == 6
    with pytest.warns(DeprecationWarning, match="smooth"):
        assert sonic.smoothed(clip, strength=0, report=reports.append) is clip
    with pytest.warns(DeprecationWarning, match=r"write retime\(clip, fps\).clip"):
        assert sonic.at_rate(clip, Fraction(50)).length == 12
    with pytest.warns(DeprecationWarning, match="refine"), pytest.raises(InputError, match="without"):
        sonic.refined(clip)


def test_refined_gives_a_pair(talking, talking_mouth):
    with pytest.warns(DeprecationWarning, match="refine"):
        clip, done = sonic.refined(talking, motion=talking_mouth)
    assert clip is talking and done.reason == sonic.refine(talking, motion=talking_mouth).report.reason


def test_a_stage_of_one_s_own_needs_nothing_but_its_shape():
    class Mirror:
        def apply(self, clip, progress=None):
            mirrored = Clip(lambda: (c.flip(-1) for c in clip.read()), clip.fps, clip.length, clip.size, clip.audio)
            return sonic.Staged(mirrored, Told("mirrored."))

    staged = apply_stages([Mirror(), Retime(50)], grey())
    assert staged.report.reason.startswith("mirrored. frame rate")
