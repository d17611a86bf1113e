"""Films whose frames come at odd times, the wrong way up, in fields or in other sizes are shown as they are meant."""

import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from sonic_core.clip import open_clip
from sonic_core.errors import InputError, MediaError, SonicWarning
from sonic_core.media.audio import read_track
from sonic_core.media.video import probe_video
from tests.odd.made import ASSETS, numbered, numbers, portrait, shown, video_frames, write_film

ROOT = Path(__file__).parents[2]


def steps(*runs):
    """Times of frames: (count, frames per second), one run behind the other."""
    times, now = [], 0.0
    for count, rate in runs:
        times += [now + number / rate for number in range(count)]
        now += count / rate
    return times


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("times", "fps", "length"),
    [
        (steps((20, 30), (10, 15)), 30, 39),
        (steps((15, 25), (1, 1), (14, 25)), 25, 54),
        (steps((10, 25)) + [5 + number / 25 for number in range(5)], 25, 130),
        ([number / 25 for number in range(30) if number % 7], 25, 29),
    ],
    ids=["fast, then slow", "one held for a second", "a pause", "some left out"],
)
def test_a_varying_rate_is_the_declared_one_and_no_frame_is_lost(tmp_path, ending, times, fps, length):
    info, frames = shown(write_film(tmp_path / f"x.{ending}", numbered(len(times)), times=times, rate=fps))
    places = np.round(np.subtract(times, times[0]) * fps).astype(int)
    wanted = [int(np.searchsorted(places, place, "right")) - 1 for place in range(length)]
    assert (info.fps, info.length) == (fps, length)
    assert numbers(frames) == wanted and set(wanted) == set(range(len(times)))


def test_the_rate_of_a_film_that_declares_another_is_what_its_frames_keep(tmp_path):
    times = steps((24, 30), (8, 15))
    info, frames = shown(write_film(tmp_path / "x.mkv", numbered(32), times=times, rate=25))
    assert abs(info.fps - 30) < 0.05 and sorted(set(numbers(frames))) == [*range(32)]


def test_jittering_time_stamps_lose_no_frame(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.012, 0.012, 30)
    times = np.maximum.accumulate(np.arange(30) / 30 + np.abs(noise))
    info, frames = shown(write_film(tmp_path / "x.mp4", numbered(30), times=times, rate=30))
    assert info.fps == 30 and sorted(set(numbers(frames))) == list(range(30))


@pytest.mark.parametrize(
    ("times", "seconds"), [([0, 1200, 2400, 3600], 3600), ([0, 100], 100), ([0, 900, 1800, 2700], 2700), ([0, 2, 4], 4)]
)
def test_slow_films_last_as_long_as_they_say(tmp_path, times, seconds):
    info = probe_video(write_film(tmp_path / "x.mp4", numbered(len(times)), times=times))
    assert seconds <= info.duration <= seconds + 2 and info.length <= seconds + 1


def test_two_frames_far_apart_in_a_stream_without_a_rate(tmp_path):
    info, frames = shown(write_film(tmp_path / "x.ts", numbered(2), times=[0, 20]))
    assert abs(info.duration - 20) <= 2 and sorted(set(numbers(frames))) == [0, 1]


def test_a_film_that_was_copied_half_way_keeps_its_rate(tmp_path):
    write_film(tmp_path / "whole.mp4", video_frames(60), crf="20", bf="3")
    options = {"movflags": "faststart"}
    with av.open(str(tmp_path / "whole.mp4")) as source, av.open(str(tmp_path / "x.mp4"), "w", options=options) as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    content = (tmp_path / "x.mp4").read_bytes()
    (tmp_path / "x.mp4").write_bytes(content[: len(content) * 6 // 10])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SonicWarning)  # the last packet may have been cut
        info, frames = shown(tmp_path / "x.mp4")
    assert info.fps == 25 and 10 < info.length == len(frames) < 60


def test_joined_films_follow_each_other(tmp_path):
    part = write_film(tmp_path / "part.ts", numbered(25), bf="2").read_bytes()
    (tmp_path / "x.ts").write_bytes(part + part)
    info, frames = shown(tmp_path / "x.ts")
    assert (info.fps, info.length) == (25, 50) and numbers(frames) == [*range(25)] * 2


def vp8_packets(path, count):
    """Encode numbered pictures, each of which can be decoded alone: time stamp and content."""
    write_film(path, numbered(count), codec="libvpx", g="1", **{"auto-alt-ref": "0", "b": "2M"})
    with av.open(str(path)) as container:
        return [(packet.pts, bytes(packet)) for packet in container.demux(video=0) if packet.size]


def write_packets(path, packets):
    """Write a film of VP8's packets."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=25)
        stream.width = stream.height = 64
        container.start_encoding()
        for stamp, content in packets:
            packet = av.Packet(content)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, stamp, stamp, Fraction(1, 1000)
            container.mux(packet)
    return path


def test_frames_that_are_never_shown_do_not_count(tmp_path):
    packets = vp8_packets(tmp_path / "shown.webm", 20)
    hidden = [(stamp + 1, bytes([content[0] & ~0x10]) + content[1:]) for stamp, content in packets[3:15:4]]
    info, frames = shown(write_packets(tmp_path / "x.webm", sorted(packets + hidden)))
    assert (info.length, info.fps, info.steady) == (20, 25, True) and numbers(frames) == list(range(20))


def test_avi_keeps_the_order_of_its_frames(tmp_path):
    info, frames = shown(write_film(tmp_path / "x.avi", numbered(25), bf="2"))
    assert info.fps == 25 and numbers(frames) == list(range(25))


CORNERS = {
    "as it is": ((1, 0, 0, 1), "RG\nB."),
    "mirrored": ((-1, 0, 0, 1), "GR\n.B"),
    "upside down": ((1, 0, 0, -1), "B.\nRG"),
    "half a turn": ((-1, 0, 0, -1), ".B\nGR"),
    "a quarter right": ((0, 1, -1, 0), "BR\n.G"),
    "a quarter left": ((0, -1, 1, 0), "G.\nRB"),
    "along the diagonal": ((0, 1, 1, 0), "RB\nG."),
    "along the other": ((0, -1, -1, 0), ".G\nBR"),
}


@pytest.mark.parametrize("name", CORNERS)
def test_display_matrices_turn_and_mirror(tmp_path, name):
    (a, b, c, d), wanted = CORNERS[name]
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:32, :48, 0] = pixels[:32, 48:, 1] = pixels[32:, :48, 2] = 255

    def turn(stream):
        stream.set_display_matrix([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30])

    info, frames = shown(write_film(tmp_path / "x.mp4", [pixels] * 2, layout="yuv444p", prepare=turn))
    height, width = frames.shape[2:]
    assert info.size == (height, width) == ((96, 64) if b else (64, 96))
    places = [[frames[0, :, height * row // 4, width * column // 4] for column in (1, 3)] for row in (1, 3)]
    seen = "\n".join("".join("RGB"[int(one.argmax())] if one.max() > 0.5 else "." for one in row) for row in places)
    assert seen == wanted


@pytest.mark.parametrize(("shape", "size"), [((2, 1), (64, 128)), ((1, 2), (128, 64)), ((16, 15), (64, 68))])
def test_pixels_become_square(tmp_path, shape, size):
    def squeeze(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(*shape)

    info, frames = shown(write_film(tmp_path / "x.mkv", numbered(3), prepare=squeeze))
    assert info.size == tuple(frames.shape[2:]) == size and numbers(frames) == [0, 1, 2]


def combs(frames):
    """How much rows differ from both their neighbours."""
    return float((2 * frames[..., 1:-1, :] - frames[..., 2:, :] - frames[..., :-2, :]).abs().mean())


def test_fields_become_whole_pictures(tmp_path):
    face, fields = portrait(128), []
    for number in range(12):
        fields.append(np.roll(face, 12 * number, 1))
        fields[-1][1::2] = np.roll(face, 12 * number + 6, 1)[1::2]
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    info, frames = shown(write_film(tmp_path / "x.mp4", fields, **options))
    fields, *whole = (
        torch.from_numpy(np.stack(some)).permute(0, 3, 1, 2) / 255
        for some in (fields, *([np.roll(face, 12 * number + by, 1) for number in range(12)] for by in (0, 6)))
    )
    assert info.length == len(frames) == 12
    assert combs(fields) > 3 * combs(whole[0]) and combs(frames[1:]) < 1.3 * combs(whole[0])
    assert min(float((frames - one)[1:-1].abs().mean()) for one in whole) < 0.03


@pytest.mark.parametrize(
    ("ending", "codec", "layout"),
    [
        ("webm", "libvpx-vp9", "yuva420p"),
        ("webm", "libvpx", "yuva420p"),
        ("mov", "prores_ks", "yuva444p10le"),
        ("mov", "qtrle", "argb"),
        ("mkv", "ffv1", "bgra"),
    ],
)
def test_what_is_transparent_shows_the_backdrop(tmp_path, ending, codec, layout):
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[:, :32], pixels[:, 32:] = (255, 0, 0, 255), (0, 255, 0, 0)
    tags, options = ({"alpha_mode": "1"}, {"auto-alt-ref": "0"}) if ending == "webm" else ({}, {})
    path = write_film(
        tmp_path / f"x.{ending}", [pixels] * 3, codec=codec, layout=layout, given="rgba", tags=tags, **options
    )
    _, frames = shown(path)
    assert (frames[:, :, 32, 8] - torch.tensor([1.0, 0, 0])).abs().max() < 0.03
    assert (frames[:, :, 32, 56] - 0.8).abs().max() < 0.03


def test_a_size_that_changes_is_fitted_into_the_first(tmp_path):
    first = write_film(tmp_path / "a.ts", [portrait(128)] * 10).read_bytes()
    second = write_film(tmp_path / "b.ts", [portrait(64)] * 10).read_bytes()
    tall = write_film(tmp_path / "c.ts", [portrait(128)[:, 32:96]] * 10).read_bytes()
    (tmp_path / "x.ts").write_bytes(first + second + tall)
    with pytest.warns(SonicWarning, match="changes its size half-way"):
        info, frames = shown(tmp_path / "x.ts")
    assert info.size == (128, 128) and frames.shape == (30, 3, 128, 128)
    assert (frames[5] - frames[15]).abs().mean() < 0.03
    assert frames[25, :, :, :30].max() < 0.02 and (frames[25, :, :, 34:94] - frames[5, :, :, 34:94]).abs().mean() < 0.03


def test_an_unknown_codec_is_said(tmp_path):
    content = write_film(tmp_path / "x.mp4", numbered(5)).read_bytes()
    (tmp_path / "x.mp4").write_bytes(content.replace(b"avc1", b"none"))
    with pytest.raises(MediaError, match="coded in a way"):
        open_clip(tmp_path / "x.mp4")


def test_damaged_packets_are_left_out_and_said(tmp_path):
    packets = vp8_packets(tmp_path / "whole.webm", 20)
    packets[12] = (packets[12][0], packets[12][1][:3] + b"damaged" + packets[12][1][10:])
    with pytest.warns(SonicWarning, match="1 damaged packets of the picture"):
        info, frames = shown(write_packets(tmp_path / "x.webm", packets))
    assert info.length == 20 and numbers(frames) == [*range(12), 11, *range(13, 20)]


def test_a_film_too_large_for_memory_is_refused(tmp_path):
    path = write_film(tmp_path / "x.mkv", [np.zeros((4200, 8200), np.uint8)], codec="ffv1", layout="gray", given="gray")
    with pytest.raises(InputError, match=r"film that takes at most 1024 MB of memory.*8200×4200.*would take"):
        probe_video(path)


WIDE = """
import sys
import warnings
from fractions import Fraction
import torch
from sonic_core.clip import Clip
from sonic_core.post.interpolators.dis import DisInterpolator
from sonic_core.post.retime import retime
from sonic_core.post.smooth import smooth
for size in sys.argv[1:]:
    height, width = map(int, size.split("x"))
    print(size, flush=True)  # whoever ends the process is known by what is said last
    small = torch.rand(4, 3, height // 4, width // 4)  # each another scene, so that scenes are compared
    frames = torch.nn.functional.interpolate(small, (height, width), mode="bilinear")
    clip = Clip(lambda: iter([frames]), Fraction(25), 4, (height, width), None)
    assert sum(map(len, retime(clip, Fraction(50), DisInterpolator()).clip.read())) == 8
    assert sum(map(len, smooth(clip).clip.read())) == 4
"""
SHAPES = ("360x1280", "96x320", "64x512", "32x256", "24x200", "512x64")


def test_films_of_any_shape_are_smoothed_and_retimed():
    done = subprocess.run([sys.executable, "-c", WIDE, *SHAPES], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, f"{done.stdout.split()[-1:]}: {done.stderr[-2000:]}"
    assert tuple(done.stdout.split()) == SHAPES


def test_the_bundled_video_is_read_as_before():
    info = probe_video(ASSETS / "video.mp4")
    assert (info.fps, info.length, info.size, info.steady, info.stamped) == (25, 198, (384, 384), True, True)
    assert read_track(ASSETS / "video.mp4", info.start) is not None
