"""The nodes as the host's V3 schema wants them, translated from how they describe themselves: nothing is said twice.

A node is a class as in V1, which every host takes and which can be read where no host is. A host whose V3 can say all
that these say gets a ``ComfyNode`` of each instead, with the same inputs, outputs, words and checks.
"""

# ruff: noqa: ANN401 - the host's objects have no types
from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from .progress import log

NEEDED = {"search_aliases"}
"""What a schema must be able to say: hosts before 0.11 cannot, and those before 0.8 check no choice of a V3 node."""
WIDGETS = {"INT": "Int", "FLOAT": "Float", "STRING": "String", "BOOLEAN": "Boolean"}
"""V1's names of what has a widget, and V3's; a list of choices is a ``Combo``."""
OPTIONS = {"forceInput": "force_input", "dynamicPrompts": "dynamic_prompts"}
"""Options of an input that V3 spells differently."""
SAID = {
    "CATEGORY": "category",
    "DESCRIPTION": "description",
    "SEARCH_ALIASES": "search_aliases",
    "ESSENTIALS_CATEGORY": "essentials_category",
    "INPUT_IS_LIST": "is_input_list",
    "OUTPUT_NODE": "is_output_node",
    "DEPRECATED": "is_deprecated",
    "EXPERIMENTAL": "is_experimental",
}
"""What a class says of itself, and the schema's word for it."""
CHECKS = {"VALIDATE_INPUTS": "validate_inputs", "IS_CHANGED": "fingerprint_inputs"}
"""Checks of a class, and V3's names for them; the host reads their parameters, so they go over as they are."""


class Kept:
    """One object of a node's class for each node on the canvas, which is what hosts keep of V1 nodes.

    V3 hands no object to a run, but the host makes one for each node and keeps it until a prompt comes without that
    node, or memory is to be freed. What is kept here ends with those: once the host lets one go, all of this kind are
    forgotten, and where it has none, none is kept.
    """

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._kept: dict[str | None, Any] = {}
        self._of_the_host: weakref.WeakSet[Any] = weakref.WeakSet()

    def live_with(self, token: object) -> None:
        """Forget everything once the host lets go of ``token``."""
        self._of_the_host.add(token)
        weakref.finalize(token, self._kept.clear)

    def of(self, node: str | None) -> Any:
        """Give the object of a node, by the id that it has on the canvas."""
        if not self._of_the_host:
            return self._kind()
        if node not in self._kept:
            self._kept[node] = self._kind()
        return self._kept[node]


def v3_nodes(nodes: Mapping[str, type], titles: Mapping[str, str]) -> dict[str, type] | None:
    """Translate nodes for the host that is importing this pack.

    Args:
        nodes: Classes as in V1, by name.
        titles: What they are called on the canvas.

    Returns:
        The host's ``ComfyNode`` of each; None where its V3 lacks something, or does not take what is made.
    """
    io = getattr(sys.modules.get("comfy_api.latest"), "io", None)  # who has V3 has read it before any pack
    if io is None or not {field.name for field in fields(io.Schema)} >= NEEDED:
        return None
    try:
        made = {name: _node_of(io, name, titles[name], node) for name, node in nodes.items()}
        for one in made.values():
            one.GET_SCHEMA()
    except Exception as error:  # noqa: BLE001 - it may change with any version, and V1 does not
        log.warning("This ComfyUI has another V3 than is known here, so the nodes are given in V1: %r", error)
        return None
    return made


def entrypoint_of(nodes: Mapping[str, type]) -> Any:
    """Make the function by which a host asks for V3 nodes."""
    extension = sys.modules["comfy_api.latest"].ComfyExtension

    async def get_node_list(_: Any) -> list[type]:
        return list(nodes.values())

    made = type("Sonic", (extension,), {"get_node_list": get_node_list})

    async def comfy_entrypoint() -> Any:
        return made()

    return comfy_entrypoint


def _node_of(io: Any, name: str, title: str, node: Any) -> Any:
    """Make a ``ComfyNode`` of a class as in V1."""
    kept = Kept(node)
    hidden = {key: io.Hidden(value) for key, value in node.INPUT_TYPES().get("hidden", {}).items()}

    def begin(self: Any) -> None:
        io.ComfyNode.__init__(self)
        kept.live_with(self)

    def asked(cls: Any, function: str, given: dict[str, Any]) -> Any:
        also = {key: getattr(cls.hidden, which.name) for key, which in hidden.items()}
        return getattr(kept.of(cls.hidden.unique_id), function)(**given, **also)

    def define_schema(_: Any) -> Any:
        return _schema_of(io, name, title, node)

    def execute(cls: Any, **given: Any) -> Any:
        made = asked(cls, node.FUNCTION, given)
        told = made if isinstance(made, dict) else {"result": made}
        return io.NodeOutput(*told["result"], ui=told.get("ui"))

    def check_lazy_status(cls: Any, **given: Any) -> list[str]:
        return asked(cls, "check_lazy_status", given)

    methods = {"define_schema": define_schema, "execute": execute}
    if hasattr(node, "check_lazy_status"):
        methods["check_lazy_status"] = check_lazy_status
    made = {key: classmethod(method) for key, method in methods.items()}
    checks = {theirs: getattr(node, ours) for ours, theirs in CHECKS.items() if hasattr(node, ours)}
    made |= {key: classmethod(check.__func__) for key, check in checks.items()}
    return type(
        node.__name__,
        (io.ComfyNode,),
        {**made, "__init__": begin, "__doc__": node.__doc__, "__module__": node.__module__},
    )


def _schema_of(io: Any, name: str, title: str, node: Any) -> Any:
    """Describe a node, as it is now: which files may be chosen changes."""
    asked = node.INPUT_TYPES()
    known = {field.name for field in fields(io.Schema)}
    said = {theirs: getattr(node, ours) for ours, theirs in SAID.items() if hasattr(node, ours) and theirs in known}
    if "search_aliases" in said:
        said["search_aliases"] = list(said["search_aliases"])
    return io.Schema(
        node_id=name,
        display_name=title,
        inputs=[
            _input_of(io, key, *described, optional=group == "optional")
            for group in ("required", "optional")
            for key, described in asked.get(group, {}).items()
        ],
        outputs=_outputs_of(io, node),
        hidden=[io.Hidden(value) for value in asked.get("hidden", {}).values()],
        **said,
    )


def _input_of(io: Any, name: str, kind: Any, options: Mapping[str, Any], *, optional: bool) -> Any:
    """Describe an input; what V3 has no word of its own for goes beside, where the canvas finds it as ever."""
    if isinstance(kind, list):
        make, options = io.Combo.Input, {"options": kind, **options}
    elif "," in kind:
        make = partial(io.MultiType.Input, types=[io.Custom(one) for one in kind.split(",")])
    else:
        make = (getattr(io, WIDGETS[kind]) if kind in WIDGETS else io.Custom(kind)).Input
    words = set(inspect.signature(make).parameters)
    named = {OPTIONS.get(key, key): value for key, value in options.items()}
    beside = {key: value for key, value in options.items() if OPTIONS.get(key, key) not in words}
    said = {key: value for key, value in named.items() if key in words}
    return make(name, optional=optional, extra_dict=beside, **said)


def _outputs_of(io: Any, node: Any) -> list[Any]:
    """Describe the outputs; they have names but no ids, for some are called as inputs are."""
    listed = getattr(node, "OUTPUT_IS_LIST", (False,) * len(node.RETURN_TYPES))
    told = zip(node.RETURN_TYPES, node.RETURN_NAMES, node.OUTPUT_TOOLTIPS, listed, strict=True)
    return [
        io.Custom(kind).Output(display_name=name, tooltip=tip, is_output_list=many) for kind, name, tip, many in told
    ]
