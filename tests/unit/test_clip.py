"""A clip is read again and again, and leaves as a file."""

import io
import warnings
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from sonic_core.clip import Clip, frame_count, open_clip
from sonic_core.errors import InputError, MediaError
from sonic_core.types import Audio


def clip(length=12, chunk=5, size=(64, 80), audio=None, ended=None):
    def read():
        try:
            for first in range(0, length, chunk):
                count = min(chunk, length - first)
                yield torch.arange(first, first + count)[:, None, None, None].expand(count, 3, *size) / length
        finally:
            if ended is not None:
                ended.append(True)

    return Clip(read, Fraction(25), length, size, audio)


@pytest.mark.parametrize(
    ("duration", "fps", "count"),
    [
        (15.0, Fraction(25), 375), (1.04, Fraction(25), 26), (1.05, Fraction(25), 27), (0.001, Fraction(25), 1),
        (240.0, Fraction(30000, 1001), 7193), (10.01, Fraction(30000, 1001), 300), (0.1 + 0.2, Fraction(10), 3),
        (48001 / 48000, Fraction(25), 26), (10, Fraction(24), 240),
    ],
)  # fmt: skip
def test_frame_count(duration, fps, count):
    assert frame_count(duration, fps) == count


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("fps", [Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30)])
def test_rounding_never_adds_a_frame(rate, fps):
    for frames in range(1, 4000, 37):
        samples = int(frames / fps * rate)  # the last sample that fits into so many frames
        assert frame_count(samples / rate, fps) <= frames
        exact = frames / fps * rate
        if exact == samples:
            assert frame_count(samples / rate, fps) == frames


@pytest.mark.parametrize("duration", [0, -1, float("nan"), float("inf")])
def test_frame_count_needs_a_length(duration):
    with pytest.raises(InputError):
        frame_count(duration, Fraction(25))


def test_frames_one_by_one():
    whole = clip()
    frames = list(whole.frames())
    assert len(frames) == 12 and frames[0].shape == (3, 64, 80) and whole.duration == 0.48
    assert torch.stack(frames).equal(torch.cat(list(clip(chunk=12).read())))


def test_export_and_open(tmp_path):
    reports = []
    audio = Audio(torch.sin(torch.arange(7600) / 20)[None], 16000)
    path = clip(audio=audio).export(tmp_path / "x.mp4", progress=lambda *report: reports.append(report))
    assert reports == [("encode", done, 12) for done in range(1, 13)]
    opened = open_clip(path)
    assert (opened.fps, opened.length, opened.size) == (25, 12, (64, 80))
    assert opened.audio is not None and opened.audio.samples.shape == (1, 7600)
    first, second = (torch.cat(list(opened.read())) for _ in range(2))
    assert first.equal(second)
    assert (first - torch.cat(list(clip().read()))).abs().max() < 0.02
    opened.export(tmp_path / "x.mp4")  # over its own source, which stays whole until the end
    assert open_clip(tmp_path / "x.mp4").length == 12


def test_a_silent_clip(tmp_path):
    assert open_clip(clip().export(tmp_path / "x.mp4")).audio is None


def test_cancelling_ends_the_reader_and_leaves_nothing(tmp_path):
    ended = []

    def stop(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clip(ended=ended).export(tmp_path / "x.mp4", progress=stop)
    assert ended == [True] and not list(tmp_path.iterdir())


def test_a_bad_target_is_refused_before_reading(tmp_path):
    ended = []
    with pytest.raises(MediaError):
        clip(ended=ended).export(tmp_path / "x.avi")
    assert not ended


def test_a_sound_before_the_picture_is_left_out(tmp_path):
    import av
    import numpy as np

    with av.open(str(tmp_path / "x.mkv"), "w") as container:
        picture, sound = container.add_stream("libx264", rate=25), container.add_stream("pcm_f32le", rate=16000)
        picture.width = picture.height = 64
        sound.layout = "mono"
        ramp = np.arange(16000, dtype=np.float32)[None] / 16000
        frame = av.AudioFrame.from_ndarray(ramp, "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, 0, Fraction(1, 16000)
        container.mux(sound.encode(frame))
        for index in range(10):
            shot = av.VideoFrame(64, 64, "yuv420p")
            shot.pts, shot.time_base = index + 5, Fraction(1, 25)
            container.mux(picture.encode(shot))
        container.mux(picture.encode(None))
    opened = open_clip(tmp_path / "x.mkv")
    assert opened.length == 10 and opened.audio is not None
    assert abs(float(opened.audio.samples[0, 0]) - 0.2) < 0.002


def numbered(length, size=(32, 48)):
    """Frames of noise, each unlike every other, in whole steps of 8 bits."""
    frames = torch.randint(0, 256, (length, 3, *size), generator=torch.Generator().manual_seed(length)).float() / 255
    return Clip(lambda: iter(frames.split(5)), Fraction(25), length, size, None), frames


def there_and_back(length):
    return [*range(length), *range(length - 2, 0, -1)]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("length", [1, 2, 3, 8, 9, 10, 17, 24, 25, 26])
def test_pingpong_goes_there_and_back(length, bits):
    once, frames = numbered(length)
    again = once.pingpong(bits)
    assert again.length == len(there_and_back(length)) and again.fps == 25
    for _ in range(2):
        assert torch.cat(list(again.read())).equal(frames[there_and_back(length)])


def test_pingpong_keeps_sixteen_bits(tmp_path):
    frames = torch.rand(5, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    fine = Clip(lambda: iter([frames]), Fraction(25), 5, (32, 48), None)
    path = fine.export(tmp_path / "x", format="png16", pingpong=True)
    files = sorted(path.iterdir())
    assert len(files) == 8
    assert [files[5 + place].read_bytes() == files[3 - place].read_bytes() for place in range(3)] == [True] * 3


def test_pingpong_cleans_up_and_cancels(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = []
    for frames in (1, 20):  # on the way there, on the way back
        chunks = clip(ended=ended).pingpong().read()
        for _ in range(frames if frames == 1 else 6):
            next(chunks)
        assert list(tmp_path.iterdir())
        chunks.close()
        assert not list(tmp_path.iterdir())
    assert ended == [True, True]


def sounding(seconds, length=10):
    return clip(length=length, audio=Audio(0.1 * torch.ones(1, round(seconds * 16000)), 16000))


@pytest.mark.parametrize(
    ("seconds", "sound", "expected"),  # frames, seconds of sound, whether a warning tells of the held frame
    [
        (0.4, "whole", (10, 0.4, False)), (0.39, "whole", (10, 0.39, False)), (0.43, "whole", (10, 0.43, False)),
        (0.2, "whole", (10, 0.4, False)), (0.5, "whole", (13, 0.5, False)), (1.4, "whole", (35, 1.4, True)),
        (0.4, "trimmed", (10, 0.4, False)), (0.2, "trimmed", (10, 0.4, False)), (1.4, "trimmed", (10, 0.4, False)),
    ],
)  # fmt: skip
def test_picture_and_sound_have_one_length(tmp_path, seconds, sound, expected):
    frames, heard, said = expected
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        back = open_clip(sounding(seconds).export(tmp_path / "x.mp4", sound=sound))
    assert ["1.0 s longer" in str(one.message) for one in caught] == [True] * said
    assert back.audio is not None
    assert (back.length, back.audio.samples.shape[1]) == (frames, round(heard * 16000))
    last = list(back.frames())
    assert all((frame - last[9]).abs().max() < 0.03 for frame in last[9:])
    silent = back.audio.samples[0, round(seconds * 16000) + 300 :]
    assert silent.abs().max() < 0.01 if len(silent) else True


@pytest.mark.parametrize(("first", "length"), [(0, 12), (0, 1), (3, 2), (4, 8), (11, 1), (5, 5)])
def test_a_cut_keeps_frames_and_what_sounds_meanwhile(first, length):
    audio = Audio(torch.arange(12 * 640.0)[None] / 8000, 16000)
    whole = clip(audio=audio)
    part = whole.cut(first, length)
    assert torch.cat(list(part.read())).equal(torch.cat(list(whole.read()))[first : first + length])
    assert part.audio.samples.equal(audio.samples[:, first * 640 : (first + length) * 640])
    assert (part.length, part.fps, part.size) == (length, whole.fps, whole.size)


def test_a_cut_ends_the_reading_and_cleans_up():
    ended = []
    assert len(list(clip(length=100, ended=ended).cut(2, 3).frames())) == 3
    assert ended == [True]


def test_a_cut_behind_the_sound_is_silent():
    assert clip(audio=Audio(torch.ones(1, 640), 16000)).cut(1, 3).audio is None


@pytest.mark.parametrize(("first", "length"), [(-1, 2), (0, 0), (0, 13), (12, 1)])
def test_a_cut_needs_frames_that_are_there(first, length):
    with pytest.raises(InputError, match="of 12 frames"):
        clip().cut(first, length)


def test_pingpong_plays_the_sound_once(tmp_path):
    back = open_clip(sounding(0.4).export(tmp_path / "x.mp4", pingpong=True))
    assert back.audio is not None
    assert (back.length, back.audio.duration) == (18, 0.72)
    assert back.audio.samples[0, 6700:].abs().max() < 0.01 < back.audio.samples[0, :6000].abs().mean()


def test_a_videos_broken_sound_is_silence(tmp_path):
    from sonic_core.errors import SonicWarning
    from sonic_core.media.video import write_lossless

    samples = 0.5 * torch.ones(1, 6400)
    path = write_lossless(tmp_path / "x.mkv", clip(10).read(), fps=Fraction(25), length=10, size=(64, 80),
                          audio=Audio(samples, 16000))  # fmt: skip
    content = bytearray(path.read_bytes())
    place = content.rindex(b"\0\0\0\x3f" * 8)
    content[place : place + 4] = b"\0\0\xc0\x7f"
    path.write_bytes(content)
    with pytest.warns(SonicWarning, match="1 samples of the sound in .* taken as silence"):
        audio = open_clip(path).audio
    assert audio is not None and (audio.samples == 0).sum() == 1


def test_a_file_that_is_only_looked_at_is_read_smaller(tmp_path):
    rows = torch.linspace(0.2, 0.8, 64)[None, None, :, None].expand(1, 3, 64, 98)
    made = Clip(lambda: iter([rows, 1 - rows]), Fraction(25), 2, (64, 98), None)
    assert made.reduced(3) is made
    made.export(tmp_path / "rows.mp4", crf=4)
    clip = open_clip(tmp_path / "rows.mp4")
    small = clip.reduced(3)
    assert small.size == (21, 32) and clip.reduced(1) is clip
    for frame, whole in zip(small.frames(), clip.frames(), strict=True):
        wanted = whole[:, :63, :96].unflatten(2, (32, 3)).unflatten(1, (21, 3)).mean((2, 4))
        assert frame.shape == (3, 21, 32) and (frame - wanted).abs().max() < 0.02
    other = replace(clip, read=lambda: iter([rows]))
    assert other.reduced(3) is other, "frames of a file that are changed on their way are not those of the file"


class Interrupted(io.BytesIO):
    """Somebody presses Ctrl-C while the third piece is written."""

    pieces = 0

    def write(self, data):
        self.pieces += 1
        if self.pieces == 3:
            raise KeyboardInterrupt
        return super().write(data)


def test_who_interrupts_while_a_stream_is_written_is_heard():
    clip = Clip(lambda: iter(torch.rand(25, 1, 3, 64, 64)), Fraction(25), 25, (64, 64), None)
    stream = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        clip.stream(stream)
