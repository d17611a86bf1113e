"""Talking videos put right inside a real ComfyUI: sound in step, picture steady."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.signal import correlate

from sonic_core.clip import Clip, open_clip
from sonic_core.media.audio import read_audio
from tests.host.conftest import HOSTS
from tests.host.harness import ROOT, Comfy, Run

SAMPLE = ROOT / "assets/video.mp4"
NAME = "talking_video_repair"
ON_ONE_HOST = pytest.mark.parametrize("comfy", HOSTS[:1] or [None], ids=lambda path: path and path.name, indirect=True)


@pytest.fixture
def prompt() -> dict[str, Any]:
    """The bundled prompt."""
    return read_prompt()


def read_prompt() -> dict[str, Any]:
    return json.loads((ROOT / f"assets/prompts/{NAME}.json").read_text(encoding="utf-8"))


def saving(prompt: dict[str, Any]) -> dict[str, Any]:
    """Have the host's own nodes take what ours give, and give it back."""
    save = {"filename_prefix": "core", "format": "auto", "codec": "auto"}
    keep = {"filename_prefix": "back", "crf": 18, "save_output": False}
    return prompt | {
        "20": {"class_type": "SaveVideo", "inputs": {"video": ["5", 0], **save}},
        "21": {"class_type": "GetVideoComponents", "inputs": {"video": ["5", 0]}},
        "22": {"class_type": "CreateVideo", "inputs": {"images": ["21", 0], "audio": ["21", 1], "fps": ["21", 2]}},
        "23": {"class_type": "VideoCombine", "inputs": {"video": ["22", 0], **keep}},
        "24": {"class_type": "PreviewAny", "inputs": {"source": ["4", 1]}},
        "25": {"class_type": "PreviewAny", "inputs": {"source": ["4", 2]}},
        "26": {"class_type": "PreviewImage", "inputs": {"images": ["4", 3]}},
    }


@pytest.fixture(scope="module")
def repaired(comfy: Comfy) -> Run:
    """The bundled prompt, run once, with the host's own nodes behind it."""
    return comfy.run(saving(read_prompt()))


def test_the_sample_lies_among_the_inputs(comfy: Comfy) -> None:
    assert (comfy.home / "input/sonic_sample_video.mp4").read_bytes() == SAMPLE.read_bytes()


@pytest.mark.parametrize("node", ["6", "20", "23"])
def test_the_sound_is_moved_and_nothing_is_lost(comfy: Comfy, repaired: Run, node: str) -> None:
    path = comfy.path(repaired.file(node))
    assert frames_of(path) == frames_of(SAMPLE)
    assert read_audio(path).duration == pytest.approx(read_audio(SAMPLE).duration, abs=0.03)
    assert earlier_by(path) == pytest.approx(0.04, abs=0.01)


def test_what_was_found_is_given_and_shown(comfy: Comfy, repaired: Run) -> None:
    assert float(repaired.outputs["24"]["text"][0]) == pytest.approx(0.04, abs=0.01)
    assert float(repaired.outputs["25"]["text"][0]) >= 0.99
    curve = repaired.file("4")
    assert curve["type"] == "temp"
    shown = comfy.ask(f"/view?filename={curve['filename']}&type=temp")
    assert Image.open(io.BytesIO(shown)).size == (640, 360)
    assert np.array_equal(Image.open(io.BytesIO(shown)), Image.open(comfy.path(repaired.file("26"))).convert("RGB"))
    assert "lip sync: the sound was moved" in comfy.log
    assert "smoothing: shake" in comfy.log


def test_a_second_run_takes_what_is_there_and_shows_it(comfy: Comfy, repaired: Run) -> None:
    with comfy.listening() as listener:
        ticket = comfy.queue(saving(read_prompt()), client=listener.client)
        assert isinstance(ticket, str)
        said = [one for one in listener.until_end(ticket) if isinstance(one, dict)]
    assert comfy.wait(ticket).cached == set(saving(read_prompt()))
    shown = {one["data"]["node"]: one["data"]["output"] for one in said if one["type"] == "executed"}
    assert shown["4"]["images"] == repaired.outputs["4"]["images"]
    assert shown["6"]["images"] == repaired.outputs["6"]["images"]


@pytest.mark.parametrize(("node", "change"), [("5", {"strength": 2.0}), ("4", {"max_offset": 0.06})])
def test_cancel_takes_effect_and_leaves_nothing(
    comfy: Comfy, repaired: Run, prompt: dict[str, Any], node: str, change: dict[str, float]
) -> None:
    assert repaired.complaint == ""
    before = comfy.litter()
    prompt[node]["inputs"] |= change
    with comfy.listening() as listener:
        ticket = comfy.queue(prompt, client=listener.client)
        assert isinstance(ticket, str)
        began = time.monotonic()
        for said in listener.until_end(ticket):
            if isinstance(said, dict) and said["type"] == "progress" and said["data"]["node"] == node:
                began = time.monotonic()
                comfy.ask("/interrupt", {})
                break
        last = [said for said in listener.until_end(ticket) if isinstance(said, dict)][-1]
    assert (last["type"], last["data"]["node_id"]) == ("execution_interrupted", node)
    assert time.monotonic() - began < 20
    assert comfy.litter() <= before


@ON_ONE_HOST
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mute.mp4", "Nothing was measured or changed: Expected a video with sound"),
        ("meadow.mp4", "Nothing was measured or changed: Expected a face in the video"),
        ("sonic_sample_video.mp4", "more than the 20 ms that are corrected unasked"),
    ],
    ids=["mute", "without a face", "too far"],
)
def test_what_cannot_be_measured_or_is_too_far_goes_on_unchanged(
    comfy: Comfy, prompt: dict[str, Any], name: str, words: str
) -> None:
    given = comfy.home / "input" / name
    if not given.exists():
        replace(meadow(), audio=None if name.startswith("mute") else meadow().audio).export(given)
    prompt["3"]["inputs"]["file"] = name
    prompt["4"]["inputs"]["max_offset"] = 0.02
    save = {"video": ["4", 0], "filename_prefix": "unchanged", "format": "auto", "codec": "auto"}
    prompt = {key: prompt[key] for key in "34"} | {"20": {"class_type": "SaveVideo", "inputs": save}}
    begin, run = len(comfy.log), comfy.run(prompt)
    assert packets_of(comfy.path(run.file("20"))) == packets_of(given)
    assert run.file("4")["type"] == "temp"
    assert words in comfy.log[begin:]


@ON_ONE_HOST
def test_a_video_can_be_measured_and_nothing_else(comfy: Comfy, prompt: dict[str, Any]) -> None:
    meadow().export(comfy.home / "input/measured.mp4")
    prompt["3"]["inputs"]["file"] = "measured.mp4"
    run = comfy.run({key: prompt[key] for key in "34"})
    assert set(run.outputs) == {"4"}
    assert comfy.path(run.file("4")).exists()


@ON_ONE_HOST
def test_what_is_not_saved_is_forgotten(comfy: Comfy, prompt: dict[str, Any]) -> None:
    prompt["3"]["inputs"]["file"] = "meadow.mp4"
    meadow().export(comfy.home / "input/meadow.mp4")
    assert comfy.run(prompt).complaint == ""
    assert comfy.temporary_videos
    comfy.forget()
    assert comfy.temporary_videos == []


def meadow() -> Clip:
    """Four seconds without a face, shaking, with sound."""
    still = torch.linspace(0.2, 0.8, 128).expand(1, 3, 96, 128)

    def read() -> Iterator[torch.Tensor]:
        for move in torch.randint(-1, 2, (40, 2), generator=torch.Generator().manual_seed(1)).tolist():
            yield still.roll(move, (2, 3)).clamp(0, 1)

    return Clip(read, Fraction(10), 40, (96, 128), read_audio(SAMPLE, duration=4.0))


def frames_of(path: Path) -> int:
    return open_clip(path).length


def earlier_by(path: Path) -> float:
    """Seconds by which a file's sound is earlier than the sample's, by cross-correlation."""
    one, other = (read_audio(file).samples.mean(0).double().numpy() for file in (SAMPLE, path))
    rate = read_audio(path).rate
    assert rate == read_audio(SAMPLE).rate
    matches = correlate(one, other, method="fft")
    return float(matches.argmax() - (len(other) - 1)) / rate


def packets_of(path: Path) -> list[bytes]:
    """All that is in a file: its picture and its sound, as they were encoded."""
    with av.open(str(path)) as file:
        return sorted(bytes(packet) for packet in file.demux() if packet.size)
