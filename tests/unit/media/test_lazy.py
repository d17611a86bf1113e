"""Of a film's frames only what somebody looks at is converted; all else of them reaches the encoder as it came."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
import torch

from sonic_core import open_clip
from sonic_core.media.colour import BT709, yuv420
from sonic_core.media.lazy import CENTRE, LEFT, ByteFrame, PaintedFrame, TensorFrame, lazy_frames, siting_of
from sonic_core.media.pixels import as_bytes
from sonic_core.media.seen.planar import PlanarFrame
from sonic_core.media.video import probe_video

from .written import smooth

HIGH, WIDE = 150, 212
GENERATOR = np.random.default_rng(0)


def film(path, *, codec="libx264", length=3, size=(HIGH, WIDE), pixels="yuv420p", **colour):
    """Write patches as a camera's program would, with FFmpeg alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        if codec == "libx264":
            stream.options = {"crf": "12", **colour.pop("options", {})}
        for name, value in colour.items():
            setattr(stream.codec_context, name, value)
        for _ in range(length):
            coarse = GENERATOR.integers(0, 256, (-(-size[0] // 18), -(-size[1] // 18), 3), np.uint8)
            noise = coarse.repeat(18, 0).repeat(18, 1)[: size[0], : size[1]]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(noise), "rgb24")))
        container.mux(stream.encode(None))
    return path


def planes(path):
    """Decode a file to its planes, one below the other, as FFmpeg has them."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


TAGGED = {"colorspace": 1, "color_range": 1}
KINDS = {
    "left": TAGGED,
    "centre": {**TAGGED, "options": {"x264-params": "chromaloc=1"}},
    "untagged": {},
    "full range": {"colorspace": 1, "color_range": 2},
    "mpeg4": {"codec": "mpeg4", "bit_rate": 8_000_000},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_is_what_the_whole_has_to_the_bit(kind, tmp_path):
    clip = open_clip(film(tmp_path / "film.mp4", **KINDS[kind]))
    for lazy, frame in zip(lazy_frames(clip.read), list(clip.frames()), strict=True):
        assert isinstance(lazy, PlanarFrame) and lazy.size == (HIGH, WIDE)
        assert torch.equal(lazy.whole(), frame)
        whole, glances = as_bytes(frame), []
        for _ in range(12):
            top, bottom = sorted(GENERATOR.choice(HIGH + 1, 2, replace=False))
            left, right = sorted(GENERATOR.choice(WIDE + 1, 2, replace=False))
            window = slice(int(top), int(bottom)), slice(int(left), int(right))
            assert np.array_equal(lazy.part(window), whole[window])
            assert np.array_equal(lazy.values(window), whole[window] / np.float32(255))
            glances.append(np.abs(lazy.glance(window).astype(int) - whole[window]).mean())
        assert np.mean(glances) < 8, "rough, but the same picture"


@pytest.mark.parametrize(
    ("kind", "siting"), [("left", LEFT), ("centre", CENTRE), ("untagged", None), ("full range", None), ("mpeg4", None)]
)
def test_where_a_film_has_its_chroma_is_found(kind, siting, tmp_path):
    assert probe_video(film(tmp_path / "film.mp4", **KINDS[kind])).siting == siting


def test_what_must_be_converted_is_and_has_no_siting(tmp_path):
    clip = open_clip(film(tmp_path / "film.mp4", pixels="yuv444p", **TAGGED))
    assert clip.read.siting is None
    frames = list(lazy_frames(clip.read))
    assert all(isinstance(frame, ByteFrame) and frame.coded(LEFT) is None for frame in frames)
    assert all(torch.equal(one.whole(), other) for one, other in zip(frames, clip.frames(), strict=True))


@pytest.mark.parametrize("kind", ["left", "centre"])
@pytest.mark.parametrize("name", ["mp4-h264", "mp4-h265"])
def test_frames_that_nobody_changed_are_encoded_as_they_came_and_say_where_chroma_lies(kind, name, tmp_path):
    source = film(tmp_path / "film.mp4", **KINDS[kind])
    made = open_clip(source).held(5).cut(1, 4).export(tmp_path / "made.mp4", format=name, crf=0)
    assert probe_video(made).siting == probe_video(source).siting
    before, after = planes(source), planes(made)
    if name == "mp4-h264":  # which loses nothing at 0
        assert all(map(np.array_equal, after, [*before[1:], before[-1], before[-1]]))
    else:
        assert len(after) == 4 and np.abs(after[0].astype(int) - before[1]).mean() < 1


@pytest.mark.parametrize(("layout", "passes"), [("yuv420p", True), ("yuvj420p", False)])
def test_frames_whose_layout_alone_says_full_range_are_not_passed_on(layout, passes):
    frame = av.VideoFrame(64, 48, layout)
    frame.colorspace, frame.color_range = BT709, 0
    lazy = PlanarFrame(frame, lambda *_: NotImplemented, lambda *_: NotImplemented)
    assert (lazy.coded(LEFT) is not None) == passes


def test_parts_and_held_frames_are_read_lazily_as_otherwise(tmp_path):
    clip = open_clip(film(tmp_path / "film.mp4", **TAGGED))
    for part in (clip, clip.cut(1, 2), clip.held(6), clip.held(6).cut(2, 4), clip.held(6).cut(4, 2)):
        lazy = [frame.whole() for frame in lazy_frames(part.read)]
        assert siting_of(part.read) == LEFT and len(lazy) == part.length
        assert all(map(torch.equal, lazy, part.frames()))


def painted(frame, window):
    """Paint some of a window's pixels."""
    values = frame.values(window)
    changed = (GENERATOR.random(values.shape[:2]) < 0.3).astype(np.uint8) * 255
    values[changed > 0] = GENERATOR.random((int((changed > 0).sum()), 3), np.float32)
    return PaintedFrame(frame, window, values, changed)


@pytest.mark.parametrize("window", [(slice(20, 60), slice(40, 90)), (slice(0, 31), slice(151, WIDE))])
def test_what_is_painted_shows_and_nothing_else_changes(window, tmp_path):
    clip = open_clip(film(tmp_path / "film.mp4", length=1, **TAGGED))
    (lazy,) = lazy_frames(clip.read)
    (before,) = clip.frames()
    for base in (lazy, TensorFrame(before), ByteFrame(as_bytes(before))):
        one = painted(base, window)
        two = painted(one, (slice(10, 44), slice(60, 170)))
        assert one.coded(LEFT) is None or base is lazy
        for frame, under in ((one, before), (two, one.whole())):
            whole = frame.whole()
            there = np.zeros((HIGH, WIDE), bool)
            there[frame.window] = frame.changed > 0
            assert np.array_equal((whole != under).any(0).numpy(), there)
            looked = slice(5, 77), slice(33, 180)
            assert np.array_equal(frame.values(looked), whole[:, looked[0], looked[1]].permute(1, 2, 0))
            assert np.array_equal(frame.part(looked), as_bytes(whole[:, looked[0], looked[1]]))
            assert np.array_equal(frame.thinned(7), whole[:, ::7, ::7].permute(1, 2, 0))
    assert torch.equal(before, lazy.whole()), "what was painted on is what it was"


@pytest.mark.parametrize("siting", [LEFT, CENTRE])
def test_what_is_painted_is_coded_and_all_other_planes_stay(siting, tmp_path):
    (lazy,) = lazy_frames(open_clip(film(tmp_path / "film.mp4", length=1, **TAGGED)).read)
    frame, before = painted(lazy, (slice(21, 60), slice(40, 91))), lazy.coded(siting)
    after, meant = frame.coded(siting), yuv420(frame.whole(), left=siting == LEFT)
    there = np.zeros((HIGH, WIDE), bool)
    there[frame.window] = frame.changed > 0
    assert np.array_equal(after[:HIGH] != before[:HIGH], there & (after[:HIGH] != before[:HIGH]))
    assert np.array_equal(after[:HIGH][there], meant[:HIGH][there])
    if siting == LEFT:  # chroma has something of the pixel to its left
        there[:, 1:] |= there[:, :-1].copy()
    blocks = there.reshape(HIGH // 2, 2, WIDE // 2, 2).any((1, 3))
    chroma = (one[HIGH:].reshape(2, *blocks.shape) for one in (before, after, meant))
    for old, new, wanted in zip(*chroma, strict=True):
        assert np.array_equal(new[~blocks], old[~blocks])
        inside = blocks[11:29, 21:44]
        assert np.array_equal(new[11:29, 21:44][inside], wanted[11:29, 21:44][inside])


def test_chroma_on_the_left_is_half_a_pixel_from_that_in_the_middle():
    ramp = torch.linspace(0.2, 0.8, 64)
    frame = torch.stack((ramp, 1 - ramp, 0.5 * torch.ones(64)))[:, None].expand(3, 32, 64)
    centre, left = (yuv420(frame, left=one)[32:].reshape(2, 16, 32).astype(float) for one in (False, True))
    steps = np.array([(row[1:] - row[:-1]).mean() for row in centre[:, 8]])
    assert centre[:, 8, 4:28].mean(1) - left[:, 8, 4:28].mean(1) == pytest.approx(steps / 4, abs=0.12)
    assert np.array_equal(yuv420(frame)[:32], yuv420(frame, left=True)[:32])


def test_every_frame_of_a_film_may_be_kept(tmp_path):
    clip = open_clip(film(tmp_path / "film.mp4", length=8, **TAGGED))
    kept = list(lazy_frames(clip.read))
    assert all(map(torch.equal, [frame.whole() for frame in kept], clip.frames()))
    assert any(not torch.equal(one.whole(), other.whole()) for one, other in pairwise(kept))


def test_frames_made_here_are_converted_as_ever(tmp_path):
    frames = smooth(2)
    clip = open_clip(film(tmp_path / "film.mp4", **TAGGED))
    assert siting_of(lambda: iter(frames.split(1))) is None
    assert [type(one) for one in lazy_frames(lambda: iter(frames.split(1)))] == [TensorFrame, TensorFrame]
    turned = clip.pingpong()
    assert siting_of(turned.read) is None and turned.fps == Fraction(25)
