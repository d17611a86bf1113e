"""Who speaks when: voices are told apart, counted and measured."""

from __future__ import annotations

from itertools import pairwise

import librosa
import numpy as np
import pytest
import torch

from sonic_core import Audio, hear_voices
from sonic_core.speech.voice.activity import find_speech, measure_activity
from sonic_core.speech.voice.embedding import embed, measure_mels
from sonic_core.speech.voice.turns import Turn, Voices

from .conftest import RATE, SOFTER, sound


def spoken(audio: Audio, *stretches: tuple[float, float]) -> float:
    """Count the seconds of speech within stretches of a sound."""
    spans = find_speech(measure_activity([audio.samples[0].numpy()]), audio.duration)
    return sum(max(0.0, min(span.end, end) - max(span.start, begin)) for span in spans for begin, end in stretches)


def test_mels_are_librosas(speech):
    samples = speech[: RATE * 8 // 5]
    level = samples * np.float32(10 ** (-30 / 20) / np.sqrt(np.square(samples).mean()))
    made = librosa.feature.melspectrogram(y=level, sr=RATE, n_fft=400, hop_length=160, n_mels=40).T
    np.testing.assert_allclose(measure_mels(samples), made, atol=1e-5 * made.max())


def test_one_voice_is_more_like_itself_than_like_another(speech, other):
    first, second, third = embed([speech[: 2 * RATE], speech[4 * RATE : 6 * RATE], other[: 2 * RATE]])
    assert first @ second > max(first @ third, second @ third) + 0.1
    np.testing.assert_allclose(np.linalg.norm([first, second, third], axis=1), 1, atol=1e-5)


def test_loudness_does_not_tell_whose_a_voice_is(speech):
    soft, loud = embed([speech[:RATE] / 100, speech[:RATE]])
    assert soft @ loud > 0.999


def test_of_two_in_turn_each_has_its_seconds(dialogue, speech, other):
    """The second is four times softer, and speaks twice."""
    voices = hear_voices(dialogue)
    first, second = voices.voices
    pause, long, short = 0.25, len(speech) / RATE, len(other) / RATE
    begin = 4 + pause + short
    assert first.seconds == pytest.approx(spoken(dialogue, (0, 4), (begin, begin + pause + long - 4)), rel=0.05)
    theirs = (4 + pause, begin), (begin + 2 * pause + long - 4, dialogue.duration)
    assert second.seconds == pytest.approx(spoken(dialogue, *theirs), rel=0.05)
    assert voices.seconds == pytest.approx(first.seconds + second.seconds)
    assert first.level == pytest.approx(SOFTER * second.level, rel=0.2)
    order = [turn.voice for turn in voices.turns]
    assert [one for one, before in zip(order, [0, *order], strict=False) if one != before] == [1, 2, 1, 2]


def test_turns_of_a_second_are_told_apart(speech, other):
    pause, parts, edges = np.zeros(RATE // 4, np.float32), [], ([], [])
    for number in range(4):
        for voice, samples in enumerate((speech, other)):
            first = number % (len(samples) // RATE) * RATE
            begin = sum(map(len, parts)) / RATE
            parts += [samples[first : first + RATE], pause]
            edges[voice].append((begin, begin + 1))
    audio = sound(*parts)
    voices = hear_voices(audio)
    assert len(voices.voices) == 2
    for voice, meant in zip(voices.voices, edges, strict=True):
        assert voice.seconds == pytest.approx(spoken(audio, *meant), rel=0.15)


def test_turns_are_in_order_and_never_overlap(dialogue):
    turns = hear_voices(dialogue).turns
    assert all(one.end <= other.start for one, other in pairwise(turns))
    assert turns[0].voice == 1


def test_one_voice_is_one(speech):
    voices = hear_voices(sound(speech))
    assert [one.number for one in voices.voices] == [1]
    assert "voice 1 for" in voices.reason
    assert str(voices).count("voice 1") == len(voices.turns)


@pytest.mark.parametrize("seconds", [0.0, 0.05, 3.0])
def test_in_silence_and_noise_nobody_speaks(seconds):
    for level in (0.0, 0.05):
        noise = level * np.random.default_rng(1).standard_normal(round(seconds * RATE)).astype(np.float32)
        voices = hear_voices(sound(noise))
        assert (voices.turns, voices.voices, voices.reason) == ((), (), "nobody speaks.")


def test_any_rate_and_channels_are_heard_alike(speech):
    stereo = Audio(torch.from_numpy(np.stack([np.repeat(speech, 3)] * 2)), 3 * RATE)
    plain, both = hear_voices(sound(speech)), hear_voices(stereo)
    assert both.seconds == pytest.approx(plain.seconds, abs=0.15)


def test_noise_lowers_the_clarity(speech):
    clean = hear_voices(sound(speech)).clarity
    noisy = hear_voices(sound(speech + 0.02 * np.random.default_rng(2).standard_normal(len(speech)))).clarity
    assert clean > 25
    assert 5 < noisy < 15


def test_a_word_too_short_to_tell_goes_to_whoever_is_nearest(speech):
    pause = np.zeros(RATE, np.float32)
    voices = hear_voices(sound(speech[RATE : RATE + 4000], pause, speech))
    assert isinstance(voices, Voices)
    assert {turn.voice for turn in voices.turns} == {1}
    assert all(isinstance(turn, Turn) for turn in voices.turns)
