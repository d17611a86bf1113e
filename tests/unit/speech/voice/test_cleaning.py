"""A voice made clear: in place, everything else silent, softer voices raised."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sonic_core import Audio, InputError, clean_voice, find_denoiser, hear_voices
from sonic_core.speech.voice.denoisers import DENOISERS
from sonic_core.speech.voice.turns import Voices

from .conftest import RATE, sound

INSTALLED = [name for name, one in DENOISERS.items() if one.folder is not None]


@pytest.fixture(scope="module")
def heard(dialogue: Audio) -> Voices:
    return hear_voices(dialogue)


def stretch(audio: Audio, start: float, end: float) -> np.ndarray:
    return audio.samples[0, round(start * audio.rate) : round(end * audio.rate)].numpy()


def test_the_chosen_voice_is_as_it_was_and_others_are_silent(dialogue, heard):
    made = clean_voice(dialogue, heard, voice=1)
    assert made.audio.samples.shape == dialogue.samples.shape
    assert made.audio.rate == dialogue.rate
    assert (made.foreign, made.denoiser, made.remark) == (0.0, "", "")
    for turn in heard.turns:
        kept, given = stretch(made.audio, *turn[:2]), stretch(dialogue, *turn[:2])
        if turn.voice == 1:
            np.testing.assert_allclose(kept, given, atol=1e-6)
        else:
            assert np.abs(kept[RATE // 5 : -RATE // 5]).max(initial=0.0) == 0.0


def test_everybody_is_as_loud_as_the_loudest(dialogue, heard):
    made = clean_voice(dialogue, heard).audio
    first, second = hear_voices(made).voices
    assert first.level == pytest.approx(second.level, rel=0.15)
    assert float(made.samples.abs().max()) <= 1.0


def test_where_nobody_speaks_is_silence(speech):
    rng = np.random.default_rng(5)
    noise = 0.01 * rng.standard_normal(3 * RATE).astype(np.float32)
    audio = sound(noise, speech, noise)
    made = clean_voice(audio, hear_voices(audio)).audio
    assert np.abs(stretch(made, 0.0, 2.5)).max() == 0.0
    assert np.abs(stretch(made, 3.0 + 8.3, 13.0)).max() == 0.0
    np.testing.assert_allclose(stretch(made, 3.2, 3.5), stretch(audio, 3.2, 3.5), atol=1e-6)


def test_a_sound_without_a_voice_becomes_silence():
    audio = sound(np.random.default_rng(6).standard_normal(RATE) / 10)
    made = clean_voice(audio, hear_voices(audio)).audio
    assert made.samples.shape == (1, RATE)
    assert not made.samples.any()


@pytest.mark.parametrize(("voice", "known"), [(3, "1 to 2"), (9, "1 to 2")])
def test_a_voice_that_is_not_there_is_one_sentence(dialogue, heard, voice, known):
    with pytest.raises(InputError, match=f"{known}; got {voice}"):
        clean_voice(dialogue, heard, voice=voice)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_noise_is_taken_out_in_place(name, rate, speech):
    rng, count = np.random.default_rng(7), len(speech) * rate // RATE
    samples = np.interp(np.arange(count) * RATE / rate, np.arange(len(speech)), speech)
    audio = Audio(torch.from_numpy((samples + 0.03 * rng.standard_normal(count)).astype(np.float32))[None], rate)
    made = clean_voice(audio, hear_voices(audio), denoiser=find_denoiser(name))
    assert made.audio.samples.shape == audio.samples.shape
    assert 0.05 < made.foreign < 1
    assert made.denoiser == name
    error = np.square(stretch(made.audio, 1.0, 3.0) - samples[rate : 3 * rate]).mean()
    assert error < 0.7 * 0.03**2


@pytest.mark.parametrize("name", INSTALLED)
def test_a_clear_voice_stays_as_it_is(name, speech):
    audio = sound(speech)
    made = clean_voice(audio, hear_voices(audio), denoiser=find_denoiser(name)).audio
    assert np.corrcoef(stretch(made, 1.0, 3.0), stretch(audio, 1.0, 3.0))[0, 1] > 0.999


@pytest.mark.parametrize("name", INSTALLED)
def test_mostly_noise_is_said_and_the_way_out_named(name, speech):
    audio = sound(speech / 4 + 0.1 * np.random.default_rng(8).standard_normal(len(speech)))
    made = clean_voice(audio, hear_voices(audio), denoiser=find_denoiser(name))
    assert "--lips-from" in made.remark
