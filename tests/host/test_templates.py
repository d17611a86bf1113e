"""Every template in a real ComfyUI: offered, and fitting the nodes; test_client.py runs them all."""

from __future__ import annotations

import json
import urllib.error
from typing import Any
from urllib.parse import quote

import pytest

from tests.host.harness import PACK, ROOT, Comfy, misfits
from tests.host.prompts import NAMES, TITLES, Prompt, bundled, workflow_of


@pytest.mark.parametrize("name", NAMES)
def test_it_is_offered_with_a_picture_and_fits(comfy: Comfy, name: str) -> None:
    title = TITLES[name]
    assert title in comfy.read("/api/workflow_templates")[PACK]
    place = f"/api/workflow_templates/{PACK}/{quote(title)}"
    assert comfy.read(f"{place}.json") == workflow_of(name)
    assert comfy.ask(f"{place}.jpg")[:2] == b"\xff\xd8"
    assert misfits(workflow_of(name), comfy.read("/object_info")) == []


def test_the_blueprint_is_offered_as_it_is_shipped(comfy: Comfy) -> None:
    try:
        offered = comfy.read("/global_subgraphs")
    except urllib.error.HTTPError as error:
        error.close()
        pytest.skip("this host takes no blueprints from packs")
    ours = {one["name"]: key for key, one in offered.items() if one["info"]["node_pack"] == f"custom_nodes.{PACK}"}
    shipped = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "subgraphs").iterdir()}
    assert {name: json.loads(comfy.read(f"/global_subgraphs/{key}")["data"]) for name, key in ours.items()} == shipped


@pytest.mark.parametrize("name", NAMES)
def test_the_prompt_is_the_same_graph(comfy: Comfy, name: str) -> None:
    workflow, prompt = workflow_of(name), bundled(name)
    nodes = {str(node["id"]): node["type"] for node in workflow["nodes"] if not node["type"].endswith("Note")}
    assert {node: made["class_type"] for node, made in prompt.items()} == nodes
    ends = {node["id"]: [port["name"] for port in node.get("inputs", [])] for node in workflow["nodes"]}
    drawn = {(str(source), slot, str(goal), ends[goal][port]) for _, source, slot, goal, port, _ in workflow["links"]}
    assert set(links(prompt)) == drawn
    known = comfy.read("/object_info")
    for node in prompt.values():
        described = known[node["class_type"]]["input"]
        assert set(described["required"]) <= set(node["inputs"])
        assert set(node["inputs"]) <= {*described["required"], *described.get("optional", {})}


def links(prompt: Prompt) -> list[tuple[str, int, str, str]]:
    """List what goes where: source, its output, goal, its input."""
    found: list[tuple[str, int, str, str]] = []
    for goal, node in prompt.items():
        given: dict[str, Any] = node["inputs"]
        found += [(*value, goal, name) for name, value in given.items() if isinstance(value, list)]
    return found
