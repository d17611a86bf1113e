"""Which way to its nodes the pack offers: V3 where the host has enough of it, else V1, and never both."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.nodes.conftest import FolderPaths, loaded

API = "comfy_api.latest"


class Input:
    def __init__(self, id: str, **said: Any) -> None:  # noqa: A002 - the host's word
        self.id, self.said = id, said


class Hidden(str, Enum):
    unique_id, prompt, extra_pnginfo = "UNIQUE_ID", "PROMPT", "EXTRA_PNGINFO"


@dataclass
class Schema:
    node_id: str
    display_name: str = ""
    category: str = ""
    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    hidden: list[Any] = field(default_factory=list)
    description: str = ""
    is_output_node: bool = False


@dataclass
class SchemaOfToday(Schema):
    search_aliases: list[str] = field(default_factory=list)


class ComfyNode:
    hidden = SimpleNamespace(unique_id="7")

    @classmethod
    def GET_SCHEMA(cls) -> Any:  # noqa: N802 - the host's word
        return cls.define_schema()  # type: ignore[attr-defined]


def io_of(schema: type, **more: Any) -> SimpleNamespace:
    kind = SimpleNamespace(Input=Input, Output=SimpleNamespace)
    kinds = dict.fromkeys(("Int", "Float", "String", "Boolean", "Combo", "MultiType"), kind)
    words: dict[str, Any] = {"Schema": schema, "ComfyNode": ComfyNode, "Hidden": Hidden, "Custom": lambda _: kind}
    return SimpleNamespace(**words | kinds | more)


@pytest.fixture
def given(folders: FolderPaths, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load the pack in a host whose V3 has these words, and tell which ways to its nodes it offers."""
    # The session's pack goes on afterwards as it was.
    known = {name: module for name, module in sys.modules.items() if name.startswith("/host/")}

    hosts = ExitStack()

    def load(io: SimpleNamespace | None) -> ModuleType:
        api = SimpleNamespace(ComfyExtension=object) if io is None else SimpleNamespace(ComfyExtension=object, io=io)
        monkeypatch.setitem(sys.modules, API, api)
        for name in known:
            monkeypatch.delitem(sys.modules, name)
        return hosts.enter_context(loaded(folders))

    yield load
    hosts.close()
    sys.modules.update({**known, "folder_paths": folders})


def ways(module: ModuleType) -> set[str]:
    return {name for name in ("NODE_CLASS_MAPPINGS", "comfy_entrypoint") if hasattr(module, name)}


def answered(asked: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine answers, in a thread of its own: a browser's driver leaves its loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, asked).result()


def test_a_host_that_can_say_all_gets_v3_alone(given: Any) -> None:
    module = given(io_of(SchemaOfToday))
    assert ways(module) == {"comfy_entrypoint"}
    extension = answered(module.comfy_entrypoint())
    made = {node.GET_SCHEMA().node_id: node for node in answered(extension.get_node_list())}
    assert len(made) == 13
    schema = made["VideoCombine"].GET_SCHEMA()
    assert (schema.display_name, schema.category, schema.is_output_node) == (
        "Sonic Video Combine",
        "Sonic/output",
        True,
    )
    assert [one.id for one in schema.inputs][:5] == ["video", "filename_prefix", "crf", "save_output", "format"]
    assert not hasattr(made["SonicLoadAudio"], "check_lazy_status"), "else the host asks it for what is lazy"


@pytest.mark.parametrize("io", [None, io_of(Schema)], ids=["no V3", "an early V3"])
def test_a_host_that_cannot_gets_v1_alone(given: Any, io: SimpleNamespace | None) -> None:
    assert ways(given(io)) == {"NODE_CLASS_MAPPINGS"}


def test_a_v3_that_has_changed_costs_nobody_the_nodes(given: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "sonic"):
        assert ways(given(io_of(SchemaOfToday, Custom=None))) == {"NODE_CLASS_MAPPINGS"}
    assert "given in V1" in caplog.text


def test_without_a_host_it_is_v1(pack: ModuleType) -> None:
    assert ways(pack) == {"NODE_CLASS_MAPPINGS"}


def test_what_is_kept_ends_with_the_hosts_own_objects(host: ModuleType) -> None:
    kept, tokens = host.v3.Kept(list), [Hidden, SimpleNamespace, type("One", (), {})()]
    assert kept.of("7") is not kept.of("7"), "a host that keeps none has nothing kept"
    kept.live_with(tokens[2])
    seven, eight = kept.of("7"), kept.of("8")
    assert kept.of("7") is seven is not eight is kept.of("8")
    tokens.clear()
    assert kept.of("7") is not seven
