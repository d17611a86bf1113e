"""Our nodes between those of the host and of Video Helper Suite, where a checkout of that is at hand."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from tests.host.conftest import HOSTS
from tests.host.harness import Comfy, needed_python, started
from tests.host.prompts import Prompt, brief_changes, bundled, short_sound, short_video

VHS = Path(os.environ.get("VHS_PATH") or Path.home() / "ComfyUI-VideoHelperSuite")
KEEP = {"crf": 30, "save_output": True}


@pytest.fixture(scope="module", params=HOSTS or [None], ids=lambda path: path.name if path else "no host")
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    """A host with both packs, and a short sound and video among its inputs."""
    if not (VHS / "videohelpersuite").is_dir():
        pytest.skip("no Video Helper Suite at $VHS_PATH or ~/ComfyUI-VideoHelperSuite")
    python = needed_python(request.param)
    home = tmp_path_factory.mktemp("both")
    (home / "custom_nodes").mkdir()
    (home / "custom_nodes/videohelpersuite").symlink_to(VHS)
    (home / "input").mkdir()
    short_sound(home / "input"), short_video(home / "input")
    with started(request.param, python, home) as host:
        if "VHS_VideoCombine" not in host.read("/object_info"):
            lacking = re.search(r"Cannot import \S*videohelpersuite\S* module.*No module named.*", host.log)
            if lacking:
                pytest.skip(lacking[0])
            pytest.fail(f"Video Helper Suite does not start beside this pack: {host.log[-500:]}")
        yield host


def small() -> Prompt:
    """The bundled prompt, brief and small, without its end."""
    prompt = bundled("fast_digital_human")
    for place, value in brief_changes(prompt).items():
        node, _, name = place.partition(".")
        prompt[node]["inputs"][name] = value
    prompt["4"]["inputs"]["audio"] = "short.wav"
    prompt["7"]["inputs"]["paste_back"] = False
    del prompt["8"]
    return prompt


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def combined(video: list[Any], name: str, **more: Any) -> dict[str, Any]:
    return node("VideoCombine", video=video, filename_prefix=name, **KEEP, **more)


def measured(path: Path) -> tuple[int, float, float]:
    """Count a file's frames, and tell their rate and the seconds of its sound."""
    with av.open(str(path)) as video:
        rate = float(video.streams.video[0].average_rate or 0)
        frames = sum(1 for _ in video.decode(video=0))
        video.seek(0)
        sound = sum(frame.samples for frame in video.decode(audio=0)) / video.streams.audio[0].rate
    return frames, rate, sound


def test_our_video_becomes_one_of_theirs(both: Comfy) -> None:
    prompt = small() | {
        "10": node("GetVideoComponents", video=["7", 0]),
        "11": node("VHS_VideoCombine", images=["10", 0], audio=["10", 1], frame_rate=["10", 2], loop_count=0,
                   filename_prefix="theirs", format="video/h264-mp4", pingpong=False, save_output=True),
    }  # fmt: skip
    run = both.run(prompt)
    assert run.complaint == ""
    (file,) = run.outputs["11"]["gifs"]
    assert measured(both.path(file)) == pytest.approx((13, 12.5, 1.0), abs=0.1)


def test_their_video_becomes_one_of_ours(both: Comfy) -> None:
    load = {"force_rate": 0, "custom_width": 0, "custom_height": 0, "frame_load_cap": 0, "skip_first_frames": 0}
    prompt = {
        "1": node("VHS_LoadVideo", video="short.mp4", select_every_nth=1, **load),
        "2": node("VHS_VideoInfoLoaded", video_info=["1", 3]),
        "3": node("CreateVideo", images=["1", 0], audio=["1", 2], fps=["2", 0]),
        "4": node("TemporalSmooth", video=["3", 0], strength=1.0, method="flow"),
        "5": combined(["4", 0], "ours"),
        "6": node("LoadVideo", file="short.mp4"),
        "7": combined(["6", 0], "sound", audio=["1", 2]),
    }
    run = both.run(prompt)
    assert run.complaint == ""
    assert measured(both.path(run.file("5"))) == pytest.approx((25, 25.0, 1.0), abs=0.1)
    assert measured(both.path(run.file("7"))) == pytest.approx((25, 25.0, 1.0), abs=0.1)


@pytest.mark.parametrize(
    "loader",
    [
        node("VHS_LoadAudioUpload", audio="short.wav"),
        node("VHS_LoadAudio", audio_file="{input}/short.wav", seek_seconds=0.0, duration=0.0),
        node("LoadAudio", audio="short.wav"),
    ],
    ids=lambda made: made["class_type"],
)
def test_every_sound_makes_our_portrait_talk(both: Comfy, loader: dict[str, Any]) -> None:
    given = {name: str(value).format(input=both.home / "input") if "{" in str(value) else value
             for name, value in loader["inputs"].items()}  # fmt: skip
    prompt = small() | {"4": loader | {"inputs": given}, "8": combined(["7", 0], "talks")}
    run = both.run(prompt)
    assert run.complaint == ""
    assert measured(both.path(run.file("8"))) == pytest.approx((13, 12.5, 1.0), abs=0.1)


def test_nobody_takes_anybodys_names(both: Comfy) -> None:
    assert both.read("/sonic/pack")["conflicts"] == []
    assert "IMPORT FAILED" not in both.log
    known = both.read("/object_info")
    assert known["VideoCombine"]["category"] == "Sonic"
    assert known["VHS_VideoCombine"]["category"] != "Sonic"
