"""The report in a real host: its page among the outputs, its texts for any node, and no way to run as a page there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.host.harness import Comfy
from tests.host.prompts import short_video

VIDEO = "short report.mp4"


@pytest.fixture
def prompt(comfy: Comfy) -> dict[str, Any]:
    """A small second of the bundled video, and the picture that it was made of."""
    short_video(comfy.home / "input").replace(comfy.home / "input" / VIDEO)
    return {
        "1": {"class_type": "LoadVideo", "inputs": {"file": VIDEO}},
        "2": {"class_type": "LoadImage", "inputs": {"image": "sonic_sample_portrait.png"}},
        "3": {
            "class_type": "SonicReport",
            "inputs": {"video": ["1", 0], "portrait": ["2", 0], "filename_prefix": "reports/one"},
        },
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 1]}},
    }


def test_the_page_is_kept_and_its_figures_reach_other_nodes(comfy: Comfy, prompt: dict[str, Any]) -> None:
    made = comfy.run(prompt)
    assert made.file("3")["type"] == "temp", "the curves are a picture to look at"
    (page,) = made.outputs["3"]["sonic_report"]
    assert comfy.path(page).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(comfy.path(page)) == page["path"]
    (told,) = made.outputs["4"]["text"]
    (video,) = json.loads(told)["videos"]
    assert (video["frames"], video["size"]) == (25, [192, 192])
    assert video["measures"] == page["measures"]
    assert video["measures"]["identity"] is not None
    assert comfy.run(prompt).cached == {"1", "2", "3", "4"}


def test_a_page_is_refused_before_the_video_is_read(comfy: Comfy, prompt: dict[str, Any]) -> None:
    prompt["3"]["inputs"]["filename_prefix"] = "../away"
    assert "filename_prefix must name files inside the outputs folder" in comfy.run(prompt).complaint
    prompt["3"]["inputs"]["filename_prefix"] = "here"
    prompt["2"] = {"class_type": "EmptyImage", "inputs": {"width": 96, "height": 96, "batch_size": 1, "color": 0}}
    run = comfy.run(prompt)
    assert "No face was found" in run.complaint
    assert run.events["execution_error"]["executed"] == ["2"], "the video was not asked for"
