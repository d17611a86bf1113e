"""Our VIDEO among the host's own nodes: every one that takes a VIDEO gives the frames and the sound that went in.

``pytest -s`` shows what was measured, row by row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from sonic_core.clip import Clip, open_clip
from sonic_core.media.audio import read_audio
from sonic_core.media.image import read_image
from sonic_core.media.mixing import resample
from sonic_core.types import Audio
from tests.host.conftest import HOSTS
from tests.host.harness import Comfy, inputs_of, needed_python, started
from tests.host.prompts import Prompt, short_sound
from tests.host.saving import HDR, OURS, combine, node, save, savings, small_video, told

FRAMES, FPS, SIDE = 13, 12.5, 128
BLOCK = 8
"""Pixels across whose mean colour is compared: what is coded coarsely keeps it, a wrong matrix or range does not."""
MOST_ERROR = 1.6
"""Levels of 255 by which a block's colour may be off on average; BT.601's matrix in place of BT.709's adds 2 to it, a
wrong range 9."""
MOST_LOSS = 4.0
"""Levels by which a pixel may be off on average: 128 pixels across are all detail, and the host's own quality is less
than ours."""
MOST_LAG = 0.015
"""Seconds by which the sound may come early or late."""
LEAST_LIKENESS = 0.95
"""Correlation of the sound with the one that went in."""
HEARING = 16000
"""Samples per second at which sounds are compared."""
BT709, BT709_OR_SRGB, LIMITED = 1, {1, 13}, 1
"""Codes of ITU-T H.273, and FFmpeg's of the range."""


@dataclass(frozen=True)
class Row:
    """What is asked of the host, and what must come of it."""

    name: str
    nodes: Prompt
    """From node 7, our video, to node "end", which shows a file."""
    shown: tuple[int, ...] = tuple(range(FRAMES))
    """Which of our frames come out."""
    sounds: bool = True
    pixels: str = "yuv420p"
    margin: int = 0
    """Pixels that are cropped from each side."""
    smaller: int = 1
    """How many times smaller it is seen."""


RECIPES: dict[str, list[tuple[dict[str, Any], tuple[int, ...], bool]]] = {
    "Video Slice": [
        ({"start_time": 0.4, "duration": 0.4, "strict_duration": True}, (5, 6, 7, 8, 9), True),
        ({"start_time": -0.64, "duration": 0.0, "strict_duration": False}, (5, 6, 7, 8, 9, 10, 11, 12), True),
    ],
    "VideoFrameSample": [
        ({"num_frames": 5, "strategy": "head", "seed": 0}, (0, 1, 2, 3, 4), True),
        ({"num_frames": 5, "strategy": "tail", "seed": 0}, (8, 9, 10, 11, 12), True),
        ({"num_frames": 5, "strategy": "uniform", "seed": 0}, (0, 3, 6, 9, 12), False),
    ],
    "VideoTemporalCrop": [({"start_frame": 3, "length": 6}, (3, 4, 5, 6, 7, 8), True)],
    "VideoRandomTemporalCrop": [({"length": 12, "seed": 1}, tuple(range(1, 13)), True)],
    "ShuffleVideoDataset": [({"seed": 0}, tuple(range(FRAMES)), True)],
    "ShuffleVideoTextDataset": [({"seed": 0, "texts": "said"}, tuple(range(FRAMES)), True)],
}
"""Core node that makes a video of a video → inputs, which of our frames come out, and whether the sound does."""
ELSEWHERE = {"SaveVideo", "GetVideoComponents"}
"""Core nodes that take a video and have rows of their own."""


@pytest.fixture(scope="module", params=HOSTS or [None], ids=lambda path: path.name if path else "no host")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    """A host with our pack and the probing one."""
    python, home = needed_python(request.param), tmp_path_factory.mktemp("stage")
    for name in ("custom_nodes", "input"):
        (home / name).mkdir()
    (home / "custom_nodes/probing.py").symlink_to(Path(__file__).with_name("probing.py"))
    short_sound(home / "input")
    with started(request.param, python, home) as host:
        yield host


@pytest.fixture(scope="module")
def ours() -> Prompt:
    """The bundled prompt, brief and small; node 7 gives the video."""
    return small_video()


@pytest.fixture(scope="module")
def truth(stage: Comfy, ours: Prompt) -> tuple[torch.Tensor, Audio]:
    """Our frames (n, 3, 128, 128) and sound as they went in, by way of a folder of pictures, where nothing is lost."""
    run = stage.run(ours | {"end": combine(OURS, format="png16")})
    folder = stage.path(run.file("end")).parent
    frames = torch.stack([read_image(path) for path in sorted(folder.glob("*.png"))])
    (sound,) = folder.glob("*.wav")
    assert frames.shape == (FRAMES, 3, SIDE, SIDE)
    return frames, read_audio(sound)


def takers(known: Mapping[str, Any]) -> set[str]:
    """Name the host's own nodes that take a VIDEO."""
    core = (name for name, made in known.items() if made["python_module"].startswith(("nodes", "comfy_extras")))
    return {name for name in core if any(kind[0] == "VIDEO" for kind in inputs_of(known[name]).values())}


def rows(stage: Comfy) -> Iterator[Row]:
    """List what is tried on this host."""
    known, ways = stage.read("/object_info"), [made for made in savings(stage) if not HDR & set(made.values())]
    for choice in ways:
        yield Row(f"SaveVideo {told(choice)}", {"end": save(OURS, **choice)})
    slice_of = node("Video Slice", video=list(OURS), **RECIPES["Video Slice"][0][0])
    if "Video Slice" in known:
        for choice in (made for made in ways if "re-encode" not in made.values()):
            nodes = {"20": slice_of, "end": save(("20", 0), **choice)}
            yield Row(f"Video Slice → SaveVideo {told(choice)}", nodes, RECIPES["Video Slice"][0][1])
    for name in sorted(takers(known) & RECIPES.keys()):
        for number, (inputs, shown, sounds) in enumerate(RECIPES[name]):
            given = {"videos" if "videos" in inputs_of(known[name]) else "video": list(OURS), **inputs}
            made = {"20": node(name, **given)}
            row = Row(f"{name} {number + 1} → SaveVideo", {**made, "end": save(("20", 0))}, shown, sounds)
            yield row
            yield replace(row, name=f"{name} {number + 1} → VideoCombine", nodes={**made, "end": combine(("20", 0))})
    apart = {
        "20": node("GetVideoComponents", video=list(OURS)),
        "21": node("CreateVideo", images=["20", 0], audio=["20", 1], fps=["20", 2]),
    }
    yield Row("GetVideoComponents → VideoCombine", {**apart, "end": combine(("21", 0))})
    yield from probes(known)


def probes(known: Mapping[str, Any]) -> Iterator[Row]:
    """List what other packs do."""
    modern = "webm" in str(inputs_of(known["SaveVideo"])["format"])
    for way in ("copied", "copied by private name", "poured", *["poured as webm"] * modern):
        yield Row(way, {"end": node("Probe", video=list(OURS), way=way)})
    if modern:
        yield Row("in ten bits", {"end": node("Probe", video=list(OURS), way="in ten bits")}, pixels="yuv420p10le")
    edits = inputs_of(known["Edit"])["method"][0]
    for method in set(edits) - {"as_trimmed"}:
        for end in (save, combine):
            nodes = {"20": node("Edit", video=list(OURS), method=method), "end": end(("20", 0))}
            row = Row(f"{method} → {nodes['end']['class_type']}", nodes)
            yield replace(row, **({"margin": 32} if method == "as_cropped" else {"smaller": 2}))


def faults(row: Row, path: Path, truth: tuple[torch.Tensor, Audio]) -> list[str]:
    """Compare what a file holds with what went in, and say so in a line."""
    try:
        with av.open(str(path)) as file:
            context = file.streams.video[0].codec_context
            codec, pixels = context.name, str(context.pix_fmt)
            tags = context.colorspace, context.color_primaries, context.color_trc, context.color_range
    except av.error.FFmpegError as error:
        return [f"{row.name}: {path.name} of {path.stat().st_size} bytes: {error}"]
    clip = open_clip(path)
    frames, wanted = torch.cat(list(clip.read())), truth[0][list(row.shown)]
    kept = slice(row.margin, SIDE - row.margin)
    wanted = torch.nn.functional.avg_pool2d(wanted[..., kept, kept], row.smaller)
    loss, error = differences(frames, wanted) if frames.shape == wanted.shape else (math.inf, math.inf)
    lag, likeness = hearing(clip, truth[1], row.shown[0] / FPS) if clip.audio else (0.0, 0.0)
    measured = f"{codec:9} {pixels:11} {tuple(map(int, tags))!s:13} colour {error:4.2f} pixel {loss:4.2f}"
    print(f"{row.name:58} {path.suffix:5} {measured} sound {likeness:4.2f} lag {lag * 1000:4.1f} ms")  # noqa: T201
    found = {
        f"pixels {pixels}": pixels == row.pixels,
        f"tags {tags}": tags[:2] == (BT709, BT709) and tags[2] in BT709_OR_SRGB and tags[3] == LIMITED,
        f"{len(frames)} frames of {tuple(frames.shape[2:])}": frames.shape == wanted.shape,
        f"colour {error:.2f}, pixel {loss:.2f}": error <= MOST_ERROR and loss <= MOST_LOSS,
        "sound": (clip.audio is not None) == row.sounds,
        f"sound {likeness:.2f}, {lag:.3f} s late": not row.sounds
        or (likeness >= LEAST_LIKENESS and abs(lag) <= MOST_LAG),
        f"{clip.audio and clip.audio.duration} s of sound": clip.audio is None
        or abs(clip.audio.duration - len(frames) / FPS) <= 1 / FPS,
    }
    return [f"{row.name}: {what}" for what, good in found.items() if not good]


def differences(frames: torch.Tensor, wanted: torch.Tensor) -> tuple[float, float]:
    """Tell how far pixels, and how far the mean colours of blocks are off on average, in levels of 255."""
    off = (frames - wanted) * 255
    return float(off.abs().mean()), float(torch.nn.functional.avg_pool2d(off, BLOCK).abs().mean())


def hearing(clip: Clip, original: Audio, start: float) -> tuple[float, float]:
    """Tell by how much a clip's sound is later than the original from ``start`` on, in seconds, and how like it is."""
    assert clip.audio is not None
    first = round(start * HEARING)
    heard, meant = (resample(sound, HEARING, channels=1).samples[0].numpy() for sound in (clip.audio, original))
    meant = meant[first : first + round(clip.duration * HEARING)]
    heard = heard[: len(meant)]
    meant = meant[: len(heard)]
    product = np.correlate(heard, meant, "full") / (np.linalg.norm(heard) * np.linalg.norm(meant) + 1e-9)
    best = int(product.argmax())
    return (best - len(meant) + 1) / HEARING, float(product[best])


def test_every_core_node_that_takes_a_video_has_a_row(stage: Comfy) -> None:
    assert takers(stage.read("/object_info")) <= RECIPES.keys() | ELSEWHERE


def test_our_video_comes_out_right_of_every_core_node(
    stage: Comfy, ours: Prompt, truth: tuple[torch.Tensor, Audio]
) -> None:
    wrong = []
    for row in rows(stage):
        run = stage.run(ours | row.nodes)
        if run.complaint:
            print(f"{row.name:58} {run.complaint}")  # noqa: T201
            wrong.append(f"{row.name}: {run.complaint}")
        else:
            wrong += faults(row, stage.path(run.file("end")), truth)
    assert not wrong, "\n".join(wrong)


def test_colours_that_we_do_not_have_are_refused(stage: Comfy, ours: Prompt) -> None:
    wished = [choice for choice in savings(stage) if HDR & set(choice.values())]
    if not wished:
        pytest.skip("this host offers no other colours")
    for choice in wished:
        for video in (OURS, ("20", 0)):
            cut = {"20": node("Video Slice", video=list(OURS), **RECIPES["Video Slice"][0][0])}
            before = set((stage.home / "output").rglob("*"))
            run = stage.run(ours | (cut if video != OURS else {}) | {"end": save(video, **choice)})
            assert "sRGB" in run.complaint, told(choice)
            assert "\n" not in run.complaint
            assert {path for path in (stage.home / "output").rglob("*") if path.is_file()} <= before
