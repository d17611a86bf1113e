"""The video leaves the house."""

# ruff: noqa: ANN401, N802, PLR0917
from __future__ import annotations

from typing import Any

from . import host


class VideoCombine:
    """Write a video with its sound as MP4 and show it in the node."""

    CATEGORY = "Sonic"
    DESCRIPTION = "Writes picture and sound as MP4 (H.264, AAC) and shows it; drop it on the canvas for its workflow."
    FUNCTION = "combine"
    OUTPUT_NODE = True
    RETURN_TYPES = ("VIDEO",)
    RETURN_NAMES = ("video",)
    OUTPUT_TOOLTIPS = ("The video, unchanged.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        name = "What the file's name begins with, folders included; a number is added, nothing is overwritten."
        quality = "Quality: lower is better and larger. Advised: 15 to 23 (18 cannot be told from the original)."
        keep = "On: kept in the outputs folder. Off: only shown, and gone when ComfyUI ends."
        return {
            "required": {
                "video": ("VIDEO", {"tooltip": "From Sonic Sampler, Load Video or any other node that gives a video."}),
                "filename_prefix": ("STRING", {"default": "sonic/portrait", "tooltip": name}),
                "crf": ("INT", {"default": 18, "min": 0, "max": 51, "tooltip": quality}),
                "save_output": ("BOOLEAN", {"default": True, "tooltip": keep}),
            },
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO", "unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, filename_prefix: str | None) -> bool | str:
        """Say before anything runs when the file could not be written."""
        return True if filename_prefix is None else host.problem(host.check_prefix, filename_prefix)

    def combine(
        self,
        video: Any,
        filename_prefix: str,
        crf: int,
        save_output: bool,
        prompt: dict[str, Any] | None = None,
        extra_pnginfo: dict[str, Any] | None = None,
        unique_id: str | None = None,
    ) -> dict[str, Any]:
        """Write the file."""
        metadata = host.workflow_metadata(prompt, extra_pnginfo)
        with host.warnings_shown(unique_id):
            progress, clip = host.progress_of(unique_id), host.clip_of(video)
            file = host.saved(clip, filename_prefix, save_output, crf=crf, metadata=metadata, progress=progress)
        return {"ui": {"images": [file], "animated": (True,)}, "result": (video,)}
