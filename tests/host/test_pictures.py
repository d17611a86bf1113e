"""What nodes show besides videos: the portrait's way, what was searched without a face, and a file's figures."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from tests.host.harness import Comfy


def heard(comfy: Comfy, prompt: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Run a prompt and write down, in order, what the host says of it to the canvas that asked."""
    with comfy.listening() as listener:
        ticket = comfy.queue(prompt, client=listener.client)
        assert isinstance(ticket, str)
        said = [one for one in listener.until_end(ticket) if isinstance(one, dict)]
    return [(one["type"], one["data"]) for one in said]


def test_the_node_shows_the_crop(comfy: Comfy, prompt: dict[str, Any]) -> None:
    (output,) = [said["output"] for event, said in heard(comfy, prompt) if event == "executed" and said["node"] == "6"]
    with Image.open(comfy.path(output["images"][0])) as picture:
        assert max(picture.size) == 768


def test_without_a_face_the_canvas_gets_the_searched_picture_before_the_error(
    comfy: Comfy, prompt: dict[str, Any]
) -> None:
    Image.new("RGB", (500, 400), (90, 120, 90)).save(comfy.home / "input/lawn.png")
    prompt["3"]["inputs"]["image"] = "lawn.png"
    said = [(event, data) for event, data in heard(comfy, prompt) if event.startswith("exec")]
    assert [event for event, _ in said[-2:]] == ["executed", "execution_error"]
    (_, shown), (_, error) = said[-2:]
    assert (shown["node"], shown["display_node"], shown["prompt_id"]) == ("6", "6", error["prompt_id"])
    with Image.open(comfy.path(shown["output"]["images"][0])) as picture:
        assert picture.size == (500, 400)
    assert "face_box" in error["exception_message"]
    prompt["6"]["inputs"]["face_box"] = "150,100,350,300"
    assert comfy.run(prompt).complaint == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [("face_box", "1,2,3"), ("duration", -1.0), ("min_resolution", 64), ("expand_ratio", 9.0), ("face_index", -1)],
)
def test_what_is_not_possible_is_refused_before_anything_runs(
    comfy: Comfy, prompt: dict[str, Any], name: str, value: object
) -> None:
    prompt["6"]["inputs"][name] = value
    refused = comfy.run(prompt)
    (error,) = refused.refused["node_errors"]["6"]["errors"]
    assert error["extra_info"]["input_name"] == name


def test_several_sounds_make_several_videos_of_one_portrait(comfy: Comfy, prompt: dict[str, Any]) -> None:
    folder = {"folder": "sonic_samples", "pattern": "*", "filename_prefix": "many/"}
    prompt["4"] = {"class_type": "SonicLoadAudioFolder", "inputs": folder}
    prompt["6"]["inputs"] |= {"audio": ["4", 0], "duration": 0.4}
    prompt["8"]["inputs"] |= {"filename_prefix": ["4", 2]}
    run = comfy.run(prompt)
    files, told = run.outputs["8"]["images"], run.outputs["8"]["sonic_video"]
    assert len(run.outputs["6"]["images"]) == 1
    assert len(files) == len({file["filename"] for file in files}) == len(told) > 1
    for file, figures in zip(files, told, strict=True):
        assert figures | file == figures
        assert (figures["frames"], figures["sound"]) == (10, True)
        assert figures["bytes"] == comfy.path(file).stat().st_size


def test_a_linked_name_that_leads_out_is_refused_while_it_runs(comfy: Comfy, prompt: dict[str, Any]) -> None:
    prompt["6"]["inputs"]["duration"] = 0.2
    prompt["9"] = {"class_type": "PrimitiveString", "inputs": {"value": "../out"}}
    prompt["8"]["inputs"]["filename_prefix"] = ["9", 0]
    run = comfy.run(prompt)
    assert run.events["execution_error"]["node_id"] == "8"
    assert "inside the outputs folder" in run.complaint


def test_pictures_and_a_sound_become_a_video_that_other_nodes_take(comfy: Comfy, prompt: dict[str, Any]) -> None:
    prompt["5"] = {"class_type": "RepeatImageBatch", "inputs": {"image": ["3", 0], "amount": 5}}
    del prompt["6"], prompt["7"]
    written = {"video": ["5", 0], "audio": ["4", 0], "frame_rate": 12.5, "sound": "trimmed", "loop_count": 2}
    prompt["8"]["inputs"] |= written
    prompt["9"] = {"class_type": "SaveVideo", "inputs": {"video": ["8", 0], "filename_prefix": "made", "format": "auto",
                                                         "codec": "auto"}}  # fmt: skip
    run = comfy.run(prompt)
    (told,) = run.outputs["8"]["sonic_video"]
    assert (told["frames"], told["fps"], told["sound"]) == (10, 12.5, True)
    assert comfy.path(run.outputs["9"]["images"][0]).stat().st_size > 0


def test_a_sound_is_no_video(comfy: Comfy, prompt: dict[str, Any]) -> None:
    prompt["8"]["inputs"]["video"] = ["4", 0]
    (error,) = comfy.run(prompt).refused["node_errors"]["8"]["errors"]
    assert (error["type"], error["extra_info"]["input_name"]) == ("return_type_mismatch", "video")
