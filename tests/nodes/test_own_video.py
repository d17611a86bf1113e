"""Our VIDEO, over a host's class that knows little."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import av
import pytest
import torch

from tests.nodes.conftest import FolderPaths

RATES = [Fraction(25), Fraction(25, 2), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(120), Fraction(7)]


class VideoFromFile:
    """The host's class: it reads one file, and may do what ours has never heard of."""

    def __init__(self, file: str) -> None:
        self.__file = file

    def get_stream_source(self) -> str:
        return self.__file

    def get_container_format(self) -> str:
        with av.open(self.__file) as container:
            return container.format.name

    def as_mirrored(self) -> VideoFromFile:
        return VideoFromFile(self.__file)

    def save_to(self, path: str, **named: Any) -> None:
        Path(path).write_text(repr(sorted(named.items())))


@pytest.fixture
def make(
    pack: ModuleType, host: ModuleType, folders: FolderPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Make a VIDEO of ten frames whose brightness tells their number, and a sound that rises."""
    monkeypatch.setattr(folders, "home", tmp_path)
    latest = SimpleNamespace(InputImpl=SimpleNamespace(VideoFromFile=VideoFromFile))
    management = SimpleNamespace(throw_exception_if_processing_interrupted=lambda: None)
    bar = SimpleNamespace(ProgressBar=lambda total, node_id: SimpleNamespace(update_absolute=lambda *_: None))
    for name, module in {
        "comfy_api": ModuleType("comfy_api"), "comfy_api.latest": latest, "comfy": ModuleType("comfy"),
        "comfy_api.latest._util": SimpleNamespace(VideoComponents=SimpleNamespace),
        "comfy.model_management": management, "comfy.utils": bar,
    }.items():  # fmt: skip
        monkeypatch.setitem(sys.modules, name, module)
    core = import_module(f"{pack.__name__}.sonic_core")
    host.own_video.video_class.cache_clear()

    def made(
        fps: Fraction = Fraction(10), size: tuple[int, int] = (32, 48), noise: bool = False, silent: bool = False
    ) -> Any:
        frames = torch.linspace(0, 0.9, 10)[:, None, None, None].expand(10, 3, *size)
        frames = torch.randint(0, 256, (10, 3, *size)) / 255 if noise else frames
        sound = core.Audio(torch.linspace(-1, 1, round(16000 * 10 / fps)).repeat(2, 1), 16000)
        clip = core.Clip(lambda: iter(frames.split(4)), fps, 10, size, None if silent else sound)
        return host.video_of(clip, lambda *_: None), frames, sound.samples

    yield made
    host.own_video.video_class.cache_clear()


def temporary(folder: Path) -> set[str]:
    gc.collect()
    return {path.suffix for path in (folder / "temp").iterdir()}


@pytest.mark.parametrize("fps", RATES, ids=str)
@pytest.mark.parametrize("size", [(32, 48), (33, 47)], ids=str)
def test_our_own_nodes_get_it_bit_for_bit(host: ModuleType, make: Any, fps: Fraction, size: tuple[int, int]) -> None:
    video, frames, sound = make(fps, size, noise=True)
    clip = host.clip_of(video)
    assert torch.cat(list(clip.read())).equal(frames)
    assert clip.audio.samples.equal(sound)
    assert (clip.fps, clip.length, clip.size, clip.audio.rate) == (fps, 10, size, 16000)
    told = video.get_components()
    assert told.images.permute(0, 3, 1, 2).equal(frames)
    assert told.frame_rate == video.get_frame_rate() == fps
    assert (video.get_dimensions(), video.get_frame_count()) == (size[::-1], 10)
    assert video.get_duration() == pytest.approx(10 / fps)


def test_a_silent_one_stays_silent(host: ModuleType, make: Any, tmp_path: Path) -> None:
    video, *_ = make(silent=True)
    assert host.clip_of(video).audio is video.get_components().audio is video.as_trimmed(0.2, 0.3).clip().audio is None
    video.save_to(str(tmp_path / "x.mp4"))
    with av.open(str(tmp_path / "x.mp4")) as file:
        assert not file.streams.audio


@pytest.mark.parametrize(
    ("start", "seconds", "shown"),
    [
        (0.3, 0.2, range(3, 5)), (0.25, 0.2, range(3, 5)), (0.0, 0.0, range(10)), (0.4, 0.0, range(4, 10)),
        (-0.3, 0.0, range(7, 10)), (-0.3, 0.1, range(7, 8)), (-9.0, 0.5, range(5)), (0.3, 0.01, range(3, 4)),
        (0.1 + 0.2, 3 * 0.1, range(3, 6)), (0.95, 0.0, None), (1.0, 0.0, None),
    ],
)  # fmt: skip
def test_a_part_is_cut_out_without_loss(
    host: ModuleType, make: Any, start: float, seconds: float, shown: range | None
) -> None:
    video, frames, sound = make(noise=True)
    part = video.as_trimmed(start, seconds, strict_duration=True)
    if shown is None:
        assert part is None
        return
    clip = host.clip_of(part)
    assert torch.cat(list(clip.read())).equal(frames[shown.start : shown.stop])
    assert clip.audio.samples.equal(sound[:, shown.start * 1600 : shown.stop * 1600])
    assert (part.get_frame_count(), part.get_duration()) == (len(shown), len(shown) / 10)


def test_too_short_a_part_is_given_only_where_that_is_allowed(make: Any) -> None:
    video, *_ = make()
    assert video.as_trimmed(0.5, 0.6) is None
    assert video.as_trimmed(0.5, 0.6, strict_duration=False).get_frame_count() == 5
    part = video.as_trimmed(0.2, 0.6)
    assert part.as_trimmed(0.1, 0.6) is None
    assert part.as_trimmed(0.1, 0.2).first == 3


def test_everybody_else_gets_a_file_that_plays_and_files_go_with_the_last_who_reads_them(
    make: Any, tmp_path: Path
) -> None:
    video, frames, _ = make()
    (kept,) = temporary(tmp_path)
    mirrored, part = video.as_mirrored(), video.as_trimmed(0.3, 0.2)
    assert type(mirrored) is VideoFromFile
    assert video.get_container_format().startswith("mov,mp4")
    assert mirrored.get_stream_source() == video.get_stream_source() == video._VideoFromFile__file
    with av.open(mirrored.get_stream_source()) as file:
        assert file.streams.video[0].codec_context.pix_fmt == "yuv420p"
        levels = [float(frame.to_ndarray(format="gray").mean()) for frame in file.decode(video=0)]
    assert levels == pytest.approx([255 * float(frame.mean()) for frame in frames], abs=2)
    del video
    assert temporary(tmp_path) == {kept, ".mp4"}
    del mirrored
    assert temporary(tmp_path) == {kept}
    assert part.clip().length == 2
    del part
    assert temporary(tmp_path) == set()


class Sink:
    """Takes bytes, and can neither be asked nor rewound."""

    def __init__(self) -> None:
        self.taken = b""

    def write(self, content: bytes) -> int:
        self.taken += content
        return len(content)


@pytest.mark.parametrize("sink", [Sink(), io.BytesIO(), "file"], ids=lambda sink: type(sink).__name__)
def test_whatever_takes_bytes_is_written(make: Any, tmp_path: Path, sink: Any) -> None:
    video, *_ = make()
    before = temporary(tmp_path)
    with (tmp_path / "x").open("wb") as file:
        into = file if sink == "file" else sink
        video.save_to(into, metadata={"told": {"by": "whom"}})
    taken = (tmp_path / "x").read_bytes() if sink == "file" else getattr(sink, "taken", b"") or sink.getvalue()
    with av.open(io.BytesIO(taken)) as made:
        assert made.metadata["told"] == '{"by": "whom"}'
        assert made.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert sum(1 for _ in made.decode(video=0)) == 10
    assert temporary(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "wish", "ours"),
    [
        ("x.mp4", {}, True), ("x.mp4", {"format": "mp4", "codec": "h264", "crf": 23.0, "color_space": "sRGB"}, True),
        ("x.mp4", {"bit_depth": 8, "preset": None, "color_space": "auto"}, True), ("x.mp4", {"bit_depth": 10}, False),
        ("x.mp4", {"codec": "av1"}, False), ("x.webm", {"format": "webm"}, False), ("x.mkv", {}, False),
        ("x.mp4", {"preset": "slow"}, False), ("x.mp4", {"what_comes_next": 1}, False),
    ],
)  # fmt: skip
def test_what_we_do_not_write_ourselves_the_host_writes_as_it_was_asked(
    make: Any, tmp_path: Path, name: str, wish: dict[str, Any], ours: bool
) -> None:
    video, *_ = make()
    video.save_to(str(tmp_path / name), metadata={"told": "x"}, **wish)
    written = (tmp_path / name).read_bytes()
    assert (written[4:8] == b"ftyp") == ours
    assert ours or written.decode() == repr(sorted({**wish, "metadata": {"told": "x"}}.items()))


@pytest.mark.parametrize("wished", ["HDR", "HDR PQ"])
def test_colours_that_there_are_not_are_refused(pack: ModuleType, make: Any, tmp_path: Path, wished: str) -> None:
    video, *_ = make()
    error = import_module(f"{pack.__name__}.sonic_core").SettingsError
    with pytest.raises(error, match=f"sRGB; got the color space {wished}: choose sRGB or auto"):
        video.save_to(str(tmp_path / "x.mp4"), "mp4", "h264", None, None, 20.0, wished)
    assert not (tmp_path / "x.mp4").exists()
