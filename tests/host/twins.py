"""A pack of its own that has every node of ours as V1 has it, beside the V3 node that the host was given.

It also has a node that says of itself what none of ours does, in both, and tells which of our nodes remember something.
"""

# ruff: noqa: N802
from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import Any

OURS = "custom_nodes.sonic-portrait"
REMEMBER = {"PreData": "_seen", "TalkingVideo": "_loaded"}
"""Class → where it keeps what it knows from the run before."""


class Flagged:
    """Says everything of itself that a node can say."""

    CATEGORY, DESCRIPTION, FUNCTION = "probing", "All that can be said.", "probe"
    SEARCH_ALIASES = ("everything", "alles")
    ESSENTIALS_CATEGORY = "Video"
    DEPRECATED = EXPERIMENTAL = OUTPUT_NODE = INPUT_IS_LIST = True
    RETURN_TYPES, RETURN_NAMES, OUTPUT_IS_LIST = ("IMAGE", "SONIC_THING"), ("one", "many"), (False, True)
    OUTPUT_TOOLTIPS = ("A picture.", "Things.")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "both": ("VIDEO,IMAGE", {"lazy": True, "tooltip": "Either."}),
                "file": (["a.png"], {"image_upload": True}),
                "text": ("STRING", {"multiline": True, "dynamicPrompts": False, "placeholder": "write"}),
                "name": ("STRING", {"forceInput": True}),
                "number": ("INT", {"default": 3, "min": 0, "max": 9, "step": 3, "display": "slider"}),
                "seed": ("INT", {"default": 0, "control_after_generate": True}),
                "part": ("FLOAT", {"default": 0.5, "round": 0.001, "advised": {"least": 0.0, "most": 1.0}}),
                "really": ("BOOLEAN", {"default": True, "label_on": "yes", "label_off": "no", "advanced": True}),
            },
            "optional": {"thing": ("SONIC_THING", {"tooltip": "Another."}), "choice": (["x", "y"], {"default": "y"})},
            "hidden": {"unique_id": "UNIQUE_ID", "prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    def probe(self, **_given: Any) -> tuple[Any, list[Any]]:
        return None, []


def remembered() -> dict[str, list[int]]:
    """List, by class, what our nodes keep from the run before."""
    gc.collect()
    found: dict[str, list[int]] = {name: [] for name in REMEMBER}
    for one in gc.get_objects():
        kind = type(one)
        if kind.__name__ in REMEMBER and kind.__module__.endswith((".portrait", ".whole")):
            kept = getattr(one, REMEMBER[kind.__name__], None)
            found[kind.__name__] += [] if kept is None else [id(kept)]
    return found


def ours() -> dict[str, type]:
    """Find our nodes as the host has them."""
    known = import_module("nodes").NODE_CLASS_MAPPINGS
    return {name: kind for name, kind in known.items() if getattr(kind, "RELATIVE_PYTHON_MODULE", "") == OURS}


def twins() -> dict[str, type]:
    """Give our nodes as V1 has them, by other names, and the node that says everything, in both."""
    given = ours()
    made = {name: getattr(sys.modules[kind.__module__], kind.__name__) for name, kind in given.items()}
    if made == given:
        return {}  # the host was given V1
    nodes = sys.modules[made["VideoCombine"].__module__.rpartition(".")[0] + ".host"]
    return {f"{name} in V1": kind for name, kind in (made | {"Flagged": Flagged}).items()} | nodes.v3_nodes(
        {"Flagged": Flagged}, {"Flagged": "Flagged"}
    )


@import_module("server").PromptServer.instance.routes.get("/remembered")
async def tell(_: Any) -> Any:
    return import_module("aiohttp.web").json_response(remembered())


NODE_CLASS_MAPPINGS = twins()
