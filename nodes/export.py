"""The video leaves the house."""

# ruff: noqa: A002, ANN401, N802, PLC0415, PLR0917
from __future__ import annotations

from dataclasses import replace
from typing import Any

from . import host
from .schema import ADVANCED


class VideoCombine:
    """Write a video, a moving picture or a folder of pictures, and show it in the node."""

    CATEGORY = "Sonic/output"
    SEARCH_ALIASES = ("save video", "export video", "mp4", "gif", "webm", "保存视频", "导出视频")
    DESCRIPTION = (
        "Writes picture and sound as one file (MP4 with H.264 and AAC unless another format is chosen) and shows it; "
        "drop it on the canvas for its workflow."
    )
    FUNCTION = "combine"
    OUTPUT_NODE = True
    RETURN_TYPES = ("VIDEO",)
    RETURN_NAMES = ("video",)
    OUTPUT_TOOLTIPS = ("The video that came in, unchanged; pictures that came in as one.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        from ..sonic_core import describe_quality

        name = "What the file's name begins with, folders included; a number is added, nothing is overwritten."
        quality = (
            "Quality: lower is better and larger; 18 cannot be told from the original in H.264. "
            f"Advised: {describe_quality()}"
        )
        shown = (
            "From Sonic Sampler, Load Video or any other node that gives a video; or pictures, which become one, with "
            "the sound of audio."
        )
        keep = "On: kept in the outputs folder. Off: only shown, and gone when ComfyUI ends."
        return {
            "required": {
                "video": ("VIDEO,IMAGE", {"tooltip": shown, "lazy": True}),
                "filename_prefix": ("STRING", {"default": "sonic/portrait", "tooltip": name}),
                "crf": ("INT", {"default": 18, "min": 0, "max": 100, "tooltip": quality}),
                "save_output": ("BOOLEAN", {"default": True, "tooltip": keep}),
            },
            "optional": _further_inputs(),
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO", "unique_id": "UNIQUE_ID"},
        }

    @classmethod
    def VALIDATE_INPUTS(cls, filename_prefix: str | None) -> bool | str:
        """Say before anything runs when the file could not be written."""
        return True if filename_prefix is None else host.problem(host.check_prefix, filename_prefix)

    def check_lazy_status(
        self,
        filename_prefix: str,
        crf: int,
        *,
        format: str = "mp4-h264",
        frame_rate: float = 0.0,
        sound: str = "whole",
        audio: Any = None,
        **_others: object,
    ) -> list[str]:
        """Refuse, before the video is made, what could not be written; what is linked is known by then."""
        host.check_prefix(filename_prefix)
        host.check_writing(format, crf, frame_rate, sound)
        host.check_audible(audio)
        return ["video"]

    def combine(
        self,
        video: Any,
        filename_prefix: str,
        crf: int,
        save_output: bool,
        format: str = "mp4-h264",
        frame_rate: float = 0.0,
        pingpong: bool = False,
        sound: str = "whole",
        audio: Any = None,
        loop_count: int = 0,
        mark: bool = True,
        prompt: dict[str, Any] | None = None,
        extra_pnginfo: dict[str, Any] | None = None,
        unique_id: str | None = None,
    ) -> dict[str, Any]:
        """Write the file."""
        metadata = host.workflow_metadata(prompt, extra_pnginfo)
        with host.warnings_shown(unique_id):
            clip = _clip_of(video, audio, frame_rate)
            options = {"pingpong": pingpong, "sound": sound, "plays": loop_count, "mark": mark}
            file, is_video = host.saved(
                clip,
                filename_prefix,
                save_output,
                format=format,
                crf=crf,
                metadata=metadata,
                progress=host.progress_of(unique_id),
                **options,
            )
        told = host.figures(file, clip, format, pingpong=pingpong)
        given = host.video_of_pictures(video, clip) if host.are_pictures(video) else video
        return {"ui": {"images": [file], "animated": (is_video,), "sonic_video": [told]}, "result": (given,)}


def _further_inputs() -> dict[str, Any]:
    """Describe what came after the first workflows were saved, so that those still load."""
    from ..sonic_core import describe_formats

    rate = (
        "Frames per second; 0 keeps the video's own. Nothing moves faster or slower. Advised: 0, or 24 to 60. Pictures "
        "are shown so many a second, 25 for 0."
    )
    often = (
        "How often it plays: 0 is for ever for WebP and GIF and once for all others, which have their frames so many "
        "times; the sound plays once."
    )
    back = "Play forward, then backward; the sound plays once."
    sound = (
        "whole: a sound longer than the picture is kept, the last frame is held. trimmed: both end with the picture."
    )
    mark = (
        "Say in the file's metadata that it is synthetic, and with what it was made: version, model, IPTC's digital "
        "source type."
    )
    rates = {"default": 0.0, "min": 0.0, "max": host.MOST_RATE, "step": 0.01, "tooltip": rate}
    return {
        "format": (host.formats(), {"default": "mp4-h264", "tooltip": describe_formats()}),
        "frame_rate": ("FLOAT", rates | ADVANCED),
        "pingpong": ("BOOLEAN", {"default": False, "tooltip": back} | ADVANCED),
        "sound": (["whole", "trimmed"], {"default": "whole", "tooltip": sound} | ADVANCED),
        "audio": ("AUDIO", {"tooltip": "A sound in place of the video's own."}),
        "loop_count": ("INT", {"default": 0, "min": 0, "max": 100, "tooltip": often} | ADVANCED),
        "mark": ("BOOLEAN", {"default": True, "tooltip": mark} | ADVANCED),
    }


def _clip_of(video: Any, audio: Any, frame_rate: float) -> Any:
    """Read what is to be written: a video at the rate that is asked for, or pictures, so many a second."""
    drawn = host.are_pictures(video)
    clip = host.clip_of_pictures(video, frame_rate) if drawn else host.clip_of(video)
    if audio is not None:
        clip = replace(clip, audio=host.sound_of(audio, lenient=True))
    return clip if drawn or not frame_rate else _retimed(clip, frame_rate)


def _retimed(clip: Any, frame_rate: float) -> Any:
    from ..sonic_core import best_interpolator, retime

    return retime(clip, frame_rate, best_interpolator(host.search_path(), keeper=host.HostKeeper)).clip
