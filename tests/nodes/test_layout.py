"""How the templates lie on the canvas: legible where it opens them, in the order of use, nothing over anything else."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.nodes.conftest import ROOT
from tests.nodes.english import inputs_of

FILLED = 0.75
"""Share of a window that a template takes when the newest canvas opens it."""
MARGIN = 14
"""Pixels that the canvas adds around what lies on it, measured on its versions 1.49 and 1.58."""
WINDOW, ZOOM = (1280, 720), 0.65
"""Below half its size the canvas leaves out the text of its nodes."""
WINDOWS = [WINDOW, (1400, 900)]
MINIMAP = (260, 262)
"""Width and height of the lower right corner of a window that the newest canvas covers with its small map, measured on
its version 1.58."""
FOOT = 34
"""Pixels that a box may go on below the lowest node in it; the newest canvas hangs a line there, *Show advanced
inputs*."""
TITLE = 30
"""Height of a node's title, which lies above its place."""
Box = tuple[float, float, float, float]
templates = pytest.mark.parametrize("path", sorted((ROOT / "workflows").glob("*.json")), ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def box_of(node: dict[str, Any]) -> Box:
    """Say where a node lies with its title: left, top, right, bottom."""
    (left, top), (width, height) = node["pos"], node["size"]
    return left, top - TITLE, left + width, top + height


def frame_of(group: dict[str, Any]) -> Box:
    left, top, width, height = group["bounding"]
    return left, top, left + width, top + height


def extent(workflow: dict[str, Any]) -> tuple[float, float]:
    """Measure width and height of all that lies on the canvas."""
    boxes = [*map(box_of, workflow["nodes"]), *map(frame_of, workflow["groups"])]
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return max(rights) - min(lefts), max(bottoms) - min(tops)


@templates
def test_a_template_is_legible_in_a_small_window(path: Path) -> None:
    taken = [pixels + MARGIN for pixels in extent(read(path))]
    assert min(FILLED * window / pixels for window, pixels in zip(WINDOW, taken, strict=True)) >= ZOOM


def test_the_first_template_is_small() -> None:
    width, height = extent(read(ROOT / "workflows/Fast digital human.json"))
    assert width <= 1500
    assert height <= 800


@templates
def test_no_node_lies_over_another_and_each_in_one_group(path: Path) -> None:
    workflow = read(path)
    for one, other in combinations(workflow["nodes"], 2):
        (left, top, right, bottom), (left2, top2, right2, bottom2) = box_of(one), box_of(other)
        apart = right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top
        assert apart, f"{one['type']} and {other['type']}"
    frames = [frame_of(group) for group in workflow["groups"]]
    for node in workflow["nodes"]:
        left, top, right, bottom = box_of(node)
        around = [frame for frame in frames
                  if frame[0] <= left and frame[1] <= top and right <= frame[2] and bottom <= frame[3]]  # fmt: skip
        assert len(around) == (node["type"] != "MarkdownNote"), node["type"]


@templates
def test_no_box_is_higher_than_what_is_in_it(path: Path) -> None:
    workflow = read(path)
    for group in workflow["groups"]:
        left, top, right, bottom = frame_of(group)
        inside = [box[3] for box in map(box_of, workflow["nodes"]) if left <= box[0] < right and top <= box[1] < bottom]
        assert bottom - max(inside) <= FOOT, group["title"]
        assert group["flags"] == {"sonic_follows": True}, "the canvas keeps it so when nodes have grown"


@templates
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_the_small_map_leaves_the_result_in_view(path: Path, window: tuple[int, int]) -> None:
    nodes = read(path)["nodes"]
    lefts, tops, rights, bottoms = zip(*map(box_of, nodes), strict=True)
    width, height = max(rights) - min(lefts), max(bottoms) - min(tops)
    scale = min(FILLED * window[0] / (width + MARGIN), FILLED * window[1] / (height + MARGIN))
    (result,) = [box_of(node) for node in nodes if node["type"] == "VideoCombine"]
    right = window[0] / 2 + (result[2] - min(lefts) - width / 2) * scale
    bottom = window[1] / 2 + (result[3] - min(tops) - height / 2) * scale
    assert right <= window[0] - MINIMAP[0] or bottom <= window[1] - MINIMAP[1]


@templates
def test_what_is_done_lies_from_left_to_right(path: Path) -> None:
    workflow = read(path)
    place = {node["id"]: node["pos"][0] for node in workflow["nodes"]}
    links = [(place[source], place[goal]) for _, source, _, goal, _, _ in workflow["links"]]
    assert [(source, goal) for source, goal in links if source > goal] == []
    ordered = sorted(workflow["groups"], key=lambda group: group["bounding"][0])
    assert [group["title"].split(" · ")[0] for group in ordered] == [str(one + 1) for one in range(len(ordered))]


@templates
def test_one_short_note_speaks_english_and_chinese(path: Path) -> None:
    (note,) = [node["widgets_values"][0] for node in read(path)["nodes"] if node["type"] == "MarkdownNote"]
    assert len(note) < 160
    assert any("\u4e00" <= letter <= "\u9fff" for letter in note)
    assert "press Run" in note or "download sonic-base" in note


def test_what_sonic_preview_ignores_and_few_need_is_folded_away(pack: ModuleType) -> None:
    from sonic_core.models.registry import MODELS

    (alone,) = [spec.heeds for spec in MODELS if spec.heeds]
    nodes = {name: inputs_of(node) for name, node in pack.NODE_CLASS_MAPPINGS.items()}
    folded = {name: {key for key, options in inputs.items() if options.get("advanced")}
              for name, inputs in nodes.items()}  # fmt: skip
    assert folded.pop("SonicModelLoader") == {
        "svd_checkpoint",
        "precision",
        "cards",
        "acceleration",
        "lora",
        "lora_strength",
    }
    assert folded.pop("SonicSampler") == alone & set(nodes["SonicSampler"]) != set()
    seldom = {"face_index", "face_box"}  # asked for by name where a face is not found, or is not the one
    assert folded.pop("SonicTalkingPortrait") == (alone & set(nodes["SonicTalkingPortrait"])) | seldom
    assert folded.pop("VideoCombine") == {"frame_rate", "pingpong", "sound", "loop_count", "mark"}
    assert folded.pop("SONIC_PreData") == {"published", "listeners", "when_longer"} | seldom
    assert not any(folded.values())
