"""Sounds of every kind come in at the right scale, length and place; unusable ones are refused in one sentence."""

import math
import os
import wave
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import librosa
import numpy as np
import pytest
import torch

from sonic_core.errors import InputError, MediaError, SonicWarning
from sonic_core.media.audio import read_audio, read_track
from sonic_core.media.mixing import check_duration, cut, delay, mixdown, mono, pad, resample, stereo
from sonic_core.media.seen.pace import LONGEST_PAUSE
from sonic_core.media.waveform import read_waveform
from sonic_core.types import Audio

SECONDS = 0.75


def sweep(rate, channels=1):
    time = np.arange(round(SECONDS * rate)) / rate
    tone = 0.5 * np.sin(2 * np.pi * (200 * time + 400 * time**2)) * np.hanning(len(time))
    return np.stack([tone * (1 - 0.1 * index) for index in range(channels)]).astype(np.float32)


def encode(path, samples, rate, codec, layout="mono"):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        for first in range(0, samples.shape[1], 1024):
            block = np.ascontiguousarray(samples[:, first : first + 1024])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def offset(sound, other):
    """Samples by which ``sound`` comes later than ``other``."""
    size = 2 * max(len(sound), len(other))
    correlation = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(other, size)))
    best = int(correlation.argmax())
    return best if best < size // 2 else best - size


@pytest.mark.parametrize(
    ("codec", "error"),
    [
        ("pcm_u8", 1 / 120), ("pcm_s16le", 2**-15), ("pcm_s24le", 2**-22), ("pcm_s32le", 1e-6),
        ("pcm_f32le", 0), ("pcm_f64le", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_wav_is_exact(tmp_path, codec, error, layout):
    samples = sweep(22050, {"mono": 1, "stereo": 2, "5.1": 6}[layout])
    audio = read_audio(encode(tmp_path / "x.wav", samples, 22050, codec, layout))
    assert audio.rate == 22050 and audio.samples.dtype == torch.float32
    np.testing.assert_allclose(audio.samples.numpy(), samples, atol=error, rtol=0)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("x.mp3", "libmp3lame", 44100), ("x.m4a", "aac", 44100), ("x.m4a", "aac", 16000), ("x.flac", "flac", 48000),
        ("x.ogg", "libopus", 48000), ("x.opus", "libopus", 48000), ("x.mp4", "aac", 32000),
    ],
)  # fmt: skip
def test_coded_sounds_start_and_end_in_place(tmp_path, name, codec, rate):
    samples = sweep(rate, 2)
    audio = read_audio(encode(tmp_path / name, samples, rate, codec, "stereo"))
    assert audio.rate == rate and len(audio.samples) == 2
    assert abs(offset(audio.samples[0].numpy(), samples[0])) <= 1
    assert abs(audio.samples.shape[1] - samples.shape[1]) <= (0 if name[2:] in {"m4a", "flac", "mp4"} else 2048)


def test_loud_float_files_are_kept(tmp_path):
    samples = sweep(16000) * 5
    assert read_audio(encode(tmp_path / "x.wav", samples, 16000, "pcm_f32le")).samples.abs().max() > 2


def test_start_and_duration(tmp_path):
    samples = sweep(16000)
    path = encode(tmp_path / "x.wav", samples, 16000, "pcm_f32le")
    audio = read_audio(path, start=0.25, duration=0.3)
    np.testing.assert_array_equal(audio.samples.numpy(), samples[:, 4000:8800])
    assert read_audio(path, start=0.5, duration=9).duration == 0.25


@pytest.mark.parametrize(
    "extra",
    [
        {"start": -1},
        {"start": float("nan")},
        {"duration": 0},
        {"duration": float("inf")},
        {"start": 1e300, "duration": 1e300},
        {"start": 0.74},
        {"start": 9},
    ],
)
def test_impossible_parts(tmp_path, extra):
    path = encode(tmp_path / "x.wav", sweep(16000), 16000, "pcm_s16le")
    with pytest.raises(InputError):
        read_audio(path, **extra)


def test_a_track_in_step_with_the_picture(tmp_path):
    samples = sweep(16000)
    path = encode(tmp_path / "x.wav", samples, 16000, "pcm_f32le")
    late, early = read_track(path, -0.5), read_track(path, 0.25)
    assert late is not None and early is not None
    np.testing.assert_array_equal(late.samples.numpy(), np.pad(samples, ((0, 0), (8000, 0))))
    np.testing.assert_array_equal(early.samples.numpy(), samples[:, 4000:])


def late_half(path: Path, late: float) -> Path:
    """Half a second of sound at 16 kHz, whose second half comes ``late`` seconds later than it should."""
    rate, half = 16000, 4096
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for number in range(8):
            frame = av.AudioFrame.from_ndarray(np.full((1, half // 4), 9000, np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = number * half // 4 + (round(late * rate) if number >= 4 else 0)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("late", "filled"), [(0.04, 0.0), (0.3, 0.3), (9.0, 9.0), (11.0, 11.0)])
def test_missing_sound_is_silence_unless_the_time_stamp_is_only_rounded(tmp_path, late, filled):
    samples = read_audio(late_half(tmp_path / "gap.mkv", late)).samples[0]
    assert len(samples) == pytest.approx(8192 + filled * 16000, abs=32)
    assert int((samples == 0).sum()) == len(samples) - 8192


def test_a_jump_that_no_recording_makes_is_told_and_not_filled(tmp_path):
    with pytest.warns(SonicWarning, match="jump"):
        samples = read_audio(late_half(tmp_path / "jump.mkv", LONGEST_PAUSE + 2)).samples[0]
    assert len(samples) == pytest.approx(8192, abs=32)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_must_be_numbers(tmp_path, value):
    samples = sweep(16000)
    samples[0, 5000] = value
    with pytest.raises(InputError, match="not numbers"):
        read_audio(encode(tmp_path / "x.wav", samples, 16000, "pcm_f32le"))


@pytest.mark.parametrize("count", [0, 160])
def test_too_short(tmp_path, count):
    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(b"\0\0" * count)
    with pytest.raises(InputError, match=r"at least 0.1 s"):
        read_audio(tmp_path / "x.wav")


def test_no_sound_track(tmp_path):
    with av.open(str(tmp_path / "x.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="no sound track"):
        read_audio(tmp_path / "x.mp4")
    with pytest.raises(MediaError, match="no file is there"):
        read_audio(tmp_path / "y.mp3")


@pytest.mark.parametrize(("content", "words"), [(b"", "empty file"), (b"only words\n" * 200, "cannot be decoded")])
def test_unreadable(tmp_path, content, words):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(MediaError, match=words):
        read_audio(tmp_path / "x.wav")
    with pytest.raises(MediaError, match="folder"):
        read_audio(tmp_path)


def test_mixing():
    pair = Audio(torch.tensor([[1.0, 0.5], [0.0, 0.5]]), 8000)
    torch.testing.assert_close(mono(pair).samples, torch.tensor([[0.5, 0.5]]))
    assert stereo(pair) is pair and mono(mono(pair)).samples.shape == (1, 2)
    centre = torch.zeros(6, 400_000)
    centre[2] = 1
    mixed = stereo(Audio(centre, 8000))
    torch.testing.assert_close(mixed.samples[0], mixed.samples[1])
    assert mono(Audio(centre, 8000)).samples.min() > 0.25
    assert stereo(Audio(torch.ones(6, 10), 8000)).samples.max() <= 1 + 1e-6
    torch.testing.assert_close(stereo(Audio(torch.ones(3, 10), 8000)).samples, torch.ones(2, 10))


@pytest.mark.parametrize(("rate", "wanted"), [(44100, 16000), (16000, 48000), (48000, 16000), (22050, 44100)])
def test_resampling_in_blocks_is_resampling_the_whole(rate, wanted):
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((2, 700_001), np.float32) * 0.1
    whole = librosa.resample(noise, orig_sr=rate, target_sr=wanted, res_type="soxr_hq")
    result = resample(Audio(torch.from_numpy(noise), rate), wanted)
    assert result.rate == wanted and result.samples.shape == whole.shape
    np.testing.assert_array_equal(result.samples.numpy(), whole)


def test_cut_and_pad():
    audio = Audio(torch.ones(2, 16000), 16000)
    assert cut(audio, 0.50004).samples.shape == (2, 8001)
    assert cut(audio, 2) is audio and pad(audio, 0.5) is audio
    assert pad(audio, 1.5).samples.sum() == 32000 and pad(audio, 1.5).duration == 1.5


def test_a_duration_longer_than_the_sound():
    audio = Audio(torch.zeros(1, 16000 * 4 + 123), 16000)
    for fine in (0.5, audio.duration, audio.duration + 0.04):
        check_duration(audio, fine, Fraction(25))
    with pytest.raises(InputError, match=r"4\.01 s, got 15\.00 s"):
        check_duration(audio, 15, Fraction(25))


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("count", [9001, 174_019, 300_001])
def test_resampling_gives_every_length_its_samples(rate, count):
    tone = torch.sin(torch.arange(count, dtype=torch.float64) * (2 * torch.pi * 200 / rate))
    result = resample(Audio(tone[None].float(), rate), 16_000)
    assert result.samples.shape == (1, math.ceil(count * Fraction(16_000, rate)))
    wanted = torch.sin(torch.arange(result.samples.shape[1], dtype=torch.float64) * (2 * torch.pi * 200 / 16_000))
    assert (result.samples[0] - wanted)[400:-400].abs().max() < 1e-3


def test_mixing_while_resampling():
    audio = Audio(torch.randn(2, 300_000, generator=torch.Generator().manual_seed(0)) * 0.1, 48000)
    torch.testing.assert_close(
        resample(audio, 16000, channels=1).samples, resample(mono(audio), 16000).samples, atol=1e-6, rtol=0
    )
    assert resample(audio, 48000, channels=1).samples.equal(mono(audio).samples)
    assert resample(audio, 48000) is audio and resample(audio, 48000, channels=2) is audio


def test_a_long_sound_stays_on_disk_and_is_the_same_sound(tmp_path, monkeypatch):
    from sonic_core.media import spool

    path = tmp_path / "long.wav"
    samples = (np.random.default_rng(0).standard_normal(spool.SHORT // 2) * 3000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(np.repeat(samples, 2).tobytes() * 3)
    long = read_audio(path)
    monkeypatch.setattr(spool, "SHORT", 1 << 40)
    plain = read_audio(path)
    assert plain.mapped is None
    if hasattr(os, "posix_fallocate"):
        assert long.mapped is not None
    long.rest()
    assert torch.equal(long.samples, plain.samples)
    long.rest()
    assert torch.equal(cut(long, 2.0).samples, plain.samples[:, :96_000])


def test_a_title_that_is_no_utf_8_does_no_harm(tmp_path):
    path = tmp_path / "old.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(3200))
    title = b"INFOINAM" + (6).to_bytes(4, "little") + "café!".encode("latin-1") + b"\0"
    content = bytearray(path.read_bytes() + b"LIST" + len(title).to_bytes(4, "little") + title)
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    path.write_bytes(content)
    assert read_audio(path).samples.shape == (1, 1600)
    assert read_waveform(path, 4).seconds == pytest.approx(0.1)


def bytes_read():
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/io").is_file(), reason="bytes that are read are counted by Linux")
def test_two_seconds_of_three_hours_cost_two_seconds(tmp_path):
    path, rate = tmp_path / "long.wav", 16000
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((sweep(rate)[0] * 32767).astype("<i2").tobytes())
    size = 3 * 3600 * rate * 2
    with path.open("r+b") as file:
        file.truncate(44 + size)
        for place, number in ((4, 36 + size), (40, size)):
            file.seek(place)
            file.write(number.to_bytes(4, "little"))
    before = bytes_read()
    audio = read_audio(path, duration=2)
    assert audio.samples.shape == (1, 2 * rate) and float(audio.samples.abs().max()) > 0.3
    assert bytes_read() - before < 4e6 < size / 80


@pytest.mark.skipif(not Path("/proc/self/io").is_file(), reason="bytes that are read are counted by Linux")
def test_the_pages_of_a_long_ogg_are_not_all_looked_at(tmp_path):
    generator = np.random.default_rng(1)
    noise = (generator.random((1, 48000 * 120), np.float32) - 0.5) * 0.5
    path = encode(tmp_path / "long.ogg", noise, 48000, "libopus")
    size, before = path.stat().st_size, bytes_read()
    part = read_audio(path, duration=1)
    assert bytes_read() - before < size / 2 and part.duration == 1
    whole = read_audio(path)
    assert torch.equal(part.samples, whole.samples[:, : part.samples.shape[1]])


@pytest.mark.skipif(os.name != "posix", reason="pipes with names are a POSIX matter")
@pytest.mark.parametrize("form", ["a named pipe", "what a shell writes for a process"])
def test_a_sound_comes_through_a_pipe(tmp_path, form):
    plain = encode(tmp_path / "x.m4a", sweep(48000), 48000, "aac")
    if form == "a named pipe":
        name = tmp_path / "pipe"
        os.mkfifo(name)
        with ThreadPoolExecutor(1) as other:
            other.submit(name.write_bytes, plain.read_bytes())
            heard = read_audio(name)
    else:
        out, into = os.pipe()
        with ThreadPoolExecutor(1) as other, os.fdopen(into, "wb") as file:
            other.submit(lambda: (file.write(plain.read_bytes()), file.close()))
            heard = read_audio(f"/dev/fd/{out}")
        os.close(out)
    assert torch.equal(heard.samples, read_audio(plain).samples)


@pytest.mark.skipif(os.name != "posix", reason="pipes with names are a POSIX matter")
def test_an_empty_pipe_is_one_sentence():
    out, into = os.pipe()
    os.close(into)
    with pytest.raises(MediaError, match="from a pipe, got nothing"):
        read_audio(f"/dev/fd/{out}")
    os.close(out)


def test_mixing_down_adds_sounds_of_all_kinds():
    first = Audio(torch.full((1, 16000), 0.25), 16000)
    second = Audio(torch.stack([torch.full((4000,), 0.5), torch.zeros(4000)]), 8000)
    made = mixdown([first, second])
    assert (made.rate, made.samples.shape) == (16000, (2, 16000))
    assert torch.allclose(made.samples[0, 1000:7000], torch.tensor(0.75), atol=0.01)
    assert torch.equal(made.samples[1, :1000], first.samples[0, :1000])
    assert torch.equal(made.samples[:, 9000:], first.samples[:, 9000:].expand(2, -1))
    assert mixdown([first]) is first


def test_what_would_be_too_loud_is_made_softer_as_a_whole():
    loud, soft = Audio(torch.tensor([[0.9, -0.9, 0.1]]), 10), Audio(torch.tensor([[0.9, -0.6]]), 10)
    assert torch.allclose(mixdown([loud, soft]).samples, torch.tensor([[1.0, -1.5 / 1.8, 0.1 / 1.8]]))


def test_a_delayed_sound_begins_later():
    sound = Audio(torch.tensor([[1.0, 2.0]]), 10)
    assert delay(sound, 0.2).samples.tolist() == [[0.0, 0.0, 1.0, 2.0]]
    assert delay(sound, 0.0) is sound
