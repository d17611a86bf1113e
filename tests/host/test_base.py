"""sonic-base inside a real ComfyUI, with tiny networks."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import av
import pytest
from PIL import Image

from tests.host.conftest import Shelf
from tests.host.harness import ROOT, Comfy, choices_of

FILES = ("unet.pth", "audio2token.pth", "audio2bucket.pth", "flownet.pkl", "svd_xt.safetensors")
WINDOWS = 6
"""Three windows, two steps."""
ADDED = ("svd_checkpoint", "precision", "published", "appearance_guidance", "audio_guidance", "window",
         "window_overlap", "window_shift")  # fmt: skip
"""Inputs that came with sonic-base."""


@pytest.fixture(autouse=True)
def no_leaks(comfy: Comfy) -> Iterator[None]:
    yield
    assert "emory leak" not in comfy.log


@pytest.fixture
def quiet(comfy: Comfy) -> Iterator[None]:
    """Nothing that runs meanwhile may complain in the host's log."""
    begin = len(comfy.log)
    yield
    assert "Traceback" not in comfy.log[begin:]


def test_missing_weights_are_listed_and_found_once_they_are_there(
    comfy: Comfy, diffusing: dict[str, Any], shelf: Shelf
) -> None:
    run = comfy.run(diffusing)
    assert run.events["execution_error"]["node_type"] == "SonicModelLoader"
    said, command = run.complaint.splitlines()
    assert said == "sonic-base needs 8.2 GB of files that are missing: press Download on Sonic Model Loader, or run"
    wanted = f"{comfy.python} -m sonic_core download sonic-base --weights {comfy.home}/models/sonic"
    assert command == f"cd {ROOT} && {wanted}"
    for name in FILES:
        assert name in comfy.log
    assert f"put it into {comfy.home}/models/sonic, from huggingface.co" in comfy.log
    assert f"svd_xt.safetensors in {comfy.home}/models/checkpoints" in comfy.log
    shelf.fill()
    assert comfy.run(diffusing).complaint == ""


@pytest.mark.usefixtures("quiet")
def test_the_prompt_becomes_a_video_with_previews_on_the_way(
    comfy: Comfy, diffusing: dict[str, Any], shelf: Shelf
) -> None:
    shelf.fill()
    diffusing["6"]["inputs"]["duration"] = 2.0
    diffusing["7"]["inputs"] |= {"inference_steps": 2, "window": 10, "fps": 25.0}
    with comfy.listening() as listener:
        ticket = comfy.queue(diffusing, {"nodes": []}, listener.client)
        assert isinstance(ticket, str)
        heard = list(listener.until_end(ticket))
    reports = [said["data"] for said in heard if isinstance(said, dict) and said["type"] == "progress"]
    windows = [said["value"] for said in reports if said["node"] == "7" and said["max"] == WINDOWS]
    assert set(windows) >= set(range(1, WINDOWS + 1))
    assert {said["node"] for said in reports} >= {"6", "7", "8", "9", "10"}
    pictures = [said[8:] for said in heard if isinstance(said, bytes)]
    assert len(pictures) > WINDOWS  # one of every window, then frames as they are decoded
    assert Image.open(io.BytesIO(pictures[-1])).size == (512, 512)
    with av.open(str(comfy.path(comfy.wait(ticket).file("8")))) as video:
        assert (video.streams.video[0].codec_context.name, video.streams.video[0].average_rate) == ("h264", 25)
        assert video.streams.audio[0].codec_context.name == "aac"
        assert json.loads(video.metadata["prompt"])["5"]["inputs"]["model_name"] == "sonic-base"
        assert "workflow" in video.metadata
        sizes = [(frame.width, frame.height) for frame in video.decode(video=0)]
    assert sizes == [(128, 128)] * 50


@pytest.mark.usefixtures("quiet")
def test_a_stream_is_encoded_before_its_last_windows_are_begun(
    comfy: Comfy, diffusing: dict[str, Any], shelf: Shelf
) -> None:
    shelf.fill()
    diffusing["6"]["inputs"]["duration"] = 4.0
    diffusing["7"]["inputs"] |= {"inference_steps": 2, "window": 5, "fps": 12.5, "stream": True, "seed": 5}
    with comfy.listening() as listener:
        ticket = comfy.queue(diffusing, {"nodes": []}, listener.client)
        assert isinstance(ticket, str)
        heard = [said for said in listener.until_end(ticket) if isinstance(said, dict)]
    reports = [said["data"] for said in heard if said["type"] == "progress" and said["data"]["node"] == "7"]
    most = {report["max"] for report in reports}
    assert 50 in most, "frames are counted"
    (windows,) = most - {50, 1}
    first = next(place for place, report in enumerate(reports) if report["max"] == 50 and report["value"])
    last = max(place for place, report in enumerate(reports) if report["max"] == windows)
    assert first < last
    with av.open(str(comfy.path(comfy.wait(ticket).file("8")))) as video:
        assert sum(1 for _ in video.decode(video=0)) == 50


@pytest.mark.usefixtures("quiet")
def test_cancel_stops_the_denoising_and_the_next_run_works(
    comfy: Comfy, diffusing: dict[str, Any], shelf: Shelf
) -> None:
    shelf.fill()
    before = comfy.litter()
    diffusing["7"]["inputs"] |= {"inference_steps": 900, "window": 5, "seed": 2}
    began = 0.0
    with comfy.listening() as listener:
        ticket = comfy.queue(diffusing, client=listener.client)
        assert isinstance(ticket, str)
        for said in listener.until_end(ticket):
            if isinstance(said, bytes):  # the first preview: it denoises
                began = time.monotonic()
                comfy.ask("/interrupt", {})
                break
        last = [said for said in listener.until_end(ticket) if isinstance(said, dict)][-1]
    assert last["type"] == "execution_interrupted"
    assert time.monotonic() - began < 20
    assert comfy.litter() <= before
    diffusing["7"]["inputs"]["inference_steps"] = 1
    run = comfy.run(diffusing)
    assert run.complaint == ""
    assert {"5", "6"} <= run.cached


def test_a_checkpoint_is_chosen_by_name(comfy: Comfy, diffusing: dict[str, Any], shelf: Shelf) -> None:
    loader = diffusing["5"]["inputs"]
    loader["svd_checkpoint"] = "decoder of mine.safetensors"
    said = comfy.run(diffusing).complaint
    assert f"There is no file decoder of mine.safetensors in {comfy.home}" in said
    assert "\n" not in said
    shelf.fill("decoder of mine.safetensors")
    described = comfy.read("/object_info/SonicModelLoader")["SonicModelLoader"]
    assert choices_of(*described["input"]["optional"]["svd_checkpoint"]) == ["auto", "decoder of mine.safetensors"]
    assert comfy.run(diffusing).complaint == ""
    assert comfy.run(diffusing).cached == set(diffusing)
    loader |= {"model_name": "auto", "precision": "fp32"}  # another model takes the place of the first
    assert "6" not in comfy.run(diffusing).cached
    assert "auto: sonic-base" in comfy.log
    loader["svd_checkpoint"] = "auto"
    loader["model_name"] = "sonic-base"
    assert "press Download on Sonic Model Loader" in comfy.run(diffusing).complaint
    assert "svd_xt.safetensors" in comfy.log, "which files they are is told in the log"


@pytest.mark.usefixtures("quiet")
def test_models_that_were_unloaded_come_back(comfy: Comfy, diffusing: dict[str, Any], shelf: Shelf) -> None:
    shelf.fill()
    assert comfy.run(diffusing).complaint == ""
    begin = len(comfy.log)
    for _ in range(3):  # the host does not hear it while it collects garbage
        comfy.ask("/free", {"unload_models": True})
        time.sleep(1)
    diffusing["7"]["inputs"]["seed"] = 3
    run = comfy.run(diffusing)
    assert (run.complaint, run.cached) == ("", {"3", "4", "5", "6"})
    assert "Requested to load SonicNetwork" in comfy.log[begin:]
    comfy.forget()
    run = comfy.run(diffusing)
    assert (run.complaint, run.cached) == ("", set())


@pytest.mark.usefixtures("quiet")
def test_prompts_from_before_sonic_base_still_run(comfy: Comfy, prompt: dict[str, Any], shelf: Shelf) -> None:
    for node in ("5", "6", "7"):
        given = prompt[node]["inputs"]
        prompt[node]["inputs"] = {name: value for name, value in given.items() if name not in ADDED}
    assert comfy.run(prompt).complaint == ""
    shelf.fill()  # and what "auto" means changes when the weights come
    prompt["6"]["inputs"]["min_resolution"] = 128
    prompt["7"]["inputs"] |= {"inference_steps": 1, "fps": 12.5}
    run = comfy.run(prompt)
    assert run.complaint == ""
    assert "5" not in run.cached
