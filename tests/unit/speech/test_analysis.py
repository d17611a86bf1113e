"""Whoever speaks is heard, however soft and on whichever channel; where nobody does, a person is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sonic_core import Settings, load_model
from sonic_core.errors import SonicWarning
from sonic_core.media.audio import read_audio
from sonic_core.media.image import read_image
from sonic_core.media.mixing import resample
from sonic_core.pipeline import prepare_portrait
from sonic_core.speech import Speech
from sonic_core.speech.channels import choose_ear
from sonic_core.speech.levelling import make_up
from sonic_core.speech.mel import measure_levels
from sonic_core.speech.spectrum import RATE
from sonic_core.types import Audio

ASSETS = Path(__file__).resolve().parents[3] / "assets"
TIMES = np.arange(0, 7.8, 0.04)


@pytest.fixture(scope="module")
def speech() -> Audio:
    return resample(read_audio(ASSETS / "speech.wav"), RATE, channels=1)


def sound(*channels: np.ndarray) -> Audio:
    return Audio(torch.from_numpy(np.stack(channels).astype(np.float32)), RATE)


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(int(seconds * RATE))


def chords(seconds: float) -> np.ndarray:
    """Another chord of four sines every half second."""
    stream, time = np.random.default_rng(3), np.arange(RATE // 2) / RATE
    shape = np.minimum(1, np.minimum(time / 0.02, (0.5 - time) / 0.05))
    roots = 110 * 2 ** (stream.integers(0, 12, int(2 * seconds)) / 12)
    return np.concatenate(
        [0.1 * shape * sum(np.sin(2 * np.pi * r * k * time) for k in (1, 1.26, 1.5, 2)) for r in roots]
    )


def opening(heard: Speech, times: np.ndarray = TIMES) -> np.ndarray:
    return heard.motion.at(times).opening


@pytest.mark.parametrize("softer", [12, 18, 24])
def test_a_second_speaker_much_softer_than_the_first_opens_the_mouth_as_far(speech, softer):
    said = speech.samples[0].numpy()
    both = np.concatenate([said, said * 10 ** (-softer / 20)])
    shown = Speech.of(sound(both + noise(len(both) / RATE, 1e-5)))
    first, second = (opening(shown, TIMES[12:-12] + late) for late in (0, len(said) / RATE))
    assert np.percentile(second, 90) > 0.85 * np.percentile(first, 90)
    assert np.corrcoef(first, second)[0, 1] > 0.9
    assert shown.prosody.loudness[len(TIMES) * 2 :].max() > 0.85


def test_speakers_who_take_turns_are_each_raised_within_half_a_second(speech):
    said = speech.samples[0].numpy()[: int(2.6 * RATE)]
    soft = 10 ** (-18 / 20) * said
    gain = make_up(measure_levels(sound(np.concatenate([said, soft, said, soft, said]))))
    for turn in range(5):
        middle = gain[260 * turn + 50 : 260 * turn + 200]
        assert (middle.max() < 3) if turn % 2 == 0 else (middle.min() > 12)


def test_one_speaker_is_left_as_he_speaks(speech):
    assert make_up(measure_levels(speech)).max() < 1


@pytest.mark.parametrize("level", [0.01, 0.001])
def test_noise_in_a_long_pause_is_never_raised(speech, level):
    said = speech.samples[0].numpy()
    heard = Speech.of(
        sound(
            np.concatenate([said, np.zeros(8 * RATE), said])
            + noise(2 * len(said) / RATE + 8, level)[: 2 * len(said) + 8 * RATE]
        )
    )
    within = heard.motion.at(np.arange(9, 15.5, 0.04))
    assert within.opening.max() < 0.05 and within.speaking.max() < 0.1


def test_noise_that_grows_softer_is_never_raised():
    both = np.concatenate([noise(5, 0.1), noise(5, 0.005, 1)])
    assert make_up(measure_levels(sound(both))).max() < 0.5


def test_channels_that_cancel_open_the_mouth_and_are_told_about(speech):
    said = speech.samples[0].numpy()
    heard = Speech.of(sound(said, -said))
    assert np.allclose(opening(heard), opening(Speech.of(speech)), atol=0.03)
    assert len(heard.remarks) == 1 and "opposite" in heard.remarks[0]


def test_channels_that_nearly_cancel_open_the_mouth_too(speech):
    said = speech.samples[0].numpy()
    heard = Speech.of(sound(said, -0.9 * said + noise(len(said) / RATE, 1e-4)[: len(said)]))
    assert np.corrcoef(opening(heard), opening(Speech.of(speech)))[0, 1] > 0.95
    assert "opposite" in heard.remarks[0]


@pytest.mark.parametrize(("silent", "name"), [(0, "left"), (1, "right")])
def test_a_silent_channel_is_left_out_and_told_about(speech, silent, name):
    channels = [speech.samples[0].numpy()] * 2
    channels[silent] = np.zeros(len(channels[0]))
    heard = Speech.of(sound(*channels))
    assert np.allclose(opening(heard), opening(Speech.of(speech)), atol=0.03)
    assert len(heard.remarks) == 1 and f"{name} channel is silent" in heard.remarks[0]


def test_two_speakers_on_two_channels_are_both_heard_and_nothing_is_said(speech):
    said = speech.samples[0].numpy()
    nothing = np.zeros(len(said))
    heard = Speech.of(sound(np.concatenate([said, nothing]), np.concatenate([nothing, said])))
    assert not heard.remarks
    assert min(np.percentile(opening(heard, TIMES + late), 90) for late in (0, 7.9)) > 0.6


def test_surround_is_heard_by_its_centre(speech):
    said = speech.samples[0].numpy()
    nothing = np.zeros(len(said))
    ear = choose_ear(sound(nothing, nothing, said, nothing, nothing, nothing))
    assert float(ear.weights[0, 2]) > 0 and not ear.remark


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (np.zeros(8 * RATE), "silent"),
        (noise(8, 1e-6), "silent"),
        (noise(8, 0.1), "No voice"),
        (chords(12), "music or noise"),
        (np.concatenate([chords(4), np.zeros(4 * RATE)]), "music or noise"),
    ],
)
def test_a_sound_in_which_nobody_speaks_is_told_about_in_one_sentence(made, told):
    (remark,) = Speech.of(sound(made)).remarks
    assert told in remark and remark.count(".") == 1


@pytest.mark.parametrize("under", [np.zeros(8 * RATE), chords(8) * 0.7, noise(8, 0.01)])
def test_of_speech_nothing_is_said_even_with_music_or_noise_under_it(speech, under):
    said = speech.samples[0].numpy()
    assert not Speech.of(sound(said + under[: len(said)])).remarks
    assert not Speech.of(sound(said[RATE : 3 * RATE])).remarks


def test_a_person_is_warned_when_the_model_prepares():
    settings = Settings(min_resolution=384)
    portrait = prepare_portrait(read_image(ASSETS / "portrait.png"), settings)
    with pytest.warns(SonicWarning, match="silent"):
        load_model("sonic-preview").model.prepare(portrait, sound(np.zeros(RATE)), settings)


def test_a_voices_pitch_is_heard_in_semitones():
    time = np.arange(RATE) / RATE
    voiced = [sum(np.sin(2 * np.pi * 120 * step * k * time) / k for k in range(1, 20)) for step in (1, 2 ** (4 / 12))]
    tone = Speech.of(sound(0.1 * np.concatenate(voiced))).tone
    assert np.nanmedian(tone[120:180]) - np.nanmedian(tone[20:80]) == pytest.approx(4, abs=0.4)
    assert np.isfinite(Speech.of(sound(noise(2, 0.1))).tone).mean() < 0.1


@pytest.mark.parametrize("count", [0, 1, 1599, 5340, 5359, 16_000])
def test_all_curves_of_a_sound_are_equally_long(speech, count):
    for rate in (RATE, 44_100):
        heard = Speech.of(Audio(speech.samples[:, :count], rate))
        few, many = (1 + count * number // rate for number in (50, 100))
        curves = (*vars(heard.motion).values(), *vars(heard.prosody).values(), heard.activity)
        assert {len(curve) for curve in curves} == {few}
        assert len(heard.levels) == len(heard.tone) == many


def test_what_is_dear_is_computed_once_and_only_when_it_is_asked_for(speech):
    heard = Speech.of(speech)
    assert not {"motion", "_said"} & set(vars(heard))
    assert heard.motion is heard.motion
    assert heard.prosody.speaking.astype(np.float32).tolist() == heard.motion.speaking.tolist()


def test_somebody_speaks_where_the_voice_is_and_nowhere_else(speech):
    said = speech.samples[0].numpy()[: int(2.6 * RATE)]
    hiss = noise(2, 1e-3)
    active = Speech.of(sound(np.concatenate([hiss, said, hiss]))).activity
    assert active[:80].max() < 0.2 and active[-80:].max() < 0.2
    assert np.mean(active[110:220] > 0.5) > 0.8
    assert not Speech.of(sound(np.zeros(RATE))).activity.any()
