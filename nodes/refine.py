"""The video is put right: its sound in step with the mouth, its frames steady."""

# ruff: noqa: ANN401, N802, PLC0415
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import host
from .schema import advice

if TYPE_CHECKING:
    from ..sonic_core import Clip, Progress, Refinement, Staged


class LipSyncRefine:
    """Measure by how much the sound comes late, and move it where that is small and sure."""

    CATEGORY = "Sonic/repair"
    SEARCH_ALIASES = ("lip sync", "lipsync", "dub", "sound delay", "audio offset", "对口型", "口型", "音画同步", "配音")
    DESCRIPTION = (
        "Measures how far picture and sound are apart and moves the sound in step with the mouth. It changes nothing "
        "where the offset is large, drifts or cannot be told, and says so."
    )
    FUNCTION = "refine"
    OUTPUT_NODE = True  # the curve alone is worth a run, and is shown again when nothing has to be measured anew
    RETURN_TYPES = ("VIDEO", "FLOAT", "FLOAT", "IMAGE")
    RETURN_NAMES = ("video", "offset_seconds", "confidence", "curve")
    OUTPUT_TOOLTIPS = (
        "The video with its sound in step; the one that came in where nothing was changed.",
        "Seconds by which the sound came late; negative: early. Measured before anything was changed.",
        "Share of wrong sounds that would fit worse, 0 to 1; from 0.99 on the offset is trusted.",
        "How well mouth and sound fit, offset by offset.",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        from ..sonic_core import Align

        most = (
            "Seconds up to which an offset is corrected. Advised: 0.05; people notice sound that is 0.045 s early or "
            "0.125 s late."
        )
        force = "On: correct any constant offset, however large and however unsure. Look at the curve first."
        return {
            "required": {
                "video": (
                    "VIDEO",
                    {"tooltip": "From Sonic Sampler, Load Video or any other node that gives a video.", "lazy": True},
                ),
                "max_offset": (
                    "FLOAT",
                    {
                        "default": Align.max_offset,
                        "min": 0.0,
                        "max": Align.farthest,
                        "step": 0.005,
                        "round": 0.001,
                        "tooltip": most,
                        **advice(
                            0.0, Align.max_offset, above="so large an offset is more often measured wrong than true"
                        ),
                    },
                ),
                "force": ("BOOLEAN", {"default": False, "tooltip": force}),
            },
            "optional": {"audio": ("AUDIO", {"tooltip": "A sound in place of the video's own."})},
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def check_lazy_status(self, max_offset: float, audio: Any = None, **_others: object) -> list[str]:
        """Refuse, before the video is made, what nothing can be measured with."""
        from ..sonic_core import Align

        Align(max_offset)
        host.check_audible(audio)
        return ["video"]

    def refine(
        self, video: Any, max_offset: float, force: bool, audio: Any = None, unique_id: str | None = None
    ) -> dict[str, Any]:
        """Measure, and move the sound."""
        from ..sonic_core import draw_curve

        with host.warnings_shown(unique_id):
            progress, clip = host.progress_of(unique_id), host.clip_of(video)
            if audio is not None:
                clip = replace(clip, audio=host.sound_of(audio, lenient=True))
            made = _refine(clip, max_offset, force, progress)
            if audio is not None or (made is not None and made.clip is not clip):
                video = host.video_of(clip if made is None else made.clip, progress)
        done = None if made is None else made.report
        found = (0.0, 0.0) if done is None else (done.measurement.offset, done.measurement.confidence)
        curve = draw_curve(done, max_offset)
        return {"ui": {"images": [host.shown(curve)]}, "result": (video, *found, host.image_of(curve))}


class TemporalSmooth:
    """Take jitter and flicker out of a video."""

    CATEGORY = "Sonic/repair"
    SEARCH_ALIASES = ("stabilize", "deshake", "deflicker", "jitter", "防抖", "去抖", "稳定", "去闪烁")
    DESCRIPTION = (
        "Takes shake and flicker out of a video without touching speech: mouth and eyes move with the skin around them "
        "and keep what they do themselves. What is steady already is not changed."
    )
    FUNCTION = "smooth"
    RETURN_TYPES = ("VIDEO",)
    RETURN_NAMES = ("video",)
    OUTPUT_TOOLTIPS = ("The steadied video.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Describe the inputs."""
        from ..sonic_core import Smooth

        much = (
            "0: nothing. Up to 1: the share of the shake that is taken. Up to 2: slower shake too. Advised: 0.5 to 1."
        )
        advised = advice(0.5, 1.0, "much of the shake stays", "slow movement that is meant is flattened too")
        how = (
            "flow: keeps real motion. ema: an exponential moving average run both ways, which smooths more and also "
            "flattens quick motion."
        )
        return {
            "required": {
                "video": (
                    "VIDEO",
                    {"tooltip": "From Sonic Sampler, Load Video or any other node that gives a video.", "lazy": True},
                ),
                "strength": (
                    "FLOAT",
                    {
                        "default": Smooth.strength,
                        "min": 0.0,
                        "max": Smooth.most_strength,
                        "step": 0.05,
                        "tooltip": much,
                        **advised,
                    },
                ),
                "method": (list(Smooth.methods), {"default": Smooth.method, "tooltip": how}),
            },
            "hidden": {"unique_id": "UNIQUE_ID"},
        }

    def check_lazy_status(self, strength: float, method: str, **_others: object) -> list[str]:
        """Refuse, before the video is made, what it cannot be steadied with."""
        from ..sonic_core import Smooth

        Smooth(strength=strength, method=method)
        return ["video"]

    def smooth(self, video: Any, strength: float, method: str, unique_id: str | None = None) -> tuple[Any]:
        """Make the steadied video."""
        from ..sonic_core import smooth

        if not strength:
            return (video,)
        with host.warnings_shown(unique_id):
            finder = host.face_finder(host.search_path())
            made = smooth(host.clip_of(video), strength=strength, method=method, finder=finder)
            return (host.video_of(made.clip, host.progress_of(unique_id)),)


def _refine(clip: Clip, max_offset: float, force: bool, progress: Progress) -> Staged[Refinement] | None:
    """Refine a clip; None, with a warning, for one that cannot be measured and goes on as it is."""
    import warnings

    from ..sonic_core import InputError, SonicWarning, refine

    try:
        finder = host.face_finder(host.search_path())
        return refine(clip, max_offset=max_offset, force=force, finder=finder, progress=progress)
    except InputError as error:
        warnings.warn(f"Nothing was measured or changed: {error}", SonicWarning, stacklevel=2)
        return None
