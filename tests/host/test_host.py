"""The pack inside a real ComfyUI, over its API."""

from __future__ import annotations

import json
import math
import time
import urllib.parse
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.host.harness import PACK, Comfy, choices_of

IDS = (
    "SonicTalkingPortrait",
    "SonicModelLoader",
    "SonicLoadAudio",
    "SONIC_PreData",
    "SonicSampler",
    "LipSyncRefine",
    "TemporalSmooth",
    "VideoCombine",
)


def test_the_host_knows_our_nodes_folders_and_samples(comfy: Comfy) -> None:
    known = comfy.read("/object_info")
    assert {known[name]["python_module"] for name in IDS} == {f"custom_nodes.{PACK}"}
    assert {known[name]["category"].split("/")[0] for name in IDS} == {"Sonic"}
    assert {"sonic", "insightface"} <= set(comfy.read("/models"))
    for name, input_name, sample in (
        ("LoadImage", "image", "sonic_sample_portrait.png"),
        ("SonicLoadAudio", "audio", "sonic_sample_speech.wav"),
    ):
        assert sample in (choices_of(*known[name]["input"]["required"][input_name]) or [])
    assert "IMPORT FAILED" not in comfy.log


def test_the_prompt_becomes_a_playable_video(comfy: Comfy, prompt: dict[str, Any], workflow: dict[str, Any]) -> None:
    run = comfy.run(prompt, workflow)
    assert run.outputs["8"]["animated"] == [True]
    with av.open(str(comfy.path(run.file("8")))) as video:
        assert video.streams.video[0].codec_context.name == "h264"
        assert video.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert video.streams.audio[0].codec_context.name == "aac"
        assert json.loads(video.metadata["workflow"]) == workflow
        assert json.loads(video.metadata["prompt"])["6"]["class_type"] == "SONIC_PreData"
        frames = [frame.to_ndarray(format="gray") for frame in video.decode(video=0)]
    assert len(frames) == 25
    assert min(frames[0].shape) >= 256
    assert np.abs(frames[0].astype(int) - frames[12]).max() > 8, "nothing moves"


def test_one_node_does_what_the_chain_does(comfy: Comfy, prompt: dict[str, Any]) -> None:
    chosen = {name: prompt["6"]["inputs"][name] for name in ("image", "audio", "duration", "min_resolution")}
    moving = {name: prompt["7"]["inputs"][name] for name in ("dynamic_scale", "motion_scale", "seed", "paste_back")}
    inputs = {**chosen, **moving, "model_name": "auto"}
    one = {name: node for name, node in prompt.items() if name in "348"}
    one |= {"7": {"class_type": "SonicTalkingPortrait", "inputs": inputs}}
    run = comfy.run(one)
    assert _frames_and_seconds_of_sound(comfy, run.file("8")) == (25, 1.0)
    with av.open(str(comfy.path(run.file("8")))) as video:
        assert video.streams.video[0].width == 768
    assert comfy.run(one).cached == set(one)
    one["7"]["inputs"]["face_box"] = "1,2"
    assert comfy.run(one).complaint.startswith("face_box - face_box must be empty")


def test_a_second_run_takes_what_is_there(comfy: Comfy, prompt: dict[str, Any]) -> None:
    first = comfy.run(prompt).file("8")
    assert comfy.run(prompt).cached == set(prompt)
    prompt["8"]["inputs"]["crf"] = 30
    again = comfy.run(prompt)
    assert again.cached == set(prompt) - {"8"}
    assert comfy.path(again.file("8")) != comfy.path(first)
    assert comfy.path(first).exists()
    (comfy.home / "input/sonic_sample_speech.wav").touch()
    assert "4" not in comfy.run(prompt).cached


def test_our_video_goes_through_the_hosts_nodes_and_back(comfy: Comfy, prompt: dict[str, Any]) -> None:
    del prompt["8"]
    save = {"format": "auto", "codec": "auto"}
    combine = {"filename_prefix": "back", "crf": 18, "save_output": False}
    prompt |= {
        "20": {"class_type": "SaveVideo", "inputs": {"video": ["7", 0], "filename_prefix": "core", **save}},
        "21": {"class_type": "GetVideoComponents", "inputs": {"video": ["7", 0]}},
        "22": {"class_type": "CreateVideo", "inputs": {"images": ["21", 0], "audio": ["21", 1], "fps": ["21", 2]}},
        "23": {"class_type": "VideoCombine", "inputs": {"video": ["22", 0], **combine}},
    }
    run = comfy.run(prompt)
    for node in ("20", "23"):
        assert _frames_and_seconds_of_sound(comfy, run.file(node)) == (25, 1.0)
    assert run.file("23")["type"] == "temp"
    saved = comfy.path(run.file("20"))
    saved.rename(comfy.home / "input/core.mp4")
    load = {"class_type": "LoadVideo", "inputs": {"file": "core.mp4"}}
    run = comfy.run({"1": load, "2": {"class_type": "VideoCombine", "inputs": {"video": ["1", 0], **combine}}})
    assert _frames_and_seconds_of_sound(comfy, run.file("2")) == (25, 1.0)


def test_every_format_is_kept_and_can_be_viewed(comfy: Comfy, prompt: dict[str, Any]) -> None:
    formats = choices_of(*comfy.read("/object_info/VideoCombine")["VideoCombine"]["input"]["optional"]["format"])
    assert formats
    inputs = prompt.pop("8")["inputs"] | {"filename_prefix": "kinds/one", "pingpong": True}
    for name in formats:
        prompt[name] = {"class_type": "VideoCombine", "inputs": inputs | {"format": name}}
    run = comfy.run(prompt)
    for name in formats:
        file = run.file(name)
        assert comfy.ask("/view?" + urllib.parse.urlencode(file)) == comfy.path(file).read_bytes()
        assert run.outputs[name]["animated"] == [name.startswith(("mp4", "webm", "mov"))]
        if name != "webp":  # which FFmpeg reads only of late
            pictures = comfy.path(file).parent if name == "png16" else comfy.path(file)
            length = len(list(pictures.glob("*.png"))) if pictures.is_dir() else _frames(pictures)
            assert length == 48


def test_cancel_leaves_nothing_behind(comfy: Comfy, prompt: dict[str, Any]) -> None:
    prompt["6"]["inputs"] |= {"duration": 0.0, "min_resolution": 1024}
    prompt["7"]["inputs"] |= {"seed": 1, "fps": 120.0}
    comfy.run({"1": {"class_type": "SonicModelLoader", "inputs": {"model_name": "sonic-preview"}}})
    before = comfy.litter()
    ticket = comfy.queue(prompt)
    assert isinstance(ticket, str)
    end = time.monotonic() + 180
    while not comfy.litter() - before and time.monotonic() < end:  # the sampler has begun to write
        time.sleep(0.05)
    assert comfy.litter() - before, comfy.log[-3000:]
    began = time.monotonic()
    comfy.ask("/interrupt", {})
    run = comfy.wait(ticket)
    assert "execution_interrupted" in run.events
    assert time.monotonic() - began < 20  # the whole would take minutes; a busy machine answers late
    assert comfy.litter() <= before


def test_temporary_videos_go_when_the_host_forgets_them(comfy: Comfy, prompt: dict[str, Any]) -> None:
    prompt["8"]["inputs"]["save_output"] = False
    shown = comfy.path(comfy.run(prompt).file("8"))
    assert comfy.temporary_videos
    comfy.forget()
    assert comfy.temporary_videos == []
    assert shown.exists()


def test_what_cannot_be_used_is_said_in_a_sentence(comfy: Comfy, prompt: dict[str, Any]) -> None:
    Image.new("RGB", (640, 480), (90, 120, 90)).save(comfy.home / "input/meadow.png")
    prompt["3"]["inputs"]["image"] = "meadow.png"
    run = comfy.run(prompt)
    assert run.events["execution_error"]["node_type"] == "SONIC_PreData"
    assert "face" in run.complaint
    assert "\n" not in run.complaint


def test_files_outside_the_folders_are_refused_before_anything_runs(comfy: Comfy, prompt: dict[str, Any]) -> None:
    (comfy.home / "secret.wav").write_bytes((comfy.home / "input/sonic_sample_speech.wav").read_bytes())
    prompt["4"]["inputs"]["audio"] = "../secret.wav"
    assert "leads out of the inputs folder" in comfy.run(prompt).complaint
    prompt["4"]["inputs"]["audio"] = "nowhere.wav"
    assert "There is no file nowhere.wav" in comfy.run(prompt).complaint
    prompt["4"]["inputs"]["audio"] = "sonic_sample_speech.wav"
    prompt["8"]["inputs"]["filename_prefix"] = "../out"
    assert "must name files inside the outputs folder" in comfy.run(prompt).complaint


@pytest.mark.parametrize(
    ("node", "chosen", "words"),
    [
        ("7", {"window": 14, "window_overlap": 14}, "window_overlap must be below window, 14; got 14."),
        ("8", {"crf": 60}, "crf must be from 0 (best) to 51 for mp4-h264, got 60."),
        ("8", {"frame_rate": math.nan}, "frame_rate must be from 0, the video's own, to 240; got nan."),
        ("6", {"duration": math.nan}, "duration must be above 0 seconds, got nan"),
        ("6", {"duration": 60.0}, "Expected a duration of at most the sound's 7.89 s, got 60.00 s"),
        ("4", {"start": 100.0}, "Expected at least 0.1 s of sound from 100 s on, got 0 s"),
    ],
)
def test_what_cannot_be_is_refused_once_and_before_anything_is_rendered(
    comfy: Comfy, prompt: dict[str, Any], node: str, chosen: dict[str, Any], words: str
) -> None:
    prompt["7"]["inputs"]["seed"] = 4711  # made by no other run
    prompt[node]["inputs"] |= chosen
    run = comfy.run(prompt)
    failed = run.events["execution_error"]
    assert (failed["node_id"], run.complaint.count(words)) == (node, 1)
    assert "7" not in failed["executed"], "nothing is animated first"
    assert node in {"4", "6"} or "6" not in failed["executed"], "no face is looked for first"


def test_what_is_linked_is_refused_before_anything_is_rendered_too(comfy: Comfy, prompt: dict[str, Any]) -> None:
    prompt["7"]["inputs"]["seed"] = 4712
    prompt["9"] = {"class_type": "PrimitiveString", "inputs": {"value": "../x"}}
    prompt["8"]["inputs"]["filename_prefix"] = ["9", 0]
    run = comfy.run(prompt)
    assert run.complaint == "filename_prefix must name files inside the outputs folder, got '../x'."
    assert set(run.events["execution_error"]["executed"]) == {"9"}


@pytest.mark.parametrize(("pattern", "words"), [("*.nothing", "*.nothing"), ("", "pattern is empty")])
def test_a_pattern_that_nothing_matches_is_refused_before_anything_is_rendered(
    comfy: Comfy, prompt: dict[str, Any], pattern: str, words: str
) -> None:
    choice = {"folder": "sonic_samples", "pattern": pattern, "filename_prefix": "batch/"}
    prompt["4"] = {"class_type": "SonicLoadAudioFolder", "inputs": choice}
    run = comfy.run(prompt)
    assert words in run.complaint
    assert run.events["execution_error"]["node_id"] == "4"
    assert not {"6", "7"} & set(run.events["execution_error"]["executed"])


def _frames(path: Path) -> int:
    with av.open(str(path)) as video:
        return sum(1 for _ in video.decode(video=0))


def _frames_and_seconds_of_sound(comfy: Comfy, file: dict[str, str]) -> tuple[int, float]:
    with av.open(str(comfy.path(file))) as video:
        frames = sum(1 for _ in video.decode(video=0))
        video.seek(0)
        samples = sum(frame.samples for frame in video.decode(audio=0))
        return frames, round(samples / video.streams.audio[0].rate, 1)
