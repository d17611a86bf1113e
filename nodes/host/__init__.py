"""The only room that knows the host: its pictures, sounds and videos, its folders, memory, progress and messages.

Everything of the host's is looked up inside the function that needs it, so that the nodes can be read and tested
where no host is.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .conflicts import Claims
from .downloads import lacking
from .folders import (
    AUTO,
    NONE,
    SOUND_SAMPLES,
    check_folder,
    check_prefix,
    checkpoint_files,
    checkpoint_path,
    input_files,
    input_folders,
    input_path,
    lora_files,
    lora_path,
    mark_of,
    next_file,
    output_folder,
    problem,
    register_folders,
    search_path,
    sound_files,
)
from .media import audio_of, check_audible, image_of, picture_of, shown, sound_of
from .memory import HostKeeper, keepers, precision
from .progress import face_finder, heed_cancel, log, progress_of, warnings_shown
from .routes import open_routes
from .show import figures, run_id, show_now
from .v3 import entrypoint_of, v3_nodes
from .video import (
    MOST_RATE,
    are_pictures,
    check_writing,
    clip_of,
    clip_of_pictures,
    formats,
    saved,
    video_of,
    video_of_pictures,
    workflow_metadata,
)

__all__ = [
    "AUTO",
    "MOST_RATE",
    "NONE",
    "SOUND_SAMPLES",
    "HostKeeper",
    "are_pictures",
    "audio_of",
    "check_audible",
    "check_folder",
    "check_prefix",
    "check_writing",
    "checkpoint_files",
    "checkpoint_path",
    "clip_of",
    "clip_of_pictures",
    "face_finder",
    "figures",
    "formats",
    "heed_cancel",
    "image_of",
    "input_files",
    "input_folders",
    "input_path",
    "keepers",
    "lacking",
    "log",
    "lora_files",
    "lora_path",
    "mark_of",
    "next_file",
    "output_folder",
    "picture_of",
    "precision",
    "problem",
    "progress_of",
    "run_id",
    "saved",
    "search_path",
    "settle_in",
    "show_now",
    "shown",
    "sound_files",
    "sound_of",
    "video_of",
    "video_of_pictures",
    "warnings_shown",
    "workflow_metadata",
]


def settle_in(pack: Path, nodes: Mapping[str, type], titles: Mapping[str, str]) -> Any:  # noqa: ANN401
    """Make this pack at home in the host; called once, while the host imports it.

    Args:
        pack: This pack's folder.
        nodes: Its nodes by name, as in V1.
        titles: What they are called on the canvas.

    Returns:
        What the host is to call for them where it takes V3; None where it takes V1.
    """
    register_folders(pack)
    newer = v3_nodes(nodes, titles)
    open_routes(Claims(nodes if newer is None else newer, pack))
    return None if newer is None else entrypoint_of(newer)
