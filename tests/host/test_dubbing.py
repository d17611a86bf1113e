"""A video's person says another sound in a real ComfyUI, whatever node the video comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from tests.host.harness import Comfy
from tests.host.prompts import Prompt, brief_changes, bundled, short_sound, short_video


@pytest.fixture
def dubbing(comfy: Comfy, tmp_path: Path) -> Prompt:
    """The bundled prompt over a short video and sound."""
    for path in (short_sound(tmp_path), short_video(tmp_path)):
        (comfy.home / "input" / path.name).write_bytes(path.read_bytes())
    prompt = bundled("dub_a_video")
    prompt["3"]["inputs"]["file"] = "short.mp4"
    prompt["4"]["inputs"]["audio"] = "short.wav"
    for place, value in brief_changes(prompt).items():
        node, _, name = place.partition(".")
        prompt[node]["inputs"][name] = value
    return prompt


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def frames_of(path: Path) -> int:
    with av.open(str(path)) as video:
        return sum(1 for _ in video.decode(video=0))


@pytest.mark.parametrize("source", ["core", "ours"])
def test_a_video_may_come_from_any_node(comfy: Comfy, dubbing: Prompt, source: str) -> None:
    if source == "core":
        parts = {"20": node("GetVideoComponents", video=["3", 0])}
        parts["21"] = node("CreateVideo", images=["20", 0], fps=["20", 2])
    else:
        parts = {
            "20": dubbing["6"],
            "21": dubbing["7"] | {"inputs": dubbing["7"]["inputs"] | {"conditions": ["20", 0]}},
        }
        again = dubbing["6"]["inputs"] | {"video": ["21", 0], "face_index": 0, "when_longer": "hold"}
        dubbing |= {"6": dubbing["6"] | {"inputs": again}}
    dubbing |= parts
    dubbing["6"]["inputs"]["video"] = ["21", 0]
    assert frames_of(comfy.path(comfy.run(dubbing).file("8"))) == 25


def test_the_one_node_dubs_too(comfy: Comfy, dubbing: Prompt) -> None:
    whole = node("SonicTalkingPortrait", video=["3", 0], audio=["4", 0], model_name="auto", duration=0.0)
    whole["inputs"] |= {"min_resolution": 128, "dynamic_scale": 1.0, "motion_scale": 1.0, "seed": 1, "paste_back": True}
    prompt = {"3": dubbing["3"], "4": dubbing["4"], "7": whole, "8": dubbing["8"]}
    made = comfy.path(comfy.run(prompt).file("8"))
    assert frames_of(made) == 25
    assert b"/compositeWithTrainedAlgorithmicMedia" in made.read_bytes()
    unmarked = prompt | {"8": dubbing["8"] | {"inputs": dubbing["8"]["inputs"] | {"mark": False}}}
    assert b"AlgorithmicMedia" not in comfy.path(comfy.run(unmarked).file("8")).read_bytes()


def test_what_does_not_go_together_is_refused_before_it_is_made(comfy: Comfy, dubbing: Prompt) -> None:
    picture = {"20": node("LoadImage", image="sonic_sample_portrait.png")}
    both = dubbing["6"]["inputs"] | {"image": ["20", 0]}
    run = comfy.run(dubbing | picture | {"6": dubbing["6"] | {"inputs": both}})
    assert run.complaint.startswith("image and video are both linked")
    assert set(run.events["execution_error"]["executed"]) <= {"4", "5"}, "neither was made"
    neither = {name: value for name, value in dubbing["6"]["inputs"].items() if name != "video"}
    assert comfy.run(dubbing | {"6": dubbing["6"] | {"inputs": neither}}).complaint.startswith("Neither image nor")
