"""What the lips follow may be another sound than the one that the video carries."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import sonic_core as sonic
from sonic_core import Audio, Clip, InputError, Job, Refinement, Settings, SettingsError, SonicWarning, Speaker, run
from sonic_core.cast.mixed import voice_of
from sonic_core.media.audio import read_audio
from sonic_core.media.mixing import cut, shift
from sonic_core.post.stage import Reports, Staged
from sonic_core.speech import Speech
from sonic_core.sync.offset import SyncMeasurement
from sonic_core.voicing import HeardApart, carry, choose_heard, hear_shared, pick_voice
from tests.unit.speech.voice.conftest import RATE, dialogue, other, sound, speech

ASSETS = Path(__file__).resolve().parents[2] / "assets"
SETTINGS = Settings(min_resolution=384, duration=0.4)
JOB = Job(ASSETS / "portrait.png", ASSETS / "speech.wav", SETTINGS, "sonic-preview")
VOICES = {0: "voice:1", 1: "voice:2"}

__all__ = ["dialogue", "other", "speech"]


@dataclass
class Prepared:
    """What a model knows (protocol ``Conditions``)."""

    portrait: object
    audio: Audio


def frames_of(clip: Clip) -> torch.Tensor:
    return torch.cat(list(clip.read()))


def clip_of(audio: Audio | None) -> Clip:
    return Clip(lambda: iter(()), Fraction(25), 10, (8, 8), audio)


def test_without_settings_the_lips_follow_the_sound_itself(dialogue):
    assert choose_heard(dialogue, Settings()) is dialogue


def test_one_voice_of_two_is_heard_by_the_lips_and_the_video_carries_both(dialogue):
    heard = choose_heard(dialogue, Settings(speaker_voice=2))
    assert heard.samples.shape == dialogue.samples.shape
    assert not heard.samples[0, RATE : 3 * RATE].any()
    assert heard.samples[0, 5 * RATE :].any()


def test_a_vocal_track_is_as_long_as_the_sound(dialogue, speech):
    track = sound(speech)
    heard = choose_heard(dialogue, Settings(), track)
    assert heard.duration == pytest.approx(dialogue.duration, abs=1e-4)
    assert torch.equal(heard.samples[:, : len(speech)], track.samples)
    short = cut(dialogue, 1.0)
    assert choose_heard(short, Settings(), track).duration == 1.0


def test_the_video_carries_the_sound_while_the_lips_follow_the_track():
    carried = run(replace(JOB, lips_from=ASSETS / "sounds/english.wav")).clip
    plain, other = run(JOB).clip, run(replace(JOB, audio=ASSETS / "sounds/english.wav")).clip
    assert torch.equal(carried.audio.samples, plain.audio.samples)
    assert carried.length == plain.length
    assert torch.equal(frames_of(carried), frames_of(other))
    assert not torch.equal(frames_of(carried), frames_of(plain))


def test_generate_takes_a_track():
    model = sonic.load_model("sonic-preview")
    made = model.generate(JOB.audio, JOB.image, lips_from=ASSETS / "sounds/english.wav", settings=SETTINGS)
    assert torch.equal(frames_of(made), frames_of(run(replace(JOB, lips_from=ASSETS / "sounds/english.wav")).clip))


def test_a_voice_that_is_not_there_is_said_before_a_face_is_looked_for():
    stages = []
    with pytest.raises(InputError, match="got 7"):
        run(replace(JOB, settings=replace(SETTINGS, speaker_voice=7, duration=2.0)), lambda one, *_: stages.append(one))
    with pytest.raises(SettingsError, match="speaker_voice counts from 1"):
        Settings(speaker_voice=-1)
    with pytest.raises(SettingsError, match="voice must be one of as-is, clean"):
        Settings(voice="dirty")


def test_where_nobody_speaks_one_sentence_names_the_way_out():
    noise = sound(np.random.default_rng(0).standard_normal(RATE) / 10)
    with pytest.warns(SonicWarning, match=r"No voice was heard.*--lips-from"):
        made = pick_voice(noise, sonic.hear_voices(noise), 0, None)
    assert not made.samples.any()


def test_music_does_not_move_the_lips_of_a_voice_alone(speech):
    """Music before speech: as it is, lips move to it; of the voice alone they rest."""
    stream, moments = np.random.default_rng(3), np.arange(RATE // 2) / RATE
    shape = np.minimum(1, np.minimum(moments / 0.02, (0.5 - moments) / 0.05))
    roots = 110 * 2 ** (stream.integers(0, 12, 6) / 12)
    chords = [shape * sum(np.sin(2 * np.pi * root * over * moments) for over in (1, 1.26, 1.5, 2)) for root in roots]
    mixed = sound(0.1 * np.concatenate(chords), speech)
    opening = [
        Speech.of(one).motion.at(np.arange(0.4, 2.4, 0.04)).opening
        for one in (mixed, pick_voice(mixed, sonic.hear_voices(mixed), 0, None))
    ]
    assert opening[0].max() > 0.2
    assert opening[1].max() < 0.01


def test_a_sound_from_a_pipe_is_read_to_its_end_where_a_voice_is_chosen(tmp_path):
    bytes_ = io.BytesIO((ASSETS / "speech.wav").read_bytes())
    settings = replace(SETTINGS, speaker_voice=1, duration=1.6)
    made = run(replace(JOB, audio=bytes_, settings=settings, output=io.BytesIO()))
    assert made.clip.length == 40
    assert made.lips is not None


def test_a_sound_is_moved_as_the_heard_one_was(dialogue):
    found = Refinement(SyncMeasurement.__new__(SyncMeasurement), 0.02, "moved.")
    made = Staged(clip_of(cut(dialogue, 2.0)), Reports((found,)))
    apart = HeardApart(Prepared(None, dialogue), dialogue)
    samples = apart.with_sound(made).clip.audio.samples
    assert torch.equal(samples, shift(cut(dialogue, 2.0), -0.02).samples)
    several = Staged(made.clip, Reports((found, found)))
    assert torch.equal(apart.with_sound(several).clip.audio.samples, cut(dialogue, 2.0).samples)


def test_a_clip_is_heard_no_longer_than_before(dialogue):
    assert carry(clip_of(cut(dialogue, 0.3)), dialogue).audio.duration == 0.3
    assert carry(clip_of(None), dialogue).audio is dialogue


@pytest.fixture(scope="module")
def pair() -> torch.Tensor:
    """Two people side by side."""
    one = torch.nn.functional.interpolate(sonic.read_image(ASSETS / "portrait.png")[None], (288, 288), mode="area")[0]
    return torch.cat((one, one.flip(2)), 2)


def test_of_one_mixed_sound_each_face_says_its_voice(pair, dialogue):
    settings = Settings(min_resolution=384, duration=7.0)
    made = run(Job(pair, dialogue, settings, "sonic-preview", speakers=VOICES))
    assert torch.equal(made.clip.audio.samples, cut(dialogue, 7.0).samples)
    assert made.report.parts[0].roles == {0: "speaks", 1: "speaks"}
    shared, carried = hear_shared(dialogue, VOICES, settings)
    assert torch.equal(carried.samples, made.clip.audio.samples)
    quiet = shared[1].samples[0, RATE : 3 * RATE], shared[0].samples[0, round(4.6 * RATE) : 6 * RATE]
    assert not any(one.any() for one in quiet)
    assert shared[0].samples[0, RATE : 3 * RATE].any()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"speakers": VOICES, "audio": None}, "give that sound as audio"),
        ({"speakers": {0: "a.wav", 1: "voice:1"}}, "give either audio"),
        ({"speakers": {0: Speaker("voice:1", 2.0)}}, "leave out @"),
        ({"speakers": VOICES, "lips_from": "b.wav"}, "lips_from is for one"),
        ({"speakers": {0: "voice:5"}}, "Face 0: Expected a voice .* got 5"),
    ],
)
def test_who_says_what_must_be_clear(given, told):
    with pytest.raises((SettingsError, InputError), match=told):
        run(replace(JOB, settings=replace(SETTINGS, duration=1.5), **given))


def test_a_file_that_is_called_like_a_voice_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert voice_of("voice:1") == 1
    assert voice_of(Speaker("voice:12")) == 12
    assert voice_of("voice:one") is voice_of("a.wav") is voice_of(read_audio(ASSETS / "speech.wav", duration=1)) is None
    (tmp_path / "voice:1").write_bytes(b"")
    assert voice_of("voice:1") is None
