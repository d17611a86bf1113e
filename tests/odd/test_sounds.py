"""Sounds with several tracks, gaps, odd channels or joined parts are heard whole and in time."""

import warnings
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from sonic_core.clip import open_clip
from sonic_core.errors import MediaError, SonicWarning
from sonic_core.media.audio import read_audio, read_track
from sonic_core.media.mixing import mono, resample, shift, stereo
from sonic_core.media.video import write_lossless
from sonic_core.types import Audio
from tests.odd.made import numbered, speech, write_film, write_sound

SPEECH = speech()
SILENCE = np.zeros_like(SPEECH)


def loud(samples):
    return float(samples.square().mean().sqrt())


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_the_default_track_is_heard_and_a_word_says_so(tmp_path, ending):
    codec = "aac" if ending == "mp4" else "pcm_s16le"
    path = write_sound(tmp_path / f"x.{ending}", [], codec=codec, tracks=[(0, [SILENCE]), (1, [SPEECH])])
    with pytest.warns(SonicWarning, match=r"2 sound tracks; number 2 was taken \(the default one\)"):
        assert loud(read_audio(path).samples) > 0.03
    with pytest.warns(SonicWarning, match="number 2"):
        assert loud(read_track(path, 0.0).samples) > 0.03


def test_a_commentary_is_not_taken_for_the_sound(tmp_path):
    path = write_sound(tmp_path / "x.mkv", [], tracks=[(8, [SILENCE]), (0, [SPEECH])])
    with pytest.warns(SonicWarning, match="number 2 was taken"):
        assert loud(read_audio(path).samples) > 0.03


def test_of_one_track_nothing_is_said(tmp_path):
    path = write_sound(tmp_path / "x.mkv", [SPEECH])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_audio(path).samples.shape == (1, len(SPEECH))


@pytest.mark.parametrize("gap", [0.06, 0.2, 15.0])
def test_a_gap_is_silence_however_long(tmp_path, gap):
    path = write_sound(tmp_path / "x.mkv", [SPEECH, SPEECH], gaps=[0, gap])
    samples = read_audio(path).samples[0]
    second = samples[len(SPEECH) + round(gap * 16000) :]
    assert abs(len(samples) - 2 * len(SPEECH) - gap * 16000) <= 32
    assert (second[: len(SPEECH)] - torch.from_numpy(SPEECH)[: len(second)]).abs().mean() < 0.01


def test_a_rounded_time_stamp_is_no_gap(tmp_path):
    path = write_sound(tmp_path / "x.mkv", [SPEECH, SPEECH], gaps=[0, 0.04])
    assert read_audio(path).samples.shape[1] == 2 * len(SPEECH)


def test_a_jump_that_cannot_be_meant_is_said_and_takes_no_room(tmp_path):
    path = write_sound(tmp_path / "x.mkv", [SPEECH, SPEECH], gaps=[0, 100_000])
    with pytest.warns(SonicWarning, match="jump by 100000 s"):
        assert read_audio(path).samples.shape[1] == 2 * len(SPEECH)


@pytest.mark.parametrize(("begins", "origin"), [(100_000, 0.0), (0, 100_000.0)])
def test_a_sound_that_starts_a_day_away_from_the_picture_starts_with_it(tmp_path, begins, origin):
    path = write_sound(tmp_path / "x.mkv", [SPEECH], gaps=[begins])
    with pytest.warns(SonicWarning, match="jump by"):
        assert read_track(path, origin).samples.shape[1] == len(SPEECH)


def test_a_late_start_is_kept(tmp_path):
    path = write_sound(tmp_path / "x.mkv", [SPEECH], gaps=[12.0])
    samples = read_track(path, 0.0).samples[0]
    assert len(samples) == 12 * 16000 + len(SPEECH) and not samples[: 12 * 16000 - 10].any()


def test_joined_sounds_of_other_rates_and_channels_are_heard_whole(tmp_path):
    first = write_sound(tmp_path / "a.mp3", [SPEECH], codec="libmp3lame", rate=16000).read_bytes()
    other = speech(1.0, 44100)
    second = write_sound(
        tmp_path / "b.mp3", [np.stack([other, other])], codec="libmp3lame", layout="stereo", rate=44100
    ).read_bytes()
    (tmp_path / "x.mp3").write_bytes(first[first.index(b"\xff\xf3") :] + second[second.index(b"\xff\xfb") :])
    audio = read_audio(tmp_path / "x.mp3")
    samples = audio.samples[0]
    assert len(audio.samples) == 1 and audio.rate == 16000 and 1.9 < audio.duration < 2.4
    assert abs(loud(samples[: len(samples) // 2]) / loud(samples[len(samples) // 2 :]) - 1) < 0.4


def test_mono_then_stereo(tmp_path):
    first = write_sound(tmp_path / "a.mp3", [SPEECH], codec="libmp3lame").read_bytes()
    second = write_sound(
        tmp_path / "b.mp3", [np.stack([SPEECH, SPEECH])], codec="libmp3lame", layout="stereo"
    ).read_bytes()
    (tmp_path / "x.mp3").write_bytes(first + second)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SonicWarning)  # the second file's own header is no sound
        audio = read_audio(tmp_path / "x.mp3")
    assert len(audio.samples) == 1 and 1.9 < audio.duration < 2.4 and loud(audio.samples[:, -12000:]) > 0.02


@pytest.mark.parametrize(("codec", "rates"), [("libopus", (48000, 48000)), ("flac", (16000, 44100))])
@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_chained_ogg(tmp_path, codec, rates, layout):
    parts = []
    for name, rate, channels in zip("ab", rates, ("mono", layout), strict=True):
        sound = np.stack([speech(1.0, rate)] * (2 if channels == "stereo" else 1))
        parts.append(write_sound(tmp_path / f"{name}.ogg", [sound], codec=codec, layout=channels, rate=rate))
    (tmp_path / "x.ogg").write_bytes(b"".join(part.read_bytes() for part in parts))
    audio = read_audio(tmp_path / "x.ogg")
    assert audio.rate == rates[0] and len(audio.samples) == 1
    assert abs(audio.duration - sum(read_audio(part).duration for part in parts)) < 0.05
    assert abs(loud(audio.samples[:, : rates[0]]) / loud(audio.samples[:, rates[0] :]) - 1) < 0.1


def test_a_piece_of_a_chained_ogg_may_lie_in_both_parts(tmp_path):
    parts = [
        write_sound(tmp_path / f"{rate}.ogg", [speech(1.0, rate)], codec="flac", rate=rate) for rate in (16000, 44100)
    ]
    (tmp_path / "x.ogg").write_bytes(b"".join(part.read_bytes() for part in parts))
    whole, piece = read_audio(tmp_path / "x.ogg"), read_audio(tmp_path / "x.ogg", start=0.8, duration=0.5)
    assert piece.samples.shape[1] == 8000
    assert torch.equal(piece.samples, whole.samples[:, 12800:20800])


def test_comfort_noise_is_silence(tmp_path):
    path = write_sound(tmp_path / "x.amr", [speech(2.0, 8000)], codec="libopencore_amrnb", rate=8000)
    content = path.read_bytes()
    head, frames = content[:6], content[6:]
    size = len(frames) // 100
    kept = [frames[place : place + size] for place in range(0, size * 100, size)]
    quiet = bytes([8 << 3 | 4]) + bytes(5)
    path.write_bytes(head + b"".join([*kept[:40], *[quiet] * 20, *kept[60:]]))
    with pytest.warns(SonicWarning, match="20 damaged packets"):
        audio = read_audio(path)
    assert abs(audio.duration - 2.0) < 0.1 and loud(audio.samples[:, -4000:]) > 0.01


@pytest.mark.parametrize("channels", [6, 8])
@pytest.mark.parametrize("surround", [False, True])
def test_microphones_are_not_taken_for_loudspeakers(tmp_path, channels, surround):
    samples = np.zeros((channels, len(SPEECH)), np.float32)
    samples[3] = SPEECH
    if surround:
        write_sound(tmp_path / "x.wav", [samples], layout={6: "5.1", 8: "7.1"}[channels])
    else:
        with wave.open(str(tmp_path / "x.wav"), "wb") as file:
            file.setnchannels(channels), file.setsampwidth(2), file.setframerate(16000)
            file.writeframes((samples.T * 32767).astype("<i2").tobytes())
    audio = read_audio(tmp_path / "x.wav")
    assert audio.surround is surround and len(audio.samples) == channels
    changed = [mono(audio), stereo(audio), resample(audio, 8000, channels=1), mono(shift(resample(audio, 8000), 0.1))]
    assert [loud(one.samples) > 0.002 for one in changed] == [not surround] * 4


def test_a_film_with_an_unknown_sound_says_so(tmp_path):
    path = tmp_path / "x.mkv"
    with av.open(str(path), "w") as container:
        picture, sound = container.add_stream("libx264", rate=25), container.add_stream("pcm_s16le", rate=16000)
        picture.width = picture.height = 64
        for number, pixels in enumerate(numbered(5)):
            frame = av.VideoFrame.from_ndarray(pixels)
            frame.pts = number
            container.mux(picture.encode(frame))
        block = av.AudioFrame.from_ndarray((SPEECH[None, :4096] * 32767).astype(np.int16), "s16", "mono")
        block.sample_rate = 16000
        container.mux([*sound.encode(block), *picture.encode(None), *sound.encode(None)])
    path.write_bytes(path.read_bytes().replace(b"A_PCM/INT/LIT", b"A_XYZ/ABC/DEF"))
    with pytest.raises(MediaError, match=r"sound in .* is coded in a way"):
        open_clip(path)
    assert (
        write_film(tmp_path / "silent.mp4", numbered(5)).exists() and open_clip(tmp_path / "silent.mp4").audio is None
    )


def test_eight_channels_are_kept(tmp_path):
    samples = torch.rand(8, 4000, generator=torch.Generator().manual_seed(0)) - 0.5
    options = {"fps": Fraction(25), "length": 5, "size": (64, 64)}
    write_lossless(tmp_path / "x.mkv", [torch.zeros(5, 3, 64, 64)], audio=Audio(samples, 20000), **options)
    assert read_audio(tmp_path / "x.mkv").samples.equal(samples)
