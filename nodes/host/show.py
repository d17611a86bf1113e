"""What a node shows: pictures at once, once per run, and the figures of a file that was written."""

# ruff: noqa: ANN401 - the host's objects have no types
from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .folders import output_folder
from .media import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from ...sonic_core import Clip


def run_id() -> str:
    """Name the run that is going on; empty where the host is not running one."""
    return getattr(_server(), "last_prompt_id", "")


def show_now(picture: torch.Tensor, node: str | None) -> None:
    """Show a picture (3, h, w) in a node that is about to fail, in the host's own words for what a node has made."""
    server = _server()
    if server is None or server.client_id is None:
        return
    made = {"node": node, "display_node": server.last_node_id, "prompt_id": run_id()}
    server.send_sync("executed", {**made, "output": {"images": [shown(picture)]}}, server.client_id)


def figures(file: Mapping[str, str], clip: Clip, format: str, *, pingpong: bool) -> dict[str, Any]:  # noqa: A002
    """Tell what was written, from the file where it can be read again.

    Args:
        file: Where it lies, in the host's words.
        clip: What was written.
        format: The kind of file.
        pingpong: Forward, then backward.

    Returns:
        The host's words for the file, its path, and seconds, frames, fps, width, height, bytes, format, title, sound.
    """
    from ...sonic_core.media.footage import probe_video
    from ...sonic_core.media.formats import find_format

    path = Path(output_folder(file["type"] == "output"), file["subfolder"], file["filename"])
    kind = find_format(format)
    parts = [path] if kind.suffix else list(path.parent.iterdir())
    fps, size, sound = clip.fps, clip.size, any(part.suffix == ".wav" for part in parts)
    if kind.movie:
        info = probe_video(path)
        fps, size, frames, sound = info.fps, info.size, info.length, info.has_audio
    elif kind.suffix:
        frames = (clip.pingpong() if pingpong else clip).length
    else:
        frames = len(parts) - sound
    return {
        **file,
        "path": str(path if kind.suffix else path.parent),
        "seconds": float(frames / fps),
        "frames": frames,
        "fps": float(fps),
        "width": size[1],
        "height": size[0],
        "bytes": sum(part.stat().st_size for part in parts),
        "format": format,
        "title": kind.title,
        "sound": sound,
    }


def _server() -> Any:
    return getattr(import_module("server").PromptServer, "instance", None)
