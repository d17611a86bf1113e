"""The mouth's motion: what goes in, what comes out, and that gain, length of blocks and rate change nothing."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from sonic_core.curves import CURVE_RATE
from sonic_core.media.audio import read_audio
from sonic_core.media.mixing import resample
from sonic_core.speech import Speech, mel, motion, spectrum
from sonic_core.speech.mel import BANDS, band_edges, measure_levels, scale_of, standardise
from sonic_core.speech.motion import ADVANCE, WEIGHTS, Motion
from sonic_core.speech.network import CHANNELS, KINDS, REACH, MouthNetwork, load_network, pressed, save_network
from sonic_core.speech.spectrum import RATE
from sonic_core.types import Audio

SPEECH = Path(__file__).resolve().parents[3] / "assets" / "speech.wav"
NAMES = [field.name for field in fields(Motion)]


@pytest.fixture(scope="module")
def speech() -> Audio:
    return read_audio(SPEECH)


def read_motion(audio: Audio) -> Motion:
    return Speech.of(audio).motion


def curves(found: Motion) -> np.ndarray:
    return np.stack([getattr(found, name) for name in NAMES])


def sound(samples: np.ndarray, rate: int = RATE) -> Audio:
    return Audio(torch.from_numpy(np.atleast_2d(samples).astype(np.float32)), rate)


@pytest.mark.parametrize(("rate", "count"), [(16_000, 16_000), (44_100, 100_000), (8_000, 801), (48_000, 2_400_007)])
def test_levels_come_a_hundred_times_a_second_at_any_rate(rate, count):
    samples = np.random.default_rng(0).standard_normal((2, count))
    levels = measure_levels(sound(samples, rate))
    assert levels.shape == (1 + count * 100 // rate, BANDS) and levels.dtype == np.float16
    assert np.isfinite(levels).all()


def test_a_tone_is_heard_in_the_band_it_lies_in():
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    levels = measure_levels(sound(tone))
    loudest = band_edges()[1:-1][levels[20:80].astype(np.float32).mean(0).argmax()]
    assert abs(loudest - 1000) < 60


def test_levels_made_in_blocks_are_those_made_at_once(monkeypatch, speech):
    whole = measure_levels(speech)
    monkeypatch.setattr(spectrum, "_FRAMES", 37)
    parts = measure_levels(speech)
    assert parts.shape == whole.shape
    assert np.abs(parts.astype(np.float32) - whole).max() < 0.1


def test_the_bands_are_those_that_everybody_calls_mel():
    import librosa

    theirs = librosa.filters.mel(
        sr=RATE, n_fft=spectrum.WINDOW, n_mels=BANDS, fmin=mel.LOWEST, fmax=mel.HIGHEST, htk=True, norm=None
    )
    assert np.array_equal(mel._bank(), theirs)


def test_standardised_levels_have_no_gain_and_no_colour():
    random = np.random.default_rng(1)
    levels = random.normal(-50, 5, (500, BANDS)).astype(np.float32)
    coloured = levels + np.linspace(-6, 6, BANDS, dtype=np.float32) - 12
    first, second = (standardise(one, scale_of(one)) for one in (levels, coloured))
    assert np.abs(first - second)[:, 10:30].max() < 0.05
    assert np.abs(first.mean(0)).max() < 0.05


def test_gain_changes_nothing(speech):
    loud, soft = read_motion(speech), read_motion(Audio(speech.samples * 0.003, speech.rate))
    assert np.allclose(curves(loud), curves(soft), atol=0.03)


def test_rate_and_channels_change_next_to_nothing(speech):
    other = resample(speech, 48_000, channels=1)
    stereo = Audio(other.samples.repeat(2, 1), 48_000)
    first, second = (curves(read_motion(one))[:, :380] for one in (speech, stereo))
    assert np.abs(first - second).mean() < 0.01


def test_the_same_sound_moves_the_same_mouth(speech):
    assert np.array_equal(curves(read_motion(speech)), curves(read_motion(speech)))


@pytest.mark.parametrize("count", [0, 1, 100, 1599])
def test_a_sound_too_short_to_say_anything_rests(count):
    found = read_motion(sound(np.random.default_rng(0).standard_normal(count)))
    assert len(found.opening) == 1 + count * CURVE_RATE // RATE
    assert not curves(found).any()


def test_a_very_short_sound_is_read():
    found = curves(read_motion(sound(np.random.default_rng(0).standard_normal(1700))))
    assert found.shape == (len(NAMES), 6) and np.isfinite(found).all()


def test_silence_rests():
    random = np.random.default_rng(0)
    still = sound(np.zeros(3 * RATE)), sound(1e-5 * random.standard_normal(3 * RATE))
    opposite = np.stack([one := 0.1 * random.standard_normal(RATE), -one])
    for one in (*still, sound(opposite)):
        assert not curves(read_motion(one)).any()


def test_a_long_pause_closes_the_mouth_and_a_short_one_does_not(speech):
    said = resample(speech, RATE, channels=1).samples[0].numpy()[: int(2.6 * RATE)]
    hiss = 1e-3 * np.random.default_rng(0).standard_normal(2 * RATE)
    found = read_motion(sound(np.concatenate([said, hiss, said])))
    pause = found.at(np.arange(2.6 + 0.6, 4.6 - 0.3, 0.04))
    assert pause.opening.max() < 0.05 and pause.jaw.max() < 0.05 and pause.speaking.max() < 0.1
    assert found.at(np.arange(1.0, 2.4, 0.04)).opening.max() > 0.5
    brief = read_motion(sound(np.concatenate([said, hiss[: RATE // 8], said])))
    assert brief.at(np.arange(2.5, 2.8, 0.02)).speaking.min() > 0.9


@pytest.mark.parametrize(("length", "rests"), [(6, 0.5), (14, 0.5), (30, 0.0)])
def test_in_a_short_pause_between_words_a_mouth_rests_as_open_as_it_speaks(length, rests):
    heard = np.concatenate([np.zeros(10), np.ones(40), np.zeros(length), np.ones(40), np.zeros(10)])
    curve = heard * np.tile([0.4, 0.6], len(heard) // 2)
    rested = motion._half_open(curve, heard)
    assert np.array_equal(rested[heard == 1], curve[heard == 1])
    assert np.allclose(rested[50 : 50 + length], rests, atol=0.02)
    assert max(*rested[:10], *rested[-10:]) < 0.02


def test_every_curve_keeps_its_range(speech):
    shown = read_motion(speech).at(np.arange(0, 8, 0.02))
    low = {"width": -1.2, "lower": -1.2}
    for name in NAMES:
        values = getattr(shown, name)
        assert values.dtype == np.float32 and len(values) == 400
        assert values.min() > low.get(name, -0.2) and values.max() < 1.4
    assert np.percentile(shown.opening, 95) > 0.75


def test_lips_meet_on_p_b_and_m_of_the_sample_speech(speech):
    shown = read_motion(speech).at(np.arange(0, 8, 0.01))
    shut_now = shown.opening < 0.05 * shown.opening.max()
    said = shown.speaking > 0.9
    closures = np.flatnonzero(np.diff((shut_now & said).astype(int)) == 1)
    assert 4 <= len(closures) <= 9


def pulse(advance: float, **more: np.ndarray) -> Motion:
    """An opening that peaks at 1 s, or a closure."""
    time = np.arange(101) / CURVE_RATE
    rise = np.exp(-0.5 * ((time - 1 - advance) / 0.08) ** 2).astype(np.float32)
    still = np.zeros(101, np.float32)
    return Motion(**{name: more.get(name, rise if name in {"opening", "jaw"} else still) for name in NAMES})


def test_frames_see_the_lips_ahead_by_the_stated_advance_and_nothing_else():
    times = np.arange(0, 2, 0.001)
    shown = pulse(0).at(times)
    assert abs(times[shown.opening.argmax()] - (1 - ADVANCE)) < 0.002
    centre = np.searchsorted(times, 1 - ADVANCE)
    assert np.allclose(shown.jaw[centre - 300 : centre], shown.jaw[centre + 1 : centre + 301][::-1], atol=0.01)


def test_the_network_has_no_phase_of_its_own():
    torch.manual_seed(0)
    levels = torch.randn(1, 301, BANDS)
    network = MouthNetwork(16).eval()
    with torch.no_grad():
        for touched in (150, 100):
            other = levels.clone()
            other[0, touched] += 5
            moved = (network(other).curves - network(levels).curves).abs().sum(1)[0].flatten().nonzero()[:, 0]
            assert abs((int(moved.min()) + int(moved.max())) / 2 - touched / 2) <= 1
            assert int(moved.max()) - touched // 2 <= REACH // 2


def test_a_closure_shuts_the_opening_at_frames():
    closure = np.zeros(101, np.float32)
    closure[45:56] = 1
    shown = pulse(0, opening=np.ones(101, np.float32), closure=closure).at(np.array([0.5, 0.97, 1.6]))
    assert shown.opening.tolist() == pytest.approx([1, 0, 1], abs=0.02)


def test_after_the_sound_the_mouth_rests():
    ones = Motion(**{name: np.ones(50, np.float32) for name in NAMES})
    late = ones.at(np.array([0.3, 1.0, 5.0]))
    assert late.jaw.tolist() == [1, 0, 0]


def test_blocks_of_the_network_equal_the_whole(monkeypatch, speech):
    levels = measure_levels(speech)
    whole = motion._predict(load_network(WEIGHTS), levels, scale_of(levels))
    monkeypatch.setattr(motion, "_BLOCK", 222)
    parts = motion._predict(load_network(WEIGHTS), levels, scale_of(levels))
    for first, second in zip(whole, parts, strict=True):
        assert np.allclose(first, second, atol=1e-4)


def test_the_weights_are_small_and_come_with_notes():
    from safetensors import safe_open

    assert WEIGHTS.stat().st_size < 3_000_000
    with safe_open(WEIGHTS, "np") as file:
        assert file.metadata()["channels"].split(",") == list(CHANNELS)


def test_weights_survive_being_written_and_read(tmp_path):
    torch.manual_seed(0)
    network = MouthNetwork(8).eval()
    save_network(network, tmp_path / "w.safetensors", {"channels": "some"})
    levels = torch.randn(1, 64, BANDS)
    first, second = network(levels), load_network(tmp_path / "w.safetensors")(levels)
    assert first.curves.shape == (1, len(CHANNELS), 32) and first.kind.shape == (1, len(KINDS), 32)
    assert torch.allclose(first.curves, second.curves, atol=2e-2)


def test_lips_press_together_smoothly():
    rise = pressed(torch.linspace(0, 1, 101))
    assert rise[0] == 0 and rise[-1] == 1
    assert (rise.diff() >= 0).all() and rise.diff().max() < 0.05


@pytest.mark.parametrize("colour", [0.0, 0.95])
def test_noise_without_speech_rests(colour):
    noise = lfilter([1], [1, -colour], np.random.default_rng(5).standard_normal(6 * RATE))
    shown = read_motion(sound(0.05 * noise)).at(np.arange(0, 6, 0.04))
    assert shown.opening.mean() < 0.05 and shown.speaking.mean() < 0.1
