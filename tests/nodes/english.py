"""Write the English words of the nodes, as the schemas say them, for the canvas: ``python -m tests.nodes.english``.

The schemas are the source; the file beside the Chinese one is what translators read, and a test holds both together.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.nodes.conftest import ROOT, FolderPaths, loaded

FILE = ROOT / "locales/en/nodeDefs.json"


def english(pack: ModuleType) -> dict[str, Any]:
    """Say what the nodes' schemas say, in the form of the host's ``nodeDefs.json``: names stay the workflows' own."""
    return {
        name: _words(pack.NODE_DISPLAY_NAME_MAPPINGS[name], node) for name, node in pack.NODE_CLASS_MAPPINGS.items()
    }


def inputs_of(node: Any) -> dict[str, dict[str, Any]]:
    """List a node's inputs with what the schema says of each."""
    asked = node.INPUT_TYPES()
    return {name: options for name, (_, options) in {**asked["required"], **asked.get("optional", {})}.items()}


def _words(title: str, node: Any) -> dict[str, Any]:
    inputs = {name: {"name": name, "tooltip": options["tooltip"]} for name, options in inputs_of(node).items()}
    told = zip(node.RETURN_NAMES, node.OUTPUT_TOOLTIPS, strict=True)
    outputs = {str(slot): {"name": name, "tooltip": tip} for slot, (name, tip) in enumerate(told)}
    return {"display_name": title, "description": node.DESCRIPTION, "inputs": inputs, "outputs": outputs}


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as home, loaded(FolderPaths(Path(home))) as pack:
        text = json.dumps(english(pack), ensure_ascii=False, indent=2)
    FILE.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
