"""Outlines of sounds: exact lengths, every peak, flat memory."""

from __future__ import annotations

import tracemalloc
import wave
from fractions import Fraction

import numpy as np
import pytest
import torch

from sonic_core.errors import InputError, MediaError
from sonic_core.media.audio import read_audio
from sonic_core.media.video import write_video
from sonic_core.media.waveform import MOST, read_waveform
from sonic_core.types import Audio


def written(path, samples, rate=8000):
    """Write (n, channels) int16 samples."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def test_each_part_shows_how_far_the_sound_swings(tmp_path):
    loudness = np.repeat([0, 1000, 16384, 4096], 2000)
    signs = np.tile([1, -1], 4000)
    outline = read_waveform(written(tmp_path / "a.wav", np.stack([loudness * signs, 0 * signs], 1)), 4)
    assert (outline.seconds, outline.rate, outline.channels) == (1.0, 8000, 2)
    expected = np.array([0, 1000, 16384, 4096]) / 32768
    assert outline.peaks == pytest.approx(np.stack([-expected, expected], 1))


@pytest.mark.parametrize("length", [1, 3, 801, 131072, 131073, 400_001])
def test_nothing_is_missed_whatever_the_length(tmp_path, length):
    noise = np.random.default_rng(length).integers(-20000, 20000, (length, 1))
    noise[length // 2], noise[-1] = -32000, 32000
    outline = read_waveform(written(tmp_path / "a.wav", noise), 600)
    assert outline.seconds == length / 8000
    assert outline.peaks.shape == (600, 2)
    lowest, highest = outline.peaks[:, 0], outline.peaks[:, 1]
    assert float(lowest.min()) == pytest.approx(noise.min() / 32768)
    assert float(highest.max()) == float(highest[-1]) == pytest.approx(32000 / 32768)
    if length > 100 * 600:
        parts = [noise[round(n * length / 600) : max(round((n + 1) * length / 600), 1)] for n in range(600)]
        close = [abs(part.max() / 32768 - high) < 0.2 for part, high in zip(parts, highest, strict=True)]
        assert np.mean(close) > 0.95


def test_an_aac_track_is_as_long_as_it_is_heard(tmp_path):
    tone = Audio(torch.sin(torch.arange(16000) / 9)[None] / 2, 16000)
    frames = torch.zeros(25, 3, 32, 32)
    path = write_video(tmp_path / "a.mp4", [frames], fps=Fraction(25), length=25, size=(32, 32), audio=tone)
    outline = read_waveform(path, 50)
    assert outline.seconds == read_audio(path).duration == 1.0
    assert outline.peaks[:, 1].mean() == pytest.approx(0.5, abs=0.1)


def test_memory_does_not_grow_with_the_sound(tmp_path):
    peaks = []
    for minutes in (4, 16):
        path = written(tmp_path / "long.wav", np.ones((minutes * 60 * 8000, 1)))
        tracemalloc.start()
        read_waveform(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] < 8e6


def test_what_cannot_be_drawn_is_said_in_a_sentence(tmp_path):
    silent = write_video(
        tmp_path / "a.mp4", [torch.zeros(2, 3, 32, 32)], fps=Fraction(25), length=2, size=(32, 32), audio=None
    )
    with pytest.raises(InputError, match="no sound in"):
        read_waveform(silent)
    (tmp_path / "text.wav").write_text("no sound at all")
    with pytest.raises(MediaError, match="cannot be decoded"):
        read_waveform(tmp_path / "text.wav")
    with pytest.raises(MediaError):
        read_waveform(tmp_path / "absent.wav")
    for count in (0, MOST + 1):
        with pytest.raises(InputError, match="parts of a waveform"):
            read_waveform(tmp_path / "text.wav", count)
