"""Where somebody speaks: as the published network tells it, and not where music or noise is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sonic_core import CheckpointError
from sonic_core.learn.voice import convert_activity, convert_embedding
from sonic_core.learn.voice import main as learn_voice
from sonic_core.speech.voice import embedding
from sonic_core.speech.voice.activity import CHUNK, WEIGHTS, Stretch, find_speech, measure_activity
from sonic_core.weights.read import bundled

from .conftest import ASSETS, RATE

PUBLISHED = [
    0.018, 0.018, 0.901, 0.997, 0.999, 0.999, 0.998, 0.999, 0.999, 0.998, 0.994, 0.991, 0.994, 0.996, 0.997, 0.996,
    0.955, 0.781, 0.413, 0.245, 0.088, 0.043, 0.03, 0.019, 0.022, 0.021, 0.022, 0.021, 0.176, 0.996, 0.998, 0.998,
]  # fmt: skip
"""What ``silero_vad.jit`` of silero-vad 6.2.3 tells of the first second of ``assets/speech.wav`` at 16 kHz."""


def read_speech() -> np.ndarray:
    from sonic_core import read_audio
    from sonic_core.media.mixing import resample

    return resample(read_audio(ASSETS / "speech.wav", duration=1.6), RATE, channels=1).samples[0].numpy()


def test_the_network_tells_what_the_published_one_does():
    made = measure_activity([read_speech()])
    np.testing.assert_allclose(made[: len(PUBLISHED)], PUBLISHED, atol=0.01)


@pytest.mark.parametrize("size", [100, CHUNK, 5000])
def test_a_sound_in_blocks_is_heard_as_the_whole(size, speech):
    blocks = (speech[first : first + size] for first in range(0, len(speech), size))
    np.testing.assert_allclose(measure_activity(blocks), measure_activity([speech]), atol=1e-5)


def test_music_and_noise_are_no_speech():
    moments, rng = np.arange(6 * RATE) / RATE, np.random.default_rng(0)
    chords = sum(np.sin(2 * np.pi * hertz * (1 + (moments // 0.5) % 4 / 8) * moments) for hertz in (220, 277, 330, 440))
    for samples in (0.1 * chords, 0.05 * rng.standard_normal(6 * RATE), np.zeros(6 * RATE)):
        assert find_speech(measure_activity([samples.astype(np.float32)]), 6.0) == []


def test_nothing_has_no_speech():
    assert find_speech(measure_activity([]), 0.0) == []


def test_a_short_pause_is_within_speech_and_a_click_is_none():
    step = CHUNK / RATE
    chances = np.array([0, 0, 1, 1, 1, 0.1, 1, 1, 1, 1, *[0] * 20, 1, 1, *[0] * 20, *[0.9] * 10], np.float32)
    found = find_speech(chances, len(chances) * step)
    assert found == [Stretch(2 * step, pytest.approx(10 * step)), Stretch(52 * step, pytest.approx(62 * step))]


def test_speech_that_a_doubt_interrupts_goes_on():
    chances = np.array([0.9] * 10 + [0.4] * 30 + [0.9] * 10, np.float32)
    assert len(find_speech(chances, 2.0)) == 1


def test_weights_are_converted_and_others_refused(tmp_path):
    state = embedding.VoiceNetwork().state_dict()
    torch.save({"model_state": {**state, "similarity_weight": torch.ones(1)}}, tmp_path / "pretrained.pt")
    convert_embedding(tmp_path / "pretrained.pt", tmp_path / "made.safetensors")
    with bundled(tmp_path / "made.safetensors") as file:
        assert set(file.keys()) == set(state)
        assert file.get_tensor("linear.bias").dtype is torch.float16
    torch.save({"model_state": {"lstm.bias": torch.ones(1)}}, tmp_path / "pretrained.pt")
    with pytest.raises(CheckpointError, match="weights of VoiceNetwork, got another"):
        convert_embedding(tmp_path / "pretrained.pt", tmp_path / "other.safetensors")
    save_file({"a": torch.ones(1)}, tmp_path / "silero_vad.jit")
    with pytest.raises(CheckpointError, match="not a TorchScript file"):
        convert_activity(tmp_path / "silero_vad.jit", tmp_path / "other.safetensors")


def test_the_command_says_what_is_missing(tmp_path, capsys):
    before = WEIGHTS.read_bytes()
    assert learn_voice([str(tmp_path / "silero_vad.jit"), str(tmp_path / "pretrained.pt")]) == 2
    assert capsys.readouterr().err.startswith("sonic: ")
    assert WEIGHTS.read_bytes() == before
