"""Our video on its way through the host's own nodes, and every way in which the host saves one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.host.harness import Comfy
from tests.host.prompts import Prompt, brief_changes, bundled

OURS = ("7", 0)
"""Where our video comes from."""
AUTO = {"format": "auto", "codec": "auto"}
HDR = {"HDR", "HDR PQ"}
"""Colours that no video of ours has."""


def small_video() -> Prompt:
    """The bundled prompt, brief and small; node 7 gives the video."""
    prompt = bundled("fast_digital_human")
    for place, value in brief_changes(prompt).items():
        number, _, name = place.partition(".")
        prompt[number]["inputs"][name] = value
    prompt["4"]["inputs"]["audio"] = "short.wav"
    prompt["7"]["inputs"]["paste_back"] = False
    return {number: made for number, made in prompt.items() if number in {"3", "4", "5", "6", "7"}}


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def save(video: Sequence[Any], **choice: Any) -> dict[str, Any]:
    return node("SaveVideo", video=list(video), filename_prefix="row/x", **(choice or AUTO))


def combine(video: Sequence[Any], **choice: Any) -> dict[str, Any]:
    return node(
        "VideoCombine", video=list(video), **{"filename_prefix": "ours/x", "crf": 18, "save_output": True, **choice}
    )


def choices(inputs: Mapping[str, Any], within: str = "") -> Iterator[dict[str, Any]]:
    """List all that can be chosen in a node's inputs, those that open with a choice included."""
    if not inputs:
        yield {}
        return
    (name, (kind, options, *_)), *more = inputs.items()
    place, more = f"{within}{name}", dict(more)
    for rest in choices(more, within):
        if kind == "COMFY_DYNAMICCOMBO_V3":
            for option in options["options"]:
                opened = {**option["inputs"].get("required", {}), **option["inputs"].get("optional", {})}
                for inner in choices(opened, f"{place}."):
                    yield {place: option["key"], **inner, **rest}
        elif kind == "COMBO" or isinstance(kind, list):
            for option in options["options"] if kind == "COMBO" else kind:
                yield {place: option, **rest}
        else:
            yield {place: options["default"], **rest}


def savings(stage: Comfy) -> list[dict[str, Any]]:
    """List every way in which this host's Save Video writes."""
    described = stage.read("/object_info/SaveVideo")["SaveVideo"]["input"]["required"]
    opens = described["format"][0] == "COMFY_DYNAMICCOMBO_V3"
    return list(choices({name: described[name] for name in (("format",) if opens else ("format", "codec"))}))


def told(choice: Mapping[str, Any]) -> str:
    return " ".join(str(value) for value in choice.values())
