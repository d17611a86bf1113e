"""Two packs with a node of one name: whoever was first, it is said."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.nodes.conftest import FolderPaths


def node_of(place: str, module: str = "somewhere") -> type:
    named = {"RELATIVE_PYTHON_MODULE": place} if place else {}
    return type("Node", (), {"__module__": module, **named})


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, type]:
    """The host's table of nodes."""
    table: dict[str, type] = {}
    monkeypatch.setitem(sys.modules, "nodes", SimpleNamespace(NODE_CLASS_MAPPINGS=table))
    return table


@pytest.fixture
def ours(pack: ModuleType) -> dict[str, type]:
    return {name: pack.NODE_CLASS_MAPPINGS[name] for name in ("SONIC_PreData", "SonicSampler", "VideoCombine")}


@pytest.fixture
def claimed(host: ModuleType, ours: dict[str, type], known: dict[str, type]) -> Any:
    """Claims, made as the host imports the pack: it is asked for its nodes first, and they enter its table then."""

    def claim() -> Any:
        claims = host.Claims(ours, Path("/host/custom_nodes/sonic-portrait"))
        known.update(ours)
        return claims

    return claim


def test_nothing_is_said_where_nothing_is_shared(claimed: Any, known: dict[str, type]) -> None:
    known["Other"] = node_of("custom_nodes.other")
    assert claimed().conflicts() == []


def test_a_pack_that_was_there_before_is_named(claimed: Any, known: dict[str, type]) -> None:
    known["SONIC_PreData"] = node_of("custom_nodes.ComfyUI_Sonic")
    (found,) = claimed().conflicts()
    assert (found["id"], found["ours"], found["pack"]) == ("SONIC_PreData", True, "ComfyUI_Sonic")
    assert "ComfyUI uses those of Sonic Portrait" in found["message"]


def test_a_pack_that_came_later_is_named(
    claimed: Any, known: dict[str, type], caplog: pytest.LogCaptureFixture
) -> None:
    claims = claimed()
    known["SONIC_PreData"] = node_of("custom_nodes.ComfyUI_Sonic-1.2")
    known["SonicSampler"] = node_of("custom_nodes.ComfyUI_Sonic-1.2")
    with caplog.at_level(logging.WARNING, "sonic"):
        (found,) = claims.tell()
        assert claims.tell() == [found]
    assert (found["id"], found["ours"], found["pack"]) == ("SONIC_PreData, SonicSampler", False, "ComfyUI_Sonic-1.2")
    assert "Disable ComfyUI_Sonic-1.2 in the manager, or remove its folder" in found["message"]
    assert [record.getMessage() for record in caplog.records] == [found["message"]], "once in the log"


def test_a_pack_is_found_by_its_modules_path(claimed: Any, known: dict[str, type]) -> None:
    claims = claimed()
    known["VideoCombine"] = node_of("", "/home/me/ComfyUI/custom_nodes/Video_x_Pack.nodes.save")
    assert claims.conflicts()[0]["pack"] == "Video_x_Pack"


def test_the_hosts_own_node_is_told_too(claimed: Any, known: dict[str, type]) -> None:
    claims = claimed()
    known["VideoCombine"] = node_of("comfy_extras.nodes_video")
    (found,) = claims.conflicts()
    assert (found["ours"], found["pack"]) == (False, "")
    assert "Update Sonic Portrait" in found["message"]


def test_being_imported_again_is_no_conflict(claimed: Any, known: dict[str, type]) -> None:
    known["SONIC_PreData"] = node_of("custom_nodes.sonic-portrait")
    assert claimed().conflicts() == []


def test_without_a_server_nothing_is_registered(host: ModuleType, folders: FolderPaths, claimed: Any) -> None:
    host.open_routes(claimed())
