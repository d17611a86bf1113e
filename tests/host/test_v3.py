"""Our nodes in V3, where the host has enough of it: described as in V1 does, and remembering as long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.conftest import HOSTS
from tests.host.harness import PACK, Comfy, beside, needed_python
from tests.host.prompts import bundled

UNSAID = "V1 leaves out what is not so, V3 says that it is not"
CHOICES = "V1 has the choices in place of the kind, V3 says COMBO and has them among the options; the canvas reads both"
HIDDEN = "V3 names the kind in a list of one and gives every output node prompt and workflow; the canvas reads neither"
REASONS = {
    "deprecated": UNSAID,
    "experimental": UNSAID,
    "dev_only": UNSAID,
    "api_node": UNSAID,
    "price_badge": UNSAID,
    "essentials_category": UNSAID,
    "output_matchtypes": UNSAID,
    "input.*.*.multiline": UNSAID,
    "input.*.*.multiselect": UNSAID,
    "input.*.*": CHOICES,
    "input.*.*.options": CHOICES,
    "input.hidden": HIDDEN,
    "input_order.hidden": HIDDEN,
}
"""Where the two may differ, and why that is as well."""
TWINS = {"name", "display_name", "python_module"}
"""What is another for the twin, which has another name and comes from another pack."""
LACKING = object()


@pytest.fixture(scope="module", params=HOSTS or [None], ids=lambda path: path.name if path else "no host")
def twofold(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    """A host with another pack in which our nodes are as in V1 (``twins.py``)."""
    needed_python(request.param)
    folder = tmp_path_factory.mktemp("twofold")
    (folder / "packs/twins").mkdir(parents=True)
    (folder / "packs/twins/__init__.py").symlink_to(Path(__file__).with_name("twins.py"))
    with beside(request.param, folder, first=False) as host:
        yield host


def facts(described: dict[str, Any]) -> dict[str, Any]:
    """Lay out what /object_info says of a node, place by place; of an input its kind and each of its options."""
    told = {name: value for name, value in described.items() if name not in ("input", "input_order")}
    told |= {f"input_order.{group}": names for group, names in described["input_order"].items()}
    for group, inputs in described["input"].items():
        if group == "hidden":
            told["input.hidden"] = inputs
            continue
        told[f"input.{group}"] = list(inputs)  # in this order, in which a saved workflow has its values
        for name, (kind, *options) in inputs.items():
            told[f"input.{group}.{name}"] = kind
            told |= {f"input.{group}.{name}.{key}": value for key, value in (options[0] if options else {}).items()}
    return told


def place(name: str) -> str:
    """Name a place, whichever input it is of."""
    first, *rest = name.split(".")
    return ".".join([first, "*", "*", *rest[2:]]) if first == "input" and len(rest) > 1 else name


def test_the_host_is_told_the_same_in_v3_as_in_v1(twofold: Comfy) -> None:
    known = twofold.read("/object_info")
    pairs = {name.removesuffix(" in V1"): name for name in known if name.endswith(" in V1")}
    if not pairs:
        assert "search_aliases" not in known["SonicSampler"]
        pytest.skip("this host is given V1: its V3 lacks search aliases")
    assert len(pairs) == 14
    for name, twin in pairs.items():
        newer, older = facts(known[name]), facts(known[twin])
        different = {
            key: (older.get(key, LACKING), newer.get(key, LACKING))
            for key in newer | older
            if key not in TWINS and newer.get(key, LACKING) != older.get(key, LACKING)
        }
        assert [key for key in different if place(key) not in REASONS] == [], name
        for key, (before, now) in different.items():
            reason = REASONS[place(key)]
            if reason is UNSAID:
                assert before is LACKING, (name, key)
                assert now in (False, None), (name, key)
            elif reason is CHOICES and not key.endswith(".options"):
                assert (now, before) == ("COMBO", newer[f"{key}.options"]), (name, key)
        if name != "Flagged":
            assert (newer["name"], newer["python_module"]) == (name, f"custom_nodes.{PACK}")
            assert newer["display_name"].startswith("Sonic ")
    assert known["Flagged"]["input_order"]["required"][:3] == ["both", "file", "text"]


def whole(sound: str, node: str) -> dict[str, Any]:
    """Write a prompt for the one node that does everything."""
    prompt = bundled("fast_digital_human")
    asked = {"model_name": "sonic-preview", "duration": 0.2, "min_resolution": 128, "dynamic_scale": 1.0, "seed": 1}
    prompt["4"]["inputs"]["audio"] = sound
    links = {name: prompt["6"]["inputs"][name] for name in ("image", "audio")}
    made = {
        "class_type": "SonicTalkingPortrait",
        "inputs": {**links, **asked, "motion_scale": 1.0, "paste_back": False},
    }
    prompt["8"]["inputs"] |= {"video": [node, 0], "save_output": False}
    return {key: one for key, one in prompt.items() if key in "348"} | {node: made}


def test_what_a_node_knows_serves_the_next_run_and_ends_with_the_node(twofold: Comfy) -> None:
    assert twofold.run(whole("sonic_sample_speech.wav", "9")).complaint == ""
    first = twofold.read("/remembered")
    assert {name: len(kept) for name, kept in first.items()} == {"PreData": 1, "TalkingVideo": 1}
    assert twofold.run(whole("sonic_sample_spanish.wav", "9")).complaint == ""
    assert twofold.read("/remembered") == first, "neither the face is searched nor the model loaded again"
    twofold.run(whole("sonic_sample_speech.wav", "10"))
    second = twofold.read("/remembered")
    assert [len(kept) for kept in second.values()] == [1, 1], "the node that is gone has let go"
    nothing = {"PreData": [], "TalkingVideo": []}
    twofold.ask("/free", {"free_memory": True})
    end = time.monotonic() + 30
    while twofold.read("/remembered") != nothing and time.monotonic() < end:
        time.sleep(0.2)
    assert twofold.read("/remembered") == nothing
