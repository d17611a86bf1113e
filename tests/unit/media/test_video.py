"""What is written comes back: colours, frames, times and sound; and nothing is left behind when it fails."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from sonic_core.errors import InputError, MediaError
from sonic_core.media.audio import read_audio
from sonic_core.media.colour import yuv420
from sonic_core.media.video import probe_video, read_video, write_lossless, write_video
from sonic_core.types import Audio

BARS = torch.tensor(
    [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0], [0.8, 0.6, 0.5]]
)
RATES = [Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30)]


def bars(height=64, width=144):
    return BARS.T[:, None, :].repeat_interleave(width // len(BARS), 2).expand(3, height, width).contiguous()


def inside(frames, width=144):
    """Keep what lies inside the bars, four pixels from their edges."""
    step = width // len(BARS)
    return torch.cat([frames[..., left + 4 : left + step - 4] for left in range(0, width, step)], -1)


def numbered(length, height=64, width=64):
    """Frames that carry their number as a brightness."""
    ramp = torch.linspace(0, 1, length)[:, None, None, None]
    return ramp.expand(length, 3, height, width)


def chirp(seconds, rate, channels=1):
    time = np.arange(round(seconds * rate)) / rate
    tone = 0.5 * np.sin(2 * np.pi * (150 * time + 500 * time**2))
    return Audio(torch.from_numpy(np.stack([tone] * channels)).float(), rate)


def write(path, frames, chunk=5, write=write_video, **options):
    options = {"fps": Fraction(25), "length": len(frames), "size": tuple(frames.shape[2:]), "audio": None} | options
    return write(path, (frames[i : i + chunk] for i in range(0, len(frames), chunk)), **options)


def read(path, start=0.0):
    return torch.cat(list(read_video(path, start)))


def test_saturated_colours_survive(tmp_path):
    frames = bars().expand(4, 3, 64, 144)
    back = read(write(tmp_path / "x.mp4", frames, crf=12))
    error = inside((back - frames).abs()) * 255
    assert error.max() <= 3 and error.mean() < 1
    assert probe_video(tmp_path / "x.mp4").size == (64, 144)


def test_the_matrix_is_bt709_in_limited_range(tmp_path):
    write(tmp_path / "x.mp4", bars().expand(2, 3, 64, 144), crf=1)
    with av.open(str(tmp_path / "x.mp4")) as container:
        frame = next(container.decode(video=0))
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)
        planes = frame.to_ndarray().reshape(-1)
    luma = planes[: 64 * 144].reshape(64, 144)[32, 8::16]
    np.testing.assert_allclose(luma, [235, 219, 188, 173, 78, 63, 32, 16, 155], atol=1)  # SMPTE RP 219 at 100 %


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("seconds", [1.0, 1.03])
def test_frames_and_sound_are_exact(tmp_path, fps, seconds):
    length = -int(-seconds * fps // 1)
    path = write(tmp_path / "x.mp4", numbered(length), fps=fps, audio=chirp(seconds, 48000))
    with av.open(str(path)) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert picture.frames == length and picture.average_rate == fps
        assert picture.start_time == 0 and sound.start_time == 0
        assert [frame.pts * frame.time_base for frame in container.decode(video=0)] == [i / fps for i in range(length)]
    info = probe_video(path)
    assert (info.length, info.fps, info.start, info.steady, info.has_audio) == (length, fps, 0, True, True)
    audio = read_audio(path)
    assert audio.samples.shape[1] == round(seconds * 48000)


@pytest.mark.parametrize(("rate", "heard"), [(48000, 48000), (16000, 16000), (37000, 48000)])
def test_sound_and_picture_stay_together(tmp_path, rate, heard):
    path = write(tmp_path / "x.mp4", numbered(25), audio=chirp(0.99, rate, 6))
    audio = read_audio(path)
    assert audio.rate == heard and len(audio.samples) == 2
    wanted, got = chirp(0.99, heard).samples[0].numpy(), audio.samples[0].numpy()
    assert abs(len(wanted) - len(got)) <= 1
    size = 2 * len(got)
    correlation = np.fft.irfft(np.fft.rfft(got, size) * np.conj(np.fft.rfft(wanted, size)))
    assert min(correlation.argmax(), size - correlation.argmax()) <= 1


def test_order_of_frames(tmp_path):
    frames = numbered(40)
    back = read(write(tmp_path / "x.mp4", frames))
    assert (back.mean((1, 2, 3)) - frames.mean((1, 2, 3))).abs().max() < 0.01
    torch.testing.assert_close(read(tmp_path / "x.mp4", 1.0), back[25:])


@pytest.mark.parametrize("codec", ["libx264rgb", "ffv1"])
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
def test_lossless_is_bit_exact(tmp_path, codec, fps, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - ({"libx264rgb"} - {codec}))
    frames = torch.randint(0, 256, (9, 3, 65, 67), generator=torch.Generator().manual_seed(1)).float() / 255
    audio = Audio(torch.randn(3, 5000, generator=torch.Generator().manual_seed(2)), 11111)
    path = write(tmp_path / "x.mkv", frames, write=write_lossless, fps=fps, audio=audio)
    assert (read(path) * 255).round().equal((frames * 255).round())
    back = read_audio(path)
    assert back.rate == 11111 and back.samples.equal(audio.samples)
    info = probe_video(path)
    assert (info.length, info.fps, info.size, info.steady) == (9, fps, (65, 67), True)


def test_odd_sizes_lose_one_row_and_column(tmp_path):
    frames = numbered(3, 65, 67)
    assert read(write(tmp_path / "x.mp4", frames)).shape == (3, 3, 64, 66)


def test_metadata_and_header_in_front(tmp_path):
    path = write(tmp_path / "x.mp4", numbered(5), metadata={"workflow": '{"ä": 1}'})
    with av.open(str(path)) as container:
        assert container.metadata["workflow"] == '{"ä": 1}'
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_chunk_size_changes_nothing(tmp_path):
    frames = numbered(20)
    files = [write(tmp_path / f"{n}.mp4", frames, n, audio=chirp(0.8, 16000)).read_bytes() for n in (1, 7, 20)]
    assert files[0] == files[1] == files[2]


def test_what_is_known_of_a_file_is_believed(tmp_path):
    path = write(tmp_path / "x.mkv", numbered(6), write=write_lossless)
    info = probe_video(path)
    assert torch.equal(torch.cat(list(read_video(path, info=info))), read(path))
    assert sum(map(len, read_video(path, info=replace(info, length=4)))) == 4


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
def test_progress_can_cancel_and_nothing_stays(tmp_path, error):
    def stop(stage, done, total):
        assert (stage, total) == ("encode", 10)
        if done == 6:
            raise error("stop")

    with pytest.raises(error, match="stop") as caught:
        write(tmp_path / "x.mp4", numbered(10), audio=chirp(0.4, 16000), progress=stop)
    assert type(caught.value) is error and not list(tmp_path.iterdir())


def test_other_frames_than_announced(tmp_path):
    for options, words in [
        ({"length": 6}, "6 frames, got only 5"),
        ({"length": 4}, "4 frames, got 5"),
        ({"size": (32, 64)}, "shape"),
    ]:
        with pytest.raises(MediaError, match=words):
            write(tmp_path / "x.mp4", numbered(5), **options)
    assert not list(tmp_path.iterdir())


def test_bad_targets_before_any_work(tmp_path):
    def never():
        raise AssertionError("work was begun")
        yield

    for name, words in [("x.avi", "ends in .mp4"), ("none/x.mp4", "existing folder")]:
        with pytest.raises(MediaError, match=words):
            write_video(tmp_path / name, never(), fps=Fraction(25), length=1, size=(64, 64), audio=None)


def test_rotation_is_undone(tmp_path):
    frames = torch.zeros(2, 3, 64, 96)
    frames[:, 0, :32] = 1
    with av.open(str(tmp_path / "x.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height = 96, 64
        stream.set_display_rotation(90)
        for frame in frames:
            pixels = (frame.permute(1, 2, 0) * 255).byte().numpy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels))))
        container.mux(stream.encode(None))
        turned = {90: 1, -90: -1}[90]
    back = read(tmp_path / "x.mp4")
    assert probe_video(tmp_path / "x.mp4").size == (96, 64)
    assert (back - torch.rot90(frames, turned, (2, 3))).abs().mean() < 0.1


def encode_times(path, times, **colour):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width = stream.height = 64
        stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in colour.items():
            setattr(stream.codec_context, name, value)
        for index, time in enumerate(times):
            pixels = np.full((64, 64, 3), 20 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels)
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_varying_times_are_evened_out(tmp_path):
    times = [0, 0.04, 0.08, 0.28, 0.32, 0.36, 0.40, 0.44]  # five frames are missing after the third
    path = encode_times(tmp_path / "x.mkv", times)
    info = probe_video(path)
    assert not info.steady
    numbers = (read(path).mean((1, 2, 3)) * 255 / 20).round().int().tolist()
    assert len(numbers) == info.length == round(0.44 * info.fps) + 1
    for index, number in enumerate(numbers):
        assert abs(times[number] - float(index / info.fps)) < 0.2 and numbers == sorted(numbers)


@pytest.mark.parametrize(("colorspace", "full"), [(1, False), (5, False), (2, False), (1, True), (5, True)])
def test_tags_decide_the_colours(tmp_path, colorspace, full):
    path = tmp_path / "x.mkv"
    red, blue = (0.2126, 0.0722) if colorspace == 1 else (0.299, 0.114)  # untagged and small: BT.601
    colour = torch.tensor([0.8, 0.4, 0.2])
    y = red * colour[0] + (1 - red - blue) * colour[1] + blue * colour[2]
    u, v = (colour[2] - y) / (2 - 2 * blue), (colour[0] - y) / (2 - 2 * red)
    luma, chroma, black = (255, 255, 0) if full else (219, 224, 16)
    planes = [round(float(x)) for x in (black + luma * y, 128 + chroma * u, 128 + chroma * v)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width = stream.height = 64
        stream.codec_context.colorspace, stream.codec_context.color_range = colorspace, 2 if full else 1
        pixels = np.repeat(np.array(planes, np.uint8), [64 * 64, 32 * 32, 32 * 32]).reshape(96, 64)
        frame = av.VideoFrame.from_ndarray(pixels, "yuv420p")
        frame.colorspace, frame.color_range = colorspace, 2 if full else 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    error = (read(path) - colour[:, None, None]).abs().max() * 255
    assert error < 2.5


def test_what_is_no_video(tmp_path):
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "x.png")
    (tmp_path / "x.txt").write_text("only words\n" * 100)
    (tmp_path / "x.mp4").write_bytes(b"only words\n" * 100)
    for name in ("x.png", "x.txt", "x.mp4", "none.mp4"):
        with pytest.raises(MediaError, match=name):
            probe_video(tmp_path / name)
    with av.open(str(tmp_path / "x.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
    with pytest.raises(InputError, match="no picture track"):
        next(read_video(tmp_path / "x.wav"))


def test_a_frame_whose_colours_lie_side_by_side_is_coded_as_one_of_planes():
    planes = torch.rand(3, 150, 70, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    drawn = planes.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    change = np.abs(yuv420(drawn).astype(int) - yuv420(planes))
    assert change.max() <= 1
    assert (change > 0).mean() < 1e-3
