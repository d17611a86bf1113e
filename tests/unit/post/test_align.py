"""Sounds are moved in step with the mouth, and left alone where that is not sure."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from sonic_core.errors import InputError, SettingsError
from sonic_core.faces.embedded import EmbeddedFinder
from sonic_core.faces.finder import RememberingFinder
from sonic_core.media.mixing import shift
from sonic_core.post.align import decide, refine
from sonic_core.post.keep import keep
from sonic_core.sync.compare import measure_sync
from sonic_core.sync.mouth import MouthMeter, mouth_motion
from sonic_core.sync.offset import SyncMeasurement


def measurement(offset, verdict="constant", confidence=0.999):
    nothing = np.zeros(3)
    return SyncMeasurement(offset, confidence, verdict, 0.0, nothing, nothing)


def test_refining_moves_the_sound_by_whole_samples_and_no_frame(talking):
    late = replace(talking, audio=shift(talking.audio, 0.04))
    staged = refine(late, finder=EmbeddedFinder())
    clip, done = staged.clip, staged.report
    assert done.moved == done.measurement.offset == pytest.approx(0.04, abs=0.01)
    assert "moved" in done.reason and "earlier" in done.reason
    by = round(done.moved * talking.audio.rate)
    assert clip.audio.samples.shape == late.audio.samples.shape
    assert torch.equal(clip.audio.samples[:, :-by], late.audio.samples[:, by:])
    assert not clip.audio.samples[:, -by:].any()
    assert clip.read is late.read and clip.length == late.length


def test_what_was_measured_while_frames_were_kept_needs_no_other_look(talking, talking_mouth):
    finder = RememberingFinder(EmbeddedFinder())
    meter = MouthMeter(talking.fps, talking.length, finder)
    clip = keep(talking, see=meter.see)
    assert np.array_equal(meter.motion().signals, mouth_motion(clip, finder).signals)

    def unread():
        raise AssertionError

    made = refine(replace(clip, read=unread), motion=meter.motion())
    offset = measure_sync(talking, motion=talking_mouth).offset
    assert made.report.measurement.offset == pytest.approx(offset, abs=0.002)
    assert made.clip.read is unread


@pytest.mark.parametrize(
    ("found", "options", "moved", "words"),
    [
        (measurement(0.03), {}, 0.03, "earlier"),
        (measurement(-0.03), {}, -0.03, "later"),
        (measurement(0.002), {}, 0.0, "in step"),
        (measurement(0.12), {}, 0.0, "more than the 50 ms"),
        (measurement(0.12), {"max_offset": 0.15}, 0.12, "earlier"),
        (measurement(0.12), {"force": True}, 0.12, "earlier"),
        (measurement(0.03, "unsure", 0.5), {}, 0.0, "cannot be told"),
        (measurement(0.03, "unsure", 0.5), {"force": True}, 0.03, "forced"),
        (measurement(0.03, "drift"), {"force": True}, 0.0, "frame rate"),
    ],
)
def test_what_is_done_about_it(found, options, moved, words):
    done = decide(found, **options)
    assert done.moved == moved
    assert words in done.reason


def test_what_is_not_changed_is_the_same_object(talking):
    far = replace(talking, audio=shift(talking.audio, 0.15))
    staged = refine(far, finder=EmbeddedFinder())
    clip, done = staged.clip, staged.report
    assert clip is far and not done.moved
    told = re.search(r"(\d+) ms late", done.reason)
    assert told and int(told[1]) == pytest.approx(150, abs=12)


def test_bad_input_is_one_sentence(talking, talking_mouth):
    with pytest.raises(SettingsError, match="max_offset"):
        refine(talking, max_offset=1.0)
    for motion in (None, talking_mouth):
        with pytest.raises(InputError, match="without"):
            refine(replace(talking, audio=None), motion=motion)
