"""The only room that knows the host: its pictures, sounds and videos, its folders, memory, progress and messages.

Everything of the host's is looked up inside the function that needs it, so that the nodes can be read and tested
where no host is.
"""

from .folders import (
    AUTO,
    check_prefix,
    checkpoint_files,
    checkpoint_path,
    hand_over_folders,
    input_files,
    input_path,
    mark_of,
    output_folder,
    problem,
    settle_in,
)
from .media import audio_of, image_of, picture_of, shown, sound_of
from .memory import HostKeeper, precision
from .progress import log, progress_of, warnings_shown
from .video import clip_of, formats, saved, video_of, workflow_metadata

__all__ = [
    "AUTO",
    "HostKeeper",
    "audio_of",
    "check_prefix",
    "checkpoint_files",
    "checkpoint_path",
    "clip_of",
    "formats",
    "hand_over_folders",
    "image_of",
    "input_files",
    "input_path",
    "log",
    "mark_of",
    "output_folder",
    "picture_of",
    "precision",
    "problem",
    "progress_of",
    "saved",
    "settle_in",
    "shown",
    "sound_of",
    "video_of",
    "warnings_shown",
    "workflow_metadata",
]
