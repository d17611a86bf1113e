"""Two packs with a node of one name: the host takes the one that it reads last and says nothing, so this does."""

# ruff: noqa: ANN401 - the host's objects have no types
from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .progress import log

PACK = "Sonic Portrait"


class Claims:
    """The names that this pack has given to its nodes, and who else has given them."""

    def __init__(self, nodes: Mapping[str, type], folder: Path) -> None:
        """Look who was there before; called while the host imports this pack.

        Args:
            nodes: This pack's nodes by name.
            folder: This pack's.
        """
        self._nodes, self._folder = nodes, folder.name
        known = _known()
        self._before = {name: known[name] for name in nodes if name in known and self._is_foreign(known[name])}
        self._told: set[str] = set()

    def conflicts(self) -> list[dict[str, Any]]:
        """List with whom names are shared now, one entry per pack: the names, who has them, and what to do."""
        known, shared = _known(), {}
        for name in self._nodes:
            now = known.get(name)
            ours = not self._is_foreign(now)
            other = self._before.get(name) if ours else now
            if now is not None and other is not None:
                shared.setdefault((_pack_of(other), ours), []).append(name)
        return [
            {"id": ", ".join(names), "ours": ours, "pack": pack, "message": _message(names, pack, ours)}
            for (pack, ours), names in shared.items()
        ]

    def tell(self) -> list[dict[str, Any]]:
        """List the conflicts, and write those that are new into the log."""
        found = self.conflicts()
        for message in (one["message"] for one in found):
            if message not in self._told:
                log.warning(message)
                self._told.add(message)
        return found

    def _is_foreign(self, node: Any) -> bool:
        return node is not None and node not in self._nodes.values() and _pack_of(node) != self._folder


def _known() -> Mapping[str, Any]:
    """Return the host's own table of nodes."""
    return getattr(sys.modules.get("nodes"), "NODE_CLASS_MAPPINGS", {})


def _pack_of(node: Any) -> str:
    """Name the folder of the pack that a node comes from; empty for the host's own."""
    said = getattr(node, "RELATIVE_PYTHON_MODULE", "")
    if said:
        return said.removeprefix("custom_nodes.") if said.startswith("custom_nodes.") else ""
    _, inside, path = node.__module__.replace("\\", "/").rpartition("/custom_nodes/")
    return path.split("/")[0].split(".")[0] if inside else ""


def _message(names: list[str], pack: str, ours: bool) -> str:
    """Say what happened and what to do."""
    listed = ", ".join(names)
    if not pack:
        return f"{listed}: this ComfyUI has nodes of its own under these names and keeps them. Update {PACK}."
    if ours:
        return (
            f"{listed}: {pack} has nodes of the same name. ComfyUI uses those of {PACK}, so workflows made for {pack} "
            f"do not work. If you need them, disable {PACK} in the manager; else disable {pack}, or remove its folder "
            "from custom_nodes."
        )
    return (
        f"{listed}: {pack} has nodes of the same name and ComfyUI uses those, so workflows of {PACK} do not work. "
        f"Disable {pack} in the manager, or remove its folder from custom_nodes, and start ComfyUI again."
    )
