"""Who says what, from when on, and what cannot be."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

import sonic_core as sonic
from sonic_core import Audio, Job, Settings, Speaker, hear_speakers, run
from sonic_core.cast.people import CastReport
from sonic_core.cast.speakers import read_speaker
from tests.unit.cast.conftest import ASSETS

TONE = Audio(torch.sin(torch.arange(16000) * 0.05)[None], 16000)
SETTINGS = Settings(min_resolution=384)


def test_the_longest_decides_and_silence_is_before_and_after_the_others():
    long, short = Audio(torch.ones(2, 44100), 44100), Audio(torch.ones(1, 4000), 16000)
    heard = hear_speakers({3: long, 1: Speaker(short, 0.5)}, SETTINGS)
    assert list(heard) == [1, 3]
    assert heard[3] is long
    assert heard[1].samples.shape == (1, 16000)
    assert heard[1].samples.nonzero()[[0, -1], 1].tolist() == [8000, 11999]


def test_a_late_one_may_be_the_longest():
    heard = hear_speakers({0: TONE, 1: Speaker(TONE, 0.25)}, SETTINGS)
    assert {one.duration for one in heard.values()} == {1.25}
    assert torch.equal(heard[1].samples[:, 4000:], TONE.samples)


def test_a_duration_cuts_all():
    heard = hear_speakers({0: TONE, 1: Speaker(TONE, 0.25)}, replace(SETTINGS, duration=0.4))
    assert [one.samples.shape for one in heard.values()] == [(1, 6400), (1, 6400)]
    assert torch.equal(heard[1].samples[:, 4000:], TONE.samples[:, :2400])


@pytest.mark.parametrize(
    ("speakers", "change", "kind", "words"),
    [
        ({}, {}, sonic.SettingsError, "at least one"),
        ({-1: TONE}, {}, sonic.SettingsError, "number of their face.*got -1"),
        ({"left": TONE}, {}, sonic.SettingsError, "got 'left'"),
        ({True: TONE}, {}, sonic.SettingsError, "got True"),
        ({0: Speaker(TONE, -1)}, {}, sonic.SettingsError, "Face 0 must begin"),
        ({0: Speaker(TONE, math.nan)}, {}, sonic.SettingsError, "got nan"),
        ({0: TONE, 2: Speaker(TONE, 1)}, {"duration": 0.5}, sonic.SettingsError, "Face 2 would begin to speak at 1 s"),
        ({0: TONE}, {"face_index": 1}, sonic.SettingsError, "leave those out"),
        ({0: TONE}, {"face": (1, 2, 30, 40)}, sonic.SettingsError, "leave those out"),
        ({0: TONE}, {"duration": 9.0}, sonic.InputError, "at most the sound's 1.00 s"),
        ({0: "nothing.wav"}, {}, sonic.MediaError, "nothing.wav"),
        ({1: 7}, {}, sonic.InputError, "Face 1: Expected a sound"),
    ],
)
def test_what_cannot_be_said_is_refused_in_one_sentence(speakers, change, kind, words):
    with pytest.raises(kind, match=words) as said:
        hear_speakers(speakers, replace(SETTINGS, **change))
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0=a.wav", (0, Speaker("a.wav"))),
        ("12=a=b.wav@2.5", (12, Speaker("a=b.wav", 2.5))),
        ("1=me@home.wav", (1, Speaker("me@home.wav"))),
        (" 1 = a.wav@0", (1, Speaker("a.wav", 0.0))),
    ],
)
def test_a_speaker_is_written_as_number_sound_and_beginning(text, wanted):
    assert read_speaker(text) == wanted


def test_a_file_that_is_called_so_begins_at_once(tmp_path):
    odd = tmp_path / "a@2"
    odd.touch()
    assert read_speaker(f"0={odd}") == (0, Speaker(str(odd)))


@pytest.mark.parametrize("text", ["a.wav", "left=a.wav", "-1=a.wav", "0=", "=a.wav", ""])
def test_what_names_no_face_is_no_speaker(text):
    with pytest.raises(sonic.SettingsError, match="expected N=SOUND"):
        read_speaker(text)


def test_roles_are_told_in_a_sentence():
    roles = {0: "speaks", 1: "listens", 2: "speaks", 3: "still", 4: "still", 5: "speaks"}
    assert CastReport(roles).reason == "cast: faces 0, 2 and 5 speak; face 1 listens; faces 3 and 4 stay as they are."
    assert CastReport({0: "speaks", 1: "still"}).reason == "cast: face 0 speaks; face 1 stays as it is."


def test_who_is_not_in_the_picture_is_missed(group):
    finder = sonic.face_finder("embedded", everybody=True)
    with pytest.raises(sonic.FaceNotFoundError, match=r"Face 4 should speak, but 3 faces were found .* 0, the"):
        sonic.gather_cast(group, {1: TONE, 4: TONE}, SETTINGS, finder)
    with pytest.raises(sonic.FaceNotFoundError, match="No face was found"):
        sonic.gather_cast(torch.full((3, 200, 300), 0.5), {0: TONE}, SETTINGS, finder)


def test_a_small_one_who_speaks_is_warned_of_by_number(group):
    finder = sonic.face_finder("embedded", everybody=True)
    with pytest.warns(sonic.SonicWarning, match="Face 2: The face is small: 11 pixels between the eyes"):
        cast = sonic.gather_cast(group, {2: TONE}, SETTINGS, finder)
    assert [(one.number, one.role) for one in cast.members] == [(2, "speaks"), (0, "listens"), (1, "listens")]
    drawn = sonic.draw_cast(cast)
    assert drawn.shape == (3, 288, 648)
    assert (drawn - group).abs().max() > 0.2


def test_either_one_sound_or_speakers(tmp_path):
    job = Job(ASSETS / "portrait.png", ASSETS / "speech.wav", model="sonic-preview", output=tmp_path / "o.mp4")
    with pytest.raises(sonic.SettingsError, match="give either audio, said by one, or speakers"):
        run(replace(job, speakers={0: TONE}))
    with pytest.raises(sonic.FaceNotFoundError, match="Face 1 should speak, but 1 face was found"):
        run(replace(job, audio=None, speakers={1: TONE}))
    assert list(tmp_path.iterdir()) == []
