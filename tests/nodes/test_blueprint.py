"""The blueprint: a subgraph of the whole chain, as the host offers it, that fits our nodes."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.host.harness import inputs_of, misfits
from tests.nodes.conftest import ROOT
from tests.nodes.test_pack import described

ENDS = (-10, -20)
"""Numbers by which links name what comes from outside and what goes there."""
blueprints = pytest.mark.parametrize("path", sorted((ROOT / "subgraphs").glob("*")), ids=lambda path: path.stem)


def parts(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a blueprint: the node that stands for it, and what is inside."""
    read = json.loads(path.read_text(encoding="utf-8"))
    (node,), (inside,) = read["nodes"], read["definitions"]["subgraphs"]
    assert node["type"] == inside["id"]
    return node, inside


@blueprints
def test_what_is_inside_fits_the_nodes(pack: ModuleType, path: Path) -> None:
    _, inside = parts(path)
    order = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    links = [[link[key] for key in order] for link in inside["links"]]
    inner = [link for link in links if link[1] not in ENDS and link[3] not in ENDS]
    assert misfits({"nodes": inside["nodes"], "links": inner}, described(pack)) == []
    assert {node["type"] for node in inside["nodes"]} == {"SonicModelLoader", "SONIC_PreData", "SonicSampler"}


@blueprints
def test_what_is_linked_says_so_at_both_ends(path: Path) -> None:
    _, inside = parts(path)
    nodes = {node["id"]: node for node in inside["nodes"]}
    for link in inside["links"]:
        first = nodes.get(link["origin_id"], {"outputs": inside["inputs"]})["outputs"][link["origin_slot"]]
        last = nodes.get(link["target_id"], {"inputs": inside["outputs"]})["inputs"][link["target_slot"]]
        assert link["id"] in first.get("links", first.get("linkIds"))
        assert link["id"] in last.get("linkIds", [last.get("link")])
        assert first["type"] == last["type"] == link["type"]


@blueprints
def test_what_can_be_turned_outside_begins_as_inside(pack: ModuleType, path: Path) -> None:
    node, inside = parts(path)
    assert [one["name"] for one in node["inputs"]] == [one["name"] for one in inside["inputs"]]
    shown = [one["name"] for one in node["inputs"] if "widget" in one]
    assert node["properties"]["proxyWidgets"] == [["-1", name] for name in shown]
    whole = inputs_of({"input": pack.NODE_CLASS_MAPPINGS["SonicTalkingPortrait"].INPUT_TYPES()})
    assert node["widgets_values"] == [whole[name][1]["default"] for name in shown]
