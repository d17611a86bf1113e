"""Sounds are moved in step with the mouth, and left alone where that is not sure."""

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core.clip import Clip, open_clip
from sonic_core.errors import FaceNotFoundError, InputError, SettingsError
from sonic_core.faces.embedded import EmbeddedFinder
from sonic_core.faces.finder import RememberingFinder
from sonic_core.media.mixing import shift
from sonic_core.post.align import compare, decide, measure_sync, refined
from sonic_core.post.keep import kept
from sonic_core.speech.evidence import mouth_evidence
from sonic_core.sync.mouth import MouthMeter, mouth_motion
from sonic_core.sync.offset import SyncMeasurement
from sonic_core.types import Audio

VIDEOS = Path(__file__).resolve().parents[4] / "shared" / "media" / "video"


def measurement(offset, verdict="constant", confidence=0.999):
    nothing = np.zeros(3)
    return SyncMeasurement(offset, confidence, verdict, 0.0, nothing, nothing)


@pytest.mark.parametrize("late", [-0.2, -0.12, -0.04, 0.0, 0.0125, 0.06, 0.2])
def test_on_our_own_clips_the_truth_is_measured(talking, talking_mouth, late):
    found = compare(talking_mouth, shift(talking.audio, late))
    assert found.confident
    assert found.offset == pytest.approx(late, abs=0.01)


def test_wrong_sounds_are_not_trusted(talking, talking_mouth):
    backwards = Audio(talking.audio.samples.flip(1), talking.audio.rate)
    generator = torch.Generator().manual_seed(0)
    noises = [Audio(0.1 * torch.randn(1, 8 * 16000, generator=generator), 16000) for _ in range(3)]
    silence = Audio(torch.zeros(1, 8 * 16000), 16000)
    assert not any(compare(talking_mouth, sound).confident for sound in (backwards, *noises, silence))


def test_refining_moves_the_sound_by_whole_samples_and_no_frame(talking):
    late = replace(talking, audio=shift(talking.audio, 0.04))
    clip, done = refined(late, finder=EmbeddedFinder())
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
    clip = kept(talking, see=meter.see)
    assert np.array_equal(meter.motion().signals, mouth_motion(clip, finder).signals)

    def unread():
        raise AssertionError

    made, done = refined(replace(clip, read=unread), motion=meter.motion())
    assert done.measurement.offset == pytest.approx(compare(talking_mouth, talking.audio).offset, abs=0.002)
    assert made.read is unread


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
    clip, done = refined(far, finder=EmbeddedFinder())
    assert clip is far and not done.moved
    told = re.search(r"(\d+) ms late", done.reason)
    assert told and int(told[1]) == pytest.approx(150, abs=12)


def test_bad_input_is_one_sentence(talking):
    with pytest.raises(InputError, match="without"):
        measure_sync(replace(talking, audio=None))
    with pytest.raises(SettingsError, match="max_offset"):
        refined(talking, max_offset=1.0)
    grey = Clip(
        lambda: (torch.full((1, 3, 64, 64), 0.5) for _ in range(100)), Fraction(25), 100, (64, 64), talking.audio
    )
    with pytest.raises(FaceNotFoundError, match="face"):
        measure_sync(grey, EmbeddedFinder())


def test_evidence_of_a_sound_has_no_delay():
    """A burst in the middle of silence is evident around its middle."""
    samples = torch.zeros(1, 4 * 16000)
    samples[:, 30000:34000] = 0.3 * torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    evidence = mouth_evidence(Audio(samples, 16000))
    for row in (1, 3, 4, 5):
        weight = evidence[row] - evidence[row].min()
        assert (weight * np.arange(len(weight))).sum() / weight.sum() == pytest.approx(200, abs=1.5), row


@pytest.mark.media
@pytest.mark.skipif(not VIDEOS.is_dir(), reason=f"no talking videos at {VIDEOS}")
def test_on_a_real_person_shifts_are_measured():
    clip = open_clip(VIDEOS / "LatentSync__demo1_video.mp4")
    other = open_clip(VIDEOS / "WDA_AOC_000.mp4").audio
    mouth = mouth_motion(clip, EmbeddedFinder())
    still = compare(mouth, clip.audio)
    assert still.confident
    assert abs(still.offset) < 0.04
    shifts = np.arange(-200, 201, 20) / 1000
    found = [compare(mouth, shift(clip.audio, by)) for by in shifts]
    assert all(one.confident for one in found)
    errors = np.array([one.offset - still.offset for one in found]) - shifts
    assert np.abs(errors).max() <= 0.02
    assert abs(compare(mouth, shift(shift(clip.audio, 0.2), -found[-1].offset)).offset) <= 0.02
    assert not compare(mouth, other).confident
