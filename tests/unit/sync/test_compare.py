"""How late a clip's sound comes is measured on our own clips and real ones, and wrong sounds are not trusted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core.clip import Clip, open_clip
from sonic_core.errors import FaceNotFoundError, InputError
from sonic_core.faces.embedded import EmbeddedFinder
from sonic_core.media.mixing import shift
from sonic_core.speech import Speech
from sonic_core.sync.compare import compare, measure_sync
from sonic_core.sync.mouth import mouth_motion
from sonic_core.types import Audio

VIDEOS = Path(__file__).resolve().parents[4] / "shared" / "media" / "video"


@pytest.mark.parametrize("late", [-0.2, -0.12, -0.04, 0.0, 0.0125, 0.06, 0.2])
def test_on_our_own_clips_the_truth_is_measured(talking, talking_mouth, late):
    found = compare(talking_mouth, Speech.of(shift(talking.audio, late)))
    assert found.confident
    assert found.offset == pytest.approx(late, abs=0.01)


def test_wrong_sounds_are_not_trusted(talking, talking_mouth):
    backwards = Audio(talking.audio.samples.flip(1), talking.audio.rate)
    generator = torch.Generator().manual_seed(0)
    noises = [Audio(0.1 * torch.randn(1, 8 * 16000, generator=generator), 16000) for _ in range(3)]
    silence = Audio(torch.zeros(1, 8 * 16000), 16000)
    assert not any(compare(talking_mouth, Speech.of(sound)).confident for sound in (backwards, *noises, silence))


@pytest.mark.media
@pytest.mark.skipif(not VIDEOS.is_dir(), reason=f"no talking videos at {VIDEOS}")
def test_on_a_real_person_shifts_are_measured():
    clip = open_clip(VIDEOS / "LatentSync__demo1_video.mp4")
    other = open_clip(VIDEOS / "WDA_AOC_000.mp4").audio
    mouth = mouth_motion(clip, EmbeddedFinder())
    still = compare(mouth, Speech.of(clip.audio))
    assert still.confident
    assert abs(still.offset) < 0.04
    shifts = np.arange(-200, 201, 20) / 1000
    found = [compare(mouth, Speech.of(shift(clip.audio, by))) for by in shifts]
    assert all(one.confident for one in found)
    errors = np.array([one.offset - still.offset for one in found]) - shifts
    assert np.abs(errors).max() <= 0.02
    assert abs(compare(mouth, Speech.of(shift(shift(clip.audio, 0.2), -found[-1].offset))).offset) <= 0.02
    assert not compare(mouth, Speech.of(other)).confident


def test_what_is_known_of_picture_and_sound_is_not_measured_again(talking, talking_mouth):
    def unread():
        raise AssertionError

    speech = Speech.of(talking.audio)
    found = measure_sync(replace(talking, read=unread), motion=talking_mouth, speech=speech)
    assert found.offset == compare(talking_mouth, speech).offset == pytest.approx(0.0, abs=0.01)
    assert not set(vars(speech)) & {"motion", "_said"}


def test_a_clip_without_sound_or_face_is_refused_in_one_sentence(talking):
    with pytest.raises(InputError, match="without"):
        measure_sync(replace(talking, audio=None))
    grey = Clip(
        lambda: (torch.full((1, 3, 64, 64), 0.5) for _ in range(100)), Fraction(25), 100, (64, 64), talking.audio
    )
    with pytest.raises(FaceNotFoundError, match="face"):
        measure_sync(grey, EmbeddedFinder())
