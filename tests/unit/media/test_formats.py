"""Every format that is offered: what was written comes back, in its colours, times and sound; nothing stays behind."""

import json
import os
import shutil
import sys
import warnings
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from PIL import Image

from sonic_core.clip import Clip
from sonic_core.errors import MediaError, SettingsError
from sonic_core.media import formats
from sonic_core.media.audio import read_audio
from sonic_core.media.formats import FORMATS, available_formats, find_format, format_of
from sonic_core.media.video import probe_video, write_video
from sonic_core.types import Audio
from tests.unit.media.written import (
    CODECS,
    OFFERED,
    PLAYED,
    SILENT,
    SIZE,
    TEXTS,
    clip_of,
    pictures,
    smooth,
    texts_of,
    tone,
    write,
)

ALLOWED = {  # crf, and the mean and nearly the largest error, in steps of 8 bits
    "mp4-h264": (12, 1.3, 6), "mp4-h265": (12, 1.0, 5), "mp4-av1": (12, 0.9, 5), "webm-vp9": (12, 0.9, 5),
    "mov-prores": (None, 0.2, 1.0), "webp": (5, 1.4, 6), "gif": (None, 6.0, 30), "png16": (None, 0.002, 0.002),
}  # fmt: skip


@pytest.mark.parametrize("name", OFFERED)
@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
def test_frames_are_exact(tmp_path, name, fps):
    path = write(tmp_path, name, smooth(9), tone(0.3), fps=fps)
    assert len(list(tmp_path.iterdir())) == 1
    if name == "png16":
        assert sorted(file.name for file in path.iterdir()) == [*(f"{n:05}.png" for n in range(1, 10)), "sound.wav"]
    elif name == "webp":
        with Image.open(path) as moving:
            times = [
                (moving.seek(index), moving.load(), moving.info["duration"])[2] for index in range(moving.n_frames)
            ]
        assert sum(times) == round(9000 / fps) and max(times) - min(times) <= 1
    else:
        info = probe_video(path)
        assert (info.length, info.start, info.has_audio) == (9, 0, name not in SILENT)
        assert abs(info.duration - float(9 / fps)) < 0.01
    assert len(pictures(path, name)) == 9


@pytest.mark.parametrize("name", PLAYED)
def test_videos_say_what_they_are(tmp_path, name):
    with av.open(str(write(tmp_path, name, sound=tone(0.24)))) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert context.codec.canonical_name == CODECS[name]
        assert context.pix_fmt == FORMATS[name].pixels
        frame = next(container.decode(stream))
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)
        assert (frame.colorspace, frame.color_range) == (1, 1)
        if name == "mp4-h265":
            assert context.codec_tag == "hvc1"


@pytest.mark.parametrize("name", OFFERED)
def test_colours_survive(tmp_path, name):
    crf, mean, largest = ALLOWED[name]
    frames = smooth()
    error = (pictures(write(tmp_path, name, frames, crf=crf), name) - frames).abs() * 255
    error = error[..., 4:-4, 4:-4].flatten()  # at the edges chroma has a neighbour less
    most = float(error.kthvalue(int(len(error) * 0.999)).values)
    assert (error.mean() < mean, most < largest) == (True, True)


@pytest.mark.parametrize("name", [name for name in OFFERED if name not in SILENT])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_sound_comes_back_in_step(tmp_path, name, channels):
    audio = tone(0.6, 44100, channels)
    audio = Audio(audio.samples * (torch.arange(audio.samples.shape[1]) > 10000), 44100)  # silent up to 0.227 s
    path = write(tmp_path, name, smooth(15), audio)
    back = read_audio(path / "sound.wav" if name == "png16" else path)
    assert len(back.samples) == (channels if name == "png16" else min(2, channels))
    assert abs(back.duration - 0.6) < 0.001
    begins = int((back.samples[0].abs() > 0.1).nonzero()[0]) / back.rate
    assert abs(begins - 10000 / 44100) < 0.003
    if name == "png16":
        assert back.rate == 44100 and back.samples.equal(audio.samples)


@pytest.mark.parametrize("name", [name for name in OFFERED if name not in SILENT])
def test_sound_that_is_missing_empty_silent_or_broken(tmp_path, name):
    broken = tone(0.24)
    broken.samples[0, 4000:5000] = float("nan")
    broken.samples[0, 5000] = float("inf")
    for place, sound in enumerate([None, Audio(torch.zeros(1, 0), 16000), Audio(torch.zeros(1, 3840), 16000), broken]):
        folder = tmp_path / str(place)
        folder.mkdir()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            path = write(folder, name, sound=sound)
        assert [str(one.message) for one in said] == [
            "1001 samples of the sound are not numbers (NaN or infinite); silence was written for them."
        ] * (sound is broken)
        heard = (path / "sound.wav").exists() if name == "png16" else probe_video(path).has_audio
        assert heard == (place > 1)
        if heard:
            samples = read_audio(path / "sound.wav" if name == "png16" else path).samples
            assert samples.isfinite().all() and bool((samples.abs() > 0.1).any()) == (sound is broken)


@pytest.mark.parametrize("name", OFFERED)
def test_the_workflow_is_in_the_file(tmp_path, name):
    long = TEXTS | {"workflow": json.dumps({"nodes": [{"id": index} for index in range(500)]})}
    for texts in (long,) if name == "webp" else (TEXTS, long):  # Pillow reads only ASCII there
        path = write(tmp_path, name, metadata=texts)
        assert {word: texts_of(path, name)[word] for word in texts} == texts
        assert len(pictures(path, name)) == 6
        path = path.rename(tmp_path / f"before{len(list(tmp_path.iterdir()))}") if path.is_dir() else path


@pytest.mark.parametrize("name", OFFERED)
def test_odd_sizes(tmp_path, name):
    frames = smooth(3, (65, 67))
    kept = {"yuv420p": (64, 66), "yuv422p10le": (65, 66)}.get(FORMATS[name].pixels, (65, 67))
    assert pictures(write(tmp_path, name, frames), name).shape == (3, 3, *kept)


@pytest.mark.parametrize("name", OFFERED)
def test_chunk_size_changes_nothing(tmp_path, name):
    shown = []
    for chunk in (1, 5, 12):
        (tmp_path / str(chunk)).mkdir()
        shown.append(pictures(write(tmp_path / str(chunk), name, smooth(12), tone(0.48), chunk=chunk), name))
    assert shown[0].equal(shown[1]) and shown[0].equal(shown[2])


@pytest.mark.parametrize("name", OFFERED)
@pytest.mark.parametrize("pingpong", [False, True])
def test_cancelling_leaves_nothing(tmp_path, monkeypatch, name, pingpong):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    stages = {"palette", "encode"} if name == "gif" else {"encode"}
    for wanted in stages:

        def stop(stage, done, total, wanted=wanted):
            if stage == wanted and done == (8 if pingpong else 4):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write(tmp_path, name, sound=tone(0.24), pingpong=pingpong, progress=stop)
        assert [file.name for file in tmp_path.rglob("*")] == ["temporary"]


@pytest.mark.parametrize("name", OFFERED)
def test_progress_tells_every_frame(tmp_path, name):
    reports = []
    write(tmp_path, name, progress=lambda *report: reports.append(report))
    stages = ["palette", "encode"] if name == "gif" else ["encode"]
    assert reports == [(stage, done, 6) for stage in stages for done in range(1, 7)]


@pytest.mark.parametrize("name", OFFERED)
def test_a_reader_that_fails_leaves_nothing(tmp_path, name):
    def chunks():
        yield smooth(3)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_video(tmp_path / f"x{FORMATS[name].suffix}", chunks(), fps=Fraction(25), length=6, size=SIZE,
                    audio=None, format=name)  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_what_the_build_lacks_is_not_offered(tmp_path, monkeypatch):
    missing = {"libx265", "libvpx-vp9", "libopus", "libvorbis"}
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - missing)
    monkeypatch.setattr(av, "formats_available", av.formats_available - {"gif"})
    monkeypatch.setattr("av.filter.filters_available", set())
    assert not {"mp4-h265", "webm-vp9", "gif"} & set(available_formats())
    with pytest.raises(SettingsError) as said:
        clip_of(smooth()).export(tmp_path / "x.mp4", format="mp4-h265")
    words = str(said.value)
    assert "mp4-h265 needs the encoder libx265" in words and "choose from mp4-h264, mp4-av1, mov-prores" in words
    with pytest.raises(SettingsError, match="libvpx-vp9 and the encoder libopus or libvorbis"):
        clip_of(smooth()).export(tmp_path / "x.webm")
    with pytest.raises(SettingsError, match="container gif and the filter paletteuse"):
        find_format("gif")
    assert not list(tmp_path.iterdir())


def test_another_encoder_takes_over(monkeypatch):
    if "libsvtav1" in av.codecs_available:
        assert FORMATS["mp4-av1"].encoder.name == "libsvtav1"
    monkeypatch.setattr(formats, "_has_encoder", lambda name: name == "libaom-av1")
    assert FORMATS["mp4-av1"].encoder.name == "libaom-av1"


@pytest.mark.parametrize(
    ("path", "name"),
    [("x.mp4", "mp4-h264"), ("x.MP4", "mp4-h264"), ("x.webm", "webm-vp9"), ("a.b/x.mov", "mov-prores"),
     ("x.webp", "webp"), ("x.gif", "gif")],
)  # fmt: skip
def test_the_ending_tells_the_format(path, name):
    assert format_of(path).name == name


@pytest.mark.parametrize(
    ("path", "options", "error", "words"),
    [
        ("x.avi", {}, MediaError, "ends in .mp4, .webm, .mov, .webp, .gif, got"),
        ("x", {}, SettingsError, "no ending"),
        ("x.mov", {"format": "mp4-h264"}, MediaError, "ends in .mp4, got"),
        ("x.mp4", {"format": "mp4"}, SettingsError, "format must be one of mp4-h264"),
        ("x.mp4", {"crf": 52}, SettingsError, "crf must be from 0 .* to 51 for mp4-h264"),
        ("x.webm", {"crf": -1}, SettingsError, "to 63"),
        ("x.webm", {"crf": float("nan")}, SettingsError, "crf"),
        ("x.mp4", {"sound": "cut"}, SettingsError, "sound must be one of whole, trimmed"),
        ("there", {"format": "png16"}, MediaError, "there exists; choose another name"),
        ("none/x", {"format": "png16"}, MediaError, "existing folder"),
    ],
)
def test_bad_wishes_are_one_sentence_before_any_work(tmp_path, path, options, error, words):
    (tmp_path / "there").mkdir()

    def read():
        raise AssertionError("work was begun")
        yield

    with pytest.raises(error, match=words) as said:
        Clip(read, Fraction(25), 4, SIZE, None).export(tmp_path / path, **options)
    assert "\n" not in str(said.value)
    assert [file.name for file in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("name", OFFERED)
def test_the_smallest_picture_of_each_format_is_written_and_a_smaller_one_is_refused(tmp_path, name):
    least = FORMATS[name].least_side
    for height, width in [(least, least), (least, least + 1), (least + 1, least)]:
        path = write(tmp_path / ".", name, torch.rand(3, 3, height, width))
        assert len(pictures(path, name)) == 3
        path.unlink() if path.is_file() else shutil.rmtree(path)
    for size in [(least - 1, 64), (64, least - 1)]:
        with pytest.raises(MediaError, match=f"takes pictures from {least}×{least} to"):
            write(tmp_path, name, torch.rand(3, 3, *size))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "size"),
    [("mp4-h264", (64, 16386)), ("mp4-h264", (16386, 64)), ("mp4-av1", (8706, 64)), ("mov-prores", (64, 65540)),
     ("webp", (16384, 64)), ("gif", (65540, 1))],
)  # fmt: skip
def test_sides_that_are_too_long_are_one_sentence_before_any_work(tmp_path, name, size):
    def read():
        raise AssertionError("work was begun")
        yield

    with pytest.raises(MediaError, match=rf"got {size[1]}×{size[0]}; choose another size or another format\."):
        Clip(read, Fraction(25), 4, size, None).export(tmp_path / f"x{FORMATS[name].suffix}", format=name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("name", PLAYED)
def test_a_clip_of_one_or_two_frames_keeps_them(tmp_path, name, length):
    for seed in range(4):  # x265 forgot a time stamp in every second such clip
        frames = torch.rand(length, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        path = write(tmp_path, name, frames)
        assert probe_video(path).length == length and len(pictures(path, name)) == length


@pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="names of any bytes are Linux's matter")
def test_names_that_are_no_text_work_or_are_one_sentence(tmp_path, caplog):
    caplog.set_level("ERROR", "sonic")  # what is logged of a test goes from process to process as text
    name = os.fsdecode(b"caf\xe9")
    path = clip_of(smooth(3), tone(0.1)).export(tmp_path / f"{name}.mp4")
    assert path.read_bytes()[4:8] == b"ftyp" and len(list(tmp_path.iterdir())) == 1
    (tmp_path / name).mkdir()
    for refused in (
        lambda: clip_of(smooth(3)).export(tmp_path / name / "x.mp4"),
        lambda: probe_video(path),
        lambda: read_audio(path),
    ):
        with pytest.raises(MediaError, match=r"name that is not UTF-8, by which FFmpeg opens nothing; rename it\."):
            refused()
    assert not list((tmp_path / name).iterdir())


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux lists threads so")
def test_no_encoder_makes_threads_that_starve_others(tmp_path):
    """Run as root, SVT-AV1 makes real-time threads of those that it starts and of whoever opens it."""
    if "libsvtav1" not in av.codecs_available:
        pytest.skip("this build of PyAV has no SVT-AV1")
    seen = []

    def frames():
        for _ in range(8):
            yield smooth(1)
            seen.extend(os.sched_getscheduler(int(thread.name)) for thread in Path("/proc/self/task").iterdir())

    clip = replace(clip_of(smooth(8)), read=frames)
    clip.export(tmp_path / "x.mp4", format="mp4-av1")
    assert set(seen) == {os.SCHED_OTHER}
