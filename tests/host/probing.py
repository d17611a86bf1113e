"""A pack of its own that does to a VIDEO what no core node does, as other packs do."""

# ruff: noqa: N802
from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path
from typing import Any


class Sink:
    """Takes bytes and can do nothing else."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")

    def write(self, content: bytes) -> int:
        return self.file.write(content)


def copied(video: Any, goal: Path) -> None:
    shutil.copy(video.get_stream_source(), goal)


def copied_by_private_name(video: Any, goal: Path) -> None:
    shutil.copy(video._VideoFromFile__file, goal)


def poured(video: Any, goal: Path) -> None:
    sink = Sink(goal)
    video.save_to(sink)
    sink.file.close()


def poured_as_webm(video: Any, goal: Path) -> None:
    sink = Sink(goal)
    video.save_to(sink, format="webm")
    sink.file.close()


def in_ten_bits(video: Any, goal: Path) -> None:
    video.save_to(str(goal), bit_depth=10)


WAYS = {
    "copied": (copied, ".mp4"),
    "copied by private name": (copied_by_private_name, ".mp4"),
    "poured": (poured, ".mp4"),
    "poured as webm": (poured_as_webm, ".webm"),
    "in ten bits": (in_ten_bits, ".mp4"),
}
EDITS = {"as_cropped": (32, 32, 64, 64), "as_resized": (64, 64, "area")}
"""Method → what it is given, for a frame of 128 by 128 pixels."""


class Probe:
    CATEGORY = "probing"
    FUNCTION = "probe"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"video": ("VIDEO",), "way": (list(WAYS),)}}

    def probe(self, video: Any, way: str) -> dict[str, Any]:
        write, suffix = WAYS[way]
        goal = Path(import_module("folder_paths").get_output_directory(), way.replace(" ", "_") + suffix)
        write(video, goal)
        return {"ui": {"images": [{"filename": goal.name, "subfolder": "", "type": "output"}]}}


class Edit:
    CATEGORY = "probing"
    FUNCTION = "edit"
    RETURN_TYPES = ("VIDEO",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        known = dir(import_module("comfy_api.latest").InputImpl.VideoFromFile)
        return {"required": {"video": ("VIDEO",), "method": ([name for name in known if name.startswith("as_")],)}}

    def edit(self, video: Any, method: str) -> tuple[Any]:
        return (getattr(video, method)(*EDITS[method]),)


NODE_CLASS_MAPPINGS = {"Probe": Probe, "Edit": Edit}
